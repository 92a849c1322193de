// Choosing one of many: a list, tabs, and what both do with the keyboard.

/** Returns the list of tabs and the panel of the open one: tabs are name -> [text, content]. */
function tabbed(tabs, { open, onTab, label }) {
  const name = open in tabs ? open : Object.keys(tabs)[0];
  const buttons = Object.entries(tabs).map(([one, [text]]) =>
    button(text, () => onTab(one), {
      role: "tab",
      id: `tab-${one}`,
      "aria-selected": one === name ? "true" : "false",
      "aria-controls": "node-panel",
      tabindex: one === name ? "0" : "-1",
    }),
  );
  return [
    make("div", { role: "tablist", "aria-label": label, on: { keydown: onTabKey } }, buttons),
    make("div", { role: "tabpanel", id: "node-panel", "aria-labelledby": `tab-${name}` }, tabs[name][1]()),
  ];
}

/** Left and right arrows go from tab to tab. */
function onTabKey(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const tabs = [...event.currentTarget.children];
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  event.preventDefault();
  next.click();
  document.getElementById(next.id)?.focus();
}

/** Returns a list of items ({id, glyph, text, worth}) of which one is selected. */
function choiceList(items, { selected, onSelect, label }) {
  const active = items.some((one) => one.id === selected) ? selected : items[0]?.id;
  const options = items.map((one) =>
    make(
      "div",
      {
        id: `item-${one.id}`,
        role: "option",
        "aria-selected": String(one.id === selected),
        tabindex: one.id === active ? 0 : -1,
        "data-node": one.id,
        on: { click: () => onSelect(one.id) },
      },
      make("span", { class: `glyph ${one.isBad ? "bug" : ""}`, "aria-hidden": "true" }, one.glyph),
      make("span", { class: "name" }, one.text),
      make("span", { class: "worth" }, one.worth),
    ),
  );
  return make("div", { class: "list", role: "listbox", "aria-label": label, on: { keydown: (event) => onListKey(event, onSelect) } }, options);
}

/** Moves the focus within a list; Enter and Space select. */
function onListKey(event, onSelect) {
  const item = event.target.closest("[role=option]");
  if (!item) return;
  const options = [...item.parentElement.children];
  const at = options.indexOf(item);
  const target = { ArrowDown: options[at + 1], ArrowUp: options[at - 1], Home: options[0], End: options.at(-1) }[event.key];
  if (event.key === "Enter" || event.key === " ") onSelect(Number(item.dataset.node));
  else if (!target) return;
  else {
    item.tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  }
  event.preventDefault();
}

/** Returns links to the item before and after one. */
function stepsOf(items, id, label) {
  const order = items.findIndex((one) => one.node === id);
  const step = (by, text) => {
    const next = items[order + by];
    return make("a", next ? { href: hashOf({ node: next.node }), class: "step" } : { class: "step off", "aria-disabled": "true" }, text);
  };
  return make("nav", { class: "steps", "aria-label": label }, step(-1, "‹ earlier"), step(1, "later ›"));
}

/** Draws the list and the panel of the chosen item, where what is chosen changes. */
function drawChoice(items, { selected, label, detail, onSelect }) {
  const box = document.getElementById("list");
  if (!box) return;
  const focus = document.activeElement?.id;
  const scroll = document.querySelector("#list .list")?.scrollTop ?? 0;
  box.replaceChildren(choiceList(items, { selected, onSelect, label }));
  showItem(document.querySelector("#list .list"), scroll);
  document.getElementById("node").replaceChildren(...detail());
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
}
