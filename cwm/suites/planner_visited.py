"""Transitions of a planner: the way it takes, and what it asks about on the way.

A world model is used where planning leads, which is not where data were recorded. A
planner with the true model walks through the environment; its walks, and a uniform
sample of the rollouts that it imagined meanwhile, are the split `planner`.

Covers: environments that can be saved and restored. Does not cover: those whose chances
cannot be kept from a model (`envs.true_model`); they have no such split.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from cwm.core.protocols import Context
from cwm.core.seeding import child_rng, child_seed
from cwm.core.spaces import SpaceSpec, Value
from cwm.core.trajectories import Trajectory
from cwm.suites.query_sample import QuerySample, RecordedModel
from envs.actions import ActionSource, to_key
from envs.collect import record
from envs.snapshots import open_with_snapshots
from envs.spaces import to_gymnasium, to_value
from envs.spec import EnvSpec
from envs.true_model import TrueModel
from planners.planner import NoLegalAction, Plan
from planners.registry import PlannerConfig, default_planner, new_planner

STEP_PLANNERS = ("random-shooting", "cem", "icem", "mppi")
"""Planners whose plans are made anew after each step, for little each time.

At an equal number of model steps that came farther than long thoughts carried out.
"""

STEP_SHARE = 0.0625
"""Model steps of a decision, as a share of `CollectConfig.planning_steps`."""

LONG_SHARE = {"beam": 5.0, "exhaustive": 5.0, "feedback": 5.0}
"""Likewise for planners whose plans are carried out to their end."""

STOCHASTIC_FACTOR = 5
"""Outcomes that vary need this many times as many walks."""

MIN_MODEL_STEPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitConfig:
    """How many transitions of a planner to record.

    Attributes:
        num_transitions: How many in all; about half are of its walks. There may be
            some more, as rollouts are kept whole, and fewer, where all starts are few.
        max_walk_steps: Longest walk, in steps.
        max_walks: Most walks; five times as many where outcomes vary.
    """

    num_transitions: int = 1_000
    max_walk_steps: int = 200
    max_walks: int = 40


@dataclass(frozen=True, kw_only=True)
class Visits:
    """What a planner went through.

    Attributes:
        walks: The way it took, from `reset` on.
        queries: What it imagined.
        num_rollouts: Rollouts that it imagined in all, of which those are a sample.
    """

    walks: tuple[Trajectory, ...]
    queries: tuple[Trajectory, ...]
    num_rollouts: int


def small_planner(
    planner: PlannerConfig | None,
    action_space: SpaceSpec,
    *,
    is_stochastic: bool,
    planning_steps: int,
) -> PlannerConfig:
    """Returns a task's planner with a budget that thousands of decisions allow.

    Args:
        planner: The task's; `None` for the default one.
        action_space: Space of the actions.
        is_stochastic: Whether outcomes vary.
        planning_steps: As in `CollectConfig`: what a trajectory may cost.
    """
    chosen = planner or default_planner(action_space, is_stochastic=is_stochastic)
    share = LONG_SHARE.get(chosen.name, STEP_SHARE)
    steps = max(MIN_MODEL_STEPS, int(share * planning_steps))
    return replace(chosen, model_steps=min(steps, chosen.planning().max_model_steps))


class PlannerWalker:
    """A planner that walks through an environment with the true model; an `Expert`.

    Attributes:
        planner: Its settings.

    Args:
        spec: The environment.
        planner: The task's planner; `None` for the default one.
        planning_steps: As in `CollectConfig`.
        seed: Seed of the probes of the model.

    Raises:
        ConfigError: If the environment cannot be its own model.
        ValueError: If the planner cannot choose such actions.
    """

    def __init__(
        self,
        spec: EnvSpec,
        planner: PlannerConfig | None,
        *,
        planning_steps: int,
        seed: int,
    ) -> None:
        self._spec = spec
        self._model = TrueModel(spec, seed)
        # The same way to save as that of the model.
        self._env = open_with_snapshots(spec, seed)
        self.is_stochastic = self._model.is_stochastic
        self.planner = small_planner(
            planner,
            spec.action_space,
            is_stochastic=self.is_stochastic,
            planning_steps=planning_steps,
        )
        self._planner = new_planner(self.planner, spec.action_space)
        self._asked: TrueModel | RecordedModel = self._model

    def __enter__(self) -> "PlannerWalker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._model.close()
        self._env.close()

    @property
    def policy(self) -> str:
        """What trajectories say about who chose the actions."""
        return f"planner-{self.planner.name}"

    def actions(self, seed: int, length: int) -> list[Value]:
        """Returns what the planner does after `reset(seed)`, at least one action.

        Its decisions come from a stream of the same seed; chances of the environment
        are not known to it.

        Args:
            seed: Seed of the episode.
            length: Most actions.
        """
        rng = child_rng(seed, "planner walk")
        shown = self._env.reset(seed)
        limit = self._spec.max_episode_steps
        done: list[Value] = []
        memory: Any = None
        while len(done) < length:
            observation = to_value(self._spec.observation_space, shown)
            state = self._model.state_of(self._env, observation)
            left = None if limit is None else limit - len(done)
            try:
                plan = self._planner.plan(
                    self._asked,
                    state,
                    rng,
                    steps_left=left,
                    context=Context(observations=(observation,)),
                    memory=memory,
                )
            except NoLegalAction:
                break
            memory = plan.memory
            for action in self._followed(plan, length - len(done)):
                step = self._env.step(to_gymnasium(self._spec.action_space, action))
                done.append(action)
                shown = step.observation
                if step.terminated or step.truncated:
                    return done
        return done or [ActionSource(self._spec.action_space).uniform(rng)]

    def _followed(self, plan: Plan, most: int) -> tuple[Value, ...]:
        if self.planner.name in STEP_PLANNERS:
            most = 1
        return plan.actions[:most]

    def visit(
        self,
        config: VisitConfig,
        seed: int,
        *,
        report: Callable[[Trajectory], None] = lambda trajectory: None,
    ) -> Visits:
        """Returns walks of the planner and what it imagined meanwhile.

        Where nothing varies, each first observation is walked from once: the same walk
        again would be no evidence.

        Args:
            config: How much.
            seed: Fixes all of it.
            report: Is told of each walk.
        """
        sample = QuerySample(config.num_transitions, child_rng(seed, "queries"))
        asked = RecordedModel(self._model, sample)
        self._asked = asked
        half = config.num_transitions // 2
        walks: list[Trajectory] = []
        total = 0
        begun: set[Hashable] = set()
        factor = STOCHASTIC_FACTOR if self.is_stochastic else 1
        for number in range(factor * config.max_walks):
            if total >= half:
                break
            stream = child_seed(seed, "walk", number)
            start = to_key(
                to_value(self._spec.observation_space, self._env.reset(stream))
            )
            if start in begun and not self.is_stochastic:
                continue
            begun.add(start)
            actions = self.actions(stream, min(config.max_walk_steps, half - total))
            walk = record(
                self._spec, self._env.env, actions, policy=self.policy, seed=stream
            )
            report(walk)
            walks.append(walk)
            total += len(walk)
        asked.finish()
        self._asked = self._model
        sample.shrink(config.num_transitions - total)
        spaces = self._spec.observation_space, self._spec.action_space
        return Visits(
            walks=tuple(walks),
            queries=tuple(query.trajectory(*spaces) for query in sample.queries()),
            num_rollouts=sample.num_offered,
        )
