import io
from dataclasses import replace

import pytest

from cwm.core.errors import DataError
from cwm.core.proposals import Usage
from cwm.report.programs import ProblemReport, ProblemsReport

HALF = ProblemReport(
    problem_id="test/0000",
    suite="apps",
    difficulty="competition",
    made_by="language model tiny",
    search="gif-mcts",
    seed=1,
    num_visible=4,
    num_hidden=4,
    visible_passed=4,
    hidden_passed=1,
    hidden_bug="",
    num_calls=20,
    num_bugs=3,
    best_call=7,
    stopped_by="budget",
    exhausted="calls",
    usage=Usage(calls=20, prompt_tokens=1_000, completion_tokens=234),
    folder="runs/0",
)
ALL = replace(HALF, problem_id="test/0001", hidden_passed=4)
ONE_TEST = replace(
    HALF, problem_id="[test/0002]", num_visible=1, visible_passed=1, num_hidden=0,
    hidden_passed=0,
)  # fmt: skip


def test_shares_are_of_all_tests() -> None:
    assert (HALF.accuracy, HALF.is_strict, HALF.hidden_accuracy) == (5 / 8, False, 0.25)
    assert (ALL.accuracy, ALL.is_strict, ALL.hidden_accuracy) == (1.0, True, 1.0)
    assert (ONE_TEST.is_strict, ONE_TEST.hidden_accuracy) == (True, None)


def test_means_are_over_problems() -> None:
    report = ProblemsReport(problems=(HALF, ALL, ONE_TEST))
    assert report.strict_accuracy == pytest.approx(2 / 3)
    assert report.average_accuracy == pytest.approx((5 / 8 + 1 + 1) / 3)
    # Problems without hidden tests say nothing about them.
    assert report.hidden_accuracy == pytest.approx((0.25 + 1) / 2)
    assert ProblemsReport(problems=(ONE_TEST,)).hidden_accuracy is None


def test_the_table_has_a_row_for_each_problem() -> None:
    stream = io.StringIO()
    ProblemsReport(problems=(HALF, ALL, ONE_TEST)).show(stream)
    text = stream.getvalue()
    rows = [line.replace("│", " ").split() for line in text.splitlines()]
    assert ["test/0000", "4/4", "1/4", "no", "20", "3", "1,234"] in rows
    assert ["[test/0002]", "1/1", "-", "yes", "20", "3", "1,234"] in rows
    assert "strict accuracy: 0.6667 (2 of 3 problems" in text
    assert "hidden tests alone: 0.6250" in text


def test_a_report_survives_json() -> None:
    for report in (HALF, ALL, ONE_TEST):
        assert ProblemReport.from_json(report.to_json()) == report
    data = ProblemsReport(problems=(HALF,)).to_json()
    assert data["problems"][0]["accuracy"] == data["average_accuracy"] == 5 / 8
    with pytest.raises(DataError, match="cannot be read"):
        ProblemReport.from_json({"usage": {}})


def test_no_problem_makes_no_report() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        ProblemsReport(problems=())
