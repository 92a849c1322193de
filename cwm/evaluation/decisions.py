"""Who decides what to do next, wherever the planner runs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

from cwm.core.protocols import Context, ModelError, StepResult
from cwm.core.spaces import Value
from planners.planner import Plan


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known when a decision is due.

    Attributes:
        observation: What the real environment shows.
        state: Where a model that is the environment itself starts; `None` where the
            model starts from the observation.
        step: Steps taken in this episode, from 0.
        steps_left: Steps until it is cut off; `None` if it never is.
        context: What was told, seen and done so far.
    """

    observation: Value
    state: Any = None
    step: int
    steps_left: int | None
    context: Context


class EvaluatorUse(NamedTuple):
    """How a decision used what gives its prior and its value.

    Attributes:
        num_contexts: Contexts that it was asked about.
        num_evaluations: Of these, how many were evaluated: others read like one before.
        num_calls: Calls, each with one or more to evaluate.
    """

    num_contexts: int
    num_evaluations: int
    num_calls: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What came of asking for a plan.

    Attributes:
        plan: What to do; `None` if there is no plan.
        failure: Why there is none: what happened to the model, in a sentence.
        seconds: Wall-clock time that it took.
        evaluator_use: How prior and value were used; `None` without them.
    """

    plan: Plan | None
    failure: str = ""
    seconds: float = 0.0
    evaluator_use: EvaluatorUse | None = None


class Decider(Protocol):
    """A planner with its model, for one episode after the other.

    Use it as a context manager. The same seed, episode and situations give the same
    decisions, wherever the planner runs.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def begin(self, seed: int) -> None:
        """Forgets the episode before.

        Args:
            seed: Seed of all decisions of the new one.
        """
        ...

    def decide(self, situation: Situation, *, keeps_plan: bool = True) -> Decision:
        """Returns what to do next.

        Args:
            situation: What is known.
            keeps_plan: Whether all that was done since the last decision is what that
                plan said; otherwise the planner starts from scratch.

        Raises:
            SandboxUnavailable: If no program can be run at all.
        """
        ...


@runtime_checkable
class PredictingDecider(Decider, Protocol):
    """One whose model, which starts from observations, can be asked by itself."""

    def predict_steps(
        self, observations: Sequence[Value], actions: Sequence[Value]
    ) -> list[StepResult | None]:
        """Returns what the model says of single steps, whoever planned.

        What the planner asked before has no influence on it.

        Args:
            observations: What each step starts from.
            actions: What is done there.

        Returns:
            The steps; `None` where the model has no answer, or is lost.

        Raises:
            SandboxUnavailable: If no program can be run at all.
        """
        ...


def begun(seed: int | None) -> int:
    """Returns the seed of an episode.

    Raises:
        RuntimeError: If none has begun.
    """
    if seed is None:
        raise RuntimeError("An episode must have begun (`begin`) before a decision.")
    return seed


def decided(plan: Plan, start: float) -> Decision:
    """Returns a decision for a plan, begun at a time of `time.perf_counter`.

    A plan of which the model answered nothing is none: it failed.
    """
    if 0 < plan.num_model_steps <= plan.num_failures:
        error = ModelError(
            f"The model answered none of the {plan.num_model_steps:,} steps that were "
            "simulated. See what it does with: python -m cwm.evaluate"
        )
        return failed(error, start)
    return Decision(plan=plan, seconds=time.perf_counter() - start)


def failed(error: Exception | None, start: float) -> Decision:
    """Returns a decision that failed, begun at a time of `time.perf_counter`."""
    reason = str(error) or type(error).__name__
    return Decision(plan=None, failure=reason, seconds=time.perf_counter() - start)
