// The first screen: what the run is worth, beside what costs nothing and what is perfect.

const SPLITS = { held_out: "held-out", train: "training", planner: "planner-visited" };

function masthead(data, run) {
  const several = data.runs.length > 1;
  const title = several ? pageTitle(data) : run.environment || run.name;
  const parts = [
    make("p", { class: "kicker" }, [several ? `${data.runs.length} runs` : `Run ${run.name}`, pageOf(run).about].filter(Boolean).join(": ")),
    make("h1", {}, title),
  ];
  if (data.live) {
    parts.push(make("p", { class: "live", id: "live", role: "status" }, "Live"));
  }
  return parts;
}

function pageTitle(data) {
  return [...new Set(data.runs.map((run) => run.environment || run.name))].join(", ");
}

function bestOf(run) {
  return run.nodes.find((node) => node.is_best) ?? null;
}

function verdict(run) {
  const best = bestOf(run);
  return section(
    "verdict",
    "Result",
    make("p", { class: "lead" }, ...sentence(run, best)),
    make("div", { class: "columns" }, make("div", { class: "panel" }, rowsOf(run, best), curveBox(run)), summary(run, best)),
  );
}

/** Returns where the score over calls is drawn; the axis can be chosen. */
function curveBox(run) {
  if (!run.nodes.length) return null;
  const axes = usefulAxes([run]);
  const onAxis = (axis) => {
    state.axis = axis;
    drawSearch();
  };
  return make(
    "div",
    {},
    make("p", { class: "toolbar plot-head" }, choice("axis", "Score over", axes, state.axis in axes ? state.axis : "calls", onAxis)),
    make("div", { id: "curve", class: "plot" }),
  );
}

/** Returns the result in one sentence. */
function sentence(run, best) {
  if (!best) return [run.nodes.length ? `No program runs${run.status.state === "unfinished" ? " yet" : ""}.` : "No call has been answered yet."];
  const link = nodeLink(best.node, `Node ${best.node}`);
  const row = run.rows.find((one) => one.name === "program");
  const scored = row?.scores.held_out;
  if (run.problem) return problemSentence(run, best, link);
  if (scored) {
    const strong = make("strong", {}, share(scored.strict));
    return [link, " gets ", strong, ` of ${count(scored.num_transitions)} held-out transitions strictly right.`];
  }
  const train = best.train ? share(best.train.strict) : "–";
  const after = run.status.state === "finished" ? "it does not run on held-out ones" : "held-out ones are scored after the search";
  return [link, " is the best so far: ", make("strong", {}, train), ` of the training transitions strictly right; ${after}.`];
}

function problemSentence(run, best, link) {
  const tests = run.problem.tests;
  if (!tests) return [link, " is the best so far: score ", make("strong", {}, share(best.score)), "."];
  const passed = tests.visible_passed + tests.hidden_passed;
  return [
    link, " passes ", make("strong", {}, `${passed} of ${tests.num_visible + tests.num_hidden}`),
    ` tests: ${tests.visible_passed} of ${tests.num_visible} visible, ${tests.hidden_passed} of ${tests.num_hidden} hidden.`,
  ];
}

/** Returns the program beside doing nothing and the true simulator: bars and a table. */
function rowsOf(run, best) {
  const box = make("div", {});
  if (run.problem?.tests) {
    const { num_visible: visible, num_hidden: hidden, visible_passed: seen, hidden_passed: unseen } = run.problem.tests;
    box.append(partBars({ "visible tests": seen / visible, ...(hidden ? { "hidden tests": unseen / hidden } : {}) }, "Tests passed, best program"));
    return box;
  }
  if (!run.rows.length) {
    const shown = best?.train;
    if (shown) box.append(partBars({ everything: shown.strict, ...shown.part_accuracy }, "Training transitions, best program"));
    else box.append(make("p", { class: "muted" }, "There is nothing to compare yet."));
    return box;
  }
  const splits = Object.keys(SPLITS).filter((split) => split in run.rows[0].scores);
  box.append(
    make("h3", {}, `Strictly right, ${SPLITS[splits[0]]}`),
    make("div", { class: "bars" }, run.rows.map((row) => bar(row.name, row.scores[splits[0]]?.strict ?? null, row.name))),
  );
  const names = ["strict", "paper", "reference", "score"];
  const rows = run.rows.flatMap((row) =>
    splits.map((split) => [`${row.name}, ${SPLITS[split]}`, ...names.map((name) => share(row.scores[split]?.[name]))]),
  );
  box.append(
    make("details", {}, make("summary", {}, "All rules and splits"),
      table("Scores by rule (docs/scoring.md)", ["", ...names], rows, { numeric: [1, 2, 3, 4] })),
  );
  const audit = run.rows[0].audit;
  if (audit && audit.verdict !== "consistent") {
    box.append(make("p", { class: "warning" }, `Audit: ${audit.verdict}. ${audit.memorised.join("; ")}`));
  }
  for (const row of run.rows) if (row.note) box.append(make("p", { class: "muted small" }, `${row.name}: ${row.note}`));
  return box;
}

/** Returns a bar of a share, with its number. */
function bar(name, value, kind) {
  const fill = make("span", { class: "fill" });
  fill.style.setProperty("width", `${100 * (value ?? 0)}%`);
  return make(
    "div",
    { class: `bar ${kind === "program" ? "ours" : ""}` },
    make("span", { class: "name" }, name),
    make("span", { class: "track", "aria-hidden": "true" }, fill),
    make("span", { class: "value" }, share(value)),
  );
}

function partBars(parts, title) {
  return make("div", {}, make("h3", {}, title), make("div", { class: "bars" }, Object.entries(parts).map(([name, value]) => bar(name, value, "program"))));
}

function summary(run, best) {
  const { cost, status } = run;
  const waiting = run.pending.length ? `; ${plural(run.pending.length, "call")} on the way` : "";
  const tokens = cost.prompt_tokens + cost.completion_tokens;
  return make(
    "div",
    { class: "panel" },
    facts([
      ["Made by", run.made_by],
      ["Search", `${run.search}, seed ${run.seed}`],
      ["Calls", `${count(cost.calls)} of ${count(run.settings["budget.call_budget"])}${waiting}`],
      [status.state === "unfinished" ? "State" : "Ended", status.sentence],
      ["Best program", best && [nodeLink(best.node, `node ${best.node}`), `, call ${best.call + 1}, ${plural(run.texts.programs[best.program].length, "line")}`]],
      ["Tokens", tokens ? `${count(cost.prompt_tokens)} sent, ${count(cost.completion_tokens)} received` : "none: no language model was asked"],
      ["Cost", tokens ? dollars(cost.usd) : null],
      ["Lasted", seconds(cost.seconds)],
      ["Transitions", run.data && transitions(run.data)],
      ["Isolation", best && best.isolation !== null ? run.isolations[best.isolation].level : null],
      ["Audit", run.rows[0]?.audit?.verdict],
    ]),
  );
}

function transitions(data) {
  return Object.entries(data.num_transitions)
    .filter(([, amount]) => amount)
    .map(([split, amount]) => `${count(amount)} ${SPLITS[split] ?? split}`)
    .join(", ");
}
