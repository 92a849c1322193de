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
  chosen: {},
  view: { transform: null, isOwn: false },
};

/** What each kind of run shows, and how its items are called in addresses. */
const PAGES = { program: SYNTHESIS, problem: SYNTHESIS, induction: INDUCTION, policy: POLICY, knowledge: KNOWLEDGE };

function currentRun() {
  return state.data.runs[state.run];
}

function pageOf(run) {
  return PAGES[run.kind];
}

/** Returns the address of a node, or of a run: what links and sharing use. */
function hashOf({ run = state.run, node = null }) {
  const parts = [];
  if (state.data.runs.length > 1) parts.push(`run-${run + 1}`);
  if (node !== null) parts.push(`${pageOf(currentRun()).item}-${node}`);
  return `#${parts.join("-") || "content"}`;
}

/** Takes what the address says; returns whether it says anything. */
function readHash() {
  const found = /^#(?:run-(\d+))?-?(?:(?:node|hypothesis|game)-(\d+))?$/.exec(location.hash);
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
  pageOf(currentRun()).drawn(currentRun());
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

/** Brings the node into view where it is below the tree and not beside it. */
function showDetail() {
  const panel = document.getElementById("node");
  const tree = document.getElementById("tree") ?? document.getElementById("list");
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
  const page = pageOf(run);
  const compared = data.runs.length < 2 ? null : page.compare(data, {
    axis: state.comparisonAxis,
    onAxis: (axis) => {
      state.comparisonAxis = axis;
      draw();
    },
  });
  const sections = [compared?.result, runSwitch(), ...page.sections(run)].filter(Boolean);
  document.getElementById("content").replaceChildren(...sections);
  for (const summary of document.querySelectorAll("details > summary")) {
    if (open.has(summary.textContent)) summary.parentElement.open = true;
  }
  compared?.draw?.();
  page.drawn(run);
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
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
      document.getElementById("live").textContent = states.every((one) => one === "finished") ? "Live: the run has ended" : "Live";
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
  if (state.node !== null && /(node|hypothesis|game)-/.test(location.hash)) showDetail();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  state.view.transform = null;
  draw();
});
if (state.data.live) poll();
