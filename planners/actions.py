"""Actions as planners handle them: a finite list, or points of a box."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import FloatArray, WorldModel
from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, SpaceSpec, Value
from planners.planner import NoLegalAction

MAX_LISTED_ACTIONS = 4_096
"""A space with more actions than these is not listed."""


@dataclass(frozen=True, slots=True)
class ListedActions:
    """A space of finitely many actions.

    Attributes:
        values: All of them, in order. Empty where only the model knows them, by
            state (text actions).
    """

    values: tuple[Value, ...]

    def legal(self, model: WorldModel, state: object) -> tuple[Value, ...]:
        """Returns the actions that are legal in a state; at least 1.

        Raises:
            NoLegalAction: If there is none.
        """
        found = model.legal_actions(state)
        values = self.values if found is None else tuple(found)
        if not values:
            raise NoLegalAction("The state must have a legal action, got none.")
        return values


@dataclass(frozen=True, slots=True)
class BoxActions:
    """A space of real vectors within bounds.

    Attributes:
        space: The space.
        low: Smallest value of each element, `[A]`; finite.
        high: Largest value of each element, `[A]`; finite.
    """

    space: BoxSpec
    low: FloatArray
    high: FloatArray

    @property
    def size(self) -> int:
        """Number of elements `A` of an action."""
        return len(self.low)

    def to_values(self, vectors: FloatArray) -> NDArray[np.generic]:
        """Returns vectors `[..., A]` as actions of the space `[..., *shape]`.

        Elements outside their bounds are clipped to them.
        """
        clipped = np.clip(vectors, self.low, self.high)
        if self.space.is_integer:
            clipped = np.rint(clipped)
        shaped = clipped.reshape((*vectors.shape[:-1], *self.space.shape))
        return shaped.astype(self.space.dtype)


ActionSet: TypeAlias = ListedActions | BoxActions


def action_set(space: SpaceSpec) -> ActionSet:
    """Returns the actions of a space as planners handle them.

    Raises:
        ValueError: If a box has an element without finite bounds, or there are more
            than `MAX_LISTED_ACTIONS`.
    """
    match space:
        case DiscreteSpec(num_values=number, start=start):
            _check_number(number)
            return ListedActions(tuple(range(start, start + number)))
        case MultiDiscreteSpec(num_values=counts):
            _check_number(math.prod(counts))
            rows = itertools.product(*(range(count) for count in counts))
            return ListedActions(tuple(np.array(row, dtype=np.int64) for row in rows))
        case BoxSpec():
            low, high = space.bounds()
            if not (np.isfinite(low).all() and np.isfinite(high).all()):
                raise ValueError(
                    "A planner needs actions with finite bounds, got a box with "
                    f"low {space.low} and high {space.high}."
                )
            return BoxActions(space, low, high)
        case _:
            return ListedActions(())


def _check_number(number: int) -> None:
    if number > MAX_LISTED_ACTIONS:
        raise ValueError(
            f"A planner needs at most {MAX_LISTED_ACTIONS} actions, got {number}."
        )


def same_action(left: Value, right: Value) -> bool:
    """Returns whether two actions are one."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return bool(np.array_equal(left, right))
    return bool(left == right)


def index_of(action: Value, actions: Sequence[Value]) -> int:
    """Returns the place of an action in a list; -1 if it is not there."""
    for index, other in enumerate(actions):
        if same_action(action, other):
            return index
    return -1
