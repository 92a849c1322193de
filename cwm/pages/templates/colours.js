// Colours and shapes: safe for the colour-blind, and never the only sign.

/** Okabe and Ito's colours; `jfly.uni-koeln.de/color`. */
const SERIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const DASHES = ["none", "6 3", "2 3", "8 3 2 3", "10 4", "1 4"];
const KINDS = { generate: SERIES[0], improve: SERIES[2], fix: SERIES[4] };
const SHAPES = { generate: "●", improve: "▲", fix: "■" };
const SYMBOLS = { generate: d3.symbolCircle, improve: d3.symbolTriangle, fix: d3.symbolSquare };

const COLOURINGS = {
  score: "score",
  kind: "kind of request",
  tokens: "tokens",
  seconds: "seconds",
  model: "model",
};

/** What a node cost. */
function tokensOf(node) {
  return node.usage.prompt_tokens + node.usage.completion_tokens;
}

function secondsOf(node) {
  return node.seconds[0] + node.seconds[1];
}

/** Returns how nodes are coloured: `fill(node)` and what the legend shows. */
function colouring(run, name) {
  if (name === "kind") {
    const entries = Object.entries(KINDS).map(([kind, colour]) => [`${SHAPES[kind]} ${kind}`, colour]);
    return { fill: (node) => KINDS[node.kind], entries };
  }
  if (name === "model") {
    const entries = run.models.map((model, i) => [model, SERIES[i % SERIES.length]]);
    return { fill: (node) => SERIES[node.model % SERIES.length], entries };
  }
  const measures = { score: (node) => node.score, tokens: tokensOf, seconds: secondsOf };
  const measure = measures[name];
  const values = run.nodes.map(measure).filter((value) => value !== null);
  const [low = 0, high = 1] = d3.extent(values);
  const scale = d3.scaleSequential(d3.interpolateViridis).domain(high > low ? [low, high] : [low - 1, high]);
  const text = { score: share, tokens: count, seconds }[name];
  return { fill: (node) => scale(measure(node)), scale, ends: [text(low), text(high)] };
}

/** Returns the colourings that tell nodes of a run apart. */
function usefulColourings(run) {
  const useless = new Set();
  if (run.models.length < 2) useless.add("model");
  if (!run.nodes.some(tokensOf)) useless.add("tokens");
  return Object.fromEntries(Object.entries(COLOURINGS).filter(([name]) => !useless.has(name)));
}

/** Returns black or white, whichever is read better on a colour. */
function inkOn(colour) {
  const { r, g, b } = d3.rgb(colour);
  const light = [r, g, b].map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] > 0.18 ? "#000" : "#fff";
}

function legend(colours) {
  const box = make("div", { class: "legend" });
  if (colours.entries) {
    for (const [text, colour] of colours.entries) {
      const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("background", colour);
      box.append(make("span", {}, swatch, text));
    }
  } else {
    const ramp = make("span", { class: "ramp", "aria-hidden": "true" });
    const stops = d3.range(0, 1.01, 0.1).map((at) => d3.interpolateViridis(at));
    ramp.style.setProperty("background", `linear-gradient(to right, ${stops.join(", ")})`);
    box.append(make("span", {}, colours.ends[0]), ramp, make("span", {}, colours.ends[1]));
  }
  box.append(make("span", {}, "✕ bug"), make("span", {}, "★ best"));
  return box;
}
