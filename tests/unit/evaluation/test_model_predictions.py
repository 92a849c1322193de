from typing import Any

import numpy as np
import pytest

from cwm.core.codec import decode_columns
from cwm.core.protocols import FloatArray, ModelError, StepResult
from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import TransitionBatch
from cwm.evaluation import model_predictions
from cwm.evaluation.model_predictions import batch_likelihood, step_predictions

ACTIONS = DiscreteSpec(2)
PLACES = DiscreteSpec(6)


def batch_of(places: list[int], *, is_legal_known: bool = False) -> TransitionBatch:
    number = len(places)
    column = np.asarray(places)
    return TransitionBatch(
        observation_space=PLACES,
        action_space=ACTIONS,
        observations={"": column},
        actions={"": np.ones(number, dtype=np.int64)},
        next_observations={"": np.minimum(column + 1, 5)},
        rewards=np.zeros(number),
        terminated=column == 4,
        truncated=np.zeros(number, dtype=bool),
        trajectory=np.arange(number),
        time=np.zeros(number, dtype=np.int64),
        next_legal_actions=((0, 1),) * number if is_legal_known else None,
    )


class Walk:
    """Goes right; has no answer at 2, a word at 3; slips at 0 half of the time."""

    def step(self, state: Any, action: Any, rng: np.random.Generator) -> StepResult:
        if state == 2:
            raise ModelError("nothing is known of 2")
        shown = "three" if state == 3 else state + action
        if state == 0:
            shown = int(rng.integers(2))
        return StepResult(shown, shown, float(state), state == 4)

    def legal_actions(self, state: Any) -> list[int] | None:
        return None if state == 5 else [state % 2]

    def log_probs(
        self, observations: Any, actions: Any, next_observations: Any
    ) -> FloatArray:
        assert list(actions) == [1] * len(observations)
        return np.array([-np.inf if o == 2 else -float(o) for o in observations])


def test_each_row_is_a_step_of_its_own() -> None:
    batch = batch_of([1, 2, 3, 4], is_legal_known=True)
    (found,) = step_predictions(Walk(), batch)
    assert found.valid.tolist() == [True, False, False, True]
    assert set(found.messages) == {1, 2}
    assert found.messages[1] == "nothing is known of 2"
    shown = decode_columns(PLACES, found.next_observations)
    assert (shown[0], shown[3]) == (2, 5)
    assert found.rewards.tolist() == [1.0, 0.0, 0.0, 4.0]
    assert found.terminated.tolist() == [False, False, False, True]
    assert found.legal_actions == ((0,), None, None, None)


def test_legal_actions_are_named_where_they_are_judged() -> None:
    (found,) = step_predictions(Walk(), batch_of([1]))
    assert found.legal_actions is None


def test_draws_differ_by_row_and_draw_and_repeat_with_the_seed() -> None:
    batch = batch_of([0] * 20)

    def drawn(seed: int) -> list[list[int]]:
        draws = step_predictions(Walk(), batch, num_draws=3, seed=seed)
        return [list(draw.next_observations[""]) for draw in draws]

    assert drawn(0) == drawn(0) != drawn(1)
    assert len({tuple(draw) for draw in drawn(0)}) == 3
    assert {value for draw in drawn(0) for value in draw} == {0, 1}


def test_likelihoods_are_means_over_what_is_possible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_predictions, "CHUNK_ROWS", 2)
    told: list[int] = []
    found = batch_likelihood(Walk(), batch_of([1, 2, 4]), on_rows=told.append)
    assert (found.mean, found.num_impossible, found.num_transitions) == (-2.5, 1, 3)
    assert told == [2, 3]
    assert batch_likelihood(Walk(), batch_of([2])).mean is None
