// The best program, run once more: where it is right, and where it goes on its own.

function checkSection(run, { split, onSplit }) {
  const check = run.check;
  if (!check) return null;
  const maps = check.heat_maps;
  const map = maps.find((one) => one.split === split) ?? maps[0];
  const parts = [make("p", { class: "muted" }, nodeLink(check.node, `Node ${check.node}`), ", run once more in the sandbox for this page.")];
  for (const problem of check.problems) parts.push(make("p", { class: "warning" }, problem));
  if (map) {
    const options = Object.fromEntries(maps.map((one) => [one.split, `${one.split} transitions`]));
    if (maps.length > 1) parts.push(make("p", { class: "toolbar" }, choice("heat-split", "Show", options, map.split, onSplit)));
    parts.push(heatMap(map), heatLegend());
  }
  return section("where", "Where it is right", ...parts);
}

/** The colour of a share of wrong predictions; none where nothing is wrong. */
function errorColour(wrong) {
  return wrong > 0 ? d3.interpolateYlOrRd(0.12 + 0.78 * Math.sqrt(wrong)) : null;
}

function heatMap(map) {
  const groups = d3.groups(map.situations, ([group]) => group);
  const starts = new Set();
  let at = 0;
  for (const [, members] of groups) {
    starts.add(at);
    at += members.length;
  }
  const rows = map.parts.map((part, row) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, part),
      map.situations.map(([, name, total], column) => {
        const right = map.right[row][column];
        const cell = make("td", { class: starts.has(column) ? "first" : null, title: `${part}, ${name}: ${number(right)} of ${count(total)}` }, percent(right / total));
        const colour = errorColour(1 - right / total);
        if (colour) {
          cell.style.setProperty("background", colour);
          cell.style.setProperty("color", inkOn(colour));
        } else {
          cell.classList.add("perfect");
        }
        return cell;
      }),
    ),
  );
  return scrolling(
    "Accuracy by part and situation",
    make(
      "table",
      { class: "heat", id: "heat" },
      make("caption", {}, `Strictly right, in percent, of ${count(map.situations[0][2])} ${map.split} transitions`),
      make(
        "thead",
        {},
        make("tr", {}, make("td", {}), groups.map(([group, members]) => make("th", { scope: "colgroup", colspan: members.length, class: "first" }, group))),
        make("tr", {}, make("th", { scope: "col" }, "part"), map.situations.map(([, name, total], column) =>
          make("th", { scope: "col", class: starts.has(column) ? "first" : null }, name, make("small", {}, ` ${count(total)}`)))),
      ),
      make("tbody", {}, rows),
    ),
  );
}

function heatLegend() {
  const shares = [0, 0.001, 0.01, 0.1, 0.5, 1];
  return make(
    "div",
    { class: "legend" },
    "wrong:",
    shares.map((wrong) => {
      const swatch = make("span", { class: "swatch square", "aria-hidden": "true" });
      swatch.style.setProperty("background", errorColour(wrong) ?? "transparent");
      return make("span", {}, swatch, `${number(100 * wrong)} %`);
    }),
  );
}

function episodeSection(run) {
  const episode = run.check?.episode;
  if (!episode) return null;
  const length = episode.lines[0]?.model.length - 1;
  const wrong = episode.first_wrong;
  const told = wrong === null
    ? `It stays within the strict tolerance for all ${plural(length, "step")}.`
    : `After step ${wrong} it is off by more than the strict tolerance.`;
  const grid = make("div", { class: "multiples" });
  for (const line of episode.lines) grid.append(make("figure", {}, make("figcaption", {}, line.part), episodeChart(line, wrong)));
  return section(
    "beside",
    "Reality beside the model",
    make("p", {}, `A ${episode.split} episode: the program gets the first observation and the actions, and goes on from what it predicts itself. ${told} ${episode.ending}`),
    lineKey([["real", "var(--real)", "none"], ["model", "var(--model)", "5 4"]]),
    grid,
  );
}

function episodeChart(line, wrong) {
  const values = [...line.real, ...line.model].filter((value) => value !== null);
  const [low = 0, high = 1] = d3.extent(values);
  const pad = (high - low || 1) * 0.06;
  const x = d3.scaleLinear().domain([0, Math.max(line.real.length - 1, 1)]);
  const y = d3.scaleLinear().domain([low - pad, high + pad]);
  const svg = chart({
    width: 300, height: 150, x, y, label: `${line.part} over the steps, real and predicted`,
    xTitle: "step", xTicks: 4, yTicks: 4, margin: { top: 8, right: 10, bottom: 34, left: 46 },
  });
  const draw = d3.line((_, i) => x(i), (value) => y(value)).defined((value) => value !== null);
  if (wrong !== null) {
    svg.append("line").attr("class", "wrong-from").attr("x1", x(wrong)).attr("x2", x(wrong)).attr("y1", y.range()[0]).attr("y2", y.range()[1]);
  }
  svg.append("path").attr("class", "real").attr("d", draw(line.real));
  svg.append("path").attr("class", "model").attr("d", draw(line.model));
  return svg.node();
}
