"""What a run or an evaluation shows at its end."""

from collections.abc import Sequence

from rich.table import Table

from cwm.core.trajectories import SPLIT_TITLES, SPLITS, Dataset, Split
from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation
from cwm.report.scores import ScoreRow, num_wrong, show_share
from mcts.export import TreeStatistics

METRICS = ("strict", "paper", "reference", "score")
"""Columns of the long table; `docs/scoring.md` says what each means."""


def strict_table(rows: Sequence[ScoreRow], *, title: str) -> Table:
    """Returns the short table: strict accuracy of each row on each split.

    Of a stochastic task also the log-likelihood, which is what judges there.
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("strict accuracy")
    splits = list(rows[0].scores) if rows else []
    is_stochastic = bool(draws_line(rows))
    for split in splits:
        table.add_column(SPLIT_TITLES.get(split, split), justify="right")
        if is_stochastic:
            table.add_column("log-likelihood", justify="right")
    for row in rows:
        cells = []
        for split in splits:
            cells.append(_strict_cell(row.scores[split]))
            if is_stochastic:
                cells.append(_likelihood_cell(row.scores[split]))
        table.add_row(row.title, *cells)
    return table


def _strict_cell(score: SplitScore | None) -> str:
    if score is None:
        return "-"
    wrong = num_wrong(score) if score.num_draws == 1 else 0
    return show_share(score.strict) + (f" ({wrong} wrong)" if wrong else "")


def _likelihood_cell(score: SplitScore | None) -> str:
    if score is None or score.log_likelihood is None:
        return "-"
    return f"{score.log_likelihood:.4f}"


def metrics_table(rows: Sequence[ScoreRow], *, title: str) -> Table:
    """Returns the long table: every metric of each row on each split."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("split")
    table.add_column("world model", overflow="fold")
    for metric in METRICS:
        table.add_column(metric, justify="right")
    is_stochastic = bool(draws_line(rows))
    if is_stochastic:
        table.add_column("log-likelihood", justify="right")
    for split in rows[0].scores if rows else ():
        for row in rows:
            score = row.scores[split]
            cells = [
                show_share(None if score is None else getattr(score, metric))
                for metric in METRICS
            ]
            if is_stochastic:
                cells.append(_likelihood_cell(score))
            table.add_row(SPLIT_TITLES.get(split, split), row.title, *cells)
        table.add_section()
    return table


def parts_table(row: ScoreRow, *, title: str) -> Table:
    """Returns the accuracy of each part of the transition, by split."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("part")
    scores = {name: score for name, score in row.scores.items() if score is not None}
    for split in scores:
        table.add_column(SPLIT_TITLES.get(split, split), justify="right")
    parts = list(dict.fromkeys(p for s in scores.values() for p in s.part_accuracy))
    for part in parts:
        cells = [show_share(s.part_accuracy.get(part)) for s in scores.values()]
        table.add_row(part, *cells)
    return table


def data_line(dataset: Dataset) -> str:
    """Returns how much data there is in each split, as one line."""
    parts = []
    for split in SPLITS:
        num_trajectories = len(dataset.in_split(split))
        if num_trajectories:
            parts.append(
                f"{dataset.num_transitions[split]:,} {_title(split)} transitions in "
                f"{num_trajectories:,} {_plural(num_trajectories, 'trajectory')}"
            )
    return "data: " + ", ".join(parts)


def draws_line(rows: Sequence[ScoreRow]) -> list[str]:
    """Returns how a stochastic task was judged; nothing for another one."""
    scores = [s for row in rows for s in row.scores.values() if s is not None]
    num_draws = max((score.num_draws for score in scores), default=1)
    if num_draws == 1:
        return []
    return [
        f"stochastic: {num_draws} draws of each transition, accuracies are means over "
        "them; what counts is the likelihood of what was recorded, beside the true "
        "simulator's"
    ]


def tests_line(evaluation: Evaluation) -> list[str]:
    """Returns how a program did in the unit tests; empty without any."""
    tests = evaluation.unit_tests
    if tests is None:
        return []
    failed = f"; failed: {', '.join(tests.failed)}" if tests.failed else ""
    return [f"unit tests: {tests.num_passed} of {tests.num_tests} passed{failed}"]


def libraries_line(evaluations: Sequence[Evaluation]) -> list[str]:
    """Returns what programs could use besides NumPy; empty if that was nothing."""
    found = [e.isolation.get("capabilities", ()) for e in evaluations]
    names = dict.fromkeys(name for some in found for name in some)
    return [f"programs could use: {', '.join(names)}"] if names else []


def nodes_line(tree: TreeStatistics) -> str:
    """Returns how many nodes of each kind the tree has, and the way to the best."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in tree.num_by_kind.items())
    line = f"nodes: {tree.num_nodes} ({kinds}), depth {tree.max_depth}"
    if tree.best_path:
        line += f"; the best is {len(tree.best_path)} below the root"
    return line


def _title(split: Split) -> str:
    return {"train": "training"}.get(split, SPLIT_TITLES[split])


def _plural(count: int, noun: str) -> str:
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
