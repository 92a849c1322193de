import csv
import io
from collections.abc import Sequence

import pytest

from cwm.evaluation.cell_results import CellKey, CellResult
from cwm.report.suites import SuiteReport, make_suite_report
from tests.support.suite_cells import cell, failed

PLANNED = [
    CellKey(task, search, seed)
    for seed in (0, 1)
    for search in ("gif-mcts", "best-of-n")
    for task in ("Pole", "Taxi")
]

RESULTS = [
    cell(strict=1.0, normalised=1.0, figures={"calls_to_strict": 3.0, "return": 20.0}),
    cell(
        seed=1,
        strict=0.5,
        normalised=0.6,
        figures={"calls_to_strict": None, "return": 12_345.6},
        notes=("returns: 5 episodes",),
    ),
    cell("Taxi", strict=0.25, normalised=None, notes=("returns: 5 episodes",)),
    failed("Taxi", seed=1, reason="no memory"),
    cell(
        search="best-of-n",
        status="no program",
        reason="none ran",
        strict=0.0,
        normalised=0.0,
    ),
]


def report(
    results: Sequence[CellResult] = RESULTS,
    planned: Sequence[CellKey] = PLANNED,
    **more: object,
) -> SuiteReport:
    return make_suite_report(
        "cwmb-r",
        planned,
        {one.key: one for one in results},
        is_of_problems=False,
        folder="runs/x",
        **more,
    )


def cells_of(report: SuiteReport, number: int) -> dict[tuple[str, str], list[str]]:
    table = report.tables()[number]
    return {(row[0], row[1]): list(row[2:]) for row in table.rows}


def test_every_planned_task_and_search_has_a_row() -> None:
    rows = [(row.task, row.search, row.status) for row in report().rows]
    assert rows == [
        ("Pole", "gif-mcts", ""),
        ("Pole", "best-of-n", "no program 1/2, not finished 1/2"),
        ("Taxi", "gif-mcts", "failed 1/2"),
        ("Taxi", "best-of-n", "not finished"),
    ]


def test_figures_are_means_over_the_seeds_that_are_there() -> None:
    accuracies = cells_of(report(), 0)
    assert accuracies["Pole", "gif-mcts"][0] == "0.7500"
    assert accuracies["Pole", "best-of-n"][0] == "0.0000"
    # One of two failed, and nothing is there of the last.
    assert accuracies["Taxi", "gif-mcts"] == ["0.2500", "failed 1/2"]
    assert accuracies["Taxi", "best-of-n"] == ["-", "not finished"]


def test_returns_and_costs_stand_beside_each_other() -> None:
    shown = report()
    columns = shown.tables()[1].columns
    rows = {
        key: dict(zip(columns[2:], row, strict=True))
        for key, row in cells_of(shown, 1).items()
    }
    pole = rows["Pole", "gif-mcts"]
    # (20 + 12,345.6) / 2, of which a table has no use for fractions.
    assert pole["return"] == "6182.8"
    # Of two seeds one came to 1.0, after 3 calls.
    assert pole["calls to first 1.0"] == "3 (1/2)"
    # Over the seeds 1.0 and 0.6: resamples are their means.
    assert pole["normalised return"] == "0.80 (0.60 to 1.00)"
    # Of a single seed the interval is that of its episodes.
    assert rows["Pole", "best-of-n"]["normalised return"] == "0.00 (-0.10 to 0.10)"
    assert rows["Taxi", "gif-mcts"]["normalised return"] == "-"


def test_means_over_tasks_say_of_how_many() -> None:
    means = {(mean.search, mean.figure): mean for mean in report().means}
    strict = means["gif-mcts", "held_out_strict"]
    # (0.75 + 0.25) / 2, a task with one seed weighing as much.
    assert strict.interval.value == 0.5
    assert (strict.num_tasks, strict.num_planned) == (2, 2)
    assert strict.interval.low < 0.5 < strict.interval.high
    returned = means["gif-mcts", "normalised_return"]
    assert (returned.interval.value, returned.num_tasks) == (0.8, 1)
    # No program counts as 0.
    assert means["best-of-n", "held_out_strict"].interval.value == 0.0
    assert ("-", "do_nothing_held_out_strict") not in means


def test_baselines_are_averaged_once() -> None:
    figures = {"do_nothing_held_out_strict": 0.25}
    results = [cell(figures=figures), cell(search="best-of-n", figures=figures)]
    means = report(results, [one.key for one in results]).means
    found = [m for m in means if m.figure == "do_nothing_held_out_strict"]
    assert [(mean.search, mean.interval.value) for mean in found] == [("-", 0.25)]


def test_reasons_and_notes_are_said_below() -> None:
    lines = report().lines()
    assert "cells: 8, 1 failed, 3 not finished, 1 without a program" in lines
    assert "Taxi, gif-mcts, seed 1: failed: no memory" in lines
    assert "Taxi, best-of-n, seed 0: not finished" in lines
    assert "Pole, best-of-n, seed 0: none ran" in lines
    # What several rows say is said once, with the search where others do not say it.
    assert "Pole (gif-mcts), Taxi (gif-mcts): returns: 5 episodes" in lines
    assert not any("stand-in" in line for line in lines)
    assert any("stand-in" in line for line in report(is_stand_in=True).lines())
    assert lines[-1] == "results: runs/x"


def test_markdown_has_all_rows_and_keeps_its_columns() -> None:
    odd = cell("a|b")
    text = report([odd], [odd.key]).markdown()
    assert "| a\\|b | gif-mcts | 1.0000 |" in text
    assert "| --- | --- | ---: |" in text
    lines = report().markdown().splitlines()
    assert "| Taxi | best-of-n | - | not finished |" in lines
    for number, line in enumerate(lines):
        if line.startswith("| ---"):
            width = lines[number - 1].count("|")
            assert line.count("|") == width


def test_csv_is_for_machines() -> None:
    rows = list(csv.DictReader(io.StringIO(report().csv())))
    assert len(rows) == 4
    first = rows[0]
    assert (first["task"], first["search"], first["seeds"]) == ("Pole", "gif-mcts", "2")
    assert float(first["held_out_strict"]) == 0.75
    assert float(first["normalised_return_low"]) == 0.6
    assert rows[3]["held_out_strict"] == ""
    assert rows[3]["remarks"] == "not finished"


def test_plain_data_keep_the_seeds_apart() -> None:
    (first, *_) = report().to_json()["rows"]
    assert first["by_seed"]["held_out_strict"] == {"0": 1.0, "1": 0.5}
    assert first["figures"]["held_out_strict"] == 0.75


def test_a_report_can_be_shown_before_anything_is_there() -> None:
    stream = io.StringIO()
    report([]).show(stream)
    assert "made by: nobody yet" in stream.getvalue()
    assert stream.getvalue().count("not finished") >= 8


def test_programs_with_tests_have_columns_of_their_own() -> None:
    figures = [
        {"strict": 1.0, "accuracy": 1.0, "hidden_accuracy": 1.0},
        {"strict": 0.0, "accuracy": 0.5, "hidden_accuracy": 0.0},
        {"strict": 0.0, "accuracy": 0.2, "hidden_accuracy": None},
    ]
    results = [
        cell(f"problem-{number}", strict=None, figures=one, suite="own")
        for number, one in enumerate(figures)
    ]
    shown = make_suite_report(
        "own",
        [one.key for one in results],
        {one.key: one for one in results},
        is_of_problems=True,
    )
    table = shown.tables()[0]
    assert table.columns[:5] == (
        "problem",
        "search",
        "strict",
        "accuracy",
        "hidden tests",
    )
    assert table.rows[2][2:5] == ("0.0000", "0.2000", "-")
    means = {mean.figure: mean.interval.value for mean in shown.means}
    assert means["strict"] == pytest.approx(1 / 3)
    assert means["accuracy"] == pytest.approx(1.7 / 3)
    # Only two problems have hidden tests.
    assert means["hidden_accuracy"] == 0.5
