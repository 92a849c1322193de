"""What a curious experimenter is rewarded for: how its data surprise, or teach.

With `l(h)` the log-probability of a change under the best hypothesis after this phase's
search, and `l(h-)` that under the best of the phase before, in nats, summed over the
tokens of the change (so that longer sentences get larger rewards):

    logp    -l(h)
    alp     |l(h) - l(h-)|; 0 if the hypothesis is still the same
    alpexp  (1 - b) * alp + b * m, where m is the moving average of the transition's
            type c, begins with 0 and is that of before this phase; then
            m <- b * m + (1 - b) * (mean of alp over this phase's transitions of type
            c, or 0 if there are none)
    alpll   -l(h) * |l(h) - l(h-)|; 0 if the hypothesis is still the same
    count   w / n**e, with a fixed w for each type and n transitions of the type in the
            run so far, this one included

alp and alpexp are the published ALP and ALPEXP; alpll crashes in the original if
the hypothesis is still the same, where it, too, is meant to be 0.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from cwm.core.errors import DataError
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.config import CuriosityConfig
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.texts import TextTrajectory, transitions_of
from envs.playground.rules import TRANSITION_TYPES

COUNT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    dict(zip(TRANSITION_TYPES, (0.1, 0.09, 0.21, 0.03, 0.77, 0.87, 1.74), strict=True))
)
"""Type of transition -> its published weight in `count`."""


class CuriosityReward(Protocol):
    """Rewards transitions for what they have taught, or for how rare they are."""

    def rewards(
        self,
        trajectories: Sequence[TextTrajectory],
        hypothesis: str | None,
        previous: str | None,
        statistician: Statistician,
    ) -> list[FloatArray]:
        """Returns the rewards of a collection, `[T]` each, and remembers what it must.

        Args:
            trajectories: All of one collection, in the experimenter's order.
            hypothesis: The best one now, after the search on this collection.
            previous: The best one at the end of the phase before.
            statistician: Whose log-probabilities are meant.

        Raises:
            CwmError: If the statistician has no answer.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Returns what it remembers, as plain data."""
        ...

    def load_json(self, data: Mapping[str, Any]) -> None:
        """Goes on from what `to_json` returned.

        Raises:
            DataError: If the data are of another form.
        """
        ...


def make_reward(config: CuriosityConfig) -> CuriosityReward:
    """Returns the reward that the settings name; it remembers nothing yet."""
    if config.reward == "count":
        return RareTypes(num_envs=config.num_envs, exponent=config.count_exponent)
    if config.reward == "alpexp":
        return SmoothedProgress(smoothing=config.smoothing)
    if config.reward == "alpll":
        return WeightedProgress()
    return Progress() if config.reward == "alp" else Surprise()


class _Memoryless:
    def to_json(self) -> dict[str, Any]:
        """Returns nothing: there is nothing to remember."""
        return {}

    def load_json(self, data: Mapping[str, Any]) -> None:
        """Takes what `to_json` returned.

        Raises:
            DataError: If there is something in it.
        """
        if dict(data):
            raise DataError(
                f"This curiosity reward remembers nothing, got {sorted(data)}."
            )


class Surprise(_Memoryless):
    """`logp`: how improbable the change was, in nats."""

    def rewards(
        self,
        trajectories: Sequence[TextTrajectory],
        hypothesis: str | None,
        previous: str | None,
        statistician: Statistician,
    ) -> list[FloatArray]:
        """Returns `-l(h)`."""
        return _split(-_log_probs(hypothesis, trajectories, statistician), trajectories)


class Progress(_Memoryless):
    """`alp`: how much the log-probability of the change has changed, in nats."""

    def rewards(
        self,
        trajectories: Sequence[TextTrajectory],
        hypothesis: str | None,
        previous: str | None,
        statistician: Statistician,
    ) -> list[FloatArray]:
        """Returns `|l(h) - l(h-)|`."""
        progress, _ = _progress(trajectories, hypothesis, previous, statistician)
        return _split(progress, trajectories)


class WeightedProgress(_Memoryless):
    """`alpll`: surprise times progress, in nats squared."""

    def rewards(
        self,
        trajectories: Sequence[TextTrajectory],
        hypothesis: str | None,
        previous: str | None,
        statistician: Statistician,
    ) -> list[FloatArray]:
        """Returns `-l(h) * |l(h) - l(h-)|`."""
        progress, log_probs = _progress(
            trajectories, hypothesis, previous, statistician
        )
        return _split(-log_probs * progress, trajectories)


class SmoothedProgress:
    """`alpexp`: progress, mixed with its moving average for the type of transition."""

    def __init__(self, *, smoothing: float) -> None:
        """Begins with averages of 0.

        Args:
            smoothing: Weight of the average, from 0 (none of it) to 1.
        """
        self._smoothing = smoothing
        self._averages: dict[str, float] = {}

    def rewards(
        self,
        trajectories: Sequence[TextTrajectory],
        hypothesis: str | None,
        previous: str | None,
        statistician: Statistician,
    ) -> list[FloatArray]:
        """Returns the mixture, then moves the averages on."""
        progress, _ = _progress(trajectories, hypothesis, previous, statistician)
        types = _types(trajectories)
        old, weight = self._averages, self._smoothing
        remembered = np.array([old.get(name, 0.0) for name in types], dtype=np.float64)
        mixed = (1.0 - weight) * progress + weight * remembered
        self._averages = {
            name: weight * old.get(name, 0.0)
            + (1.0 - weight) * _mean_of(name, types, progress)
            for name in sorted({*old, *types})
        }
        return _split(mixed, trajectories)

    def to_json(self) -> dict[str, Any]:
        """Returns the moving averages."""
        return {"averages": dict(self._averages)}

    def load_json(self, data: Mapping[str, Any]) -> None:
        """Goes on from such averages.

        Raises:
            DataError: If the data are of another form.
        """
        self._averages = _numbers(data, "averages", float)


class RareTypes:
    """`count`: a fixed weight for each type, divided by how often it was met."""

    def __init__(
        self,
        *,
        num_envs: int,
        exponent: float,
        weights: Mapping[str, float] = COUNT_WEIGHTS,
    ) -> None:
        """Begins with counts of 0.

        Args:
            num_envs: Environments that were acted in side by side. A collection has
                equally many transitions of each, one environment after the other; they
                are counted in the order in which they were met, which is by step and
                then by environment.
            exponent: Of the counts; at least 0.
            weights: Type of transition -> weight.
        """
        self._num_envs = num_envs
        self._exponent = exponent
        self._weights = dict(weights)
        self._counts: dict[str, int] = {}

    def rewards(
        self,
        trajectories: Sequence[TextTrajectory],
        hypothesis: str | None,
        previous: str | None,
        statistician: Statistician,
    ) -> list[FloatArray]:
        """Returns the weights over the counts; nobody is asked for log-probabilities.

        Raises:
            ValueError: If not all environments have equally many transitions, or a type
                has no weight.
        """
        types = _types(trajectories)
        unknown = set(types) - self._weights.keys()
        if unknown:
            raise ValueError(
                f"Types of transitions must be among {', '.join(self._weights)}, got "
                f"{', '.join(sorted(unknown))}."
            )
        if len(types) % self._num_envs:
            raise ValueError(
                "There must be equally many transitions of each of the "
                f"{self._num_envs} environments, got {len(types)} in all."
            )
        by_env = np.arange(len(types)).reshape(self._num_envs, -1)
        found = np.empty(len(types), dtype=np.float64)
        for index in by_env.T.flat:
            name = types[index]
            count = self._counts[name] = self._counts.get(name, 0) + 1
            found[index] = self._weights[name] / count**self._exponent
        return _split(found, trajectories)

    def to_json(self) -> dict[str, Any]:
        """Returns the counts."""
        return {"counts": dict(self._counts)}

    def load_json(self, data: Mapping[str, Any]) -> None:
        """Goes on from such counts.

        Raises:
            DataError: If the data are of another form.
        """
        self._counts = _numbers(data, "counts", int)


def _log_probs(
    hypothesis: str | None,
    trajectories: Sequence[TextTrajectory],
    statistician: Statistician,
) -> FloatArray:
    return statistician.log_probs(hypothesis, transitions_of(trajectories))


def _progress(
    trajectories: Sequence[TextTrajectory],
    hypothesis: str | None,
    previous: str | None,
    statistician: Statistician,
) -> tuple[FloatArray, FloatArray]:
    """Returns `|l(h) - l(h-)|` and `l(h)`; both 0, nobody asked, if `h` equals `h-`."""
    if hypothesis == previous:
        zeros = np.zeros(sum(map(len, trajectories)))
        return zeros, zeros
    now = _log_probs(hypothesis, trajectories, statistician)
    return np.abs(now - _log_probs(previous, trajectories, statistician)), now


def _types(trajectories: Sequence[TextTrajectory]) -> list[str]:
    return [name for one in trajectories for name in one.types]


def _mean_of(name: str, types: Sequence[str], values: FloatArray) -> float:
    chosen = values[[one == name for one in types]]
    return float(chosen.mean()) if len(chosen) else 0.0


def _split(
    values: FloatArray, trajectories: Sequence[TextTrajectory]
) -> list[FloatArray]:
    """Returns the values of each trajectory."""
    ends = list(accumulate(map(len, trajectories)))
    return np.split(values, ends)[:-1]


def _numbers(
    data: Mapping[str, Any], key: str, kind: type[int] | type[float]
) -> dict[str, Any]:
    found = data.get(key)
    if (
        set(data) != {key}
        or not isinstance(found, Mapping)
        or not all(_is_one_of(number, kind) for number in found.values())
    ):
        raise DataError(
            f"What a curiosity reward remembers must be {key!r} with a "
            f"number at least 0 for each type, got {dict(data)}."
        )
    return {str(name): kind(number) for name, number in found.items()}


def _is_one_of(number: object, kind: type[int] | type[float]) -> bool:
    allowed = (int,) if kind is int else (int, float)
    return (
        isinstance(number, allowed)
        and not isinstance(number, bool)
        and 0 <= number < np.inf
    )
