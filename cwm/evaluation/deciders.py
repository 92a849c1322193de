"""Deciders: a planner with its model, in this process or in the program's.

Covers: what comes of a decision when a program fails or is lost. Does not cover:
acting in the environment (`cwm.evaluation.decisions` has the protocol).

A planner without a prior or a value runs beside the program, in its process: an ask
and a plan cross the border, and nothing else. The program could act as the planner
there; whatever comes out is a claim, checked for its form, and how good it is shows
in the environment. With a prior or a value, which may be a language model, the
planner runs here and every question to the model crosses the border.
"""

import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from cwm.core.codec import conform
from cwm.core.protocols import ActionPrior, ModelError, ValueFunction, WorldModel
from cwm.core.seeding import child_rng
from cwm.core.spaces import SpaceSpec
from cwm.evaluation.decisions import Decision, Situation
from cwm.evaluation.held_program import PLANNING_DRIVER, HeldProgram, ProgramLost
from cwm.evaluation.plan_messages import (
    PlanAsk,
    PlannedSteps,
    PlanningRequest,
    read_plan,
)
from cwm.evaluation.session_model import session_model
from cwm.programs.rollouts import model_spec, to_columns
from planners.planner import NoLegalAction, Plan, Planner
from planners.registry import PlannerConfig, new_planner, planner_config_to_json
from sandbox.errors import ProtocolError
from sandbox.isolation import IsolationReport, Level
from sandbox.limits import Limits
from sandbox.policy import PolicyMode
from sandbox.pool import Sandbox


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
    """

    sandbox: Sandbox | None = None
    limits: Limits | None = None
    isolation: Level = "kernel"
    policy: PolicyMode = "enforce"

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
        )


class ModelDecider:
    """A planner with a model, both in this process.

    Args:
        planner: The planner.
        model: The model.
    """

    def __init__(self, planner: Planner, model: WorldModel) -> None:
        self.planner = planner
        self.model = model
        self._seed: int | None = None
        self._memory: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._memory = None

    def begin(self, seed: int) -> None:
        """Forgets the episode before."""
        self._seed = seed
        self._memory = None

    def decide(self, situation: Situation, *, keeps_plan: bool = True) -> Decision:
        """Returns what to do next."""
        seed = _begun(self._seed)
        start = time.perf_counter()
        # If it fails, the next decision starts from scratch.
        memory, self._memory = self._memory, None
        try:
            plan = self.planner.plan(
                self.model,
                situation.observation if situation.state is None else situation.state,
                child_rng(seed, "plan", situation.step),
                steps_left=situation.steps_left,
                context=situation.context,
                memory=memory if keeps_plan else None,
            )
        except (ModelError, NoLegalAction) as error:
            return _failed(error, start)
        self._memory = plan.memory
        return Decision(
            plan=replace(plan, memory=None), seconds=time.perf_counter() - start
        )


class _ProgramDecider(ABC):
    """A planner with a program that is held in the sandbox.

    Each episode has a process of its own, so that nothing is left of the one before.
    """

    def __init__(
        self,
        source: str,
        *,
        observation_space: SpaceSpec,
        action_space: SpaceSpec,
        planner: PlannerConfig,
        settings: SandboxSettings,
        is_inside: bool,
    ) -> None:
        self._observation_space = observation_space
        self._action_space = action_space
        self._settings = settings
        self._source = source
        # Steps are seeded by the planner's generator; the model's own seed is unused.
        self._request = PlanningRequest(
            model=model_spec(source, observation_space, action_space, 0),
            planner=planner_config_to_json(planner) if is_inside else None,
        )
        self._own_sandbox: Sandbox | None = None
        self._held: HeldProgram | None = None
        self._seed: int | None = None

    def __enter__(self) -> Self:
        sandbox = self._settings.sandbox
        if sandbox is None:
            sandbox = self._own_sandbox = self._settings.make()
        self._held = HeldProgram(
            sandbox, self._source, self._request, limits=self._settings.limits
        )
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        held, self._held = self._held, None
        own, self._own_sandbox = self._own_sandbox, None
        try:
            if held is not None:
                held.close()
        finally:
            if own is not None:
                own.close()

    @property
    def isolation(self) -> IsolationReport | None:
        """What keeps the program in; `None` before the decider is entered."""
        sandbox = self._settings.sandbox or self._own_sandbox
        return None if sandbox is None else sandbox.isolation

    @property
    def num_openings(self) -> int:
        """How often the program was opened: once an episode, if all goes well."""
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
        seed, held = _begun(self._seed), self._entered()
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
                held.note_decision()
                return Decision(plan=plan, seconds=time.perf_counter() - start)
            break
        return _failed(failure, start)

    @abstractmethod
    def _plan(
        self, held: HeldProgram, seed: int, situation: Situation, *, keeps_plan: bool
    ) -> Plan:
        """Returns a plan of the program that is open."""

    def _entered(self) -> HeldProgram:
        if self._held is None:
            raise RuntimeError("A decider must be entered (`with`) before it is used.")
        return self._held


class SandboxDecider(_ProgramDecider):
    """A planner beside the program that it asks, in the program's process.

    Args:
        source: The program.
        observation_space: Space of its observations.
        action_space: Space of its actions.
        planner: The planner.
        settings: Where the program runs.

    Raises:
        ValueError: If the planner cannot choose such actions.
    """

    def __init__(
        self,
        source: str,
        *,
        observation_space: SpaceSpec,
        action_space: SpaceSpec,
        planner: PlannerConfig,
        settings: SandboxSettings,
    ) -> None:
        super().__init__(
            source,
            observation_space=observation_space,
            action_space=action_space,
            planner=planner,
            settings=settings,
            is_inside=True,
        )
        # Made here as well: for its limits, and to refuse what it cannot do.
        self._planning = new_planner(planner, action_space).config

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
        try:
            return read_plan(
                reply,
                self._observation_space,
                self._action_space,
                max_actions=self._planning.steps_ahead(situation.steps_left),
                max_model_steps=self._planning.max_model_steps,
            )
        except ProtocolError as error:
            held.lose_as_broken(str(error))


class SessionDecider(_ProgramDecider):
    """A planner in this process, with a program in another one.

    Args:
        source: The program.
        observation_space: Space of its observations.
        action_space: Space of its actions.
        planner: The planner.
        settings: Where the program runs.
        prior: As in `new_planner`.
        value: Likewise.

    Raises:
        ValueError: If the planner cannot choose such actions, or takes no prior or
            value.
    """

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
        super().__init__(
            source,
            observation_space=observation_space,
            action_space=action_space,
            planner=planner,
            settings=settings,
            is_inside=False,
        )
        self._planner = new_planner(planner, action_space, prior=prior, value=value)
        self._memory: Any = None

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


def _begun(seed: int | None) -> int:
    if seed is None:
        raise RuntimeError("An episode must have begun (`begin`) before a decision.")
    return seed


def _failed(error: Exception | None, start: float) -> Decision:
    reason = str(error) or type(error).__name__
    return Decision(plan=None, failure=reason, seconds=time.perf_counter() - start)
