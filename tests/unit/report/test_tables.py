import io
from dataclasses import replace

from rich.console import Console

from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation
from cwm.report.scores import ScoreRow
from cwm.report.tables import (
    data_line,
    draws_line,
    libraries_line,
    metrics_table,
    nodes_line,
    parts_table,
    strict_table,
)
from mcts.export import tree_statistics
from tests.support.corridor import corridor_dataset
from tests.support.search_runs import new_search


def score(strict: float) -> SplitScore:
    return SplitScore(
        num_transitions=20_000,
        strict=strict,
        paper=0.5,
        reference=0.25,
        score=0.75,
        part_accuracy={"reward": 1.0, "observation[0]": 0.5},
    )


ROWS = [
    ScoreRow(name="program", scores={"train": score(1.0), "held_out": score(0.99995)}),
    ScoreRow(name="true simulator", scores={"train": None, "held_out": None}),
]


def shown(table: object) -> list[list[str]]:
    """Returns the cells of a table, line by line."""
    stream = io.StringIO()
    Console(file=stream, width=120).print(table)
    lines = stream.getvalue().splitlines()
    cells = [[c.strip() for c in line.strip("│┃ ").split("│")] for line in lines]
    return [row for row in cells if len(row) > 1]


def test_the_short_table_counts_what_is_wrong() -> None:
    assert shown(strict_table(ROWS, title="x")) == [
        ["program", "1.0000", "0.9999 (1 wrong)"],
        ["true simulator", "-", "-"],
    ]


def test_a_stochastic_task_shows_its_likelihood_and_no_counts() -> None:
    drawn = replace(score(0.25), num_draws=32, log_likelihood=-1.5)
    rows = [ScoreRow(name="program", scores={"train": drawn})]
    assert shown(strict_table(rows, title="x")) == [["program", "0.2500", "-1.5000"]]
    (line,) = draws_line(rows)
    assert line.startswith("stochastic: 32 draws of each transition")
    assert draws_line(ROWS) == []


def test_the_long_table_has_every_metric_for_every_split() -> None:
    assert shown(metrics_table(ROWS, title="x")) == [
        ["train", "program", "1.0000", "0.5000", "0.2500", "0.7500"],
        ["train", "true simulator", "-", "-", "-", "-"],
        ["held-out", "program", "0.9999", "0.5000", "0.2500", "0.7500"],
        ["held-out", "true simulator", "-", "-", "-", "-"],
    ]


def test_the_accuracy_of_each_part_is_shown() -> None:
    assert shown(parts_table(ROWS[0], title="x")) == [
        ["reward", "1.0000", "1.0000"],
        ["observation[0]", "0.5000", "0.5000"],
    ]


def test_the_data_are_counted_by_split() -> None:
    assert data_line(corridor_dataset()) == (
        "data: 11 training transitions in 1 trajectory, "
        "5 validation transitions in 1 trajectory, "
        "6 held-out transitions in 1 trajectory"
    )


def test_the_nodes_are_counted_by_kind() -> None:
    tree = tree_statistics(new_search().tree.tree)
    assert nodes_line(tree) == "nodes: 0 (0 generate, 0 improve, 0 fix), depth 0"


def test_what_programs_could_use_is_named_once() -> None:
    plain = Evaluation(outcome_kind="completed", score=1.0, is_bug=False)
    other = replace(plain, isolation={"capabilities": ["physics"]})
    assert libraries_line([plain]) == []
    assert libraries_line([other, plain, other]) == ["programs could use: physics"]
