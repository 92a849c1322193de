// The search tree as a list: `role=tree`, arrow keys, Enter.

function summaryOf(node) {
  const worth = node.is_bug ? `bug (${node.outcome.replaceAll("_", " ")})` : `score ${share(node.score)}`;
  return `node ${node.node}, ${node.kind}, ${worth}${node.is_best ? ", the best" : ""}`;
}

/** Returns the nodes of a run depth first: parents before their children. */
function depthFirst(run) {
  const children = d3.group(run.nodes, (node) => node.parent);
  const found = [];
  const visit = (id) => {
    for (const node of children.get(id) ?? []) {
      found.push(node);
      visit(node.node);
    }
  };
  visit(0);
  return { found, children };
}

function nodeList(run, selected, onSelect) {
  const { found, children } = depthFirst(run);
  const active = found.some((node) => node.node === selected) ? selected : found[0]?.node;
  const items = found.map((node) => {
    const item = make(
      "div",
      {
        id: `item-${node.node}`,
        role: "treeitem",
        "aria-level": node.depth,
        "aria-selected": String(node.node === selected),
        "aria-expanded": children.has(node.node) ? "true" : null,
        tabindex: node.node === active ? 0 : -1,
        "data-node": node.node,
        on: { click: () => onSelect(node.node) },
      },
      make("span", { class: `glyph ${node.is_bug ? "bug" : ""}`, "aria-hidden": "true" }, SHAPES[node.kind]),
      make("span", {}, `${node.node}  ${node.kind}`),
      make("span", { class: "worth" }, node.is_bug ? `✕ ${node.outcome.replaceAll("_", " ")}` : share(node.score), node.is_best ? " ★" : ""),
    );
    item.style.setProperty("--level", Math.min(node.depth - 1, 12));
    return item;
  });
  return make(
    "div",
    { class: "list", role: "tree", "aria-label": "Nodes of the search tree", on: { keydown: (event) => onKey(event, run, onSelect) } },
    items,
  );
}

/** Moves the focus within the list; Enter and Space select. */
function onKey(event, run, onSelect) {
  const item = event.target.closest("[role=treeitem]");
  if (!item) return;
  const items = [...item.parentElement.children];
  const at = items.indexOf(item);
  const node = run.nodes.find((one) => one.node === Number(item.dataset.node));
  const child = run.nodes.find((one) => one.parent === node.node);
  const targets = {
    ArrowDown: items[at + 1],
    ArrowUp: items[at - 1],
    Home: items[0],
    End: items.at(-1),
    ArrowLeft: items.find((one) => Number(one.dataset.node) === node.parent),
    ArrowRight: child && items.find((one) => Number(one.dataset.node) === child.node),
  };
  if (event.key === "Enter" || event.key === " ") {
    onSelect(node.node);
  } else if (event.key in targets) {
    const target = targets[event.key];
    if (target) {
      item.tabIndex = -1;
      target.tabIndex = 0;
      target.focus();
    }
  } else {
    return;
  }
  event.preventDefault();
}
