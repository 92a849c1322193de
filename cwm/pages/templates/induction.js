// The page of an induction: what the rules are worth, and how they came about.

const INDUCTION = {
  item: "hypothesis",
  about: "rules of a world in words (cwm.induce)",
  compare: inductionComparison,
  sections: (run) => [
    inductionVerdict(run),
    hypothesesSection(run),
    testSetSection(run),
    actingSection(run),
    plansSection(run),
    factsSection(run),
  ],
  drawn: (run) => drawHypotheses(run),
};

const NOTHING = "no hypothesis";

function rowNamed(run, name) {
  return run.scores?.rows.find((row) => row.name === name);
}

function inductionVerdict(run) {
  return section(
    "verdict",
    "Result",
    make("p", { class: "lead" }, ...inductionSentence(run)),
    run.roles.warnings.map((text) => make("p", { class: "warning" }, text)),
    make(
      "div",
      { class: "columns" },
      make("div", { class: "panel" }, differences(run), bestRules(run)),
      make("div", { class: "panel" }, inductionFacts(run)),
    ),
    make("div", { class: "multiples wide", id: "curves" }, inductionCurves(run)),
  );
}

function inductionSentence(run) {
  if (!run.phases.length) return ["Nothing has been collected yet."];
  if (run.best === null) return ["No hypothesis has been found", run.status.state === "finished" ? "." : " yet."];
  const link = nodeLink(run.best, `Hypothesis ${run.best}`);
  const found = rowNamed(run, "best")?.difference;
  if (found) {
    const reach = found.low === null ? "" : `95 % interval ${signed(found.low, 2)} to ${signed(found.high, 2)}, `;
    const size = d3.sum(run.scores.types, ([, amount]) => amount);
    return [
      link, " makes a test transition ", make("strong", {}, `${number(Math.abs(found.mean), 3)} nats`),
      ` ${found.mean < 0 ? "less likely" : "likelier"} on average than no hypothesis does (${reach}${plural(size, "transition")}).`,
    ];
  }
  const phase = run.phases.findLast((one) => one.data_mean !== null);
  const after = run.status.state === "finished" ? "Nothing was measured on the test set." : "The test set comes at the end.";
  return [link, " is the best so far: ", make("strong", {}, `${number(phase.data_mean, 4)} nats`), ` per transition of phase ${phase.phase}. ${after}`];
}

/** Returns the rows of the test set beside no hypothesis. */
function differences(run) {
  const rows = (run.scores?.rows ?? []).filter((row) => row.difference);
  if (!rows.length) return make("p", { class: "muted" }, "There is nothing to compare yet.");
  const shown = rows.map(({ name, difference }) => ({ name, value: difference.mean, low: difference.low, high: difference.high, ours: name === "best" }));
  return [
    intervals([{ name: NOTHING, value: 0 }, ...shown], { zero: 0, text: (value) => signed(value, 2), title: "Nats per test transition, against no hypothesis" }),
    make("p", { class: "muted small" }, "95 % intervals of the paired mean, as if transitions were independent: those of one episode are alike, so they are rather too short."),
  ];
}

function bestRules(run) {
  const best = run.nodes.find((one) => one.node === run.best);
  if (!best) return null;
  return [make("h3", { class: "plot-head" }, "The rules"), rules(run, best.text, "The best rules")];
}

/** Returns rules in words, line by line. */
function rules(run, key, label) {
  const box = program(run, key, { label });
  box.classList.add("words");
  return box;
}

function inductionFacts(run) {
  const { roles, cost } = run;
  const proposed = d3.sum(run.phases, (one) => one.num_proposed);
  const accepted = d3.sum(run.phases, (one) => one.num_accepted);
  const found = d3.sum(run.phases, (one) => d3.sum(Object.values(one.counts)));
  const tokens = cost.prompt_tokens + cost.completion_tokens;
  const rule = run.settings["induction.inference.method"];
  const chains = run.settings["induction.inference.chains"];
  return facts([
    ["Scientist", roles.scientist],
    ["Statistician", roles.statistician],
    ["Experimenter", roles.experimenter],
    ["Method", `${rule}, ${plural(chains, "chain")}, seed ${run.seed}`],
    ["Phases", `${count(Math.max(0, run.phases.length - 1))} of ${count(run.settings["induction.inference.phases"])}, after the first collection`],
    ["Proposals", proposed ? `${count(proposed)}, of which ${count(accepted)} accepted (${percent(accepted / proposed)} %)` : "none"],
    ["Transitions", `${count(found)} collected`],
    [run.status.state === "finished" ? "Ended" : "State", run.status.sentence],
    ["Tokens", tokens ? `${count(cost.prompt_tokens)} sent to the scientist, ${count(cost.completion_tokens)} received` : "none: the scientist is no language model"],
    ["Took", seconds(cost.seconds)],
    ["Next", run.next.map((text) => make("div", {}, make("code", {}, text)))],
  ]);
}

function inductionCurves(run) {
  const none = rowNamed(run, NOTHING);
  const of = (measure) => run.phases.map((one) => [one.phase, measure(one)]);
  const names = run.types.filter((name) => run.phases.some((one) => one.counts[name]));
  const soFar = (name) => run.phases.map((one, i) => [one.phase, d3.sum(run.phases.slice(0, i + 1), (other) => other.counts[name] ?? 0)]);
  const byType = (name) => of((one) => one.test_by_type?.[name]);
  return [
    lines(
      "Log-likelihood of the best rules of each phase, nats per transition",
      [{ name: "test set", points: of((one) => one.test_mean) }, { name: "what the phase brought", points: of((one) => one.data_mean) }],
      { xTitle: "phase", levels: [{ name: "test set, no hypothesis", value: none?.mean }] },
    ),
    columns("Share of the proposals that were accepted", of((one) => (one.num_proposed ? one.num_accepted / one.num_proposed : null)), { xTitle: "phase", high: 1 }),
    lines("On the test set, by type of transition", names.map((name) => ({ name, points: byType(name) })), { xTitle: "phase" }),
    lines("Transitions collected so far, by type", names.map((name) => ({ name, points: soFar(name) })), { xTitle: "phase", low: 0 }),
  ];
}

function testSetSection(run) {
  if (!run.scores) return null;
  const tables = (scores) => [likelihoodTable(scores), rankingTable(scores), typeRankingTable(scores)].filter(Boolean);
  const other = run.reworded && make("details", {}, make("summary", {}, `The same where changes are told in other words (${run.reworded.world})`), tables(run.reworded));
  return section("measured", "On the test set", tables(run.scores), other);
}

function likelihoodTable(scores) {
  const names = scores.types.map(([name]) => name);
  const rows = scores.rows.map((row) => [
    row.name, fixed(row.mean), row.difference ? signed(row.difference.mean) : "–",
    row.difference && row.difference.low !== null ? `${signed(row.difference.low)} to ${signed(row.difference.high)}` : "–",
    ...names.map((name) => fixed(row.by_type[name], 2)),
  ]);
  const head = ["hypothesis", "nats per transition", "against none", "95 % interval", ...scores.types.map(([name, amount]) => `${name} (${amount})`)];
  return table(`${scores.world}: log-likelihood`, head, rows, { numeric: d3.range(1, head.length) });
}

function ranked(scores) {
  const rows = scores.rows.filter((row) => row.ranking).map((row) => [row.name, row.ranking]);
  return scores.chance ? [...rows, ["random order", scores.chance]] : rows;
}

function rankingTable(scores) {
  const rows = ranked(scores);
  if (!rows.length) return null;
  const tops = Object.keys(rows[0][1].top);
  const cells = rows.map(([name, ranking]) => [name, ...tops.map((k) => fixed(ranking.top[k])), fixed(ranking.mean_over_types["1"]), fixed(ranking.mean_over_types["3"])]);
  const head = ["hypothesis", ...tops.map((k) => `top-${k}`), "top-1, mean of types", "top-3, mean of types"];
  return table(`${scores.world}: share of states with what happened among the best candidates`, head, cells, { numeric: d3.range(1, head.length) });
}

function typeRankingTable(scores) {
  const rows = ranked(scores);
  if (!rows.length) return null;
  const head = ["hypothesis", ...scores.types.map(([name, amount]) => `${name} (${amount})`)];
  const cells = rows.map(([name, ranking]) => [name, ...scores.types.map(([type]) => fixed(ranking.by_type[type]))]);
  return table(`${scores.world}: top-3 by type of transition`, head, cells, { numeric: d3.range(1, head.length) });
}

function actingSection(run) {
  if (!run.acting.length) return null;
  const rows = run.acting.map((row) => [
    row.goal, row.policy, row.hypothesis || "–", `${row.num_reached} of ${row.num_episodes}`, fixed(row.success, 2), `${fixed(row.interval[0], 2)} to ${fixed(row.interval[1], 2)}`, fixed(row.mean_steps, 1),
  ]);
  return section("acting", "Acting", table("Goals that were reached", ["goal", "policy", "hypothesis", "reached", "share", "95 % interval", "steps"], rows, { numeric: [3, 4, 5, 6] }));
}

function inductionComparison(data) {
  const rows = data.runs.map((run, i) => {
    const best = rowNamed(run, "best");
    const proposed = d3.sum(run.phases, (one) => one.num_proposed);
    const found = best?.difference;
    return [
      make("a", { href: hashOf({ run: i }) }, run.name), run.world, run.roles.scientist, run.roles.statistician, run.roles.experimenter,
      fixed(best?.mean), found ? signed(found.mean) : "–", found && found.low !== null ? `${signed(found.low)} to ${signed(found.high)}` : "–",
      fixed(best?.ranking?.top["3"]), `${count(d3.sum(run.phases, (one) => one.num_accepted))} of ${count(proposed)}`, seconds(run.cost.seconds),
    ];
  });
  const head = ["run", "world", "scientist", "statistician", "experimenter", "nats per transition", "against none", "95 % interval", "top-3", "accepted", "time"];
  return {
    result: section(
      "comparison",
      "Comparison",
      table("The best rules of each run, on the test set", head, rows, { numeric: d3.range(5, head.length) }),
      new Set(data.runs.map((run) => run.world)).size > 1 ? make("p", { class: "muted" }, "Figures of different worlds cannot be compared with each other.") : null,
      data.runs.some((run) => run.roles.stand_ins.length) ? make("p", { class: "warning" }, "Stand-ins are no language models: their numbers say nothing about one.") : null,
      make("div", { class: "multiples wide", id: "comparison-curve" }, lines(
        "Log-likelihood of the best rules of each phase on the test set, nats per transition",
        data.runs.map((run) => ({ name: run.name, points: run.phases.map((one) => [one.phase, one.test_mean]) })),
        { xTitle: "phase" },
      )),
      differingSettings(data),
    ),
  };
}
