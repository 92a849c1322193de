import csv
import io
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cwm.evaluation.cell_results import CellKey, CellResult
from cwm.evaluation.paired_tests import Estimate
from cwm.evaluation.summary import Interval
from cwm.report.suite_published import published_tables
from cwm.report.suite_rows import BASELINES
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
    # Two seeds have no interval.
    assert pole["normalised return"] == "0.80"
    # Of a single seed the interval is that of its episodes.
    assert rows["Pole", "best-of-n"]["normalised return"] == "0.00 (-0.10 to 0.10)"
    assert rows["Taxi", "gif-mcts"]["normalised return"] == "-"


def test_errors_and_speed_have_a_table_and_options_are_named() -> None:
    errors = {
        "held_out_rmse": 0.012345,
        "held_out_tolerance_area": 0.75,
        "held_out_rollout_10": 0.5,
        "program_ms": 0.25,
    }
    result = cell(figures=errors)
    shown = report([result], [result.key])
    table = shown.tables()[2]
    assert table.title == "cwmb-r: errors and speed, held-out"
    assert table.columns[2:] == (
        "normalised RMSE",
        "tolerance area",
        "right after 10 steps",
        "ms per transition",
    )
    assert table.rows[0][2:] == ("0.012345", "0.7500", "0.5000", "0.25")
    line = "not measured: model asked (--ask-model), offline RL (--offline-steps)"
    assert line in shown.lines()
    more = {"asked_held_out_strict": 0.125, "asked_ms": 900.0, "offline_return": 7.0}
    result = cell(figures=errors | more)
    shown = report([result], [result.key])
    assert shown.tables()[2].rows[0][-2:] == ("0.1250", "900")
    assert "7" in cells_of(shown, 1)["Pole", "gif-mcts"]
    assert not any("not measured" in line for line in shown.lines())
    # Without any of them there is nothing to show.
    assert not any("errors" in table.title for table in report().tables())


def test_baselines_stand_beside_both_kinds_of_transitions() -> None:
    figures = {"planner_strict": 0.5}
    values = [0.1, 0.2, 0.9]
    for baseline, value in zip(BASELINES, values, strict=True):
        figures[f"{baseline}_planner_strict"] = value
    other = cell("Taxi", figures={"simulator_planner_strict": 0.1})
    shown = report([cell(figures=figures), other], [cell().key, other.key])
    row = cells_of(shown, 0)["Pole", "gif-mcts"]
    assert row == ["1.0000", "0.5000", "0.1000", "0.2000", "0.9000"]
    means = {(mean.search, mean.figure): mean for mean in shown.means}
    # Over what searches have: Taxi has no planner-visited accuracy of theirs.
    assert means["-", "simulator_planner_strict"].interval.value == 0.9


def test_means_over_tasks_say_of_how_many() -> None:
    only = [one for one in RESULTS if one.key.search == "gif-mcts"]
    shown = report(only, [key for key in PLANNED if key.search == "gif-mcts"])
    means = {(mean.search, mean.figure): mean for mean in shown.means}
    strict = means["gif-mcts", "held_out_strict"]
    # (0.75 + 0.25) / 2, a task with one seed weighing as much.
    assert strict.interval.value == 0.5
    assert (strict.num_tasks, strict.num_planned, strict.num_cells) == (2, 2, 3)
    assert strict.interval.low is None
    returned = means["gif-mcts", "normalised_return"]
    assert (returned.interval.value, returned.num_tasks) == (0.8, 1)
    assert ("-", "do_nothing_held_out_strict") not in means
    (row, _) = shown.tables()[-1].rows
    assert row == ("gif-mcts", "held-out strict", "0.5000", "2 of 2", "3")


def test_searches_are_averaged_over_what_all_of_them_have() -> None:
    simulator = {"simulator_held_out_strict": 0.5}
    results = [
        cell("easy", strict=0.9, figures={"simulator_held_out_strict": 1.0}),
        failed("hard"),
        cell("easy", "best-of-n", strict=0.95),
        cell("hard", "best-of-n", strict=0.2, figures=simulator),
    ]
    shown = report(results, [one.key for one in results])
    means = {mean.search: mean for mean in shown.means}
    # To fail on what is hard is no gain: not 0.9 beside 0.575.
    assert means["gif-mcts"].interval.value == 0.9
    assert means["best-of-n"].interval.value == 0.95
    # Nor is it one beside the true simulator, which is averaged over the same.
    assert means["-"].interval.value == 1.0
    assert {(mean.num_tasks, mean.num_planned) for mean in shown.means} == {(1, 2)}
    assert cells_of(shown, 0)["hard", "gif-mcts"][-1] == "failed"
    assert any("means: over the tasks and seeds that all" in s for s in shown.lines())


def test_seeds_that_one_search_lacks_count_in_none() -> None:
    means = {(mean.search, mean.figure): mean for mean in report().means}
    # Of seed 0 of Pole; no program counts as 0.
    assert means["gif-mcts", "held_out_strict"].interval.value == 1.0
    assert means["best-of-n", "held_out_strict"].interval.value == 0.0
    assert means["best-of-n", "held_out_strict"].num_cells == 1


def test_searches_that_have_nothing_in_common_have_no_mean() -> None:
    results = [cell("a"), cell("b", "best-of-n"), failed("a", "rex")]
    shown = report(results, [one.key for one in results])
    assert not shown.means
    expected = "no mean of held-out strict: no task and seed has it of all of "
    assert f"{expected}gif-mcts, best-of-n" in shown.lines()
    # One that has nothing at all takes nothing from the others.
    fewer = report([results[0], results[2]], [results[0].key, results[2].key])
    assert [mean.search for mean in fewer.means] == ["gif-mcts"]


def test_baselines_are_averaged_once() -> None:
    results = [
        cell(seed=seed, search=search, figures={"do_nothing_held_out_strict": value})
        for seed, value in enumerate([0.0, 0.0, 0.0, 1.0])
        for search in ("gif-mcts", "best-of-n")
    ]
    means = report(results, [one.key for one in results]).means
    (found,) = [m for m in means if m.figure == "do_nothing_held_out_strict"]
    assert (found.search, found.interval.value) == ("-", 0.25)
    # Eight cells of four seeds: each counts once, and four have no interval.
    assert (found.num_cells, found.interval.low) == (4, None)


def test_the_interval_of_one_seed_is_that_of_its_episodes_unless_they_are_equal() -> (
    None
):
    (row, *_) = report([cell(normalised=0.5)]).rows
    assert row.normalised is not None
    assert (row.normalised.low, row.normalised.high) == (0.4, 0.6)
    same = Interval(value=0.0, low=0.0, high=0.0)
    (row, *_) = report([replace(cell(normalised=0.0), normalised=same)]).rows
    assert row.normalised == Estimate(value=0.0)


def test_published_numbers_stand_beside_each_search() -> None:
    results = [
        cell("CartPole-v1", search, figures={"train_reference": value})
        for search, value in (("gif-mcts", 0.75), ("best-of-n", 0.5))
    ]
    results.append(cell("nobody's", figures={"train_reference": 0.25}))
    shown = report(results, [one.key for one in results])
    (accuracies, returns), notes = published_tables("cwmb-r", shown.rows)
    ours = accuracies.columns.index("ours: reference on training transitions")
    assert [(row[0], row[1], row[ours]) for row in accuracies.rows] == [
        ("CartPole-v1", "gif-mcts", "0.75"),
        ("CartPole-v1", "best-of-n", "0.5"),
    ]
    assert accuracies.num_names == 2
    assert {len(row) for row in accuracies.rows} == {len(accuracies.columns)}
    # What is theirs alone is said once.
    assert [row[0] for row in returns.rows] == ["CartPole-v1"]
    assert notes


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
    assert float(first["normalised_return"]) == 0.8
    # Of two seeds there is no interval; of one it is that of its episodes.
    assert first["normalised_return_low"] == ""
    assert float(rows[1]["normalised_return_low"]) == -0.1
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
