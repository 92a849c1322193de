"""How well a hypothesis explains trajectories, and which of them worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from cwm.core.errors import DataError
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.statisticians.checking import checked_log_probs
from cwm.providers.hypotheses.texts import (
    TextTrajectory,
    means_by_type,
    transitions_of,
    types_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The log-likelihood of a hypothesis, `log p(changes | states, actions, h)`.

    Attributes:
        by_trajectory: Sums over the transitions of each trajectory, in nats.
        by_type: Means over the transitions of each type that occurs, in nats.
    """

    by_trajectory: tuple[float, ...]
    by_type: Mapping[str, float]

    @property
    def total(self) -> float:
        """The sum over all transitions, in nats."""
        return float(np.sum(self.by_trajectory))

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {
            "by_trajectory": list(self.by_trajectory),
            "by_type": dict(self.by_type),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Returns what `to_json` wrote.

        Raises:
            DataError: If the data are of another form.
        """
        try:
            return cls(
                by_trajectory=tuple(map(float, data["by_trajectory"])),
                by_type={str(k): float(v) for k, v in data["by_type"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"A log-likelihood cannot be read: {error!r}.") from error


def weigh(
    statistician: Statistician,
    hypotheses: Sequence[str | None],
    trajectories: Sequence[TextTrajectory],
) -> list[Weighed]:
    """Returns how well each hypothesis explains all trajectories together.

    The same hypothesis is weighed once.

    Raises:
        CwmError: If the statistician has no answer.
    """
    known: dict[str | None, Weighed] = {}
    for hypothesis in hypotheses:
        if hypothesis not in known:
            log_probs = checked_log_probs(
                statistician, hypothesis, transitions_of(trajectories)
            )
            known[hypothesis] = summarise(log_probs, trajectories)
    return [known[hypothesis] for hypothesis in hypotheses]


def summarise(log_probs: FloatArray, trajectories: Sequence[TextTrajectory]) -> Weighed:
    """Returns sums and means of the log-probabilities of transitions.

    Args:
        log_probs: `[N]`, of the transitions of all trajectories in order.
        trajectories: With `N` transitions together.
    """
    ends = np.cumsum([len(one) for one in trajectories])[:-1]
    return Weighed(
        by_trajectory=tuple(float(p.sum()) for p in np.split(log_probs, ends)),
        by_type=means_by_type(log_probs, types_of(trajectories)),
    )


def worst_of(
    weighed: Weighed,
    trajectories: Sequence[TextTrajectory],
    number: int,
    *,
    by: Literal["total", "mean"],
) -> tuple[TextTrajectory, ...]:
    """Returns the trajectories that are explained worst, the worst first.

    Args:
        weighed: Of these trajectories.
        trajectories: From which to choose.
        number: Most to return.
        by: The log-likelihood of each, or that divided by its length.
    """
    totals = np.array(weighed.by_trajectory)
    if by == "mean":
        totals = totals / np.maximum([len(one) for one in trajectories], 1)
    order = np.argsort(totals, kind="stable")[:number]
    return tuple(trajectories[index] for index in order)


def log_prior(hypothesis: str | None, length_penalty: float) -> float:
    """Returns the logarithm of a hypothesis's prior, up to a constant.

    Args:
        hypothesis: The text; `None` has no words.
        length_penalty: Nats for each word.
    """
    return -length_penalty * len((hypothesis or "").split())
