"""Who decides what to do next, wherever the planner runs."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from cwm.core.protocols import Context
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


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What came of asking for a plan.

    Attributes:
        plan: What to do; `None` if there is no plan.
        failure: Why there is none: what happened to the model, in a sentence.
        seconds: Wall-clock time that it took.
    """

    plan: Plan | None
    failure: str = ""
    seconds: float = 0.0


class Decider(Protocol):
    """A planner with its model, for one episode after the other.

    Use it as a context manager. The same seed, episode and situations give the same
    decisions, wherever the planner runs.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

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
