// Several runs beside each other.

function comparison(data, { axis, onAxis, onRun }) {
  if (data.runs.length < 2) return null;
  const curves = make("div", { class: "plot", id: "comparison-curve" });
  const axes = usefulAxes(data.runs);
  const rows = data.runs.map((run, i) => {
    const best = bestOf(run);
    const program = run.rows.find((row) => row.name === "program");
    const tokens = run.cost.prompt_tokens + run.cost.completion_tokens;
    return [
      make("a", { href: hashOf({ run: i }) }, run.name),
      run.environment, run.made_by,
      share(best?.score), share(best?.train?.strict), share(program?.scores.held_out?.strict),
      best ? String(best.call + 1) : "–", count(run.cost.calls), count(tokens), tokens ? dollars(run.cost.usd) : "–", seconds(run.cost.seconds),
    ];
  });
  const baselines = baselineRows(data.runs);
  const result = section(
    "comparison",
    "Comparison",
    table(
      "The best program of each run",
      ["run", "environment", "made by", "score", "strict, training", "strict, held-out", "best at call", "calls", "tokens", "cost", "time"],
      [...rows, ...baselines],
      { numeric: [3, 4, 5, 6, 7, 8, 9, 10] },
    ),
    make("p", { class: "toolbar" }, choice("comparison-axis", "Best score so far over", axes, axis in axes ? axis : "calls", onAxis)),
    lineKey(data.runs.map((run, i) => [run.name, SERIES[i % SERIES.length], DASHES[i % DASHES.length]])),
    curves,
    differingSettings(data),
  );
  return { result, draw: () => drawCurves(curves, data.runs, axis in axes ? axis : "calls") };
}

function differingSettings(data) {
  const settings = Object.entries(data.differing).map(([name, values]) => [name, ...values.map(setting)]);
  return settings.length
    ? table("Settings that differ", ["setting", ...data.runs.map((run) => run.name)], settings)
    : make("p", { class: "muted" }, "All settings are alike.");
}

/** Returns doing nothing and the true simulator, where all runs have the same rows. */
function baselineRows(runs) {
  const names = ["do nothing", "true simulator"];
  return names.flatMap((name) => {
    const found = runs.map((run) => run.rows.find((row) => row.name === name));
    const texts = new Set(found.map((row) => JSON.stringify(row?.scores)));
    if (texts.size !== 1 || !found[0]) return [];
    const { train, held_out: heldOut } = found[0].scores;
    return [[name, runs[0].environment, "–", share(train?.score), share(train?.strict), share(heldOut?.strict), "–", "–", "–", "–", "–"]];
  });
}

function drawCurves(element, runs, axis) {
  const width = widthOf(element);
  const lines = runs.map((run) => bestSoFar(run, axis));
  const ends = runs.map((run) => positions(run, axis).at(-1) ?? 0);
  const x = d3.scaleLinear().domain([0, Math.max(d3.max(ends), axis === "calls" ? 1 : 1e-9)]);
  const y = scoreScale(runs);
  const svg = chart({ width, height: 280, x, y, label: "Best score so far of each run", xTitle: AXES[axis], yTitle: "best score so far", margin: { ...MARGIN, top: 24 } });
  const draw = d3.line(([a]) => x(a), ([, b]) => y(b)).curve(d3.curveStepAfter);
  lines.forEach((points, i) => {
    if (!points.length) return;
    const colour = SERIES[i % SERIES.length];
    svg.append("path").attr("class", "series").attr("stroke", colour).attr("stroke-dasharray", DASHES[i % DASHES.length]).attr("d", draw(points));
    svg.append("circle").attr("cx", x(points.at(-1)[0])).attr("cy", y(points.at(-1)[1])).attr("r", 4).attr("fill", colour);
  });
  element.replaceChildren(svg.node());
}
