// One node: what was asked, what came, and what it was worth.

function nodeLink(id, text) {
  return make("a", { href: hashOf({ node: id }) }, text);
}

/** Returns the tabs of a node that have something to show: name -> [text, content]. */
function tabsOf(run, node) {
  const num = node.counterexamples.length;
  const tabs = {
    program: ["Program", () => programTab(run, node)],
    changes: node.changes && ["Changes", () => changesTab(run, node)],
    accuracy: node.train && ["Accuracy", () => accuracyTab(node)],
    failures: num ? [`Counterexamples (${num})`, () => failuresTab(node)] : null,
    constants: node.fit && ["Constants", () => constantsTab(run, node)],
    prompt: ["Prompt", () => promptTab(run, node)],
    answer: ["Answer", () => answerTab(run, node)],
    running: ["Run", () => runningTab(run, node)],
  };
  return Object.fromEntries(Object.entries(tabs).filter(([, tab]) => tab));
}

function nodePanel(run, node, { tab, onTab }) {
  return [nodeHead(run, node), ...tabbed(tabsOf(run, node), { open: tab, onTab, label: "What to show of the node" })];
}

function nodeHead(run, node) {
  const order = run.nodes.findIndex((one) => one.node === node.node);
  const step = (by, text) => {
    const next = run.nodes[order + by];
    return make("a", next ? { href: hashOf({ node: next.node }), class: "step" } : { class: "step off", "aria-disabled": "true" }, text);
  };
  const from = node.parent ? ["of ", nodeLink(node.parent, `node ${node.parent}`)] : ["from nothing"];
  const same = run.nodes.find((one) => one.call === node.same_as);
  return make(
    "header",
    { class: "node-head" },
    make("h3", { id: "node-title", tabindex: "-1" }, `Node ${node.node}`, node.is_best ? make("span", { class: "star" }, " ★ best") : null),
    make("p", {}, `${SHAPES[node.kind]} ${node.kind} `, ...from, `, call ${node.call + 1}`, run.models.length > 1 ? `, by ${run.models[node.model]}` : ""),
    make(
      "p",
      { class: "chips" },
      node.is_bug
        ? make("span", { class: "chip bad" }, `✕ ${node.outcome.replaceAll("_", " ")}`)
        : make("span", { class: "chip" }, `score ${share(node.score)}`),
      node.train ? make("span", { class: "chip" }, `strict ${share(node.train.strict)} training`) : null,
      node.validation ? make("span", { class: "chip" }, `${share(node.validation.strict)} validation`) : null,
      node.became_best && !node.is_best ? make("span", { class: "chip" }, "was the best then") : null,
      same ? make("span", { class: "chip" }, "the same program as ", nodeLink(same.node, `node ${same.node}`)) : null,
    ),
    make("nav", { class: "steps", "aria-label": "Other calls" }, step(-1, "‹ earlier"), step(1, "later ›")),
  );
}

function currentNode(run, id) {
  return run.nodes.find((node) => node.node === id) ?? bestOf(run) ?? run.nodes.at(-1) ?? null;
}
