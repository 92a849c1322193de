// The page of a world knowledge model: what knowledge is worth to who acts.

const KNOWLEDGE = {
  item: "game",
  about: "world knowledge for who acts in text games (cwm.knowledge)",
  compare: knowledgeComparison,
  sections: (run) => [
    knowledgeVerdict(run),
    playersSection(run),
    gamesSection(run),
    learnedSection(run),
    plansSection(run),
    factsSection(run),
  ],
  drawn: (run) => drawGames(run),
};

function rowsIn(run, split) {
  return run.rows.filter((row) => row.split === split);
}

function splitsOf(run) {
  return Object.entries(run.splits).filter(([split]) => rowsIn(run, split).length);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Returns a mean with its interval, if it has one. */
function estimate(found, text = (value) => fixed(value, 1)) {
  return found.low === null ? text(found.value) : `${text(found.value)} (${text(found.low)} to ${text(found.high)})`;
}

function knowledgeVerdict(run) {
  return section(
    "verdict",
    "Result",
    splitsOf(run).length ? splitsOf(run).map(([split, title]) => make("p", { class: "lead" }, ...knowledgeSentence(run, split, title))) : make("p", { class: "lead" }, "Nobody has been evaluated yet."),
    run.warnings.map((text) => make("p", { class: "warning" }, text)),
    make(
      "div",
      { class: "columns" },
      make("div", { class: "panel" }, splitsOf(run).length ? splitsOf(run).map(([split, title]) => scoresOf(run, split, title)) : make("p", { class: "muted" }, "There is nothing to compare yet.")),
      make("div", { class: "panel" }, knowledgeFacts(run)),
    ),
  );
}

function knowledgeSentence(run, split, title) {
  const rows = rowsIn(run, split);
  const main = rows.find((row) => row.row === run.main) ?? rows[0];
  const sentence = [`In ${title} games ${main.row} scores `, make("strong", {}, fixed(main.score.value, 1)), ` of 100${reachOf(main.score)}`];
  if (!main.difference) return [...sentence, "."];
  const mean = main.difference.mean;
  const reach = mean.low === null ? "" : ` (${signed(mean.low, 1)} to ${signed(mean.high, 1)})`;
  return [...sentence, `: ${signed(mean.value, 1)}${reach} against the agent without knowledge (${run.baseline}), p ${fixed(main.difference.sign_flip_p)}.`];
}

function reachOf(found) {
  return found.low === null ? "" : ` (95 % interval ${fixed(found.low, 1)} to ${fixed(found.high, 1)})`;
}

function scoresOf(run, split, title) {
  const rows = rowsIn(run, split).map((row) => ({ name: row.row, value: row.score.value, low: row.score.low, high: row.score.high, ours: row.row === run.main }));
  return intervals(rows, { low: 0, high: 100, text: (value) => fixed(value, 1), title: `Score times 100, ${title} games (95 % interval, from 5 games on)` });
}

function knowledgeFacts(run) {
  const { made, counts } = run;
  const seen = rowsIn(run, splitsOf(run)[0]?.[0]);
  const main = seen.find((row) => row.row === run.main);
  return facts([
    ["Who acts", made.agent],
    ["Who knows", made.knowledge_model],
    ["Knowledge by", `writer ${made.writer}`],
    ["State base", `${counts.entries === undefined ? "not made yet" : plural(counts.entries, "moment")}, compared by ${made.encoder}`],
    ["Decides", `among ${made.choose}, the agent with weight ${number(made.agent_weight)}`],
    ["Learned from", counts.experts === undefined ? null : `${plural(counts.experts, "game")} of the expert, ${counts.explored === undefined ? "none" : count(counts.explored)} explored; ${count(counts.task_notes ?? 0)} notes on games`],
    ["Evaluated in", main ? `${plural(main.num_episodes, "episode")} of each player and split` : null],
    ["Seeds", run.seeds.join(", ")],
    ["An episode", main ? `${fixed(main.num_calls, 1)} calls, ${count(Math.round(main.prompt_tokens + main.completion_tokens))} tokens, ${seconds(main.seconds)} (${main.row}, ${main.split})` : null],
    [run.status.state === "finished" ? "Ended" : "State", run.status.sentence],
  ]);
}

function playersSection(run) {
  if (!run.rows.length) return null;
  const parts = splitsOf(run).flatMap(([split, title]) => [playersTable(run, split, title), tasksTable(run, split, title)]);
  const names = [...new Set(run.rows.map((row) => row.row))];
  const about = facts(names.map((name) => [name, `${run.about[name]} (${run.rows.find((row) => row.row === name).made_by})`]));
  return section("measured", "Players", parts.filter(Boolean), make("h3", {}, "Who they are"), about);
}

function playersTable(run, split, title) {
  const rows = rowsIn(run, split).map((row) => [
    row.row, estimate(row.score),
    row.difference ? estimate(row.difference.mean, (value) => signed(value, 1)) : "–",
    row.difference ? fixed(row.difference.sign_flip_p) : "–",
    row.difference ? `${row.difference.num_wins} / ${row.difference.num_ties} / ${row.difference.num_losses}` : "–",
    `${percent(row.success)} %`, fixed(row.steps, 1), `${percent(row.invalid_steps)} %`, `${percent(row.out_of_context)} %`,
    fixed(row.num_calls, 1), count(Math.round(row.prompt_tokens + row.completion_tokens)), fixed(row.seconds, 2),
  ]);
  const head = ["player", "score × 100", `against ${run.baseline}`, "p", "better / same / worse", "won", "steps", "invalid steps", "too long", "calls", "tokens", "s"];
  return table(`${capital(title)} games: means over episodes, with 95 % intervals; p of flipped signs of the paired differences`, head, rows, { numeric: d3.range(1, head.length) });
}

function tasksTable(run, split, title) {
  const rows = rowsIn(run, split);
  const tasks = [...new Set(rows.flatMap((row) => Object.keys(row.tasks)))].sort(d3.ascending);
  if (tasks.length < 2) return null;
  return table(`${capital(title)} games: score × 100 by kind of task`, ["player", ...tasks], rows.map((row) => [row.row, ...tasks.map((task) => fixed(row.tasks[task], 1))]), { numeric: d3.range(1, tasks.length + 1) });
}

/** Returns how the models learned. */
function learnedSection(run) {
  if (!run.models.length) return null;
  const rows = run.models.map((one) => [
    one.name, String(one.seed), count(one.num_weights), count(one.num_conversations), count(one.num_answers), count(one.num_cut_answers), count(one.num_steps), one.losses.length ? fixed(one.losses.at(-1)[1]) : "–",
  ]);
  const head = ["model", "seed", "weights", "conversations", "answers", "cut answers", "steps", "last loss"];
  const first = run.models.filter((one) => one.seed === run.seeds[0]);
  return section(
    "learned",
    "What the models learned from",
    table("Training of each model", head, rows, { numeric: d3.range(1, head.length) }),
    make("div", { class: "multiples wide" }, lines(`Loss of each step, seed ${run.seeds[0]}`, first.map((one) => ({ name: one.name, points: one.losses })), { xTitle: "step", low: 0 })),
  );
}

function knowledgeComparison(data) {
  const rows = data.runs.flatMap((run, i) => splitsOf(run).map(([split, title]) => {
    const main = rowsIn(run, split).find((row) => row.row === run.main) ?? rowsIn(run, split)[0];
    return [
      make("a", { href: hashOf({ run: i }) }, run.name), run.environment, run.made.agent, run.made.knowledge_model, run.made.writer, title, main.row,
      estimate(main.score), main.difference ? estimate(main.difference.mean, (value) => signed(value, 1)) : "–", main.difference ? fixed(main.difference.sign_flip_p) : "–", `${percent(main.success)} %`, count(main.num_episodes),
    ];
  }));
  const head = ["run", "environment", "who acts", "who knows", "writer", "games", "player", "score × 100", "against no knowledge", "p", "won", "episodes"];
  const missing = data.runs.filter((run) => !splitsOf(run).length).map((run) => run.name);
  return {
    result: section(
      "comparison",
      "Comparison",
      table("The main player of each run", head, rows, { numeric: d3.range(7, head.length) }),
      missing.length ? make("p", { class: "muted" }, `Not evaluated yet: ${missing.join(", ")}.`) : null,
      differingSettings(data),
    ),
  };
}
