"""Models of other packages in a setup: opened, followed, and told apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.core.protocols import StepResult, WorldModel
from cwm.evaluation import setups
from cwm.evaluation.deciders import SessionDecider
from cwm.evaluation.decisions import EvaluatorUse
from cwm.evaluation.drift import follow
from cwm.evaluation.episodes import ActingConfig
from cwm.evaluation.guides import GuidedDecider, use_note
from cwm.evaluation.kept_episodes import digest
from cwm.evaluation.parallel import run_episodes
from cwm.evaluation.setups import EnvironmentRef, Setup, open_actor, usual_tolerances
from envs.registry import find
from envs.spec import EnvSpec
from planners.policy import PolicyConfig
from planners.registry import PlannerConfig, PlannerSettings

GREEDY = PlannerSettings(policy=PolicyConfig(greedy=True))
LINE_PROGRAM = """\
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        self.place = min(max(self.place + 2 * action - 1, 0), 5)
        return self.place, float(self.place), self.place == 5
"""
LINE = "tests.support.toy_envs:Toy-Line-v0"
OPEN: list[str] = []


class LineModel:
    def step(self, state: Any, action: Any, rng: Any) -> StepResult:
        place = min(max(state + 2 * action - 1, 0), 5)
        return StepResult(place, place, float(place), place == 5)

    def legal_actions(self, state: Any) -> None:
        return None


@dataclass(frozen=True)
class LineFile:
    """The line, as data."""

    name: str = "line"
    environment_id: str = LINE

    def check(self, spec: EnvSpec, *, num_processes: int = 1) -> None:
        if spec.id != LINE:
            raise ConfigError(f"The environment must be {LINE}, got {spec.id}.")

    @contextmanager
    def open(self, spec: EnvSpec) -> Iterator[WorldModel]:
        self.check(spec)
        OPEN.append(self.name)
        try:
            yield LineModel()
        finally:
            OPEN.remove(self.name)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name}


@pytest.fixture(scope="module")
def setup() -> Setup:
    spec = find(LINE)
    return Setup(
        name="line",
        environment=EnvironmentRef.of(spec),
        kind="other",
        model=LineFile(),
        planner=PlannerConfig(name="beam", model_steps=200, horizon=6),
        acting=ActingConfig(max_steps=8),
        tolerances=usual_tolerances(spec, 0),
        seed=3,
    )


def test_it_is_open_while_somebody_acts(setup: Setup) -> None:
    with open_actor(setup) as actor:
        assert OPEN == ["line"]
        episode = actor.run(0, setup.episode_seed(0))
    assert not OPEN
    assert episode.episode_return > 0.0
    assert episode.trajectory.policy == "planner-beam"
    assert all(step.wrong == () for step in episode.steps)


def test_every_worker_opens_its_own(setup: Setup) -> None:
    ours = run_episodes(setup, 2)
    theirs = run_episodes(setup, 2, num_workers=2)
    assert [e.episode_return for e in ours] == [e.episode_return for e in theirs]


def test_it_is_followed_without_being_told(setup: Setup) -> None:
    (episode,) = run_episodes(setup, 1)
    drift = follow(setup, episode, max_steps=100)
    assert len(drift.predictions) == len(episode.steps)
    assert all(error.size == 0.0 for error in drift.errors)
    assert not OPEN


def test_another_model_is_another_setup(setup: Setup) -> None:
    other = replace(setup, model=LineFile(name="other"))
    assert digest(other) != digest(setup)
    assert digest(replace(setup, name="called differently")) == digest(setup)


def test_a_planner_that_is_refused_leaves_nothing_open(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **settings: Any) -> None:
        assert OPEN == ["line"]
        raise ValueError("It cannot choose such actions.")

    monkeypatch.setattr(setups, "new_planner", refuse)
    with pytest.raises(ConfigError, match="cannot choose"), open_actor(setup):
        pass
    assert not OPEN


@pytest.mark.parametrize("kind", ["program", "true", "random"])
def test_only_such_a_model_is_opened(setup: Setup, kind: Any) -> None:
    with pytest.raises(ValueError, match="model must be given for the kind other"):
        replace(setup, kind=kind)
    with pytest.raises(ValueError, match="got 'other' with None"):
        replace(setup, model=None)


@dataclass(frozen=True)
class CountingGuide:
    """A prior that is always for going up; counts what it is asked in an episode."""

    name: str = "up"

    @contextmanager
    def open(self, spec: EnvSpec) -> Iterator[Any]:
        guide = UpGuide()
        GUIDES.append(guide)
        yield guide

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name}


class UpGuide:
    value = None

    def __init__(self) -> None:
        self.prior = self
        self.asked = 0
        self.forgotten_at: list[int] = []

    @property
    def use(self) -> EvaluatorUse:
        return EvaluatorUse(self.asked, self.asked, self.asked)

    def forget(self) -> None:
        self.forgotten_at.append(self.asked)

    def evaluate(self, contexts: Any, legal: Any) -> list[Any]:
        self.asked += len(contexts)
        return [np.log([0.001, 0.999]) for _ in contexts]


GUIDES: list[UpGuide] = []
GUIDED: dict[str, Any] = {
    "guide": CountingGuide(),
    "planner": PlannerConfig(name="policy", settings=GREEDY),
    "acting": ActingConfig(max_steps=8, execute_steps=1),
}


def test_a_guide_is_told_of_each_episode_and_each_decision_says_how_it_was_used(
    setup: Setup,
) -> None:
    guided = replace(setup, **GUIDED)
    first, second = run_episodes(guided, 2)
    assert list(first.trajectory.actions[""]) == [1] * len(first.steps)
    assert [step.evaluator_use for step in first.steps] == [(1, 1, 1)] * len(
        first.steps
    )
    assert GUIDES[-1].forgotten_at == [0, len(first.steps)]
    data = second.to_json()
    assert data["evaluator_num_calls"] == [1] * len(second.steps)
    assert use_note((first, second)) == (
        "1.0 contexts a decision, 1.0 of them evaluated in 1.0 calls"
    )
    assert all(step.wrong == () for step in first.steps)
    (unguided,) = run_episodes(setup, 1)
    assert "evaluator_num_calls" not in unguided.to_json()
    assert use_note((unguided,)) == ""


def test_a_guided_planner_of_a_program_is_not_in_the_program_s_process(
    setup: Setup,
) -> None:
    program = replace(setup, **GUIDED, kind="program", model=None, source=LINE_PROGRAM)
    with open_actor(program) as actor:
        assert isinstance(actor._decider, GuidedDecider)
        held = actor._decider._decider
        assert isinstance(held, SessionDecider)
        assert held.isolation is not None
        assert actor.run(0, program.episode_seed(0)).num_failures == 0


def test_another_guide_is_another_setup(setup: Setup) -> None:
    guided = replace(setup, **GUIDED)
    other = replace(guided, guide=CountingGuide(name="other"))
    assert len({digest(setup), digest(guided), digest(other)}) == 3


def test_random_actions_take_no_guide(setup: Setup) -> None:
    with pytest.raises(ValueError, match="Random actions take no guide, got one"):
        replace(setup, kind="random", model=None, guide=CountingGuide())
