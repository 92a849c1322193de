// The page: its state, what is drawn anew when it changes, and newer data.

const POLL_MS = 2_000;

const state = {
  data: JSON.parse(document.getElementById("data").textContent),
  run: 0,
  node: null,
  tab: "program",
  colour: "score",
  axis: "calls",
  comparisonAxis: "calls",
  split: null,
  view: { transform: null, isOwn: false },
};

function currentRun() {
  return state.data.runs[state.run];
}

/** Returns the address of a node, or of a run: what links and sharing use. */
function hashOf({ run = state.run, node = null }) {
  const parts = [];
  if (state.data.runs.length > 1) parts.push(`run-${run + 1}`);
  if (node !== null) parts.push(`node-${node}`);
  return `#${parts.join("-") || "content"}`;
}

/** Takes what the address says; returns whether it says anything. */
function readHash() {
  const found = /^#(?:run-(\d+))?-?(?:node-(\d+))?$/.exec(location.hash);
  if (!found || location.hash.length < 2) return false;
  const run = found[1] ? Number(found[1]) - 1 : state.run;
  if (!(run in state.data.runs)) return false;
  if (run !== state.run) Object.assign(state, { run, node: null, split: null, view: { transform: null } });
  if (found[2]) state.node = Number(found[2]);
  return true;
}

function select(node) {
  if (node === state.node) return;
  history.replaceState(null, "", hashOf({ node }));
  state.node = node;
  drawSearch();
}

function searchSection() {
  const run = currentRun();
  if (!run.nodes.length && !run.pending.length) return section("search", "Search", make("p", {}, "There is nothing in the tree yet."));
  const colours = usefulColourings(run);
  const onColour = (colour) => {
    state.colour = colour;
    drawSearch();
  };
  const zoom = (text, label, act) => button(text, () => act(parts.tree), { "aria-label": label, title: label });
  return section(
    "search",
    "Search",
    make(
      "div",
      { class: "search" },
      make(
        "div",
        { class: "overview" },
        make(
          "p",
          { class: "toolbar" },
          choice("colour", "Colour by", colours, state.colour, onColour),
          zoom("+", "Zoom in", (tree) => tree.zoomBy(1.3)),
          zoom("−", "Zoom out", (tree) => tree.zoomBy(1 / 1.3)),
          zoom("Fit", "Show the whole tree", (tree) => tree.fit()),
        ),
        make("div", { id: "tree", class: "tree-box" }),
        make("div", { id: "legend" }),
        make("details", { id: "nodes", open: true }, make("summary", {}, "Nodes as a list"), make("div", { id: "list" })),
      ),
      make("div", { id: "node", class: "detail" }),
    ),
  );
}

const parts = { tree: null };

/** Draws what depends on the selected node and the colours. */
function drawSearch() {
  const run = currentRun();
  if (!document.getElementById("tree")) return;
  const focus = document.activeElement?.id;
  const scroll = document.querySelector("#list .list")?.scrollTop ?? 0;
  const node = currentNode(run, state.node);
  state.node = node?.node ?? null;
  const colours = colouring(run, state.colour in usefulColourings(run) ? state.colour : "score");
  const onSelect = (id) => {
    select(id);
    showDetail();
  };
  parts.tree = drawTree(document.getElementById("tree"), run, { selected: state.node, colours, view: state.view, onSelect });
  document.getElementById("legend").replaceChildren(legend(colours));
  document.getElementById("list").replaceChildren(nodeList(run, state.node, onSelect));
  showItem(document.querySelector("#list .list"), scroll);
  drawCurve(document.getElementById("curve"), run, { axis: state.axis in usefulAxes([run]) ? state.axis : "calls", selected: state.node, onSelect });
  drawNode();
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
}

/** Scrolls a list to where it was, and on to its selected item. */
function showItem(list, scroll) {
  if (!list) return;
  list.scrollTop = scroll;
  const item = list.querySelector("[aria-selected=true]");
  if (!item) return;
  const top = item.offsetTop - list.offsetTop;
  const bottom = top + item.offsetHeight;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
}

function drawNode() {
  const run = currentRun();
  const node = currentNode(run, state.node);
  const onTab = (tab) => {
    state.tab = tab;
    drawNode();
    document.getElementById(`tab-${tab}`).focus();
  };
  const panel = document.getElementById("node");
  panel.replaceChildren(...(node ? nodePanel(run, node, { tab: state.tab, onTab }) : []));
}

/** Brings the node into view where it is below the tree and not beside it. */
function showDetail() {
  const panel = document.getElementById("node");
  const tree = document.getElementById("tree");
  if (panel.getBoundingClientRect().top > tree.getBoundingClientRect().bottom) {
    panel.scrollIntoView({ block: "start" });
    document.getElementById("node-title")?.focus({ preventScroll: true });
  }
}

function runSwitch() {
  if (state.data.runs.length < 2) return null;
  const names = Object.fromEntries(state.data.runs.map((run, i) => [String(i), run.name]));
  return make("p", { class: "toolbar run-switch" }, choice("run", "Run", names, String(state.run), (value) => {
    location.hash = hashOf({ run: Number(value) });
  }));
}

/** Draws everything; what had the focus and was open stays so. */
function draw() {
  const { data } = state;
  const run = currentRun();
  const focus = document.activeElement?.id;
  const open = new Set([...document.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
  document.getElementById("masthead").replaceChildren(...masthead(data, run));
  const compared = comparison(data, {
    axis: state.comparisonAxis,
    onAxis: (axis) => {
      state.comparisonAxis = axis;
      draw();
    },
  });
  const sections = [
    compared?.result,
    runSwitch(),
    verdict(run),
    searchSection(),
    checkSection(run, { split: state.split, onSplit: (split) => { state.split = split; draw(); } }),
    episodeSection(run),
    fittedSection(run),
    plansSection(run),
    factsSection(run),
  ].filter(Boolean);
  document.getElementById("content").replaceChildren(...sections);
  for (const summary of document.querySelectorAll("details > summary")) {
    if (open.has(summary.textContent)) summary.parentElement.open = true;
  }
  compared?.draw();
  drawSearch();
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
}

/** Returns the constants of the best program, if they were fitted. */
function fittedSection(run) {
  const best = bestOf(run);
  if (!best?.fit?.constants.length) return null;
  return section("constants", "Fitted constants", make("p", { class: "muted" }, "Of ", nodeLink(best.node, `node ${best.node}`), ", fitted to training transitions."), constantsTable(best.fit));
}

/** Asks for newer data again and again; says so while the server is away. */
async function poll() {
  let tag = `"${state.data.tag}"`;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const live = document.getElementById("live");
    try {
      const answer = await fetch("data.json", { headers: { "If-None-Match": tag }, cache: "no-store" });
      if (answer.status === 200) {
        tag = answer.headers.get("ETag") ?? "";
        state.data = await answer.json();
        draw();
      }
      const states = state.data.runs.map((run) => run.status.state);
      document.getElementById("live").textContent = states.every((one) => one === "finished") ? "Live: the search has ended" : "Live";
    } catch {
      live.textContent = "Not live: the command that serves this page has ended";
    }
  }
}

readHash();
draw();
addEventListener("hashchange", () => {
  if (!readHash()) return;
  draw();
  if (state.node !== null && location.hash.includes("node-")) showDetail();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  state.view.transform = null;
  draw();
});
if (state.data.live) poll();
