// The score over calls: each call, and the best so far.

const AXES = { calls: "calls", tokens: "tokens", seconds: "seconds", usd: "US dollars" };

/** Returns how far along an axis each node of a run is, in the order of the answers. */
function positions(run, axis) {
  const cost = { calls: () => 1, tokens: tokensOf, seconds: secondsOf, usd: (node) => node.usage.usd ?? 0 }[axis];
  let total = 0;
  return run.nodes.map((node) => (total += cost(node)));
}

/** Returns the axes along which a run has gone at all. */
function usefulAxes(runs) {
  return Object.fromEntries(
    Object.entries(AXES).filter(([axis]) => runs.some((run) => run.nodes.length && positions(run, axis).at(-1) > 0)),
  );
}

/** Returns the points of the best score so far. */
function bestSoFar(run, axis) {
  const at = positions(run, axis);
  let best = null;
  const points = [];
  run.nodes.forEach((node, i) => {
    if (node.score !== null) best = Math.max(best ?? 0, node.score);
    if (best !== null) points.push([at[i], best]);
  });
  return points;
}

function scoreScale(runs) {
  const scores = runs.flatMap((run) => run.nodes.map((node) => node.score)).filter((score) => score !== null);
  const low = d3.min(scores) ?? 0;
  const high = d3.max(scores) ?? 1;
  const pad = Math.max((high - low) * 0.1, 0.002);
  return d3.scaleLinear().domain([Math.max(0, low - pad), Math.min(1, high + pad / 2)]);
}

function drawCurve(element, run, { axis, selected, onSelect }) {
  const width = widthOf(element);
  const height = 240;
  const at = positions(run, axis);
  const x = d3.scaleLinear().domain([0, Math.max(at.at(-1) ?? 1, axis === "calls" ? 1 : 1e-9)]);
  const y = scoreScale([run]);
  const best = bestOf(run);
  const svg = chart({
    width, height, x, y,
    label: `Score of each call, and of the best so far: ${best ? share(best.score) : "none"} after ${plural(run.nodes.length, "call")}.`,
    xTitle: AXES[axis], yTitle: "score",
    margin: { ...MARGIN, top: 24, bottom: 56 },
  });
  const points = bestSoFar(run, axis);
  const end = [x.domain()[1], points.at(-1)?.[1]];
  if (points.length) {
    svg.append("path").attr("class", "best-line")
      .attr("d", d3.line(([a]) => x(a), ([, b]) => y(b)).curve(d3.curveStepAfter)([...points, end]));
  }
  const base = height - 30;
  svg.append("text").attr("class", "axis-title").attr("x", 2).attr("y", base + 4).text("bugs");
  const marks = svg
    .append("g")
    .selectAll("g")
    .data(run.nodes)
    .join("g")
    .attr("class", (node) => `${nodeClass(node, selected)} mark-of-call`)
    .attr("data-node", (node) => node.node)
    .attr("transform", (node, i) => `translate(${x(at[i])},${node.is_bug ? base : y(node.score)})`)
    .on("click", (event, node) => onSelect(node.node));
  marks.append("circle").attr("class", "halo").attr("r", 9);
  marks.filter((node) => !node.is_bug).append("path").attr("class", "shape")
    .attr("d", (node) => d3.symbol(SYMBOLS[node.kind], 60)()).attr("fill", (node) => KINDS[node.kind]);
  marks.filter((node) => node.is_bug).append("path").attr("class", "cross").attr("d", "M-4,-4L4,4M4,-4L-4,4");
  marks.append("title").text((node) => `call ${node.call + 1}: ${summaryOf(node)}`);
  element.replaceChildren(svg.node());
}
