// What the tabs of a node hold.

function programTab(run, node) {
  const parts = [];
  if (node.is_bug) {
    parts.push(make("p", { class: "warning" }, "How it ended:"), make("pre", { class: "prose short" }, node.feedback || node.outcome));
  }
  if (!node.program) {
    parts.push(make("p", {}, "No program could be read from the answer."));
    return parts;
  }
  const source = sourceOf(run, node.program);
  const copy = button("Copy", () => copyText(copy, source), { class: "copy" });
  parts.push(
    make("p", { class: "toolbar" }, make("span", { class: "muted" }, plural(run.texts.programs[node.program].length, "line")), copy),
    program(run, node.program, { label: `Program of node ${node.node}`, failureLine: node.failure_line }),
  );
  return parts;
}

async function copyText(from, text) {
  try {
    await navigator.clipboard.writeText(text);
    from.textContent = "Copied";
  } catch {
    from.textContent = "Cannot be copied here";
  }
}

function changesTab(run, node) {
  const parent = run.nodes.find((one) => one.node === node.parent);
  const added = d3.sum(node.changes, ([what, , , j, jStop]) => (what === "equal" ? 0 : jStop - j));
  const removed = d3.sum(node.changes, ([what, i, iStop]) => (what === "equal" ? 0 : iStop - i));
  return [
    make("p", { class: "muted" }, `From node ${parent.node}: ${plural(added, "line")} added, ${count(removed)} removed.`),
    difference(run, parent.program, node.program, node.changes),
  ];
}

function accuracyTab(node) {
  const parts = Object.keys(node.train.part_accuracy);
  const rows = ["whole transition", ...parts].map((part) => {
    const of = (score) => (score ? (part === "whole transition" ? score.strict : score.part_accuracy[part]) : null);
    const cells = [part, share(of(node.train))];
    if (node.validation) cells.push(share(of(node.validation)));
    return cells;
  });
  const head = ["part", "training", ...(node.validation ? ["validation"] : [])];
  const rules = ["strict", "paper", "reference", "score"].map((rule) => [
    rule, share(node.train[rule]), ...(node.validation ? [share(node.validation[rule])] : []),
  ]);
  return [
    table(`Strictly right, by part (${plural(node.train.num_transitions, "training transition")})`, head, rows, { numeric: [1, 2] }),
    table("By rule (docs/scoring.md)", ["rule", ...head.slice(1)], rules, { numeric: [1, 2] }),
    node.unit_tests ? make("p", {}, `Unit tests: ${node.unit_tests.num_passed} of ${node.unit_tests.num_tests} passed.`) : null,
  ];
}

function failuresTab(node) {
  return node.counterexamples.map((example, i) => {
    const title = example.index < 0 ? `Test ${i + 1}` : `Training transition ${count(example.index)}`;
    const rows = example.rows.map((row) =>
      make(
        "tr",
        { class: row.is_wrong ? "wrong" : null },
        make("th", { scope: "row" }, row.is_wrong ? `✕ ${row.part}` : row.part),
        make("td", { class: "number" }, row.before),
        make("td", { class: "number" }, row.is_wrong ? make("ins", {}, row.expected) : row.expected),
        make("td", { class: "number" }, row.is_wrong ? make("del", {}, row.predicted) : row.predicted),
        make("td", { class: "number" }, row.is_wrong ? offBy(row) : ""),
      ),
    );
    const head = example.index < 0 ? ["part", "input", "due", "program", "off by"] : ["part", "before", "real", "program", "off by"];
    return make(
      "article",
      { class: "example" },
      make("h4", {}, title, example.action ? `, action ${example.action}` : ""),
      make("p", { class: "muted small" }, `Wrong: ${example.wrong_parts.join(", ")}. ${example.message}`),
      rows.length
        ? scrolling(title, make("table", {}, make("caption", { class: "hidden" }, title),
            make("thead", {}, make("tr", {}, head.map((text, at) => make("th", { scope: "col", class: at ? "number" : null }, text)))),
            make("tbody", {}, rows)))
        : null,
    );
  });
}

/** Returns by how much a number is wrong; nothing for what is no number. */
function offBy(row) {
  const error = row.predicted.trim() && row.expected.trim() ? Number(row.predicted) - Number(row.expected) : NaN;
  return Number.isFinite(error) ? number(error, 3) : "";
}

function constantsTab(run, node) {
  const fit = node.fit;
  const parts = [
    make("p", {}, `Strictly right on the rows that were fitted: ${share(fit.strict_before)} before, ${share(fit.strict_after)} after, in ${plural(fit.num_steps, "step")} of the program.`),
    constantsTable(fit),
  ];
  for (const problem of fit.problems) parts.push(make("p", { class: "warning" }, `Not fitted: ${problem}`));
  if (fit.remainder.length) {
    parts.push(make("h4", {}, "What the fitted values leave unexplained"), make("ul", {}, fit.remainder.map((text) => make("li", {}, text))));
  }
  if (node.proposed) {
    parts.push(make("details", {}, make("summary", {}, "The program before its constants were fitted"), program(run, node.proposed, { label: "Program as proposed" })));
  }
  return parts;
}

function constantsTable(fit) {
  const rows = fit.constants.map((one) => [
    one.name, number(one.before, 6), number(one.after, 8), interval(one.low, one.high), one.verdict + (one.others.length ? `: ${one.others.join(", ")}` : ""), one.kind,
  ]);
  return table("Constants, with the interval that the data allow", ["constant", "before", "after", "interval", "what the data say", "kind"], rows, { numeric: [1, 2, 3] });
}

function interval(low, high) {
  if (low === null && high === null) return "–";
  if (low === null) return `≤ ${number(high, 8)}`;
  if (high === null) return `≥ ${number(low, 8)}`;
  return `${number(low, 8)} … ${number(high, 8)}`;
}

function promptTab(run, node) {
  if (!node.messages) {
    const why = run.prompts_problem ? `The prompts cannot be made again: ${run.prompts_problem}` : "No language model was asked for this program.";
    return make("p", {}, why);
  }
  const sent = { true: "Made again from the journal; its hash is that of what was sent.", false: "Made again from the journal, but its hash is NOT that of what was sent." }[node.is_as_sent];
  return [
    sent ? make("p", { class: node.is_as_sent ? "muted small" : "warning" }, sent) : null,
    ...node.messages.map(({ role, text }) => [make("h4", {}, role), prose(run, text, `Message of the ${role}`)]),
  ];
}

function answerTab(run, node) {
  const reason = node.finish_reason === "length" ? "It reached the limit of tokens." : null;
  return [reason && make("p", { class: "warning" }, reason), prose(run, node.answer, "Answer")];
}

function runningTab(run, node) {
  const { usage } = node;
  const report = node.isolation === null ? null : run.isolations[node.isolation];
  const audit = node.audit;
  return [
    facts([
      ["Outcome", node.outcome.replaceAll("_", " ")],
      ["Tokens", usage.prompt_tokens + usage.completion_tokens ? `${count(usage.prompt_tokens)} sent, ${count(usage.completion_tokens)} received` : "none"],
      ["Stored tokens", usage.saved_tokens ? count(usage.saved_tokens) : null],
      ["Cost", usage.prompt_tokens ? dollars(usage.usd) : null],
      ["Answer", seconds(node.seconds[0])],
      ["Evaluation", seconds(node.seconds[1])],
      ["Audit", audit ? `${audit.verdict}: ${count(audit.num_alone)} run alone, ${count(audit.num_permuted)} in another order` : "not audited: it was never the best"],
      ["Explanation", audit?.explanation],
    ]),
    report ? isolationReport(report) : make("p", {}, "It was not run."),
  ];
}

function isolationReport(report) {
  return [
    make("h4", {}, `Isolation: ${report.level}`),
    table("What kept the program in", ["layer", "state"], Object.entries(report.layers)),
    facts([
      ["Policy", report.policy],
      ["Missing", report.missing.join(", ") || "nothing"],
      ["Limits", Object.entries(report.limits).map(([name, value]) => `${name} ${value}`).join(", ")],
      ["Capabilities", report.capabilities?.join(", ")],
      ["Platform", report.platform],
    ]),
  ];
}
