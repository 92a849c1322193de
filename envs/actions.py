"""Random actions of many kinds, and values as plain vectors.

Uniform noise averages out and goes nowhere; holding an action for a while goes
far. Saturated and small actions each show something that uniform ones rarely do.
"""

from functools import lru_cache
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TupleSpec,
    Value,
    leaves,
)

MAX_ENUMERATED = 64
"""Action spaces with at most this many values are taken as lists of actions."""

UNBOUNDED_SCALE = 1.0
"""Stands for an infinite bound of an action element."""

MIN_STRENGTH = 0.03
"""The gentlest action sequences use this share of the range around its middle."""

Kind: TypeAlias = float | Literal["saturated"]
"""At a bound, or uniform in this share of the range around its middle."""


class ActionSource:
    """Draws actions from a space, in our own representation.

    Attributes:
        space: The space.
        actions: All actions, if they are few; else empty.
    """

    def __init__(self, space: SpaceSpec) -> None:
        self.space = space
        self.actions = _enumerate(space)

    def uniform(self, rng: np.random.Generator) -> Value:
        """Returns an action, each equally likely."""
        if self.actions:
            return self.actions[int(rng.integers(len(self.actions)))]
        return _sample(self.space, rng, 1.0)

    def held(
        self, rng: np.random.Generator, length: int, mean_hold: float
    ) -> list[Value]:
        """Returns `length` actions, each held for about `mean_hold` steps.

        Real-valued ones are saturated, or of a strength drawn for the sequence:
        half of the sequences stay gentle, as balancing needs.
        """
        strength = float(np.exp(rng.uniform(np.log(MIN_STRENGTH), 0.0)))
        strength = strength if rng.random() < 0.5 else 1.0
        found: list[Value] = []
        while len(found) < length:
            hold = int(rng.geometric(1 / mean_hold)) if mean_hold > 1 else 1
            found.extend([self._varied(rng, strength)] * hold)
        return found[:length]

    def _varied(self, rng: np.random.Generator, strength: float) -> Value:
        if self.actions:
            return self.uniform(rng)
        is_saturated = strength == 1.0 and rng.random() < 0.5
        return _sample(self.space, rng, "saturated" if is_saturated else strength)

    def perturbed(
        self, plan: list[Value], rng: np.random.Generator, mean_hold: float
    ) -> list[Value]:
        """Returns a plan with one stretch of it replaced, or shifted by a little."""
        start = int(rng.integers(len(plan)))
        stretch = min(int(rng.geometric(1 / mean_hold)), len(plan) - start)
        old, new = plan[start : start + stretch], self.held(rng, stretch, mean_hold)
        if isinstance(self.space, BoxSpec) and not self.space.is_integer:
            low, high = self.space.bounds()
            shape, dtype = self.space.shape, self.space.dtype
            if rng.random() < 0.5:
                shifted = [a + b for a, b in zip(old, new, strict=True)]
                low, high = low.reshape(shape), high.reshape(shape)
                new = [np.clip(a, low, high).astype(dtype) for a in shifted]
        return [*plan[:start], *new, *plan[start + stretch :]]

    def bins(self, actions: list[Value]) -> NDArray[np.int64]:
        """Returns a small number for each action; like actions share one, `[N]`."""
        if self.actions:
            index = {_key(action): i for i, action in enumerate(self.actions)}
            return np.asarray([index[_key(a)] for a in actions], dtype=np.int64)
        matrix = np.asarray([to_vector(self.space, action) for action in actions])
        scale = np.maximum(np.abs(matrix).max(axis=0, initial=0.0), 1e-12)
        levels = np.clip(np.round(2 * matrix / scale), -2, 2).astype(np.int64) + 2
        # More than three elements would give more bins than there are data.
        weights = 5 ** np.arange(min(levels.shape[1], 3))
        return np.asarray(levels[:, : len(weights)] @ weights, dtype=np.int64)


def _key(action: Value) -> Value:
    if isinstance(action, np.ndarray):
        return tuple(action.tolist())
    if isinstance(action, tuple):
        return tuple(_key(part) for part in action)
    return action


def _enumerate(space: SpaceSpec) -> list[Value]:
    """Returns all values of a space if they are few; else none."""
    match space:
        case DiscreteSpec(num_values=count, start=start):
            few = count <= MAX_ENUMERATED
            return list(range(start, start + count)) if few else []
        case MultiDiscreteSpec(num_values=counts):
            if np.prod(counts, dtype=np.float64) > MAX_ENUMERATED:
                return []
            ranges = [range(count) for count in counts]
            return [np.asarray(row, dtype=np.int64) for row in product(*ranges)]
        case TupleSpec(members=members):
            parts = [_enumerate(member) for member in members]
            total = np.prod([len(part) for part in parts], dtype=np.float64)
            return list(product(*parts)) if 0 < total <= MAX_ENUMERATED else []
        case _:
            return []


def _sample(space: SpaceSpec, rng: np.random.Generator, kind: Kind) -> Value:
    match space:
        case BoxSpec():
            return _sample_box(space, rng, kind)
        case DiscreteSpec(num_values=count, start=start):
            return start + int(rng.integers(count))
        case MultiDiscreteSpec(num_values=counts):
            return rng.integers(np.asarray(counts), dtype=np.int64)
        case TupleSpec(members=members):
            return tuple(_sample(member, rng, kind) for member in members)
        case DictSpec(members=named):
            return {key: _sample(member, rng, kind) for key, member in named}
        case _:
            raise TypeError(f"Actions of {space} cannot be sampled.")


@lru_cache
def _box_range(space: BoxSpec) -> tuple[NDArray[np.float64], ...]:
    """Returns low, high, middle and half width, `[size]` each."""
    low, high = space.bounds()
    low = np.where(np.isfinite(low), low, -UNBOUNDED_SCALE)
    high = np.where(np.isfinite(high), high, UNBOUNDED_SCALE)
    return low, high, (low + high) / 2, (high - low) / 2


def _sample_box(space: BoxSpec, rng: np.random.Generator, kind: Kind) -> Value:
    low, high, middle, half = _box_range(space)
    if space.is_integer:
        whole = rng.integers(low.astype(np.int64), high.astype(np.int64) + 1)
        return whole.astype(space.dtype).reshape(space.shape)
    if kind == "saturated":
        flat = middle + half * rng.choice([-1.0, 1.0], size=len(low))
    else:
        flat = middle + half * kind * rng.uniform(-1.0, 1.0, size=len(low))
    return flat.astype(space.dtype).reshape(space.shape)


def to_vector(space: SpaceSpec, value: Value) -> NDArray[np.float64]:
    """Returns the numbers of a value, one after the other; text has none."""
    match space:
        case BoxSpec() | MultiDiscreteSpec():
            return np.asarray(value, dtype=np.float64).ravel()
        case DiscreteSpec():
            return np.asarray([value], dtype=np.float64)
        case TupleSpec(members=members):
            parts = [to_vector(m, v) for m, v in zip(members, value, strict=True)]
            return np.concatenate([np.empty(0), *parts])
        case DictSpec(members=named):
            return np.concatenate(
                [np.empty(0), *(to_vector(m, value[key]) for key, m in named)]
            )
        case _:
            return np.empty(0)


def to_key(value: Any) -> bytes | str | int | tuple[Any, ...]:
    """Returns a hashable form of a value: equal keys mean equal values."""
    match value:
        case np.ndarray():
            return value.tobytes()
        case tuple() | list():
            return tuple(to_key(part) for part in value)
        case dict():
            return tuple(to_key(part) for part in value.values())
        case str():
            return value
        case _:
            return int(value)


def is_table_like(space: SpaceSpec) -> bool:
    """Returns whether values repeat exactly, as integers and text do."""
    return all(
        not isinstance(leaf, BoxSpec) or leaf.is_integer for _, leaf in leaves(space)
    )
