import math
from typing import Any

import numpy as np
import pytest

from cwm.core.protocols import StepResult
from cwm.core.spaces import BoxSpec, DictSpec, DiscreteSpec, SpaceSpec, TextSpec
from cwm.core.trajectories import Transition
from cwm.evaluation.guard import LARGEST_ERROR, PredictionError, PredictionJudge
from cwm.programs.tolerances import Tolerances

VECTOR = BoxSpec((2,), "float32")
# Elements usually change by 0.5 and 0.1 in a step, rewards by 2.
TOLERANCES = Tolerances(
    observation={"": np.array([0.5e-4, 0.1e-4])}, reward=2e-4, reward_dtype="float64"
)


def vector(*numbers: float) -> Any:
    return np.array(numbers, dtype=np.float32)


def judge(
    predicted: StepResult,
    *,
    space: SpaceSpec = VECTOR,
    tolerances: Tolerances = TOLERANCES,
    observation: Any = None,
) -> PredictionError:
    shown = vector(1.0, 2.0) if observation is None else observation
    real = Transition(shown, 0, shown, 1.0, False, False)
    judge = PredictionJudge(space, DiscreteSpec(2), tolerances)
    return judge.judge(predicted, real)


def said(observation: Any, reward: float = 1.0, terminated: bool = False) -> StepResult:
    return StepResult(None, observation, reward, terminated)


def test_what_came_true_has_no_error() -> None:
    assert judge(said(vector(1.0, 2.0))) == PredictionError(wrong=(), size=0.0)


def test_errors_are_counted_in_usual_changes_of_their_element() -> None:
    one = judge(said(vector(1.25, 2.0)))
    assert one.wrong == ("observation[0]",)
    assert one.size == pytest.approx(0.5)
    two = judge(said(vector(1.25, 2.25)))
    assert two.wrong == ("observation[0]", "observation[1]")
    assert two.size == pytest.approx(2.5)


def test_an_error_within_the_tolerance_is_small_and_not_wrong() -> None:
    error = judge(said(vector(1.0 + 2e-5, 2.0)))
    assert error.wrong == ()
    assert 0.0 < error.size < 1e-4


def test_rewards_and_ends_count() -> None:
    assert judge(said(vector(1.0, 2.0), reward=2.0)).size == pytest.approx(0.5)
    assert judge(said(vector(1.0, 2.0), reward=2.0)).wrong == ("reward",)
    ended = judge(said(vector(1.0, 2.0), terminated=True))
    assert ended == PredictionError(wrong=("terminated",), size=1.0)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_number_is_as_wrong_as_can_be(number: float) -> None:
    error = judge(said(vector(number, 2.0)))
    assert error.size == LARGEST_ERROR
    assert error.wrong == ("observation[0]",)
    assert judge(said(vector(1.0, 2.0), reward=number)).size == LARGEST_ERROR


@pytest.mark.parametrize("observation", ["text", vector(1.0), None, (1, 2, 3)])
def test_what_is_of_another_form_is_wrong_in_every_part(observation: Any) -> None:
    error = judge(said(observation))
    parts = ("observation[0]", "observation[1]", "reward", "terminated")
    assert error.wrong == parts
    assert error.size == LARGEST_ERROR


def test_integers_and_text_are_right_or_wrong() -> None:
    space = DictSpec((("count", DiscreteSpec(9)), ("word", TextSpec())))
    exact = Tolerances(observation={}, reward=1e-4, reward_dtype="float64")
    real = {"count": 3, "word": "up"}

    def size(predicted: Any) -> PredictionError:
        return judge(said(predicted), space=space, tolerances=exact, observation=real)

    assert size(real) == PredictionError(wrong=(), size=0.0)
    wrong = size({"count": 8, "word": "up"})
    assert wrong == PredictionError(wrong=("observation/count",), size=1.0)
    assert size({"count": 3, "word": "down"}).wrong == ("observation/word",)
