// Figures with intervals, and lines over time, of any kind of run.

const MAX_MARKED = 40;

/** Returns figures with their intervals beside each other: {name, value, low, high, ours}. */
function intervals(rows, { zero = null, low = null, high = null, text, title }) {
  const known = rows.flatMap((row) => [row.value, row.low, row.high]).filter((value) => typeof value === "number");
  if (zero !== null) known.push(zero);
  const [least = 0, most = 1] = d3.extent(known);
  const pad = (most - least || 1) * 0.04;
  const at = d3.scaleLinear().domain([low ?? least - pad, high ?? most + pad]).range([0, 100]);
  return make(
    "div",
    { class: "measure" },
    make("h3", {}, title),
    make("div", { class: "intervals" }, rows.map((row) => intervalRow(row, { at, zero, text }))),
  );
}

function intervalRow(row, { at, zero, text }) {
  const track = make("span", { class: "track", "aria-hidden": "true" });
  const place = (name, from, to) => {
    const mark = make("span", { class: name });
    mark.style.setProperty("left", `${from}%`);
    if (to !== undefined) mark.style.setProperty("width", `${Math.max(to - from, 0.4)}%`);
    track.append(mark);
  };
  if (zero !== null) place("zero", at(zero));
  if (typeof row.low === "number" && typeof row.high === "number") place("band", at(row.low), at(row.high));
  if (typeof row.value === "number") place("dot", at(row.value));
  return make(
    "div",
    { class: `interval ${row.ours ? "ours" : ""}` },
    make("span", { class: "name" }, row.name),
    track,
    make("span", { class: "value" }, text(row.value), typeof row.low === "number" ? make("small", {}, ` ${text(row.low)} to ${text(row.high)}`) : null),
  );
}

function numeric(points) {
  return points.filter(([, value]) => typeof value === "number");
}

/**
 * Returns a chart of several lines as a figure; `null` if there is nothing to draw.
 * Levels are values that do not change: dotted.
 */
function lines(title, series, { xTitle, levels = [], low = null, high = null, xMax = null, height = 220 }) {
  const drawn = series.map((one, i) => ({ colour: SERIES[i % SERIES.length], dash: DASHES[i % DASHES.length], ...one, points: numeric(one.points) })).filter(({ points }) => points.length);
  if (!drawn.length) return null;
  const flat = levels.filter(({ value }) => typeof value === "number");
  const all = drawn.flatMap(({ points }) => points);
  const values = [...all.map(([, value]) => value), ...flat.map(({ value }) => value)];
  const [least, most] = d3.extent(values);
  const pad = (most - least || Math.abs(most) || 1) * 0.06;
  const x = d3.scaleLinear().domain([Math.min(0, d3.min(all, ([at]) => at)), Math.max(xMax ?? d3.max(all, ([at]) => at), 1e-9)]);
  const y = d3.scaleLinear().domain([low ?? least - pad, high ?? most + pad]);
  const svg = chart({ width: 440, height, x, y, label: title, xTitle, margin: { ...MARGIN, left: 56, bottom: 40 } });
  for (const { value, colour = "var(--muted)" } of flat) {
    svg.append("line").attr("class", "level").attr("stroke", colour).attr("x1", x.range()[0]).attr("x2", x.range()[1]).attr("y1", y(value)).attr("y2", y(value));
  }
  const draw = d3.line(([at]) => x(at), ([, value]) => y(value));
  for (const { points, colour, dash } of drawn) {
    svg.append("path").attr("class", "series").attr("stroke", colour).attr("stroke-dasharray", dash).attr("d", draw(points));
    if (points.length > MAX_MARKED) continue;
    svg.append("g").selectAll("circle").data(points).join("circle").attr("cx", ([at]) => x(at)).attr("cy", ([, value]) => y(value)).attr("r", 2.6).attr("fill", colour)
      .append("title").text(([at, value]) => `${xTitle} ${count(at)}: ${number(value, 4)}`);
  }
  const key = [...drawn.map(({ name, colour, dash }) => [name, colour, dash]), ...flat.map(({ name, colour = "var(--muted)" }) => [name, colour, "1 3"])];
  return make("figure", {}, make("figcaption", {}, title), svg.node(), key.length > 1 ? lineKey(key) : null);
}

/** Returns a chart of bars from 0 as a figure; `null` if there is nothing to draw. */
function columns(title, points, { xTitle, high = null }) {
  const drawn = numeric(points);
  if (!drawn.length) return null;
  const x = d3.scaleLinear().domain([d3.min(drawn, ([at]) => at) - 0.5, d3.max(drawn, ([at]) => at) + 0.5]);
  const y = d3.scaleLinear().domain([0, high ?? d3.max(drawn, ([, value]) => value) * 1.05]);
  const svg = chart({ width: 440, height: 220, x, y, label: title, xTitle, margin: { ...MARGIN, left: 56, bottom: 40 } });
  svg.select(".axis").call(d3.axisBottom(x).tickValues(x.ticks(8).filter(Number.isInteger)).tickFormat(d3.format("d")).tickSizeOuter(0));
  const width = Math.max(1, (x(1) - x(0)) * 0.7);
  svg.append("g").selectAll("rect").data(drawn).join("rect").attr("fill", SERIES[0])
    .attr("x", ([at]) => x(at) - width / 2).attr("width", width)
    .attr("y", ([, value]) => y(value)).attr("height", ([, value]) => y(0) - y(value))
    .append("title").text(([at, value]) => `${xTitle} ${count(at)}: ${number(value, 3)}`);
  return make("figure", {}, make("figcaption", {}, title), svg.node());
}

/** A number with its sign. */
function signed(value, digits = 3) {
  if (typeof value !== "number") return infinite(value);
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
}

function fixed(value, digits = 3) {
  return typeof value === "number" ? value.toFixed(digits).replace("-", "−") : infinite(value);
}

/** What is no finite number is a text in the data. */
function infinite(value) {
  return { inf: "∞", "-inf": "−∞" }[value] ?? number(value);
}
