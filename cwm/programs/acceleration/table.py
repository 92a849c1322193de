"""The tabular form of a program with finitely many states and actions.

Every pair of a state and an action is looked up in what the original said of it, so
the form is right by construction and is compared on all pairs none the less.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import DiscreteSpec, SpaceSpec

MAX_ENTRIES = 3_000
"""Pairs up to which a table is written; a program has at most 64 KiB."""


def has_table(observation_space: SpaceSpec, action_space: SpaceSpec) -> bool:
    """Returns whether all pairs of state and action fit into a table."""
    match observation_space, action_space:
        case DiscreteSpec(), DiscreteSpec():
            return observation_space.num_values * action_space.num_values <= MAX_ENTRIES
    return False


def tabulated(
    observation_space: DiscreteSpec,
    action_space: DiscreteSpec,
    rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
) -> str:
    """Returns a class with `step_batch` by tables.

    Args:
        observation_space: Space of the states.
        action_space: Space of the actions.
        rows: Next states, rewards and terminated flags, of all pairs with the action
            changing fastest.
    """
    following, rewards, terminated = (np.asarray(part).tolist() for part in rows)
    flags = [int(flag) for flag in terminated]
    place = (
        f"(states - {observation_space.start}) * {action_space.num_values}"
        f" + (actions - {action_space.start})"
    )
    return f"""
TABLE_FOLLOWING = np.array({following!r}, dtype=np.int64)
TABLE_REWARDS = np.array({rewards!r}, dtype=np.float64)
TABLE_TERMINATED = np.array({flags!r}, dtype=np.bool_)


class Fast(Environment):
    def step_batch(self, states, actions):
        place = {place}
        return TABLE_FOLLOWING[place], TABLE_REWARDS[place], TABLE_TERMINATED[place]
"""
