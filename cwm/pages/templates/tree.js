// The search tree as a picture: D3 lays it out and zooms. The list beside it has the
// same nodes for the keyboard and for those who do not see the picture.

const STEP = { across: 46, down: 62 };
const NODE_AREA = 300;
const LABEL_PX = 12;
const ROOM = { across: 70, down: 60 };

function hierarchyOf(run) {
  const root = { node: 0, children: [] };
  const byId = new Map([[0, root]]);
  for (const node of run.nodes) byId.set(node.node, { ...node, children: [] });
  for (const node of run.nodes) byId.get(node.parent).children.push(byId.get(node.node));
  for (const call of run.pending) {
    byId.get(call.parent)?.children.push({ pending: call, node: `call-${call.call}`, children: [] });
  }
  return d3.tree().nodeSize([STEP.across, STEP.down])(d3.hierarchy(root));
}

/** Lays a tree down, from left to right, where it is larger so than upright. */
function turned(root, width, height) {
  if (fitting(root, width, height).k >= fitting(root, height, width).k) return { root, isLying: false };
  root.each((d) => {
    [d.x, d.y] = [d.y, d.x];
  });
  return { root, isLying: true };
}

/** Returns the ids on the way from the root to the best node. */
function bestPath(run) {
  const byId = new Map(run.nodes.map((node) => [node.node, node]));
  const path = new Set();
  for (let node = bestOf(run); node; node = byId.get(node.parent)) path.add(node.node);
  return path;
}

/** Draws the tree into an element. `view` keeps the zoom between drawings. */
function drawTree(element, run, { selected, colours, view, onSelect }) {
  const path = bestPath(run);
  const width = widthOf(element);
  const height = Math.max(240, element.clientHeight || 420);
  const { root, isLying } = turned(hierarchyOf(run), width, height);
  const link = isLying ? d3.linkHorizontal() : d3.linkVertical();
  const svg = d3
    .create("svg")
    .attr("class", "tree")
    .attr("width", width)
    .attr("height", height)
    .attr("viewBox", `0 0 ${width} ${height}`)
    .attr("role", "img")
    .attr("aria-label", `Search tree of ${plural(run.nodes.length, "node")}. The list below has the same nodes.`);
  const plane = svg.append("g");
  plane
    .append("g")
    .selectAll("path")
    .data(root.links())
    .join("path")
    .attr("class", (edge) => (path.has(edge.target.data.node) ? "edge best" : "edge"))
    .attr("d", link.x((d) => d.x).y((d) => d.y));
  const nodes = plane
    .append("g")
    .selectAll("g")
    .data(root.descendants())
    .join("g")
    .attr("class", (d) => nodeClass(d.data, selected))
    .attr("data-node", (d) => d.data.node)
    .attr("transform", (d) => `translate(${d.x},${d.y})`);
  drawNodes(nodes, colours, isLying);
  nodes.filter((d) => typeof d.data.node === "number" && d.data.node > 0).on("click", (event, d) => onSelect(d.data.node));
  const zoom = d3
    .zoom()
    .scaleExtent([0.1, 4])
    // A page that is scrolled past the tree stays a page.
    .filter((event) => {
      if (event.type === "wheel") return event.ctrlKey || event.metaKey;
      if (event.type.startsWith("touch")) return event.touches.length > 1;
      return !event.button;
    })
    .on("zoom", ({ transform }) => {
      plane.attr("transform", transform);
      plane.style("font-size", `${Math.min(LABEL_PX / transform.k, 1.6 * LABEL_PX)}px`);
      if (view.isOwn) view.transform = transform;
    });
  svg.call(zoom).on("dblclick.zoom", null);
  element.replaceChildren(svg.node());
  const fit = () => svg.call(zoom.transform, fitting(root, width, height));
  view.isOwn = false;
  if (view.transform) svg.call(zoom.transform, view.transform);
  else fit();
  view.isOwn = true;
  return {
    zoomBy: (factor) => svg.call(zoom.scaleBy, factor),
    fit: () => {
      fit();
      view.transform = null;
    },
  };
}

function nodeClass(node, selected) {
  const names = ["node"];
  if (node.node === 0) names.push("root");
  if (node.pending) names.push("pending");
  if (node.is_bug) names.push("bug");
  if (node.is_best) names.push("best");
  if (node.node === selected) names.push("selected");
  return names.join(" ");
}

function drawNodes(nodes, colours, isLying) {
  nodes.filter((d) => d.data.is_best || d.data.kind).append("circle").attr("class", "halo").attr("r", 17);
  nodes
    .append("path")
    .attr("class", "shape")
    .attr("d", (d) => d3.symbol(SYMBOLS[d.data.kind] ?? d3.symbolCircle, d.data.kind ? NODE_AREA : 90)())
    .attr("fill", (d) => (d.data.kind && !d.data.is_bug ? colours.fill(d.data) : null));
  nodes
    .filter((d) => d.data.is_bug)
    .append("path")
    .attr("class", "cross")
    .attr("d", "M-4,-4L4,4M4,-4L-4,4");
  nodes
    .append("text")
    .attr("class", "label")
    .attr("x", isLying ? 0 : 14)
    .attr("y", isLying ? -15 : -8)
    .attr("text-anchor", isLying ? "middle" : "start")
    .text((d) => (d.data.kind ? `${d.data.is_best ? "★ " : ""}${d.data.node}` : ""));
  nodes.append("title").text((d) => (d.data.kind ? summaryOf(d.data) : d.data.pending ? pendingText(d.data.pending) : "root"));
}

function pendingText(call) {
  return `call ${call.call + 1}: ${call.kind}, ${call.stage === "waiting" ? "waiting for an answer" : "being run"}`;
}

/** Returns the transform that shows a whole tree. */
function fitting(root, width, height) {
  const nodes = root.descendants();
  const [left, right] = d3.extent(nodes, (d) => d.x);
  const [top, bottom] = d3.extent(nodes, (d) => d.y);
  const scale = Math.min(
    1.25,
    (width - ROOM.across) / Math.max(right - left, 1),
    (height - ROOM.down) / Math.max(bottom - top, 1),
  );
  return d3.zoomIdentity
    .translate(width / 2 - (scale * (left + right)) / 2, height / 2 - (scale * (top + bottom)) / 2)
    .scale(scale);
}
