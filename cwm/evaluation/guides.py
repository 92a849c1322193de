"""What gives planners a prior and a value, described, opened and counted."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol, Self

from cwm.core.protocols import ActionPrior, StepResult, ValueFunction
from cwm.core.spaces import Value
from cwm.evaluation.decisions import (
    Decision,
    EvaluatorUse,
    PredictingDecider,
    Situation,
)
from cwm.evaluation.episodes import EpisodeResult
from envs.spec import EnvSpec


class Guide(Protocol):
    """A prior, a value or both, with a count of what they cost."""

    @property
    def prior(self) -> ActionPrior | None:
        """How probable actions are."""
        ...

    @property
    def value(self) -> ValueFunction | None:
        """How much return is to come."""
        ...

    @property
    def use(self) -> EvaluatorUse:
        """How much they were used since they were opened."""
        ...

    def forget(self) -> None:
        """Forgets what was evaluated, so that what comes does not depend on it."""
        ...


class OpenableGuide(Protocol):
    """A guide as plain data that can be pickled; any process can open it."""

    @property
    def name(self) -> str:
        """What it is, in words, for tables."""
        ...

    def open(self, spec: EnvSpec) -> AbstractContextManager[Guide]:
        """Returns the guide in an environment, to be entered; its exit closes it.

        Raises:
            ConfigError: If it cannot read what this environment shows.
            PrerequisiteError: If a package that it needs is missing.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Returns all that decides what it says, as plain data."""
        ...


def use_note(episodes: Sequence[EpisodeResult]) -> str:
    """Returns how a decision used the guide, in the mean; empty without one."""
    uses = [s.evaluator_use for e in episodes for s in e.steps if s.evaluator_use]
    if not uses:
        return ""
    contexts, evaluated, calls = (
        sum(one) / len(uses) for one in zip(*uses, strict=True)
    )
    return (
        f"{contexts:,.1f} contexts a decision, {evaluated:,.1f} of them evaluated in "
        f"{calls:,.1f} calls"
    )


class GuidedDecider:
    """A decider that says how each decision used its guide; a `PredictingDecider`.

    Nothing that was evaluated is kept from one episode to the next: what a decision
    costs does not depend on the episodes before.

    Args:
        decider: Whose planner has the guide's prior or value.
        guide: It.
    """

    def __init__(self, decider: PredictingDecider, guide: Guide) -> None:
        self._decider, self._guide = decider, guide

    def __enter__(self) -> Self:
        self._decider.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._decider.__exit__(*exception)

    def begin(self, seed: int) -> None:
        """Forgets the episode before."""
        self._guide.forget()
        self._decider.begin(seed)

    def decide(self, situation: Situation, *, keeps_plan: bool = True) -> Decision:
        """Returns what to do next."""
        before = self._guide.use
        decision = self._decider.decide(situation, keeps_plan=keeps_plan)
        pairs = zip(self._guide.use, before, strict=True)
        used = EvaluatorUse(*(now - then for now, then in pairs))
        return replace(decision, evaluator_use=used)

    def predict_steps(
        self, observations: Sequence[Value], actions: Sequence[Value]
    ) -> list[StepResult | None]:
        """Returns what the model says of single steps."""
        return self._decider.predict_steps(observations, actions)
