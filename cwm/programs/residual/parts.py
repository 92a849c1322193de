"""Parts of an outcome that a program may get wrong: what is due, and what is said."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec
from cwm.core.trajectories import TransitionBatch
from cwm.programs.tolerances import Tolerances

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

TERMINATED = "terminated"
REWARD = "reward"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One number of each outcome.

    Attributes:
        name: As accuracies by part have it.
        target: What the written function calls it.
        truth: `[N]`, what was recorded.
        law: `[N]`, what the program predicts.
        bounds: `[N]`, largest error that is none.
        nothing: `[N]`, what doing nothing predicts.
        before: Code and values of the same number before the step, if it is one of
            the observation.
    """

    name: str
    target: str
    truth: FloatArray
    law: FloatArray
    bounds: FloatArray
    nothing: FloatArray
    before: str = ""

    @property
    def is_flag(self) -> bool:
        """Whether it is `terminated`."""
        return self.name == TERMINATED

    @property
    def words(self) -> str:
        """What people call it."""
        return f"next {self.name}" if self.before else self.name

    def is_right(self, values: FloatArray) -> BoolArray:
        """Returns where values are within the strict tolerance."""
        return np.asarray(np.abs(values - self.truth) <= self.bounds)

    @property
    def explained(self) -> float:
        """Share of the error of doing nothing that the program's error lacks."""
        nothing = float(np.abs(self.nothing - self.truth).sum())
        law = float(np.abs(self.law - self.truth).sum())
        return 1.0 - law / nothing if nothing > 0 else 0.0


def parts_of(
    batch: TransitionBatch, predictions: Predictions, tolerances: Tolerances
) -> Iterator[Part]:
    """Yields the parts that can be corrected: real elements, `terminated`, reward.

    Elements only where an observation is one array of real numbers.
    """
    space = batch.observation_space
    if isinstance(space, BoxSpec) and not space.is_integer:
        yield from _elements(batch, predictions, tolerances, space)
    number = len(batch)
    yield Part(
        name=TERMINATED,
        target=TERMINATED,
        truth=batch.terminated.astype(np.float64),
        law=predictions.terminated.astype(np.float64),
        bounds=np.full(number, 0.5),
        nothing=np.zeros(number),
    )
    rewards, counts = np.unique(batch.rewards, return_counts=True)
    yield Part(
        name=REWARD,
        target=REWARD,
        truth=batch.rewards,
        law=predictions.rewards,
        bounds=tolerances.reward_bounds(batch.rewards),
        nothing=np.full(number, rewards[np.argmax(counts)]),
    )


def wrong_rows(
    batch: TransitionBatch, predictions: Predictions, tolerances: Tolerances
) -> BoolArray:
    """Returns where some part is not what was recorded, `[N]`."""
    parts = parts_of(batch, predictions, tolerances)
    wrong = [~part.is_right(part.law) for part in parts]
    return np.asarray(np.logical_or.reduce(wrong))


def _elements(
    batch: TransitionBatch,
    predictions: Predictions,
    tolerances: Tolerances,
    space: BoxSpec,
) -> Iterator[Part]:
    before, truth = np.asarray(batch.observations[""]), batch.next_observations[""]
    law = np.asarray(predictions.next_observations[""])
    bounds = tolerances.bounds("", np.asarray(truth))
    for index in np.ndindex(*space.shape):
        at = (slice(None), *index)
        place = ", ".join(map(str, index))
        here = f"[..., {place}]" if space.shape else ""
        label = f"[{place.replace(' ', '')}]" if space.shape else ""
        yield Part(
            name=f"observation{label}",
            target=f"after{here}",
            truth=np.asarray(truth)[at].astype(np.float64),
            law=law[at].astype(np.float64),
            bounds=np.asarray(bounds)[at].astype(np.float64),
            nothing=before[at].astype(np.float64),
            before=f"before{here}",
        )
