// What planners did with the program, as `cwm.plan` recorded it.

function plansSection(run) {
  if (!run.plans.length) return null;
  const videos = run.plans.filter((plan) => plan.url);
  const results = run.plans.filter((plan) => plan.rows);
  return section(
    "planning",
    "Planning",
    results.map(planResult),
    videos.map((video) =>
      make(
        "figure",
        {},
        make("figcaption", {}, `${video.name}: the real environment beside the model`),
        video.media_type.startsWith("image/")
          ? make("img", { src: video.url, alt: `${video.name}: the real environment beside the model`, class: "video" })
          : make("video", { src: video.url, controls: true, muted: true, loop: true, class: "video" }),
      ),
    ),
  );
}

function planResult(plan) {
  const rows = plan.rows.map(({ model, planner, summary, normalised }) => [
    planner ? `${model}, ${planner}` : model,
    count(summary.num_episodes),
    number(summary.returns.value),
    `${number(summary.returns.low)} to ${number(summary.returns.high)}`,
    normalised ? number(normalised.value, 3) : "–",
    `${summary.num_succeeded} of ${summary.num_episodes}`,
    summary.disagreement === null ? "–" : `${number(100 * summary.disagreement, 3)} %`,
    summary.decision_p50_ms === null ? "–" : number(summary.decision_p50_ms, 3),
  ]);
  return [
    table(
      `${plan.environment}, seed ${plan.seed} (${plan.name})`,
      ["model", "episodes", "return", "95 % interval", "normalised", "success", "predicted wrong", "ms a decision"],
      rows,
      { numeric: [1, 2, 3, 4, 5, 6, 7] },
    ),
    make("p", { class: "muted small" }, `Success: ${plan.success}. Episodes are cut off after ${plural(plan.max_steps, "step")}.`),
    make("div", { class: "multiples wide" }, planChart(plan, "return_so_far", "return so far"), planChart(plan, "prediction_error", "error of the plan's prediction")),
  ];
}

/** Returns the first episode of each row, step by step; `null` if there is nothing. */
function planChart(plan, name, title) {
  const lines = plan.rows
    .map((row, i) => {
      const episode = row.episodes[0];
      const points = episode[name].map((value, at) => [episode.steps[at], value]).filter(([, value]) => typeof value === "number");
      return { title: row.planner ? `${row.model}, ${row.planner}` : row.model, points, i };
    })
    .filter(({ points }) => points.length);
  if (!lines.length) return null;
  const all = lines.flatMap(({ points }) => points);
  const x = d3.scaleLinear().domain([0, d3.max(all, ([at]) => at)]);
  const [low, high] = d3.extent(all, ([, value]) => value);
  const y = d3.scaleLinear().domain([Math.min(low, 0), Math.max(high, low + 1e-9)]);
  const svg = chart({ width: 440, height: 220, x, y, label: `${title}, first episode of each row`, xTitle: "step", margin: { ...MARGIN, bottom: 40 } });
  const draw = d3.line(([at]) => x(at), ([, value]) => y(value));
  for (const { points, i } of lines) {
    svg.append("path").attr("class", "series").attr("stroke", SERIES[i % SERIES.length]).attr("stroke-dasharray", DASHES[i % DASHES.length]).attr("d", draw(points));
  }
  const key = lineKey(lines.map(({ title: text, i }) => [text, SERIES[i % SERIES.length], DASHES[i % DASHES.length]]));
  return make("figure", {}, make("figcaption", {}, `${title}, episode 0`), svg.node(), key);
}
