"""Who knows the rules of the Playground and acts on the texts alone."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from envs.playground.rules import GO_TO, GRASP, RELEASE_ALL, RELEASE_FIRST
from envs.playground.scenes import read_goal
from envs.playground.texts import Shown, read
from envs.playground.things import (
    BABY_BIG,
    BABY_SMALL,
    BIG,
    CATEGORY,
    GROWN_PLANT,
    KINDS,
    PLANT,
    SEED,
    SMALL,
    THINGS,
    WATER,
    type_of,
)

_Move: TypeAlias = Callable[[Shown], int | None]


def _going_to(kind: int, wanted: str | None = None) -> _Move:
    """Goes to an object of a kind, and of a type or category if one is wanted."""

    def move(shown: Shown) -> int | None:
        names = [
            name
            for name in shown.visible
            if KINDS[THINGS[name]] == kind and wanted in (None, *_names(name))
        ]
        return GO_TO[THINGS[names[-1]]] if names else None

    return move


def _names(name: str) -> tuple[str, str]:
    kind = type_of(THINGS[name])
    return kind, CATEGORY[kind]


def _giving(kind: int) -> _Move:
    def move(shown: Shown) -> int | None:
        kinds = [KINDS[THINGS[name]] for name in sorted(shown.items)]
        return RELEASE_FIRST + kinds.index(kind) if kind in kinds else None

    return move


def _grasping(shown: Shown) -> int:
    return GRASP


def _giving_all(shown: Shown) -> int:
    return RELEASE_ALL


def _plant(wanted: str | None = None) -> list[_Move]:
    return [_going_to(WATER), _grasping, _going_to(SEED, wanted), _giving(WATER)]


def _moves(wanted: str) -> list[_Move]:
    """Returns the script that grows a type or category: 4, 7 or 12 moves."""
    category = CATEGORY.get(wanted, wanted)
    if category == PLANT:
        return _plant(wanted)
    if category == SMALL:
        return [
            *(*_plant(), _grasping),
            *(_going_to(BABY_SMALL, wanted), _giving(GROWN_PLANT)),
        ]
    assert category == BIG, "goals have no other category"
    return [
        *(*_plant(), _grasping, *_plant(), _grasping),
        *(_going_to(BABY_BIG, wanted), _giving_all),
    ]


class TextOracle:
    """Follows a script that reaches a goal of the Playground; for one episode.

    The published oracles know the default goal only; this one knows any, and needs
    nothing but the state texts.
    """

    def __init__(self, goal: str) -> None:
        """Makes it.

        Args:
            goal: As in `envs.playground.scenes.read_goal`.
        """
        self._moves = [one for name in read_goal(goal).wanted for one in _moves(name)]

    def __call__(
        self,
        state: str,
        actions: Sequence[tuple[int, str]],
        rng: np.random.Generator,
    ) -> int | None:
        """Returns the next action; `None` at the end, or if it cannot be taken."""
        action = self._moves.pop(0)(read(state)) if self._moves else None
        return action if action in {number for number, _ in actions} else None
