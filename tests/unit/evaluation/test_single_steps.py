"""What a model gets wrong of the real steps, apart from what plans add to it."""

import math
from collections.abc import Sequence

import pytest

from cwm.core.protocols import StepResult
from cwm.core.spaces import Value
from cwm.evaluation.episodes import ActingConfig, Actor, EpisodeResult
from cwm.evaluation.guard import PredictionJudge
from cwm.evaluation.inside_model import ProgramModel, inside_model
from cwm.evaluation.model_decider import ModelDecider
from cwm.evaluation.setups import plain_env, usual_tolerances
from cwm.evaluation.summary import SuccessRule, Summary, summarise
from cwm.programs.model_inside import Model
from cwm.programs.rollouts import model_spec
from envs.registry import find
from planners.registry import PlannerConfig, new_planner
from sandbox.child import make_loader
from tests.support.exact_programs import CARTPOLE, MOUNTAIN_CAR, TAXI

PLANNER = PlannerConfig(name="beam", horizon=100, model_steps=2_000)


def run(
    env_id: str, source: str, kind: type[ModelDecider] = ModelDecider
) -> EpisodeResult:
    """Returns an episode of long plans, of which none is given up."""
    spec = find(env_id)
    spaces = spec.observation_space, spec.action_space
    loader = make_loader(source)
    model = inside_model(ProgramModel(Model(loader, model_spec(source, *spaces, 0))))
    env = plain_env(spec)
    with kind(new_planner(PLANNER, spec.action_space), model) as decider:
        actor = Actor(
            spec,
            env,
            decider,
            judge=PredictionJudge(*spaces, usual_tolerances(spec, 0)),
            config=ActingConfig(max_steps=100, replan_error=math.inf),
        )
        episode = actor.run(0, 3)
    env.close()
    return episode


def summary(episode: EpisodeResult) -> Summary:
    return summarise([episode], SuccessRule(threshold=None), seed=0)


@pytest.mark.parametrize(
    ("env_id", "source"),
    [("CartPole-v1", CARTPOLE), ("MountainCar-v0", MOUNTAIN_CAR), ("Taxi-v4", TAXI)],
)
def test_an_exact_program_gets_nothing_wrong(env_id: str, source: str) -> None:
    found = summary(run(env_id, source))
    assert found.num_predicted == found.mean_steps > 10
    assert found.disagreement == 0.0
    assert found.wrong_parts == {}


def test_a_slightly_wrong_program_is_found_out_and_where() -> None:
    heavier = CARTPOLE.replace("9.8 ", "9.81 ")
    assert heavier != CARTPOLE
    found = summary(run("CartPole-v1", heavier))
    assert found.num_wrong > 0
    # Gravity turns the pole; where the cart is follows only a step later.
    assert next(iter(found.wrong_parts)) == "observation[3]"
    assert "observation[0]" not in found.wrong_parts


class FromPredictions(ModelDecider):
    """The broken twin: each step is asked from the prediction of the one before."""

    def predict_steps(
        self, observations: Sequence[Value], actions: Sequence[Value]
    ) -> list[StepResult | None]:
        found: list[StepResult | None] = []
        at = observations[0]
        for action in actions:
            (step,) = super().predict_steps([at], [action])
            assert step is not None
            found.append(step)
            at = step.observation
        return found


def test_steps_from_predictions_would_add_up_the_rounding_of_an_exact_program() -> None:
    assert summary(run("CartPole-v1", CARTPOLE, FromPredictions)).num_wrong > 0


def test_rounding_that_adds_up_is_the_guards_and_not_the_models() -> None:
    episode = run("CartPole-v1", CARTPOLE)
    assert any(step.error and step.error.wrong for step in episode.steps)
    assert not any(step.wrong for step in episode.steps)
