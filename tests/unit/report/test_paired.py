import io

import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.evaluation.cell_results import CellResult
from cwm.report.paired import Contender, compare_results
from tests.support.suite_cells import cell, failed


def side(name: str, *cells: CellResult) -> Contender:
    return Contender(name=name, results={one.key: one for one in cells})


def test_cells_are_paired_by_task_and_seed() -> None:
    first = side(
        "A",
        cell("a", strict=1.0),
        cell("a", seed=1, strict=0.5),
        cell("b", strict=0.25),
        failed("c"),
        cell("d"),
    )
    second = side(
        "B",
        cell("b", "best-of-n", strict=0.5),
        cell("a", "best-of-n", strict=0.5),
        cell("a", "best-of-n", seed=1, strict=0.5),
        cell("c", "best-of-n"),
        cell("e", "best-of-n"),
    )
    found = compare_results(first, second, "held_out_strict")
    pairs = [(pair.task, pair.seed, pair.difference) for pair in found.pairs]
    assert pairs == [("a", 0, 0.5), ("a", 1, 0.0), ("b", 0, -0.25)]
    test = found.test
    assert (test.num_wins, test.num_ties, test.num_losses) == (1, 1, 1)
    # Of tasks: (0.25 - 0.25) / 2.
    assert test.mean.value == 0.0
    assert found.by_task is not None
    assert (found.by_task.num_pairs, found.by_task.num_ties) == (2, 0)
    assert list(found.left_out) == [
        "left out: c, seed 0: A: failed: broken",
        "left out: d, seed 0: B: not there",
        "left out: e, seed 0: A: not there",
    ]


def test_without_a_program_there_is_a_value_and_a_pair() -> None:
    none = cell("a", status="no program", strict=0.0, reason="none ran")
    found = compare_results(side("A", cell("a")), side("B", none), "held_out_strict")
    assert [pair.difference for pair in found.pairs] == [1.0]


def test_other_data_are_refused() -> None:
    other = cell("a", data="another")
    with pytest.raises(DataError, match="of a, seed 0, they have other data"):
        compare_results(side("A", cell("a")), side("B", other), "held_out_strict")


def test_nothing_to_pair_is_said() -> None:
    with pytest.raises(ConfigError, match="Nothing can be paired") as found:
        compare_results(side("A", cell("a")), side("B", cell("b")), "held_out_strict")
    assert "left out: a, seed 0: B: not there" in str(found.value)
    with pytest.raises(ConfigError, match="no task and seed has tokens"):
        compare_results(side("A", cell("a")), side("B", cell("a")), "tokens")
    with pytest.raises(ConfigError, match="metric must be one of"):
        compare_results(side("A", cell("a")), side("B", cell("a")), "luck")


def test_the_table_says_how_many_and_what_they_can_show() -> None:
    first = side("A", *(cell(task, strict=1.0) for task in "abc"))
    second = side("B", *(cell(task, strict=0.5) for task in "abc"))
    found = compare_results(first, second, "held_out_strict")
    stream = io.StringIO()
    found.show(stream)
    text = stream.getvalue()
    # So few have no interval.
    assert "0.5000 (" not in text
    assert "none of fewer than 5 tasks" in text
    assert "3/0/0" in text
    # Three differences of one sign: 2 of 8 ways.
    assert "the smallest p possible is 0.25" in text
    assert found.test.sign_flip_p == 0.25
    assert found.by_task is None
    assert found.to_json()["num_pairs"] == 3


def test_of_enough_tasks_there_is_an_interval() -> None:
    first = side("A", *(cell(task, strict=1.0) for task in "abcde"))
    second = side("B", *(cell(task, strict=0.5) for task in "abcd"), cell("e"))
    stream = io.StringIO()
    compare_results(first, second, "held_out_strict").show(stream)
    # Of a binomial share of 5 with p = 4/5: 95 % are between 2/5 and 1.
    assert "0.4000 (0.2000 to 0.5000)" in stream.getvalue()


def test_of_one_task_seeds_are_the_pairs() -> None:
    first = side("A", *(cell("a", seed=s, strict=1.0) for s in range(3)))
    second = side("B", *(cell("a", seed=s, strict=0.5) for s in range(3)))
    found = compare_results(first, second, "held_out_strict")
    assert (found.test.num_pairs, found.by_task) == (3, None)


def test_of_costs_less_is_better() -> None:
    found = compare_results(side("A", cell("a")), side("B", cell("a")), "calls")
    assert "of calls, lower is better" in found.lines()


def test_returns_of_other_episodes_are_not_paired() -> None:
    first = side("A", cell("a", normalised=0.5, playing={"episodes": 5, "horizon": 9}))
    second = side("B", cell("a", normalised=0.5, playing={"episodes": 5, "horizon": 7}))
    unknown = side("C", cell("a", normalised=0.5))
    message = r"episodes of a, seed 0, were played with .* \(horizon 9, 7\)"
    with pytest.raises(DataError, match=message):
        compare_results(first, second, "normalised_return")
    # Other figures are not of episodes, and what is not known is not known to differ.
    assert compare_results(first, second, "held_out_strict").pairs
    assert compare_results(first, unknown, "normalised_return").pairs
