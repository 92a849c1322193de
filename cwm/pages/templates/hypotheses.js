// The hypotheses of an induction, one by one: the chains, a list, and each of them.

const MAX_PHASE_LINES = 25;
const MAX_LARGE_DOTS = 80;

function hypothesesSection(run) {
  if (!run.nodes.length) return section("search", "Hypotheses", make("p", {}, "None was proposed yet."));
  return section(
    "search",
    "Hypotheses",
    make(
      "div",
      { class: "search" },
      make(
        "div",
        { class: "overview" },
        make("h3", {}, "Every proposal, and where the chains are"),
        make("div", { id: "curve", class: "plot" }),
        lineKey(chainsOf(run).map((chain) => [`chain ${chain + 1}`, SERIES[chain % SERIES.length], "none"])),
        make("p", { class: "muted small" }, "● accepted, ○ refused, ★ the best at the end. Each phase brings data of its own, on which its proposals and the chains are weighed."),
        make("div", { id: "list" }),
      ),
      make("div", { id: "node", class: "detail" }),
    ),
  );
}

function chainsOf(run) {
  return [...new Set(run.nodes.map((one) => one.chain))].sort(d3.ascending);
}

function glyphOf(run, one) {
  return one.node === run.best ? "★" : one.is_accepted ? "●" : "○";
}

function nameOf(one) {
  return one.iteration ? `${one.node}  phase ${one.phase}, step ${one.iteration}` : `${one.node}  at the beginning`;
}

function currentHypothesis(run) {
  return run.nodes.find((one) => one.node === state.node) ?? run.nodes.find((one) => one.node === run.best) ?? run.nodes.at(-1);
}

function drawHypotheses(run) {
  const one = currentHypothesis(run);
  if (!one) return;
  const onSelect = (id) => {
    select(id);
    showDetail();
  };
  const many = chainsOf(run).length > 1;
  const items = run.nodes.map((each) => ({
    id: each.node,
    glyph: glyphOf(run, each),
    isBad: !each.is_accepted,
    text: nameOf(each) + (many ? `, chain ${each.chain + 1}` : ""),
    worth: `${fixed(each.mean, 2)} nats`,
  }));
  drawChoice(items, { selected: one.node, onSelect, label: "Hypotheses in the order of their proposal", detail: () => hypothesisPanel(run, one) });
  drawChains(document.getElementById("curve"), run, { selected: one.node, onSelect });
}

/** Draws each proposal's log-likelihood, and that of what the chain is at. */
function drawChains(element, run, { selected, onSelect }) {
  const known = run.nodes.filter((one) => typeof one.mean === "number");
  const values = known.flatMap((one) => [one.mean, one.before?.mean]).filter((value) => typeof value === "number");
  const [low = -1, high = 0] = d3.extent(values);
  const pad = (high - low || 1) * 0.08;
  const x = d3.scaleLinear().domain([0.5, run.nodes.length + 0.5]);
  const y = d3.scaleLinear().domain([low - pad, high + pad]);
  const width = widthOf(element);
  const svg = chart({
    width, height: 260, x, y, xTitle: "hypothesis", yTitle: "nats per transition of the phase",
    label: `Log-likelihood of each of ${count(run.nodes.length)} hypotheses`, margin: { ...MARGIN, top: 24, bottom: 40 },
  });
  const phases = d3.groups(run.nodes, (one) => one.phase).slice(1);
  for (const [, members] of phases.length <= MAX_PHASE_LINES ? phases : []) {
    const at = x(members[0].node - 0.5);
    svg.append("line").attr("class", "level").attr("stroke", "var(--muted)").attr("x1", at).attr("x2", at).attr("y1", y.range()[0]).attr("y2", y.range()[1]);
  }
  for (const chain of chainsOf(run)) {
    for (const [, members] of d3.groups(run.nodes.filter((one) => one.chain === chain && one.before), (one) => one.phase)) {
      const points = members.flatMap((one) => [
        [one.node - 0.5, one.before.mean], [one.node, one.before.mean], [one.node, one.is_accepted ? one.mean : one.before.mean],
      ]);
      const last = members.at(-1);
      points.push([last.node + 0.5, last.is_accepted ? last.mean : last.before.mean]);
      svg.append("path").attr("class", "series chain").attr("stroke", SERIES[chain % SERIES.length])
        .attr("d", d3.line(([at]) => x(at), ([, value]) => y(value)).defined(([, value]) => typeof value === "number")(points));
    }
  }
  const marks = svg.append("g").selectAll("g").data(known).join("g")
    .attr("class", (one) => `node mark ${one.is_accepted ? "accepted" : "refused"} ${one.node === run.best ? "best" : ""} ${one.node === selected ? "selected" : ""}`)
    .attr("data-node", (one) => one.node)
    .attr("transform", (one) => `translate(${x(one.node)},${y(one.mean)})`)
    .on("click", (event, one) => onSelect(one.node));
  marks.append("circle").attr("class", "halo").attr("r", 9);
  marks.append("circle").attr("class", "dot").attr("r", known.length > MAX_LARGE_DOTS ? 2.4 : 4.2).attr("stroke", (one) => SERIES[one.chain % SERIES.length]).attr("fill", (one) => (one.is_accepted ? SERIES[one.chain % SERIES.length] : "var(--surface)"));
  marks.filter((one) => one.node === selected).raise();
  marks.append("title").text((one) => `hypothesis ${nameOf(one)}: ${one.is_accepted ? "accepted" : "refused"}, ${fixed(one.mean, 2)} nats per transition`);
  element.replaceChildren(svg.node());
}

function hypothesisPanel(run, one) {
  const onTab = (tab) => {
    state.tab = tab;
    drawHypotheses(run);
    document.getElementById(`tab-${tab}`)?.focus();
  };
  const tabs = {
    program: ["Rules", () => rulesTab(run, one)],
    changes: one.changes && ["Changes", () => ruleChangesTab(run, one)],
    why: ["Decision", () => decisionTab(run, one)],
    types: ["By type", () => byTypeTab(run, one)],
    told: ["Data", () => dataTab(run, one)],
  };
  const shown = Object.fromEntries(Object.entries(tabs).filter(([, tab]) => tab));
  return [hypothesisHead(run, one), ...tabbed(shown, { open: state.tab, onTab, label: "What to show of the hypothesis" })];
}

function hypothesisHead(run, one) {
  const from = !one.before ? [] : one.before.node === null ? [", compared with no hypothesis"] : [", compared with ", nodeLink(one.before.node, `hypothesis ${one.before.node}`)];
  const chain = chainsOf(run).length > 1 ? `, chain ${one.chain + 1}` : "";
  const where = one.iteration ? `Proposed in phase ${one.phase}, step ${one.iteration}${chain}` : `What the chain began with${chain}`;
  return make(
    "header",
    { class: "node-head" },
    make("h3", { id: "node-title", tabindex: "-1" }, `Hypothesis ${one.node}`, one.node === run.best ? make("span", { class: "star" }, " ★ the best at the end") : null),
    make("p", {}, where, ...from),
    make(
      "p",
      { class: "chips" },
      one.iteration ? make("span", { class: one.is_accepted ? "chip" : "chip bad" }, one.is_accepted ? "● accepted" : "○ refused") : null,
      make("span", { class: "chip" }, `${fixed(one.mean, 2)} nats per transition`),
      one.before ? make("span", { class: "chip" }, `${signed(one.total - one.before.total, 1)} nats`) : null,
      make("span", { class: "chip" }, plural(one.num_words, "word")),
      one.is_whole ? null : make("span", { class: "chip bad" }, "cut off at the most tokens"),
    ),
    stepsOf(run.nodes, one.node, "Other hypotheses"),
  );
}

function rulesTab(run, one) {
  const [read, written] = one.tokens;
  return [
    rules(run, one.text, `Hypothesis ${one.node}`),
    read + written ? make("p", { class: "muted small" }, `${count(read)} tokens were read for it, ${count(written)} written.`) : null,
  ];
}

function ruleChangesTab(run, one) {
  const before = run.nodes.find((other) => other.node === one.before.node);
  const box = difference(run, before.text, one.text, one.changes);
  box.classList.add("words");
  return [make("p", { class: "muted" }, "From ", nodeLink(before.node, `hypothesis ${before.node}`), ", where the chain was."), box];
}

/** Returns why a hypothesis was accepted or not, in words and in numbers. */
function decisionTab(run, one) {
  if (!one.iteration) return make("p", {}, "A chain began with it: it was compared with nothing.");
  if (!one.before) return make("p", {}, one.log_ratio === null
    ? `It was drawn independently of the others. The likeliest draw is gone on from, which is ${one.is_accepted ? "this one" : "another one"}.`
    : `It was drawn independently of the others, with the log weight ${number(one.log_ratio)}. By their weights hypotheses were drawn again: ${one.is_accepted ? "this one was among them" : "this one was not"}.`);
  const temperature = run.settings["induction.inference.likelihood_temperature"];
  const corrected = run.settings["induction.inference.method"] === "metropolis-hastings";
  const rows = [
    ["log-likelihood of this one", fixed(one.total, 2)],
    [one.before.node === null ? "of no hypothesis" : `of hypothesis ${one.before.node}`, fixed(one.before.total, 2)],
    ["difference of log-likelihoods", signed(one.total - one.before.total, 2)],
    temperature === 1 && !run.settings["induction.inference.length_penalty"] ? null : ["after temperature and prior", signed(one.gain, 2)],
    corrected ? ["correction: log q of the way back less that of the way there", signed(one.correction, 2)] : null,
    ["log ratio", signed(one.log_ratio, 2)],
    ["logarithm of the random number", fixed(one.log_draw, 2)],
  ].filter(Boolean);
  const ratio = typeof one.log_ratio === "number" ? one.log_ratio : -Infinity;
  const chance = Math.min(1, Math.exp(ratio));
  const order = one.is_accepted ? "below" : "not below";
  return [
    make("p", {}, `${one.is_accepted ? "Accepted" : "Refused"}: the logarithm of the random number is ${order} the log ratio. Such a proposal is accepted with a probability of ${chance > 0 && chance < 0.001 ? "less than 0.001" : number(chance, 3)}.`),
    table("Nats, on the data of the phase", ["", "nats"], rows, { numeric: [1] }),
    one.log_ratio === "-inf" && corrected ? make("p", {}, "From this one the scientist would not go back to the other: there is no way back.") : null,
    corrected ? null : make("p", { class: "muted small" }, "The scientist's draws are taken for symmetric: method metropolis."),
  ];
}

function byTypeTab(run, one) {
  const names = run.types.filter((name) => name in one.by_type);
  const rows = names.map((name) => {
    const before = one.before?.by_type[name];
    return [name, fixed(one.by_type[name]), ...(one.before ? [fixed(before), signed(one.by_type[name] - before)] : [])];
  });
  const head = ["type", "this one", ...(one.before ? [one.before.node === null ? "no hypothesis" : `hypothesis ${one.before.node}`, "difference"] : [])];
  return table(`Nats per transition of phase ${one.phase}, by type`, head, rows, { numeric: [1, 2, 3] });
}

/** Returns what had to be explained, the trajectory that is explained worst first. */
function dataTab(run, one) {
  const at = run.phases.findIndex((phase) => phase.phase === one.phase);
  const told = run.trajectories[at];
  if (!told) return make("p", {}, "The trajectories of this phase are too many for a page; they are in the run's folder.");
  const each = told.map((trajectory, i) => ({ trajectory, i, total: one.by_trajectory[i], mean: one.by_trajectory[i] / Math.max(1, trajectory.steps.length), before: one.before?.by_trajectory[i] }));
  each.sort((a, b) => a.mean - b.mean);
  return [
    make("p", { class: "muted" }, `What phase ${one.phase} brought, the worst explained first.`),
    each.map(({ trajectory, i, total, mean, before }, order) =>
      make(
        "details",
        { class: "told", open: order === 0 },
        make("summary", {}, `Trajectory ${i + 1}: ${plural(trajectory.steps.length, "step")}, ${fixed(mean, 2)} nats per transition${typeof before === "number" ? `, ${signed(total - before, 1)} in all` : ""}`),
        make("p", { class: "told-state" }, words(run, trajectory.begin)),
        table("Steps", ["", "action", "what came of it", "type"], trajectory.steps.map(([action, change, type], step) => [String(step + 1), words(run, action), words(run, change), type]), { shown: false }),
      ),
    ),
  ];
}

/** Returns a short text of the store. */
function words(run, numbers) {
  return numbers.map((at) => run.texts.paragraphs[at]).join("\n\n");
}
