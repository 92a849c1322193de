"""Wrong predictions in words."""

import numpy as np
import pytest

from cwm.core.proposals import Counterexample
from cwm.core.spaces import BoxSpec, DictSpec, DiscreteSpec, TextSpec, TupleSpec
from prompts.differences import describe_differences, name_wrong_parts

SPACE = BoxSpec((2,), "float32")


def observation(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float32)


def test_wrong_parts_show_truth_prediction_and_distance() -> None:
    text = describe_differences(
        Counterexample(
            index=2,
            wrong_parts=("observation[0]", "reward"),
            observation=observation(1, 0),
            action=1,
            expected=(observation(2, 1), 0.0, False),
            predicted=(observation(1.5, 1), 1.0, False),
        ),
        SPACE,
        max_value_chars=100,
    )
    assert text.splitlines() == [
        "- observation: [1.0, 0.0]",
        "- action: 1",
        "- next observation: WRONG, must be [2.0, 1.0], got [1.5, 1.0]",
        "  - observation[0]: was 1.0, must be 2.0, got 1.5, off by -0.5",
        "- reward: WRONG, must be 0.0, got 1.0",
        "- terminated: right, False",
    ]


def test_element_that_differs_but_was_judged_right_is_not_listed() -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation[1]",),
            expected=(observation(1, 1), 0.0, False),
            predicted=(observation(1.00001, 2), 0.0, False),
        ),
        SPACE,
        max_value_chars=100,
    )
    assert "observation[1]: must be 1.0, got 2.0, off by +1" in text
    assert "observation[0]:" not in text


def test_parts_of_a_tuple_are_named_by_their_path() -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation",),
            expected=((3, 1), 0.0, False),
            predicted=((3, 0), 0.0, False),
        ),
        TupleSpec((DiscreteSpec(5), DiscreteSpec(2))),
        max_value_chars=100,
    )
    assert "  - observation/1: must be 1, got 0, off by -1" in text


def test_many_wrong_elements_are_counted_after_the_first() -> None:
    zeros = np.zeros(40, np.float32)
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation",),
            expected=(zeros, 0.0, False),
            predicted=(zeros + 1, 0.0, False),
        ),
        BoxSpec((40,), "float32"),
        max_value_chars=100,
    )
    assert "  - 28 more elements differ" in text


def test_prediction_of_the_wrong_form_shows_the_truth_and_the_note() -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation",),
            expected=(observation(1, 1), 0.5, True),
            message="step must return 3 values, got 2",
        ),
        SPACE,
        max_value_chars=100,
    )
    assert text.splitlines() == [
        "- next observation: must be [1.0, 1.0]",
        "- reward: must be 0.5",
        "- terminated: must be True",
        "- note: step must return 3 values, got 2",
    ]


def test_prediction_that_is_not_of_the_space_is_shown_whole() -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation",),
            expected=(observation(1, 1), 0.0, False),
            predicted=([1.0, 2.0, 3.0], 0.0, False),
        ),
        SPACE,
        max_value_chars=100,
    )
    assert "WRONG, must be [1.0, 1.0], got [1.0, 2.0, 3.0]" in text


def test_failed_unit_test_says_what_it_is() -> None:
    text = describe_differences(
        Counterexample(
            index=-1, wrong_parts=("unit test",), message="the goal must pay 1"
        ),
        SPACE,
        max_value_chars=100,
    )
    assert text == "- from a unit test\n- note: the goal must pay 1"


def test_flags_have_no_distance_and_texts_are_shown_whole() -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation",),
            expected=({"lit": np.array([True]), "word": "door"}, 0.0, False),
            predicted=({"lit": np.array([False]), "word": "wall"}, 0.0, False),
        ),
        DictSpec((("lit", BoxSpec((1,), "bool")), ("word", TextSpec()))),
        max_value_chars=100,
    )
    assert "  - observation/lit[0]: must be True, got False" in text.splitlines()
    assert "'word': 'door'" in text
    assert "observation/word" not in text


def test_elements_of_a_matrix_are_named_by_row_and_column() -> None:
    right = np.zeros((2, 2), np.float32)
    wrong = right.copy()
    wrong[1, 0] = 0.5
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation[1,0]",),
            expected=(right, 0.0, False),
            predicted=(wrong, 0.0, False),
        ),
        BoxSpec((2, 2), "float32"),
        max_value_chars=100,
    )
    assert "  - observation[1,0]: must be 0.0, got 0.5, off by +0.5" in text


def test_wide_observation_shows_its_wrong_elements_alone() -> None:
    right = np.linspace(0.0, 1.0, 40)
    wrong = right.copy()
    wrong[7] = 9.0
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation[7]",),
            observation=right,
            expected=(right, 0.0, False),
            predicted=(wrong, 0.0, False),
        ),
        BoxSpec((40,), "float64"),
        max_value_chars=600,
    )
    lines = text.splitlines()
    assert "28 more of 40 elements" in lines[0]
    assert lines[1:3] == [
        "- next observation: WRONG in 1 of 40 elements",
        "  - observation[7]: was 0.1794871795, must be 0.1794871795, got 9.0, off by "
        "+8.82051",
    ]


def test_difference_in_late_digits_shows_them() -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation[0]",),
            expected=(np.array([1.0, 2.0e9]), 0.0, False),
            predicted=(np.array([1.000000002, 2.0e9]), 0.0, False),
        ),
        BoxSpec((2,), "float64"),
        max_value_chars=600,
    )
    assert "must be 1.0, got 1.000000002, off by +2e-09" in text


def test_single_number_is_not_shown_twice() -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation",),
            observation=328,
            action=1,
            expected=(428, -1.0, False),
            predicted=(328, -1.0, False),
        ),
        DiscreteSpec(500),
        max_value_chars=100,
    )
    assert text.splitlines()[2] == "- next observation: WRONG, must be 428, got 328"
    assert "off by" not in text


def test_plain_text_says_what_must_be_and_what_came_of_every_part() -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=("observation[0]",),
            expected=(observation(2, 1), 0.0, False),
            predicted=(observation(1.5, 1), 0.0, False),
        ),
        SPACE,
        max_value_chars=100,
        is_plain=True,
    )
    assert text.splitlines() == [
        "- next observation: must be [2.0, 1.0], got [1.5, 1.0]",
        "- reward: must be 0.0, got 0.0",
        "- terminated: must be False, got False",
    ]


@pytest.mark.parametrize(
    ("wrong_parts", "predicted", "expected"),
    [
        ((), (1, 0), "right, [0, 1]"),
        (("legal_actions",), (0,), "WRONG, must be [0, 1], got [0]; missing: [1]"),
        (
            ("legal_actions",),
            (1, 2),
            "WRONG, must be [0, 1], got [1, 2]; missing: [0]; not legal: [2]",
        ),
        (("legal_actions",), None, "must be [0, 1]"),
    ],
)
def test_legal_actions_show_which_are_missing_and_which_are_not_legal(
    wrong_parts: tuple[str, ...], predicted: tuple[int, ...] | None, expected: str
) -> None:
    text = describe_differences(
        Counterexample(
            index=0,
            wrong_parts=wrong_parts,
            expected_actions=(0, 1),
            predicted_actions=predicted,
        ),
        SPACE,
        max_value_chars=100,
    )
    assert text == f"- legal actions then: {expected}"


def test_many_wrong_parts_are_counted_after_the_first() -> None:
    parts = tuple(f"observation[{i}]" for i in range(7))
    few = Counterexample(index=0, wrong_parts=("reward", "terminated"))
    assert name_wrong_parts(few) == "reward, terminated"
    many = name_wrong_parts(Counterexample(index=0, wrong_parts=parts))
    assert many.endswith("observation[3] and 3 more")
