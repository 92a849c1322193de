// Elements of the page. Texts become text nodes: nothing here reads markup.

/** Returns an element: attributes by name, `on` for listeners, children or texts. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) {
        element.addEventListener(event, listener);
      }
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Returns a section with a heading that others can link to. */
function section(id, title, ...children) {
  return make(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    make("h2", { id: `${id}-title` }, title),
    ...children,
  );
}

/** Returns a table in a box of its own that scrolls sideways. Numbers are right-aligned. */
function table(caption, head, rows, { numeric = [], shown = true } = {}) {
  const align = (column) => (numeric.includes(column) ? "number" : null);
  return scrolling(
    caption,
    make(
      "table",
      {},
      make("caption", { class: shown ? null : "hidden" }, caption),
      make("thead", {}, make("tr", {}, head.map((text, i) => make("th", { scope: "col", class: align(i) }, text)))),
      make(
        "tbody",
        {},
        rows.map((row) =>
          make("tr", {}, row.map((cell, i) =>
            i === 0 ? make("th", { scope: "row" }, cell) : make("td", { class: align(i) }, cell),
          )),
        ),
      ),
    ),
  );
}

/** Returns a box that scrolls sideways, by keyboard too. */
function scrolling(label, ...children) {
  return make("div", { class: "scrolling", tabindex: "0", role: "region", "aria-label": label }, ...children);
}

/** Returns facts as a list of terms and what they are. */
function facts(pairs, name = "facts") {
  return make(
    "dl",
    { class: name },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value))),
  );
}

/** Returns a labelled choice between a few options: value -> text. */
function choice(id, label, options, current, onChange) {
  const select = make(
    "select",
    { id, on: { change: (event) => onChange(event.target.value) } },
    Object.entries(options).map(([value, text]) => make("option", { value, selected: value === current }, text)),
  );
  return make("span", { class: "choice" }, make("label", { for: id }, label), select);
}

/** Returns a button. */
function button(text, onClick, attributes = {}) {
  return make("button", { type: "button", ...attributes, on: { click: onClick } }, text);
}
