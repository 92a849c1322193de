// What all charts have in common: a frame with axes that fits its box.

const MARGIN = { top: 12, right: 16, bottom: 36, left: 52 };

/** Returns an SVG of some size with a frame, scales to be drawn in, and axis titles. */
function chart({ width, height, label, x, y, xTitle, yTitle, margin = MARGIN, xTicks = 6, yTicks = 5 }) {
  const svg = d3
    .create("svg")
    .attr("viewBox", `0 0 ${width} ${height}`)
    .attr("width", width)
    .attr("height", height)
    .attr("class", "chart")
    .attr("role", "img")
    .attr("aria-label", label);
  x.range([margin.left, width - margin.right]);
  y.range([height - margin.bottom, margin.top]);
  const [, last] = x.domain();
  // A few steps or calls: no ticks between whole numbers.
  const ticks = Number.isInteger(last) ? Math.min(xTicks, last || 1) : xTicks;
  svg
    .append("g")
    .attr("class", "axis")
    .attr("transform", `translate(0,${height - margin.bottom})`)
    .call(d3.axisBottom(x).ticks(ticks, last >= 10_000 ? "~s" : undefined).tickSizeOuter(0));
  svg
    .append("g")
    .attr("class", "axis grid")
    .attr("transform", `translate(${margin.left},0)`)
    .call(d3.axisLeft(y).ticks(yTicks).tickSize(-(width - margin.left - margin.right)));
  if (xTitle) {
    svg.append("text").attr("class", "axis-title").attr("x", width - margin.right).attr("y", height - 4)
      .attr("text-anchor", "end").text(xTitle);
  }
  if (yTitle) {
    svg.append("text").attr("class", "axis-title").attr("x", 2).attr("y", margin.top - 9).text(yTitle);
  }
  return svg;
}

/** Returns the width that a chart in an element may have. */
function widthOf(element, fallback = 560) {
  return Math.max(260, Math.floor(element.clientWidth || fallback));
}

/** Returns a key of lines: texts with colours and dashes. */
function lineKey(entries) {
  return make(
    "div",
    { class: "legend" },
    entries.map(([text, colour, dash]) => {
      const svg = d3.create("svg").attr("width", 28).attr("height", 10).attr("aria-hidden", "true");
      svg.append("line").attr("x1", 0).attr("x2", 28).attr("y1", 5).attr("y2", 5)
        .attr("stroke", colour).attr("stroke-width", 2.5).attr("stroke-dasharray", dash);
      return make("span", {}, svg.node(), text);
    }),
  );
}
