import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cwm.core.protocols import StepResult
from cwm.core.spaces import Value
from cwm.evaluation.decisions import Situation
from cwm.evaluation.episodes import ActingConfig, Actor, EpisodeResult
from cwm.evaluation.guard import NO_ANSWER, PredictionJudge
from cwm.programs.tolerances import Tolerances
from envs.registry import find
from envs.snapshots import AttributeSnapshots, SnapshotEnv
from planners.planner import Plan
from tests.support.scripted_decider import Script, ScriptedDecider
from tests.support.toy_envs import toy

EXACT = Tolerances(observation={}, reward=1e-4, reward_dtype="float64")


def actor(
    decider: ScriptedDecider | None, *, env_id: str = "Line", **settings: Any
) -> Actor:
    """The walk on 0 to 5 from 2; a step right is 1; the reward is the place."""
    spec = find(toy(env_id))
    env = spec.make()
    return Actor(
        spec,
        SnapshotEnv(env, AttributeSnapshots(env)),
        decider,
        judge=PredictionJudge(spec.observation_space, spec.action_space, EXACT),
        config=ActingConfig(**settings),
    )


def run(script: Script, **settings: Any) -> tuple[EpisodeResult, ScriptedDecider]:
    decider = ScriptedDecider(script)
    return actor(decider, **settings).run(0, 5), decider


class Predicting(ScriptedDecider):
    """A decider with a model that knows the walk, but not what is after 3."""

    def predict_steps(
        self, observations: Sequence[Value], actions: Sequence[Value]
    ) -> list[StepResult | None]:
        found: list[StepResult | None] = []
        for place, action in zip(observations, actions, strict=True):
            after = place + 2 * action - 1
            known = StepResult(after, after, float(after), after == 5)
            found.append(None if place == 3 else known)
        return found


def foreseen(places: Sequence[int]) -> tuple[StepResult, ...]:
    return tuple(StepResult(p, p, float(p), p == 5) for p in places)


def walk(situation: Situation) -> Plan:
    """Goes to the end and knows what will come."""
    places = range(situation.observation + 1, 6)
    return Plan(
        actions=(1,) * len(places), predictions=foreseen(places), num_model_steps=7
    )


def test_a_plan_that_comes_true_is_carried_out_to_its_end() -> None:
    episode, decider = run(walk)
    assert len(decider.situations) == 1
    assert [step.reward for step in episode.steps] == [3.0, 4.0, 5.0]
    assert episode.episode_return == 12.0
    assert episode.terminated
    assert episode.num_decisions == 1
    assert episode.num_replans == 0
    assert [step.decision_s for step in episode.steps] == [0.01, None, None]
    assert [step.model_steps for step in episode.steps] == [7, 0, 0]
    assert all(
        step.error is not None and not step.error.wrong for step in episode.steps
    )


def test_no_more_of_a_plan_is_carried_out_than_was_asked_for() -> None:
    episode, decider = run(walk, execute_steps=2)
    assert [situation.observation for situation in decider.situations] == [2, 4]
    assert episode.num_decisions == 2


def test_a_prediction_that_fails_ends_the_plan() -> None:
    def stumble(situation: Situation) -> Plan:
        if situation.step:
            return walk(situation)
        return Plan(actions=(1, 1, 1), predictions=foreseen([4, 5, 5]))

    episode, decider = run(stumble)
    assert [situation.observation for situation in decider.situations] == [2, 3]
    assert episode.num_replans == 1
    assert [step.diverged for step in episode.steps] == [True, False, False]
    assert episode.steps[0].error is not None
    assert episode.steps[0].error.wrong == ("observation", "reward")
    # What really happened is recorded, not what was predicted.
    assert episode.trajectory.observations[""].tolist() == [2, 3, 4, 5]  # type: ignore[union-attr]


def test_a_plan_of_which_nothing_is_left_is_not_given_up() -> None:
    def wrong(situation: Situation) -> Plan:
        return Plan(actions=(1, 1), predictions=foreseen([0, 0]))

    episode, _ = run(wrong, execute_steps=1)
    assert episode.num_decisions == 3
    assert episode.num_replans == 0

    def ends_early(situation: Situation) -> Plan:
        return Plan(actions=(1,) * 9, predictions=foreseen([3, 4, 0, 0]))

    assert run(ends_early)[0].num_replans == 0


def test_plans_are_followed_blindly_if_no_error_is_too_large() -> None:
    def wrong(situation: Situation) -> Plan:
        return Plan(actions=(1, 1, 1), predictions=foreseen([0, 0, 0]))

    episode, decider = run(wrong, replan_error=math.inf)
    assert len(decider.situations) == 1
    assert episode.num_replans == 0
    assert sum(bool(s.error and s.error.wrong) for s in episode.steps) == 3


@pytest.mark.parametrize(("error", "asked"), [(0.1, 3), (math.inf, 1)])
def test_what_was_not_predicted_is_followed_only_blindly(
    error: float, asked: int
) -> None:
    script: Script = lambda situation: Plan(actions=(1, 1, 1))  # noqa: E731
    episode, decider = run(script, replan_error=error)
    assert len(decider.situations) == asked
    assert all(step.error is None for step in episode.steps)
    assert episode.num_replans == 0


def test_what_is_wrong_is_asked_of_the_model_and_not_of_the_plan() -> None:
    def wrong(situation: Situation) -> Plan:
        return Plan(actions=(1, 1, 1), predictions=foreseen([0, 0, 0]))

    episode = actor(Predicting(wrong), replan_error=math.inf).run(0, 5)
    assert [step.wrong for step in episode.steps] == [(), (NO_ANSWER,), ()]
    # The guard looks at the plan, as before.
    assert all(step.error and step.error.wrong for step in episode.steps)


def test_steps_after_a_failed_decision_are_compared_too() -> None:
    episode = actor(Predicting(lambda situation: "no")).run(0, 5)
    assert len(episode.steps) > 1
    assert all(step.wrong is not None for step in episode.steps)


def test_where_there_is_no_model_nothing_is_compared() -> None:
    assert all(step.wrong is None for step in run(walk)[0].steps)
    assert all(step.wrong is None for step in actor(None).run(0, 5).steps)


def test_the_environment_itself_is_exact_by_definition() -> None:
    walker = actor(Predicting(walk))
    walker._state_of = lambda env, shown: ("state", shown)
    assert {step.wrong for step in walker.run(0, 0).steps} == {()}


def test_a_failed_decision_is_a_random_action_and_is_counted() -> None:
    def fail_first(situation: Situation) -> Plan | str:
        return walk(situation) if situation.step else "the program raised"

    episode, decider = run(fail_first)
    assert episode.num_failures == 1
    assert episode.steps[0].failure == "the program raised"
    # Nothing was kept of a plan that there was not.
    assert decider.kept[:2] == [False, False]


def test_random_actions_depend_on_the_episodes_seed_alone() -> None:
    fails: Script = lambda situation: "no"  # noqa: E731
    one, two = run(fails)[0], run(fails)[0]
    assert one.trajectory.actions[""].tolist() == two.trajectory.actions[""].tolist()  # type: ignore[union-attr]
    free = actor(None).run(0, 5)
    assert free.trajectory.actions[""].tolist() == one.trajectory.actions[""].tolist()  # type: ignore[union-attr]
    assert free.num_decisions == 0
    others = {
        tuple(actor(None).run(0, seed).trajectory.actions[""]) for seed in range(8)
    }
    assert len(others) > 4


def test_random_actions_are_legal() -> None:
    decider = ScriptedDecider(lambda situation: "no")
    walker = actor(decider, env_id="Declared")
    for seed in range(20):
        steps = walker.run(0, seed).trajectory
        places = steps.observations[""][:-1]
        assert not np.any((np.asarray(places) == 0) & (steps.actions[""] == 0))


def test_situations_say_what_was_seen_and_done() -> None:
    _, decider = run(walk, execute_steps=1)
    last = decider.situations[-1]
    assert last.step == 2
    assert last.context.observations == (2, 3, 4)
    assert last.context.actions == (1, 1)
    assert [s.steps_left for s in decider.situations] == [30, 29, 28]
    assert decider.kept == [False, True, True]
    assert decider.seeds == [5]


@pytest.mark.parametrize(("max_steps", "length"), [(None, 30), (7, 7), (99, 30)])
def test_episodes_are_cut_off(max_steps: int | None, length: int) -> None:
    stay: Script = lambda situation: Plan(actions=(0,))  # noqa: E731
    episode, _ = run(stay, max_steps=max_steps)
    assert len(episode.steps) == length
    assert episode.trajectory.truncated[-1]
    assert not episode.terminated


def test_an_environment_without_a_limit_is_given_one() -> None:
    assert ActingConfig().limit(find("CliffWalking-v1")) == 1_000


def test_the_instruction_is_part_of_the_context() -> None:
    decider = ScriptedDecider(lambda situation: Plan(actions=(1,)))
    episode = actor(decider, env_id="Declared").run(0, 0)
    assert decider.situations[0].context.instruction == "walk to the end"
    assert episode.trajectory.instruction == "walk to the end"


def test_a_model_that_is_the_environment_gets_its_state() -> None:
    decider = ScriptedDecider(walk)
    walker = actor(decider, execute_steps=1)
    walker._state_of = lambda env, shown: ("state", shown)
    walker.run(0, 0)
    assert [s.state for s in decider.situations] == [("state", p) for p in (2, 3, 4)]


def test_all_that_happened_is_in_the_json() -> None:
    def fail_once(situation: Situation) -> Plan | str:
        if situation.step == 1:
            return "lost"
        return Plan(actions=(1, 1), predictions=foreseen([situation.observation]))

    data = actor(Predicting(fail_once)).run(0, 5).to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["failures"] == {"1": "lost"}
    # From 2 all is known, from 3 nothing is.
    assert data["wrong_parts"]["1"] == [NO_ANSWER]
    assert "0" not in data["wrong_parts"]
    assert data["replanned_after"][0] == 0
    assert len(data["rewards"]) == data["num_steps"] == len(data["prediction_error"])


@pytest.mark.parametrize(
    "settings", [{"max_steps": 0}, {"execute_steps": 0}, {"replan_error": -1.0}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        ActingConfig(**settings)
