"""How probable the transitions of a test set are, one by one, and paired differences.

The test log-likelihood of WorldLLM (Levy et al., 2025): sums over the tokens of each
change, neither divided by their number nor by that of the transitions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from scipy import stats

from cwm.core.errors import DataError
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.statisticians.checking import checked_log_probs
from cwm.providers.hypotheses.texts import (
    TextTrajectory,
    means_by_type,
    transitions_of,
    types_of,
)

CONFIDENCE = 0.95
"""Of all intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """How probable `N` transitions are under a hypothesis, or without one.

    Attributes:
        log_probs: Natural logarithms of the probabilities of the changes, `[N]`.
        types: Names of the types of the transitions, `[N]`.
    """

    log_probs: tuple[float, ...]
    types: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.log_probs) != len(self.types):
            raise ValueError(
                "log_probs must be as many as types, got "
                f"{len(self.log_probs)} and {len(self.types)}."
            )

    @property
    def total(self) -> float:
        """The sum over all transitions, in nats."""
        return float(np.sum(self.log_probs))

    @property
    def mean(self) -> float | None:
        """The mean over all transitions, in nats; `None` without any."""
        return float(np.mean(self.log_probs)) if self.log_probs else None

    @property
    def by_type(self) -> dict[str, float]:
        """The mean over the transitions of each type that occurs, in nats."""
        return means_by_type(np.array(self.log_probs), self.types)

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data, figures for readers included."""
        return {
            "total": self.total,
            "by_type": self.by_type,
            "log_probs": list(self.log_probs),
            "types": list(self.types),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Returns what `to_json` wrote.

        Raises:
            DataError: If the data are of another form.
        """
        try:
            return cls(
                log_probs=tuple(map(float, data["log_probs"])),
                types=tuple(map(str, data["types"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"A likelihood cannot be read: {error!r}.") from error


def likelihood(
    statistician: Statistician,
    hypothesis: str | None,
    trajectories: Sequence[TextTrajectory],
) -> Likelihood:
    """Returns how probable all transitions of some trajectories are.

    One call of the statistician.

    Raises:
        CwmError: If the statistician has no answer.
    """
    log_probs = checked_log_probs(
        statistician, hypothesis, transitions_of(trajectories)
    )
    return Likelihood(
        log_probs=tuple(log_probs.tolist()),
        types=tuple(types_of(trajectories)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The mean of paired differences, with its 95 % interval.

    By Student's t, as if the transitions were independent: those of one episode are
    alike, so the interval is rather too short.

    Attributes:
        mean: In nats per transition.
        low: Lower end; `None` of fewer than 2 transitions.
        high: Upper end; likewise.
    """

    mean: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return asdict(self)


def paired_difference(one: Likelihood, other: Likelihood) -> Difference:
    """Returns by how much the transitions are likelier under one than the other.

    Raises:
        ValueError: If they are not of the same transitions, or of none.
    """
    if one.types != other.types or not one.types:
        raise ValueError(
            "Likelihoods must be of the same transitions, at least 1, got "
            f"{len(one.types)} and {len(other.types)}."
        )
    differences = np.subtract(one.log_probs, other.log_probs)
    mean, number = float(differences.mean()), len(differences)
    if number < 2:
        return Difference(mean=mean, low=None, high=None)
    error = float(differences.std(ddof=1)) / number**0.5
    reach = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, number - 1))
    return Difference(mean=mean, low=mean - reach, high=mean + reach)
