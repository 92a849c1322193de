import numpy as np

from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.programs.accuracy import strict_matches
from cwm.programs.counterexamples import find_counterexamples
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
