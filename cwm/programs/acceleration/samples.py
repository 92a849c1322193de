"""States and actions on which a fast form must equal its original."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.seeding import child_rng
from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, SpaceSpec

Array = NDArray[Any]

MAX_PAIRS = 20_000
"""Observations times actions up to which simply all are compared."""

_UNBOUNDED = 1e6


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Pairs to compare on.

    Attributes:
        states: Observations, `[N, ...]`.
        actions: Actions, `[N, ...]`.
        num_recorded: How many of the first rows are recorded ones.
    """

    states: Array
    actions: Array
    num_recorded: int

    def __len__(self) -> int:
        return len(self.states)


def samples(
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    *,
    recorded: tuple[Array, Array] | None,
    number: int,
    seed: int,
) -> Samples:
    """Returns recorded pairs, and drawn ones: near the recorded, and anywhere.

    Of two finite spaces that are small, all pairs are added.

    Args:
        observation_space: Space of the observations.
        action_space: Space of the actions.
        recorded: Observations and actions that were recorded; `None` if there are none.
        number: How many to draw; a third near the recorded, a third of recorded
            states with any action, the rest anywhere within the bounds.
        seed: Of the draws.

    Raises:
        ValueError: If values of a space are not rows of an array.
    """
    rng = child_rng(seed, "acceleration samples")
    known = recorded if recorded is not None and len(recorded[0]) else None
    parts = [] if known is None else [known]
    states = None if known is None else known[0]
    actions = None if known is None else known[1]
    part = number // 3 if known is not None else 0
    if known is not None:
        rows = rng.integers(len(known[0]), size=part)
        close = near(observation_space, known[0], rows, rng)
        parts.append((close, near(action_space, known[1], rows, rng)))
        parts.append((known[0][rows], anywhere(action_space, known[1], part, rng)))
    left = number - 2 * part
    parts.append(
        (
            anywhere(observation_space, states, left, rng),
            anywhere(action_space, actions, left, rng),
        )
    )
    parts += _all_pairs(observation_space, action_space)
    return Samples(
        states=np.concatenate([pair[0] for pair in parts]),
        actions=np.concatenate([pair[1] for pair in parts]),
        num_recorded=0 if known is None else len(known[0]),
    )


def _all_pairs(states: SpaceSpec, actions: SpaceSpec) -> list[tuple[Array, Array]]:
    match states, actions:
        case DiscreteSpec(), DiscreteSpec():
            number, choices = states.num_values, actions.num_values
            if number * choices <= MAX_PAIRS:
                state, action = np.divmod(np.arange(number * choices), choices)
                return [(state + states.start, action + actions.start)]
    return []


def _form(space: SpaceSpec) -> tuple[tuple[int, ...], Any]:
    match space:
        case DiscreteSpec():
            return (), np.dtype("int64")
        case MultiDiscreteSpec(num_values=counts):
            return (len(counts),), np.dtype("int64")
        case BoxSpec(shape=shape, dtype=dtype):
            return tuple(shape), np.dtype(dtype)
    raise ValueError(f"Values of {space!r} are not rows of an array.")


def _bounds(space: SpaceSpec, known: Array | None) -> tuple[Array, Array]:
    """Returns the bounds of a space; where it has none, half as far as is known."""
    match space:
        case DiscreteSpec(num_values=number, start=start):
            return np.asarray(float(start)), np.asarray(float(start + number - 1))
        case MultiDiscreteSpec(num_values=counts):
            return np.zeros(len(counts)), np.asarray(counts, dtype=np.float64) - 1.0
        case BoxSpec(shape=shape):
            low, high = (
                np.asarray(bound, dtype=np.float64).reshape(shape)
                for bound in space.bounds()
            )
        case _:
            raise ValueError(f"Values of {space!r} are not rows of an array.")
    least, most = np.full(shape, -1.0), np.full(shape, 1.0)
    if known is not None:
        least = np.asarray(known.min(axis=0), dtype=np.float64)
        most = np.asarray(known.max(axis=0), dtype=np.float64)
    reach = 0.5 * (most - least) + 1.0
    return (
        np.where(np.abs(low) < _UNBOUNDED, low, least - reach),
        np.where(np.abs(high) < _UNBOUNDED, high, most + reach),
    )


def anywhere(
    space: SpaceSpec, known: Array | None, number: int, rng: np.random.Generator
) -> Array:
    """Returns values within the bounds of a space, some of them on the bounds.

    Args:
        space: One whose values are rows of an array.
        known: Recorded values, which stand for bounds where there are none.
        number: How many.
        rng: What draws them.

    Raises:
        ValueError: If the values of the space are no rows of an array.
    """
    shape, dtype = _form(space)
    low, high = _bounds(space, known)
    share = np.clip(rng.uniform(-0.05, 1.05, (number, *shape)), 0.0, 1.0)
    if dtype.kind == "f":
        return np.asarray(low + share * (high - low), dtype=dtype)
    drawn = np.floor(low + share * (high - low + 1.0))
    return np.asarray(np.clip(drawn, low, high), dtype=dtype)


def near(
    space: SpaceSpec, known: Array, rows: Array, rng: np.random.Generator
) -> Array:
    """Returns known values with a change of a tenth of what they vary by.

    Args:
        space: As in `anywhere`.
        known: Recorded values, `[N, ...]`.
        rows: Which of them, `[K]`.
        rng: What draws the changes.
    """
    low, high = _bounds(space, known)
    shape = (len(rows), *known.shape[1:])
    if known.dtype.kind == "f":
        size = 0.1 * np.std(known.astype(np.float64), axis=0)
        moved = known[rows] + size * rng.standard_normal(shape)
    else:
        moved = known[rows] + rng.integers(-1, 2, shape).astype(np.float64)
    return np.asarray(np.clip(moved, low, high), dtype=known.dtype)
