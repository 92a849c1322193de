// Text games one by one: what was done in them, from what it was decided, and written.

const ENDINGS = { won: "won", lost: "lost", out_of_steps: "out of steps", out_of_context: "became too long", gave_up: "gave up" };
const NOTES = {
  game: "Task knowledge of this game", kind: "Task knowledge of this kind of task", oracle: "Task knowledge written by who has seen this game's expert (player oracle)",
};

function gamesSection(run) {
  if (!run.nodes.length) return section("search", "Games", make("p", {}, "None has been played yet."));
  return section(
    "search",
    "Games",
    make(
      "div",
      { class: "search" },
      make(
        "div",
        { class: "overview" },
        make("h3", {}, "Games that were played"),
        make("p", { class: "muted small" }, `Of seed ${run.seeds[0]}. Test games first, with the scores of ${run.main ?? "the players"}; then those that were learned from, with what was written about them. ● won, ○ not.`),
        make("div", { id: "list" }),
      ),
      make("div", { id: "node", class: "detail" }),
    ),
  );
}

function isTest(game) {
  return game.split !== "train";
}

function titleOfGame(run, game) {
  return `${isTest(game) ? run.splits[game.split] : "training"} game ${game.game}`;
}

function currentGame(run) {
  return run.nodes.find((one) => one.node === state.node) ?? run.nodes[0];
}

function mainEpisode(run, game) {
  return game.episodes.find((one) => one.player === run.main) ?? game.episodes[0];
}

function drawGames(run) {
  const game = currentGame(run);
  if (!game) return;
  const onSelect = (id) => {
    select(id);
    showDetail();
  };
  const items = run.nodes.map((one) => {
    const episode = mainEpisode(run, one);
    return {
      id: one.node, glyph: episode.ending === "won" ? "●" : "○", isBad: episode.ending !== "won",
      text: `${capital(titleOfGame(run, one))}: ${words(run, one.instruction)}`, worth: fixed(episode.score, 2),
    };
  });
  drawChoice(items, { selected: game.node, onSelect, label: "Games", detail: () => gamePanel(run, game) });
}

function gamePanel(run, game) {
  const onTab = (tab) => {
    state.tab = tab;
    drawGames(run);
    document.getElementById(`tab-${tab}`)?.focus();
  };
  const tabs = Object.fromEntries(game.episodes.map((one, i) => [`player-${i}`, [one.player, () => episodeTab(run, game, one)]]));
  if (game.notes.length) tabs.notes = ["Task knowledge", () => notesTab(run, game)];
  if (game.states) tabs.states = ["State knowledge", () => statesTab(run, game)];
  const main = game.episodes.indexOf(mainEpisode(run, game));
  const open = state.tab in tabs ? state.tab : `player-${main}`;
  return [gameHead(run, game), ...tabbed(tabs, { open, onTab, label: "What to show of the game" })];
}

function gameHead(run, game) {
  return make(
    "header",
    { class: "node-head" },
    make("h3", { id: "node-title", tabindex: "-1" }, capital(titleOfGame(run, game))),
    make("p", {}, words(run, game.instruction)),
    make(
      "p",
      { class: "chips" },
      make("span", { class: "chip" }, `task ${game.task}`),
      game.episodes.map((one) => make("span", { class: one.ending === "won" ? "chip" : "chip bad" }, `${one.player} ${fixed(one.score, 2)}`)),
    ),
    stepsOf(run.nodes, game.node, "Other games"),
  );
}

function episodeTab(run, game, one) {
  const cost = one.num_calls === undefined ? "" : `, ${plural(one.num_calls, "call")}, ${count(one.tokens[0] + one.tokens[1])} tokens, ${seconds(one.seconds)}`;
  const wrong = one.num_illegal ? `, ${count(one.num_illegal)} of them not understood` : "";
  const left = one.num_steps - one.steps.length;
  return [
    make("p", {}, `${capital(ENDINGS[one.ending])}, score ${fixed(one.score, 2)}: ${plural(one.num_steps, "step")}${wrong}${cost}.`),
    make("p", { class: "muted small" }, `By ${one.made_by}.`),
    make("p", { class: "told-state" }, words(run, game.observation)),
    make("ol", { class: "moves" }, one.steps.map((step) => moveOf(run, step))),
    left > 0 ? make("p", { class: "muted" }, `${plural(left, "further step")} in the run's folder.`) : null,
  ];
}

function moveOf(run, step) {
  return make(
    "li",
    {},
    step.thought ? make("p", { class: "muted" }, words(run, step.thought)) : null,
    make("p", { class: step.is_legal ? "move" : "move wrong" }, words(run, step.action) || "(no command)", step.is_legal ? null : " ✕ not understood"),
    make("p", { class: "told-state" }, words(run, step.observation), make("span", { class: "muted" }, ` (score ${fixed(step.score, 2)})`)),
    step.decision ? decisionOf(step.decision) : null,
  );
}

/** Returns from what a step was decided: the agent's and the state base's shares. */
function decisionOf(found) {
  const rows = found.candidates.map((name, i) => [
    name, fixed(found.probabilities[i]), found.agent ? fixed(found.agent[i]) : "–", found.knowledge ? fixed(found.knowledge[i]) : "–",
  ]);
  const more = found.num_candidates - found.candidates.length;
  const base = found.support
    ? `The state base found ${plural(found.support, "moment")}, the nearest with similarity ${fixed(found.best_similarity)}; weight of the agent ${number(found.agent_weight)}.`
    : "The state base had no say.";
  return make(
    "details",
    {},
    make("summary", {}, `Decision among ${plural(found.num_candidates, "candidate")}`),
    make("p", { class: "muted small" }, base),
    table("Probabilities", ["candidate", "in all", "agent", "state base"], rows, { numeric: [1, 2, 3], shown: false }),
    more > 0 ? make("p", { class: "muted small" }, `${plural(more, "candidate")} less probable.`) : null,
  );
}

function notesTab(run, game) {
  return game.notes.map((note) => [
    make("h4", {}, NOTES[note.kind]),
    prose(run, note.text, NOTES[note.kind]),
    make("p", { class: "muted small" }, `By ${note.made_by}${note.is_compared ? ", from the expert's episode beside what the agent explored" : ""}.`),
  ]);
}

/** Returns what is said of each moment, beside what the expert did next. */
function statesTab(run, game) {
  const expert = game.episodes.find((one) => one.player === "expert");
  const rows = game.states.texts.map((text, i) => {
    const next = expert.steps[i];
    return [String(i), words(run, text), next ? words(run, next.action) : "–"];
  });
  return [
    make("p", { class: "muted small" }, `By ${game.states.made_by}. The state base has each moment with what the expert did next.`),
    table("State knowledge", ["", "state", "next"], rows, { shown: false }),
  ];
}
