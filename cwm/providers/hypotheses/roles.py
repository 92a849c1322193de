"""The three roles of WorldLLM: who weighs hypotheses, who proposes them, who explores.

The paper's statistician and scientist are two uses of one language model; its
experimenter is a script, a learned policy, or a language model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.texts import TextTrajectory, TextTransition


class Statistician(Protocol):
    """Says how probable each change is, with a hypothesis or without one."""

    @property
    def name(self) -> str:
        """Who it is, as shown beside every number."""
        ...

    @property
    def is_stand_in(self) -> bool:
        """Whether it is no language model, but something in the place of one."""
        ...

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        """Returns natural logarithms of `p(change | state, action, hypothesis)`, `[N]`.

        Sums over the tokens of the change and of the end of the turn after it, not
        divided by their number. Transitions are independent of each other.

        Args:
            hypothesis: What is to be believed, in words; `None` for nothing.
            transitions: `N` transitions; several may have one state and action.

        Raises:
            CwmError: If there is no answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a scientist is shown.

    Attributes:
        trajectories: What was found out by acting, all of it.
        previous: The hypothesis to begin from; `None` for nothing.
        worst: Of the trajectories those that the previous hypothesis explains worst,
            the worst first.
    """

    trajectories: tuple[TextTrajectory, ...]
    previous: str | None = None
    worst: tuple[TextTrajectory, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A hypothesis, as a scientist wrote it.

    Attributes:
        hypothesis: The text.
        is_whole: Whether it ended of itself; otherwise it was cut off at the most
            tokens that were allowed.
        prompt_tokens: Tokens that the scientist read, 0 if it reads none.
        completion_tokens: Tokens that it wrote.
    """

    hypothesis: str
    is_whole: bool = True
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Scientist(Protocol):
    """Draws hypotheses from a distribution that depends on what it is shown."""

    @property
    def name(self) -> str:
        """Who it is, as shown beside every number."""
        ...

    @property
    def is_stand_in(self) -> bool:
        """Whether it is no language model, but something in the place of one."""
        ...

    @property
    def has_log_probs(self) -> bool:
        """Whether `log_probs` can be asked for."""
        ...

    def propose(
        self, evidence: Sequence[Evidence], *, seeds: Sequence[int]
    ) -> list[Proposal]:
        """Returns a hypothesis for each evidence, each drawn with its own seed.

        Raises:
            CwmError: If there is no answer.
        """
        ...

    def log_probs(
        self, proposals: Sequence[Proposal], evidence: Sequence[Evidence]
    ) -> FloatArray:
        """Returns natural logarithms of `q(hypothesis | evidence)`, `[N]`.

        Of a whole hypothesis with the end of the turn, of one that was cut off without
        it; the same for hypotheses that the scientist drew and for others, so that the
        two directions of a Metropolis-Hastings step are measured alike.

        Raises:
            CwmError: If it gives no probabilities.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What an experimenter is told before it acts.

    Attributes:
        phase: Number of the collection, from 0: the first one, without hypotheses.
        progress: Share of the phases that are over, from 0 to 1.
        hypothesis: The best so far; `None` for none.
        num_trajectories: How many to bring; learned policies bring as many as their
            own settings say.
        seed: Of everything random in this collection.
    """

    phase: int
    progress: float
    hypothesis: str | None
    num_trajectories: int
    seed: int


class Experimenter(Protocol):
    """Acts in the environment and tells in words what came of it."""

    @property
    def name(self) -> str:
        """Who it is, as shown beside every number."""
        ...

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        """Returns new trajectories; each begins with a reset of the environment.

        Raises:
            CwmError: If it cannot act.
        """
        ...


@runtime_checkable
class LearningExperimenter(Experimenter, Protocol):
    """An experimenter that gets better by the rewards for what it collected last."""

    def learn(self, rewards: Sequence[FloatArray]) -> dict[str, float]:
        """Learns from the last collection; returns figures of the update.

        Args:
            rewards: For each trajectory of the last collection `[T]`.
        """
        ...

    def save(self, path: Path) -> None:
        """Writes all that it has learned to one file, in one step."""
        ...

    def load(self, path: Path) -> None:
        """Goes on from what `save` wrote.

        Raises:
            DataError: If the file is none of its own.
        """
        ...
