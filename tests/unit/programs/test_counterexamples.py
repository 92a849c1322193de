import json

import numpy as np
import pytest

from cwm.core.codec import conform, encode_columns
from cwm.core.predictions import Predictions
from cwm.core.spaces import (
    DictSpec,
    DiscreteSpec,
    NestedSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
    Value,
)
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.accuracy import strict_matches
from cwm.programs.counterexamples import MAX_TEXT_CHARS, find_counterexamples
from cwm.programs.json_values import counterexample_to_json
from cwm.programs.tolerances import Tolerances
from tests.support.recorded import record

DATA = record("CartPole-v1")


def predictions(data: TransitionBatch) -> Predictions:
    return Predictions(
        next_observations={"": data.next_observations[""].copy()},
        rewards=data.rewards.copy(),
        terminated=data.terminated.copy(),
        valid=np.ones(len(data), dtype=bool),
        messages={},
    )


def found(wrong: Predictions, count: int = 8) -> list[tuple[int, tuple[str, ...]]]:
    matches = strict_matches(wrong, DATA, Tolerances.from_batch(DATA))
    examples = find_counterexamples(matches, wrong, DATA, max_count=count)
    return [(e.index, e.wrong_parts) for e in examples]


def test_nothing_wrong_gives_none() -> None:
    assert found(predictions(DATA)) == []


def test_rare_kind_of_failure_is_not_drowned_by_a_frequent_one() -> None:
    wrong = predictions(DATA)
    wrong.next_observations[""][:, 1] += 1
    wrong.next_observations[""][7, 1] -= 1
    wrong.rewards[7] = 9.0
    assert (7, ("reward",)) in found(wrong, 2)


def test_both_actions_are_shown() -> None:
    wrong = predictions(DATA)
    wrong.next_observations[""][:, 0] += 1
    actions = DATA.actions[""]
    shown = [int(actions[index]) for index, _ in found(wrong, 4)]
    assert sorted(set(shown)) == [0, 1]
    assert len({index for index, _ in found(wrong, 4)}) == 4


def test_regions_far_apart_are_shown() -> None:
    wrong = predictions(DATA)
    wrong.rewards[:] += 1
    rows = [index for index, _ in found(wrong, 8)]
    observations = DATA.observations[""]
    spread = observations.std(axis=0)
    chosen = observations[rows].std(axis=0)
    assert (chosen > spread).all()


def test_example_holds_inputs_truth_and_prediction() -> None:
    wrong = predictions(DATA)
    wrong.terminated[3] = not wrong.terminated[3]
    matches = strict_matches(wrong, DATA, Tolerances.from_batch(DATA))
    (example,) = find_counterexamples(matches, wrong, DATA)
    assert example.index == 3
    assert example.wrong_parts == ("terminated",)
    assert example.action == DATA.transition(3).action
    assert example.expected is not None
    assert example.predicted is not None
    assert example.expected[1:] == (1.0, False)
    assert example.predicted[1:] == (1.0, True)
    np.testing.assert_array_equal(example.observation, DATA.observations[""][3])


def test_row_without_a_prediction_says_why() -> None:
    wrong = predictions(DATA)
    wrong.valid[5] = False
    wrong.messages[5] = "terminated must be a bool, got int"
    matches = strict_matches(wrong, DATA, Tolerances.from_batch(DATA))
    (example,) = find_counterexamples(matches, wrong, DATA)
    assert example.predicted is None
    assert example.message == "terminated must be a bool, got int"


def predicted_as(space: SpaceSpec, truth: Value, predicted: Value) -> Value:
    """Returns what the counterexample of a wrong prediction shows, and its JSON."""
    steps = [Transition(truth, 0, truth, 0.0, False, False)]
    actions = DiscreteSpec(2)
    trajectory = make_trajectory(steps, observation_space=space, action_space=actions)
    batch = batch_trajectories([trajectory], space, actions)
    wrong = Predictions(
        next_observations=encode_columns(space, [predicted]),
        rewards=np.zeros(1),
        terminated=np.zeros(1, dtype=bool),
        valid=np.ones(1, dtype=bool),
        messages={},
    )
    matches = strict_matches(wrong, batch, Tolerances.from_batch(batch))
    (example,) = find_counterexamples(matches, wrong, batch)
    assert example.predicted is not None
    shown = example.predicted[0]
    assert conform(space, shown) == shown
    kept = counterexample_to_json(example)["predicted"]
    assert len(json.dumps(kept)) < 2 * MAX_TEXT_CHARS
    return shown


@pytest.mark.parametrize(
    "predicted",
    [
        "x" * MAX_TEXT_CHARS,
        ["x" * (MAX_TEXT_CHARS // 2 - 4)] * 2,
        [["a", []], "b"] * 100,
    ],
)
def test_predicted_text_of_a_sensible_length_is_kept_whole(predicted: Value) -> None:
    assert predicted_as(NestedSpec(), "", predicted) == predicted


@pytest.mark.parametrize(
    ("space", "truth", "predicted", "note"),
    [
        (TextSpec(), "", "ab" * 100_000, "198030 characters removed"),
        (
            TupleSpec((DictSpec((("t", TextSpec()),)), DiscreteSpec(2))),
            ({"t": ""}, 1),
            ({"t": "ab" * 100_000}, 1),
            "198030 characters removed",
        ),
        (NestedSpec(), "", "ab" * 100_000, "198030 characters removed"),
        (NestedSpec(), "", [["ab" * 100_000], "c"], "1 more removed"),
        (NestedSpec(), "", ["ab"] * 100_000, "99666 more removed"),
        (NestedSpec(), "", [[]] * 100_000, "99500 more removed"),
        (NestedSpec(), "", [[["a"]] * 100_000] * 100_000, "99999 more removed"),
    ],
)
def test_predicted_text_is_cut_and_says_how_much_is_missing(
    space: SpaceSpec, truth: Value, predicted: Value, note: str
) -> None:
    assert note in repr(predicted_as(space, truth, predicted))
