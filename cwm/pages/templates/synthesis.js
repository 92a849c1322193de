// The page of a program: the search, where it is right, what planners did with it.

const SYNTHESIS = {
  item: "node",
  compare: comparison,
  sections: (run) => [
    verdict(run),
    searchSection(),
    checkSection(run, { split: state.split, onSplit: (split) => { state.split = split; draw(); } }),
    episodeSection(run),
    fittedSection(run),
    plansSection(run),
    factsSection(run),
  ],
  drawn: () => drawSearch(),
};

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
  // Until somebody chooses one it is the best, which changes while a run goes on.
  const selected = currentNode(run, state.node)?.node ?? null;
  const colours = colouring(run, state.colour in usefulColourings(run) ? state.colour : "score");
  const onSelect = (id) => {
    select(id);
    showDetail();
  };
  parts.tree = drawTree(document.getElementById("tree"), run, { selected, colours, view: state.view, onSelect });
  document.getElementById("legend").replaceChildren(legend(colours));
  document.getElementById("list").replaceChildren(nodeList(run, selected, onSelect));
  showItem(document.querySelector("#list .list"), scroll);
  drawCurve(document.getElementById("curve"), run, { axis: state.axis in usefulAxes([run]) ? state.axis : "calls", selected, onSelect });
  drawNode();
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
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

/** Returns the constants of the best program, if they were fitted. */
function fittedSection(run) {
  const best = bestOf(run);
  if (!best?.fit?.constants.length) return null;
  return section("constants", "Fitted constants", make("p", { class: "muted" }, "Of ", nodeLink(best.node, `node ${best.node}`), ", fitted to training transitions."), constantsTable(best.fit));
}
