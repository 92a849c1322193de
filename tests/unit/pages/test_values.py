import numpy as np
import pytest

from cwm.core.proposals import Counterexample, ProgramExample
from cwm.pages.values import example_view, parts_of, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(0.1), "0.1"),
        (0.1, "0.1"),
        (1.0, "1"),
        (1e-9, "1e-09"),
        (float("nan"), "nan"),
        (True, "true"),
        (np.int64(7), "7"),
        ((1, 2.5), "(1, 2.5)"),
        (np.array([1.0, 2.0]), "[1, 2]"),
        ("a <b>", "a <b>"),
        (None, "None"),
    ],
)
def test_values_are_short_texts(value: object, text: str) -> None:
    assert shown(value) == text


def test_two_numbers_that_differ_look_different() -> None:
    value = np.float32(0.1)
    after = np.nextafter(value, np.float32(1))
    assert shown(value) != shown(after)


def test_long_values_are_cut() -> None:
    assert len(shown("x" * 5_000)) < 420
    assert shown("x" * 5_000).endswith("(5,000)")


def test_parts_have_the_names_of_the_accuracies() -> None:
    value = {"key": np.array([1.0, 2.0]), "pair": (3, "text")}
    assert parts_of(value) == {
        "observation/key[0]": "1",
        "observation/key[1]": "2",
        "observation/pair/0": "3",
        "observation/pair/1": "text",
    }
    grid = np.zeros((2, 2), dtype=np.int64)
    assert list(parts_of(grid)) == [
        f"observation[{i},{j}]" for i in range(2) for j in range(2)
    ]
    assert list(parts_of(np.zeros((9, 9)))) == ["observation"]


def test_a_counterexample_has_a_row_for_each_part() -> None:
    example = Counterexample(
        index=7,
        wrong_parts=("observation[1]", "terminated"),
        observation=np.array([0.5, 1.0]),
        action=2,
        expected=(np.array([1.5, 2.0]), -1.0, True),
        predicted=(np.array([1.5, 2.5]), -1.0, False),
    )
    view = example_view(example)
    assert (view.index, view.action) == (7, "2")
    rows = [(r.part, r.before, r.expected, r.predicted, r.is_wrong) for r in view.rows]
    assert rows == [
        ("observation[0]", "0.5", "1.5", "1.5", False),
        ("observation[1]", "1", "2", "2.5", True),
        ("reward", "", "-1", "-1", False),
        ("terminated", "", "true", "false", True),
    ]


def test_a_prediction_of_the_wrong_form_has_no_values() -> None:
    example = Counterexample(
        index=0,
        wrong_parts=("reward",),
        observation=1,
        action=0,
        expected=(2, 0.0, False),
        message="It returned None.",
    )
    view = example_view(example)
    assert {row.predicted for row in view.rows} == {"-"}
    assert view.message == "It returned None."


def test_a_failed_test_shows_its_input_and_outputs() -> None:
    example = Counterexample(
        index=-1,
        wrong_parts=("test",),
        example=ProgramExample(input="1 2", output="3"),
        output="4",
    )
    (row,) = example_view(example).rows
    assert (row.before, row.expected, row.predicted) == ("1 2", "3", "4")
