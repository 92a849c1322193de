"""Where chains of hypotheses are, and what came of each proposal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cwm.core.errors import DataError
from cwm.providers.hypotheses.roles import Proposal
from cwm.providers.hypotheses.search.weighing import Weighed


@dataclass(frozen=True, slots=True, kw_only=True)
class Particle:
    """Where a chain is.

    Attributes:
        proposal: The hypothesis as it was drawn; `None` for no hypothesis.
        weighed: How well it explains the data of the present phase.
        born: Step at which it was accepted, counted from 1 over all phases; 0 if the
            chain began with it.
    """

    proposal: Proposal | None
    weighed: Weighed
    born: int = 0

    @property
    def hypothesis(self) -> str | None:
        """Its text."""
        return None if self.proposal is None else self.proposal.hypothesis


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came of one proposal.

    Attributes:
        chain: Whose it was.
        proposal: What was proposed.
        weighed: How well it explains the data.
        log_ratio: Logarithm of the Metropolis ratio; of the importance weight where
            hypotheses are drawn independently; `None` where there is none.
        is_accepted: Whether the chain goes on from it; whether it was resampled.
        log_draw: Logarithm of the random number below which the ratio is refused;
            `None` where hypotheses are drawn independently.
    """

    chain: int
    proposal: Proposal
    weighed: Weighed
    log_ratio: float | None
    is_accepted: bool
    log_draw: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseOutcome:
    """Where inference stands after a phase.

    Attributes:
        particles: One for each chain.
        best: The particle, or the draw, of the highest target.
        steps: What came of all proposals, in order.
        effective_size: Of the importance weights, from 1 to their number; `None` for
            chains.
    """

    particles: tuple[Particle, ...]
    best: Particle
    steps: tuple[Step, ...] = ()
    effective_size: float | None = None


def proposal_to_json(proposal: Proposal | None) -> dict[str, Any] | None:
    """Returns a proposal as plain data."""
    if proposal is None:
        return None
    return {
        "hypothesis": proposal.hypothesis,
        "is_whole": proposal.is_whole,
        "prompt_tokens": proposal.prompt_tokens,
        "completion_tokens": proposal.completion_tokens,
    }


def proposal_from_json(data: Mapping[str, Any]) -> Proposal:
    """Returns what `proposal_to_json` wrote.

    Raises:
        DataError: If the data are of another form.
    """
    try:
        return Proposal(
            hypothesis=str(data["hypothesis"]),
            is_whole=bool(data["is_whole"]),
            prompt_tokens=int(data["prompt_tokens"]),
            completion_tokens=int(data["completion_tokens"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"A proposal cannot be read: {error!r}.") from error
