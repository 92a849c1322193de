// Programs in colours, and how one became another.

const CLASSES = { c: "comment", k: "keyword", s: "string", n: "numeral", f: "defined", b: "builtin" };
const CONTEXT = 3;

function tokens(run, line) {
  const pieces = run.texts.lines[line];
  const spans = [];
  for (let i = 0; i < pieces.length; i += 2) {
    spans.push(pieces[i] ? make("span", { class: CLASSES[pieces[i]] }, pieces[i + 1]) : pieces[i + 1]);
  }
  return spans;
}

function sourceOf(run, key) {
  return run.texts.programs[key]
    .map((line) => run.texts.lines[line].filter((_, i) => i % 2).join(""))
    .join("\n");
}

/** Returns a program; the line at which it raised is marked. */
function program(run, key, { label = "Program", failureLine = null } = {}) {
  const lines = run.texts.programs[key].map((line, i) =>
    make(
      "div",
      { class: i + 1 === failureLine ? "line failing" : "line" },
      make("span", { class: "gutter", "data-number": i + 1 }),
      make("code", {}, ...tokens(run, line)),
    ),
  );
  return make("div", { class: "code", tabindex: "0", role: "region", "aria-label": label }, lines);
}

/** Returns how a program became another, line by line; what stayed is folded. */
function difference(run, before, after, changes) {
  const old = run.texts.programs[before];
  const now = run.texts.programs[after];
  const rows = [];
  const row = (mark, name, left, right, line) =>
    make(
      "div",
      { class: `line ${name}` },
      make("span", { class: "gutter", "data-number": left ?? "" }),
      make("span", { class: "gutter", "data-number": right ?? "" }),
      make("span", { class: "mark" }, mark),
      make("code", {}, ...tokens(run, line)),
    );
  changes.forEach(([what, i, iStop, j, jStop], at) => {
    if (what !== "equal") {
      for (let n = i; n < iStop; n += 1) rows.push(row("−", "removed", n + 1, null, old[n]));
      for (let n = j; n < jStop; n += 1) rows.push(row("+", "added", null, n + 1, now[n]));
      return;
    }
    const lines = d3.range(iStop - i).map((n) => row(" ", "same", i + n + 1, j + n + 1, old[i + n]));
    const head = at === 0 ? 0 : CONTEXT;
    const tail = at === changes.length - 1 ? 0 : CONTEXT;
    const hidden = lines.length - head - tail;
    if (hidden < 2) {
      rows.push(...lines);
      return;
    }
    const middle = lines.slice(head, head + hidden);
    const more = button(`… ${plural(hidden, "equal line")}`, () => more.replaceWith(...middle), { class: "fold" });
    rows.push(...lines.slice(0, head), more, ...lines.slice(head + hidden));
  });
  return make("div", { class: "code", tabindex: "0", role: "region", "aria-label": "Differences" }, rows);
}

/** Returns a text whose paragraphs are shared, in a box. */
function prose(run, numbers, label) {
  const text = numbers.map((at) => run.texts.paragraphs[at]).join("\n\n");
  return make("pre", { class: "prose", tabindex: "0", role: "region", "aria-label": label }, text || "(empty)");
}
