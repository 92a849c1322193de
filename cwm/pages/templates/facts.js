// What the run was made with: transitions, settings, versions.

function factsSection(run) {
  const parts = [];
  if (run.problem) parts.push(make("details", {}, make("summary", {}, "The problem"), make("pre", { class: "prose" }, run.problem.statement)));
  if (run.data) {
    const rows = Object.entries(run.data.num_transitions)
      .filter(([, amount]) => amount)
      .map(([split, amount]) => [SPLITS[split] ?? split, count(amount), count(run.data.num_trajectories[split])]);
    parts.push(
      make(
        "details",
        {},
        make("summary", {}, "Transitions and description"),
        table("Transitions", ["split", "transitions", "trajectories"], rows, { numeric: [1, 2] }),
        facts([
          ["Observation", make("code", {}, JSON.stringify(run.data.observation_space))],
          ["Action", make("code", {}, JSON.stringify(run.data.action_space))],
          ["Outcomes", run.data.is_stochastic ? "vary" : "do not vary"],
        ]),
        make("pre", { class: "prose" }, run.data.description || "(no description)"),
      ),
    );
  }
  parts.push(
    make("details", {}, make("summary", {}, "Settings"),
      table("Settings", ["setting", "value"], Object.entries(run.settings).map(([name, value]) => [name, setting(value)]), { shown: false })),
  );
  const { packages = {}, ...made } = run.made_with;
  parts.push(
    make("details", {}, make("summary", {}, "Versions and machine"),
      facts(Object.entries(made).map(([name, value]) => [name, setting(value)])),
      table("Packages", ["package", "version"], Object.entries(packages))),
  );
  return section("facts", "How it was made", ...parts);
}
