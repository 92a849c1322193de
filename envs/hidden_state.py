"""The state that a simulator keeps, as numbers: recorded for diagnosis only.

A world model is judged by observations. Where one cannot be right, what the simulator
knew and did not show tells why; no proposer ever sees it.

Covers: MuJoCo's data, `state` and `s` of Gymnasium's own environments, hands of
cards. Does not cover: other environments, which have no known state.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from envs.snapshots import is_mujoco
from envs.spec import Env

StateParts: TypeAlias = Mapping[str, NDArray[np.float64]]
"""Numbers of a state by the name of the part that they belong to."""

MUJOCO_PARTS = ("qpos", "qvel", "act", "qacc_warmstart", "xpos", "xipos")
"""Parts of MuJoCo's data that decide what follows, beside its time.

Positions of bodies and of their centres of mass are functions of the rest, but lag one
substep behind, and rewards are computed from them.
"""

MAX_CARDS = 22
"""No hand has more: 21 aces, and the card that is one too many."""


def state_parts(env: Env) -> StateParts | None:
    """Returns the present state of an environment; `None` if none is known."""
    unwrapped: Any = env.unwrapped
    if is_mujoco(env):
        data = unwrapped.data
        parts = {"time": np.asarray([data.time])}
        parts |= {name: np.array(getattr(data, name)) for name in MUJOCO_PARTS}
        return {name: np.ravel(part).astype(np.float64) for name, part in parts.items()}
    hands = {name: getattr(unwrapped, name, None) for name in ("player", "dealer")}
    if all(_is_hand(hand) for hand in hands.values()):
        return {name: _padded(hand) for name, hand in hands.items() if hand is not None}
    for name in ("state", "s"):
        numbers = _numbers(getattr(unwrapped, name, None))
        if numbers is not None:
            return {name: numbers}
    return None


def _is_hand(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MAX_CARDS
        and all(isinstance(card, int | np.integer) for card in value)
    )


def _padded(hand: Sequence[int]) -> NDArray[np.float64]:
    """Returns a hand with zeros where there is no card."""
    cards = np.zeros(MAX_CARDS)
    cards[: len(hand)] = hand
    return cards


def _numbers(value: Any) -> NDArray[np.float64] | None:
    is_one = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_one and not isinstance(value, np.ndarray | list | tuple):
        return None
    try:
        numbers = np.array(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        return None
    return numbers if numbers.size else None


def state_layout(env: Env) -> dict[str, int] | None:
    """Returns how many columns each part has in `Trajectory.states`, in order.

    `None` if no state is known.

    Args:
        env: An environment that has been reset.
    """
    parts = state_parts(env)
    return None if parts is None else {n: len(part) for n, part in parts.items()}


def stacked(states: Sequence[StateParts | None]) -> NDArray[np.float64] | None:
    """Returns states as rows, `[T, S]`; `None` unless all are known and alike."""
    rows = [
        None if parts is None else np.concatenate(list(parts.values()))
        for parts in states
    ]
    known = [row for row in rows if row is not None]
    if len(known) < len(rows) or len({len(row) for row in known}) != 1:
        return None
    return np.stack(known)
