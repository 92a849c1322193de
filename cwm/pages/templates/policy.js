// The page of an agent that learned: how often it succeeds, and how it came to that.

const POLICY = {
  item: "node",
  about: "an agent that learned to act on what it reads (cwm.ppo)",
  compare: policyComparison,
  sections: (run) => [
    policyVerdict(run),
    evaluationsSection(run),
    probesSection(run),
    updatesSection(run),
    dreamSection(run),
    plansSection(run),
    factsSection(run),
  ],
  drawn: () => {},
};

const POLICY_AXES = { num_frames: "frames", update: "updates", num_episodes: "episodes", seconds: "seconds" };

const LEARNERS = { ppo: "PPO", cloning: "cloning of BabyAI's bot", drrn: "Q-learning (DRRN)" };

function policyAxis() {
  return state.chosen.policyAxis ?? "num_frames";
}

/** Returns a choice that is kept while the page is open. */
function keptChoice(id, label, options, current) {
  return choice(id, label, options, current, (value) => {
    state.chosen[id] = value;
    draw();
  });
}

/** Returns the row of this run's agent where it learned, in its last evaluation. */
function ownRows(run) {
  return run.evaluations.flatMap((one) => one.rows).filter((row) => row.is_own);
}

function mainEvaluation(run) {
  const found = run.evaluations.findLast((one) => one.rows.some((row) => row.is_own));
  if (!found) return null;
  const own = found.rows.find((row) => row.is_own && row.environment === run.environment) ?? found.rows.find((row) => row.is_own);
  return { own, rows: found.rows.filter((row) => row.test === own.test && row.environment === own.environment), name: found.name };
}

function policyVerdict(run) {
  const main = mainEvaluation(run);
  const axis = policyAxis();
  return section(
    "verdict",
    "Result",
    make("p", { class: "lead" }, ...policySentence(run, main)),
    run.notes.map((text) => make("p", { class: "muted" }, text)),
    make(
      "div",
      { class: "columns" },
      make("div", { class: "panel" }, successBox(run, main)),
      make("div", { class: "panel" }, policyFacts(run)),
    ),
    run.rows.length ? make("p", { class: "toolbar plot-head" }, keptChoice("policyAxis", "Over", POLICY_AXES, axis)) : null,
    make("div", { class: "multiples wide", id: "curves" }, policyCurves(run, axis)),
  );
}

function ofEpisodes(found) {
  return `(95 % interval ${fixed(found.low)} to ${fixed(found.high)})`;
}

function policySentence(run, main) {
  if (!run.rows.length) return ["No update has been made yet."];
  if (main) {
    return ["The agent succeeds in ", make("strong", {}, `${percent(main.own.rate)} %`), ` of ${count(main.own.num_episodes)} episodes of an evaluation ${ofEpisodes(main.own)}.`];
  }
  if (run.success) {
    return ["The agent succeeds in ", make("strong", {}, `${percent(run.success.rate)} %`), ` of the newest ${count(run.success.num_episodes)} episodes that it learns from ${ofEpisodes(run.success)}. No evaluation of it is here.`];
  }
  if (typeof run.last.held_out_agreement === "number") {
    return ["The agent's most probable action is the bot's in ", make("strong", {}, `${percent(run.last.held_out_agreement)} %`), " of the moments of episodes that were held out. How often it succeeds is not known: no evaluation of it is here."];
  }
  return ["How often the agent succeeds is not known yet."];
}

function successBox(run, main) {
  if (main) {
    const rows = main.rows.map((row) => ({ name: row.agent, value: row.rate, low: row.low, high: row.high, ours: row.is_own }));
    return intervals(rows, { low: 0, high: 1, text: fixed, title: `Success, with its 95 % interval (${main.name})` });
  }
  const title = "Success, with its 95 % interval";
  const hint = make("p", { class: "muted small" }, "With a result of ", make("code", {}, "python -m cwm.ppo evaluate RUN random bot --out RUN/evaluation.json"), " in the run's folder, random actions and the bot stand beside it.");
  if (!run.success) return [make("p", { class: "muted" }, "There is nothing to compare yet."), hint];
  return [intervals([{ name: "newest episodes", value: run.success.rate, low: run.success.low, high: run.success.high, ours: true }], { low: 0, high: 1, text: fixed, title }), hint];
}

function policyFacts(run) {
  const { last, settings } = run;
  const start = settings.start_from;
  const cloned = run.learner === "cloning";
  return facts([
    ["Policy", run.about ? `${run.policy}: ${run.about}` : run.policy],
    ["Learns by", `${LEARNERS[run.learner]}, seed ${run.seed}`],
    ["Learns in", settings["dream.model"] ? `a world model: ${settings["dream.model"]}` : "the level itself"],
    ["Began with", start ? `the weights of ${start}` : null],
    [cloned ? "Moments" : "Frames", last.num_frames === undefined ? null : cloned ? `${count(last.num_frames)}, each counted as often as it was learned from` : `${count(last.num_frames)} of ${count(settings.num_frames)}`],
    ["Episodes", last.num_episodes === undefined ? null : count(last.num_episodes)],
    ["Updates", last.update === undefined ? null : count(last.update)],
    [run.status.state === "finished" ? "Ended" : "State", run.status.sentence],
    ["Best success", run.best ? `${fixed(run.best.success_rate)} over 200 episodes, after ${count(run.best.num_frames)} frames` : null],
    ["Efficiency", run.sample_efficiency === null ? null : `${fixed(run.sample_efficiency)}: mean over updates of the success of the episodes that ended`],
    ["Took", last.seconds === undefined ? null : `${seconds(last.seconds)}${run.frames_per_s && !cloned ? `, ${count(Math.round(run.frames_per_s))} frames a second` : ""}`],
    ["Next", run.next.map((text) => make("div", {}, make("code", {}, text)))],
  ]);
}

/** Returns the points of a figure of the log along an axis. */
function figureOf(run, name, axis) {
  const values = run.curves[name] ?? [];
  return values.map((value, i) => [run.curves[axis][i], value]);
}

function policyCurves(run, axis) {
  if (!run.rows.length) return [];
  const xTitle = POLICY_AXES[axis];
  const one = (title, names, options = {}) =>
    lines(title, Object.entries(names).map(([name, text]) => ({ name: text, points: figureOf(run, name, axis) })), { xTitle, ...options });
  return [
    one("Success in the newest episodes, 200 at most", { success_rate: "success" }, { low: 0, high: 1 }),
    one("Return of the same episodes", { mean_return: "return" }),
    one("Length of the same episodes, in steps", { mean_length: "length" }, { low: 0 }),
    one("Entropy of the policy, in nats", { entropy: "entropy" }, { low: 0 }),
    one("KL divergence from the policy before the update, in nats", { kl: "KL" }),
    one("Share of ratios that were clipped", { clipped: "clipped" }, { low: 0 }),
    one("Share of the returns' variance that the values explain", { explained_variance: "explained" }),
    one("Loss of the policy", { policy_loss: "policy" }),
    one("Loss of the values", { value_loss: "values" }),
    one("Loss", { loss: "loss" }),
    one("Norm of the gradient", { grad_norm: "norm" }, { low: 0 }),
    one("Seconds of an update", { rollout_seconds: "acting", update_seconds: "learning" }, { low: 0 }),
  ];
}

function evaluationsSection(run) {
  if (!run.evaluations.length) return null;
  return section("evaluation", "Evaluation", run.evaluations.map(evaluationTable));
}

function evaluationTable(one) {
  const rows = one.rows.map((row) => [
    row.agent, row.test || "–", levelName(row.environment), row.what || "–",
    fixed(row.rate), `${fixed(row.low)} to ${fixed(row.high)}`, fixed(row.mean_length, 1), fixed(row.mean_return), count(row.num_episodes),
  ]);
  const known = one.published?.success_rates ?? {};
  const agents = [...new Set(Object.values(known).flatMap((rates) => Object.keys(rates)))];
  return [
    table(`${one.name}: seed ${one.seed}, success with its 95 % interval (Wilson)`, ["agent", "test", "environment", "what is new", "success", "95 % interval", "length", "return", "episodes"], rows, { numeric: [4, 5, 6, 7, 8] }),
    Object.entries(one.trained).map(([agent, what]) => make("p", { class: "muted small" }, `${agent}: ${what}`)),
    one.notes.map((text) => make("p", { class: "muted small" }, text)),
    agents.length ? table(`Published, not ours: ${one.published.source}`, ["test", ...agents], Object.entries(known).map(([test, rates]) => [test, ...agents.map((agent) => fixed(rates[agent], 2))]), { numeric: d3.range(1, agents.length + 1) }) : null,
  ];
}

function levelName(id) {
  return id.replace(/^cwm\/BabyAI-/, "").replace(/-v\d+$/, "");
}

/** Returns how probable each action was on prompts that stay the same. */
function probesSection(run) {
  const { probes } = run;
  if (!probes || probes.frames.length < 2) return null;
  const value = probes.goals.map((goal, prompt) => ({ name: `${prompt + 1}: ${goal}`, points: probes.values[prompt].map((one, i) => [probes.frames[i], one]) }));
  return section(
    "probes",
    "On prompts that stay the same",
    make("p", { class: "muted" }, "The first moments of a few episodes: what the agent would do there, asked again and again while it learned."),
    make(
      "div",
      { class: "multiples wide" },
      probes.goals.map((goal, prompt) => lines(
        `${prompt + 1}: ${goal}`,
        probes.actions.map((name, action) => ({ name, points: probes.probabilities[prompt].map((all, i) => [probes.frames[i], all[action]]) })),
        { xTitle: "frames", low: 0, high: 1 },
      )),
      lines("What it expects: the value of each moment", value, { xTitle: "frames" }),
    ),
  );
}

const UPDATE_FIGURES = {
  success_rate: "success", mean_return: "return", mean_length: "length", entropy: "entropy", kl: "KL", clipped: "clipped",
  explained_variance: "explained", policy_loss: "policy loss", value_loss: "value loss", loss: "loss", grad_norm: "gradient",
};

function updatesSection(run) {
  if (!run.rows.length) return null;
  const names = Object.keys(UPDATE_FIGURES).filter((name) => run.rows.some((row) => name in row));
  const rows = run.rows.map((row) => [count(row.update), count(row.num_frames), count(row.num_episodes), ...names.map((name) => number(row[name], 3))]);
  const head = ["update", "frames", "episodes", ...names.map((name) => UPDATE_FIGURES[name])];
  return section("updates", "Updates", table(`${count(run.rows.length)} of ${count(run.last.update)}, evenly; success, return and length are of the newest episodes`, head, rows, { numeric: d3.range(0, head.length) }));
}

/** Returns the program that it learned in, where that was not the level itself. */
function dreamSection(run) {
  if (!run.program) return null;
  return section("dream", "The world model it learned in", make("pre", { class: "prose", tabindex: "0", role: "region", "aria-label": "World model" }, run.program));
}

function policyComparison(data) {
  const axis = policyAxis();
  const rows = data.runs.map((run, i) => {
    const own = mainEvaluation(run)?.own;
    return [
      make("a", { href: hashOf({ run: i }) }, run.name), run.environment, run.policy, LEARNERS[run.learner], String(run.seed),
      own ? fixed(own.rate) : "–", own ? `${fixed(own.low)} to ${fixed(own.high)}` : "–",
      run.success ? fixed(run.success.rate) : "–", run.success ? `${fixed(run.success.low)} to ${fixed(run.success.high)}` : "–",
      fixed(run.sample_efficiency), count(run.last.num_frames), run.last.seconds === undefined ? "–" : seconds(run.last.seconds),
    ];
  });
  const head = ["run", "environment", "policy", "learns by", "seed", "success, evaluated", "95 % interval", "newest episodes", "95 % interval", "efficiency", "frames", "time"];
  const curves = (title, name, options) => lines(title, data.runs.map((run) => ({ name: run.name, points: figureOf(run, name, axis) })), { xTitle: POLICY_AXES[axis], ...options });
  return {
    result: section(
      "comparison",
      "Comparison",
      table("The agent of each run", head, rows, { numeric: d3.range(4, head.length) }),
      make("div", { class: "multiples wide", id: "comparison-curve" }, curves("Success in the newest episodes, 200 at most", "success_rate", { low: 0, high: 1 }), curves("Length of the same episodes, in steps", "mean_length", { low: 0 }), curves("Loss", "loss", {})),
      differingSettings(data),
    ),
  };
}
