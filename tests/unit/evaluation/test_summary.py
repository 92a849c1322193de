import numpy as np
import pytest

from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import Transition, make_trajectory
from cwm.evaluation.episodes import EpisodeResult, StepRecord
from cwm.evaluation.guard import PredictionError
from cwm.evaluation.published import published
from cwm.evaluation.summary import SuccessRule, normalised_return, summarise

RULE = SuccessRule(threshold=None)


def episode(*rewards: float, terminated: bool = True, **first: object) -> EpisodeResult:
    steps = [StepRecord(reward=reward) for reward in rewards]
    steps[0] = StepRecord(reward=rewards[0], **first)  # type: ignore[arg-type]
    last = len(rewards) - 1
    trajectory = make_trajectory(
        [
            Transition(0, 0, 0, reward, terminated and i == last, False)
            for i, reward in enumerate(rewards)
        ],
        observation_space=DiscreteSpec(1),
        action_space=DiscreteSpec(1),
    )
    return EpisodeResult(index=0, seed=0, steps=tuple(steps), trajectory=trajectory)


def test_figures_by_hand() -> None:
    # What is wrong with a plan is its guard's business; `wrong` is the model's.
    far = PredictionError(wrong=("observation", "reward"), size=3.0)
    near = PredictionError(wrong=("observation",), size=0.0)
    found = summarise(
        [
            episode(
                1.0, 1.0, decision_s=0.1, model_steps=50, error=far, wrong=("reward",)
            ),
            episode(4.0, decision_s=0.3, model_steps=150, error=near, wrong=()),
            episode(6.0, decision_s=0.2, model_steps=0, failure="lost"),
        ],
        RULE,
        seed=0,
    )
    assert found.returns.value == 4.0
    # Deviations -2, 0, 2: variance 4, over the root of 3.
    assert found.return_error == pytest.approx(2 / 3**0.5)
    assert found.mean_steps == pytest.approx(4 / 3)
    assert found.decision_p50_ms == pytest.approx(200.0)
    assert found.decision_p95_ms == pytest.approx(290.0)
    assert found.model_steps_per_s == pytest.approx(200 / 0.6)
    assert (found.num_predicted, found.num_wrong) == (2, 1)
    assert found.disagreement == 0.5
    assert found.wrong_parts == {"reward": 1}
    assert found.largest_error == 3.0
    assert (found.num_decisions, found.num_failures) == (3, 1)
    assert found.num_succeeded == 3


def test_the_interval_is_that_of_all_samples_with_replacement() -> None:
    # Of 2 numbers there are 4 samples: means 0, 1, 1, 2.
    found = summarise([episode(0.0), episode(2.0)], RULE, seed=0).returns
    assert (found.low, found.value, found.high) == (0.0, 1.0, 2.0)
    rng = np.random.default_rng(0)
    many = summarise([episode(float(x)) for x in rng.normal(size=200)], RULE, seed=0)
    assert many.return_error is not None
    assert many.returns.high - many.returns.low == pytest.approx(
        2 * 1.96 * many.return_error, rel=0.05
    )


def test_one_episode_has_no_error_and_no_decision_has_no_time() -> None:
    found = summarise([episode(3.0)], RULE, seed=0)
    assert found.return_error is None
    assert found.decision_p50_ms is None
    assert found.model_steps_per_s is None
    assert found.disagreement is None
    assert (found.returns.low, found.returns.high) == (3.0, 3.0)
    with pytest.raises(ValueError, match="at least 1 member"):
        summarise([], RULE, seed=0)


def test_success_is_the_environments_threshold_or_a_good_end() -> None:
    assert RULE.holds(episode(-1.0, 1.0))
    assert not RULE.holds(episode(1.0, -1.0))
    assert not RULE.holds(episode(1.0, 1.0, terminated=False))
    solved = SuccessRule(threshold=2.0)
    assert solved.holds(episode(1.0, 1.0, terminated=False))
    assert not solved.holds(episode(1.0, 0.9))
    assert "at least 2," in str(solved)


def test_normalised_returns_stand_between_random_actions_and_the_oracle() -> None:
    found = normalised_return([6.0, 8.0], [1.0, 3.0], [12.0, 12.0], seed=0)
    assert found is not None
    assert found.value == pytest.approx((7 - 2) / (12 - 2))
    assert found.low < found.value < found.high
    # Episodes begin alike: what is as good in each is as good, with certainty.
    sure = normalised_return([6.0, 60.0], [0.0, 20.0], [6.0, 60.0], seed=0)
    assert sure is not None
    assert (sure.low, sure.value, sure.high) == (1.0, 1.0, 1.0)


def test_an_oracle_that_is_no_better_than_chance_measures_nothing() -> None:
    assert normalised_return([1.0], [-200.0], [-200.0], seed=0) is None


def test_an_oracle_that_is_better_by_chance_measures_nothing() -> None:
    # Of 5 episodes it is better in one: 4^5 of 5^5 samples, a third, have no gap.
    random, oracle = [-200.0] * 5, [-200.0] * 4 + [-190.0]
    assert normalised_return([-195.0] * 5, random, oracle, seed=0) is None
    # In three: 2^5 of 5^5, or 1 %, which leaves both ends of the interval a meaning.
    oracle = [-200.0] * 2 + [-190.0] * 3
    found = normalised_return([-197.0] * 5, random, oracle, seed=0)
    assert found is not None
    assert found.value == pytest.approx(0.5)
    # Gaps of 10 and of 2: the fewest and the most that 95 % of the samples have.
    assert found.low == pytest.approx(0.3)
    assert found.high == pytest.approx(1.5)


def test_published_returns_are_found_by_the_name_without_its_version() -> None:
    found = published("InvertedPendulum-v5")
    assert found is not None
    assert (found.random, found.gpt_4, found.oracle) == (8.3, 10.9, 42.5)
    assert published("FrozenLake-v1") is None
