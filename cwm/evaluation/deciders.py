"""Deciders with a program that is held in the sandbox.

Covers: what comes of a decision when the program fails or is lost. Does not cover:
acting in the environment (`cwm.evaluation.decisions` has the protocol).

A planner without a prior or a value runs beside the program, in its process: an ask
and a plan cross the border, and nothing else. The program could act as the planner
there; whatever comes out is a claim, checked for its form, and how good it is shows
in the environment. With a prior or a value, which may be a language model, the
planner runs here and every question to the model crosses the border.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from cwm.core.codec import conform
from cwm.core.protocols import ActionPrior, ModelError, StepResult, ValueFunction
from cwm.core.seeding import child_rng
from cwm.core.spaces import SpaceSpec, Value
from cwm.evaluation.decisions import Decision, Situation, begun, decided, failed
from cwm.evaluation.held_program import PLANNING_DRIVER, HeldProgram, ProgramLost
from cwm.evaluation.plan_messages import (
    PlanAsk,
    PlannedSteps,
    PlanningRequest,
    read_plan,
)
from cwm.evaluation.session_model import session_model
from cwm.programs.kernels import capabilities_for
from cwm.programs.rollouts import model_spec, to_columns
from cwm.programs.wire_types import rows_per_message
from planners.planner import NoLegalAction, Plan
from planners.registry import PlannerConfig, new_planner, planner_config_to_json
from sandbox.errors import ProtocolError
from sandbox.isolation import IsolationReport, Level
from sandbox.limits import Limits
from sandbox.policy import PolicyMode
from sandbox.pool import Sandbox

STEPS_AT_ONCE = 100
"""Single steps of an ask, at most; together they have the time of one answer."""


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Where a program to plan with runs.

    Attributes:
        sandbox: Made with `PLANNING_DRIVER` among its drivers; a decider holds one of
            its workers. By default each decider makes one, with a single worker.
        limits: Limits of the program, or of the program and the planner beside it.
            `wall_s` is for each answer, which is a whole decision if the planner is
            beside it; the others hold for an episode. By default the sandbox's own.
        isolation: The weakest isolation that is acceptable, of a sandbox that is made.
        policy: As in `Sandbox`, likewise.
        capabilities: As in `Sandbox`, likewise.
    """

    sandbox: Sandbox | None = None
    limits: Limits | None = None
    isolation: Level = "kernel"
    policy: PolicyMode = "enforce"
    capabilities: tuple[str, ...] = ()

    def for_program(self, source: str) -> "SandboxSettings":
        """Returns the settings with what a program needs to run as fast as it can."""
        wanted = (*self.capabilities, *capabilities_for(source))
        return replace(self, capabilities=tuple(dict.fromkeys(wanted)))

    def make(self) -> Sandbox:
        """Returns a sandbox as it is described; close it.

        Raises:
            SandboxUnavailable: If it cannot be had here.
        """
        return Sandbox(
            drivers=[PLANNING_DRIVER],
            limits=self.limits,
            policy=self.policy,
            require=self.isolation,
            capabilities=self.capabilities,
        )


class ProgramDecider(ABC):
    """A planner with a program that is held in the sandbox; use a subclass.

    Each episode has a process of its own, so that nothing is left of the one before.

    Args:
        source: The program.
        observation_space: Space of its observations.
        action_space: Space of its actions.
        planner: The planner.
        settings: Where the program runs.
        prior: As in `new_planner`, for a planner in this process.
        value: Likewise.

    Raises:
        ValueError: If the planner cannot choose such actions, or takes no prior or
            value.
    """

    _is_beside: ClassVar[bool]
    """Whether the planner runs in the program's process."""

    def __init__(
        self,
        source: str,
        *,
        observation_space: SpaceSpec,
        action_space: SpaceSpec,
        planner: PlannerConfig,
        settings: SandboxSettings,
        prior: ActionPrior | None = None,
        value: ValueFunction | None = None,
    ) -> None:
        if self._is_beside and not (prior is None and value is None):
            raise ValueError(
                "A planner beside the program takes no prior and no value."
            )
        # Made where it runs beside the program, too: for its limits, and to refuse
        # what it cannot do.
        self._planner = new_planner(planner, action_space, prior=prior, value=value)
        self._observation_space = observation_space
        self._action_space = action_space
        self._settings = settings
        self._source = source
        # Steps are seeded by the planner's generator; the model's own seed is unused.
        self._request = PlanningRequest(
            model=model_spec(source, observation_space, action_space, 0),
            planner=planner_config_to_json(planner) if self._is_beside else None,
        )
        self._opened = ExitStack()
        self._sandbox = settings.sandbox
        self._held: HeldProgram | None = None
        self._seed: int | None = None

    def __enter__(self) -> Self:
        if self._sandbox is None:
            settings = self._settings.for_program(self._source)
            self._sandbox = self._opened.enter_context(settings.make())
        self._held = HeldProgram(
            self._sandbox, self._source, self._request, limits=self._settings.limits
        )
        self._opened.callback(self._held.close)
        return self

    def __exit__(self, *exception: object) -> None:
        self._held, self._sandbox = None, self._settings.sandbox
        self._opened.close()

    @property
    def isolation(self) -> IsolationReport | None:
        """What keeps the program in; `None` before the decider has a sandbox."""
        return None if self._sandbox is None else self._sandbox.isolation

    @property
    def num_openings(self) -> int:
        """How often the program was opened."""
        return 0 if self._held is None else self._held.num_openings

    def begin(self, seed: int) -> None:
        """Forgets the episode before, and what the program remembers of it."""
        held = self._entered()
        self._seed = seed
        held.restart()
        with suppress(ProgramLost):  # The first decision says so.
            held.ensure_open()

    def decide(self, situation: Situation, *, keeps_plan: bool = True) -> Decision:
        """Returns what to do next."""
        seed, held = begun(self._seed), self._entered()
        start = time.perf_counter()
        failure: Exception | None = None
        for _ in range(2):
            try:
                held.ensure_open()
                plan = self._plan(held, seed, situation, keeps_plan=keeps_plan)
            except (ModelError, NoLegalAction) as error:
                failure = error
            except ProgramLost as lost:
                failure = lost
                if lost.is_blameless:
                    continue  # A worker died; another one may not.
            else:
                held.note_answer()
                return decided(plan, start)
            break
        return failed(failure, start)

    def predict_steps(
        self, observations: Sequence[Value], actions: Sequence[Value]
    ) -> list[StepResult | None]:
        """Returns what the program says of single steps, in a process of its own."""
        seed, held = begun(self._seed), self._entered()
        held.restart()
        try:
            held.ensure_open()
        except ProgramLost:
            return [None] * len(observations)
        steps = _Steps(
            observations,
            actions,
            [child_rng(seed, "single step", i) for i in range(len(observations))],
        )
        size = rows_per_message(self._observation_space, STEPS_AT_ONCE)
        found: list[StepResult | None] = []
        for start in range(0, len(observations), size):
            found += self._predicted(held, steps.part(start, start + size))
        return found

    def _predicted(
        self, held: HeldProgram, steps: "_Steps"
    ) -> Sequence[StepResult | None]:
        try:
            held.ensure_open()
            model = session_model(held, self._observation_space, self._action_space)
            found = model.single_steps(steps.observations, steps.actions, steps.rngs)
        except (ModelError, ProgramLost):
            number = len(steps.actions)
            if number == 1:
                return [None]
            # One of them did it; the others may have an answer.
            alone = [steps.part(row, row + 1) for row in range(number)]
            return [one for part in alone for one in self._predicted(held, part)]
        held.note_answer()
        return found

    @abstractmethod
    def _plan(
        self, held: HeldProgram, seed: int, situation: Situation, *, keeps_plan: bool
    ) -> Plan:
        """Returns a plan of the program that is open."""

    def _entered(self) -> HeldProgram:
        if self._held is None:
            raise RuntimeError("A decider must be entered (`with`) before it is used.")
        return self._held


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps to predict, each with the generator of its draws."""

    observations: Sequence[Value]
    actions: Sequence[Value]
    rngs: Sequence[np.random.Generator]

    def part(self, start: int, stop: int) -> "_Steps":
        """Returns some of them."""
        rows = slice(start, stop)
        return _Steps(self.observations[rows], self.actions[rows], self.rngs[rows])


class SandboxDecider(ProgramDecider):
    """A planner beside the program that it asks, in the program's process."""

    _is_beside = True

    def _plan(
        self, held: HeldProgram, seed: int, situation: Situation, *, keeps_plan: bool
    ) -> Plan:
        ask = PlanAsk(
            observation=to_columns(self._observation_space, [situation.observation]),
            seed=seed,
            step=situation.step,
            steps_left=situation.steps_left,
            keeps_plan=keeps_plan,
        )
        replies = held.ask(ask)
        reply = replies[0] if len(replies) == 1 else None
        if not isinstance(reply, PlannedSteps):
            held.lose_as_broken("one plan was due")
        planning = self._planner.config
        try:
            return read_plan(
                reply,
                self._observation_space,
                self._action_space,
                max_actions=planning.steps_ahead(situation.steps_left),
                max_model_steps=planning.max_model_steps,
            )
        except ProtocolError as error:
            held.lose_as_broken(str(error))


class SessionDecider(ProgramDecider):
    """A planner in this process, with a program in another one."""

    _is_beside = False
    _memory: Any = None

    def begin(self, seed: int) -> None:
        """Forgets the episode before, and what the program remembers of it."""
        self._memory = None
        super().begin(seed)

    def _plan(
        self, held: HeldProgram, seed: int, situation: Situation, *, keeps_plan: bool
    ) -> Plan:
        memory, self._memory = self._memory, None
        plan = self._planner.plan(
            session_model(held, self._observation_space, self._action_space),
            conform(self._observation_space, situation.observation),
            child_rng(seed, "plan", situation.step),
            steps_left=situation.steps_left,
            context=situation.context,
            memory=memory if keeps_plan else None,
        )
        self._memory = plan.memory
        return replace(plan, memory=None)


def open_decider(
    source: str,
    *,
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    planner: PlannerConfig,
    settings: SandboxSettings | None = None,
    prior: ActionPrior | None = None,
    value: ValueFunction | None = None,
) -> SandboxDecider | SessionDecider:
    """Returns who decides with a program; use it as a context manager.

    Args:
        source: The program.
        observation_space: Space of its observations.
        action_space: Space of its actions.
        planner: The planner. It runs beside the program, or in this process if it
            has a prior or a value.
        settings: Where the program runs; a sandbox of its own by default.
        prior: As in `new_planner`.
        value: Likewise.

    Raises:
        ValueError: If the planner cannot choose such actions, or takes no prior or
            value.
    """
    settings = settings or SandboxSettings()
    if prior is None and value is None:
        return SandboxDecider(
            source,
            observation_space=observation_space,
            action_space=action_space,
            planner=planner,
            settings=settings,
        )
    return SessionDecider(
        source,
        observation_space=observation_space,
        action_space=action_space,
        planner=planner,
        settings=settings,
        prior=prior,
        value=value,
    )
