"""Who acts in recorded episodes: random actions and the scripted oracles.

A policy returns an action for the present scene, or `None` when it has done what it
wanted: an episode of an oracle may end before the environment's does.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from envs.playground.rules import (
    GO_TO,
    GRASP,
    RELEASE_ALL,
    RELEASE_FIRST,
    Scene,
    inventory,
    listed_actions,
    visible,
)
from envs.playground.things import (
    BABY_BIG,
    BABY_SMALL,
    GROWN_PLANT,
    KINDS,
    SEED,
    WATER,
)

DrawNumber: TypeAlias = Callable[[int], int]
"""Returns a random number from 0 to one less than its argument."""


class Policy(Protocol):
    """Chooses the actions of one episode."""

    def action(self, scene: Scene) -> int | None:
        """Returns what to do now; `None` for nothing more."""
        ...


class RandomPolicy:
    """O-Random: uniform over the list of legal actions, repeated ones included.

    Args:
        draw: Source of all randomness: `env.scenes.stream.randint` as published, or
            `rng.integers`.
    """

    def __init__(self, draw: DrawNumber) -> None:
        self._draw = draw

    def action(self, scene: Scene) -> int | None:
        """Returns a random legal action."""
        actions = listed_actions(scene)
        return actions[int(self._draw(len(actions)))]


Move: TypeAlias = Callable[[Scene], int | None]


def _going_to(kind: int) -> Move:
    def move(scene: Scene) -> int | None:
        # Of several names, the one that is met last for the first time.
        names = list(dict.fromkeys(o for o in visible(scene) if KINDS[o] == kind))
        return GO_TO[names[-1]] if names else None

    return move


def _giving(kind: int) -> Move:
    def move(scene: Scene) -> int | None:
        kinds = [KINDS[one] for one in inventory(scene)]
        return RELEASE_FIRST + kinds.index(kind) if kind in kinds else None

    return move


def _grasping(scene: Scene) -> int | None:
    return GRASP


def _giving_all(scene: Scene) -> int | None:
    return RELEASE_ALL


_PLANT: tuple[Move, ...] = (
    *(_going_to(WATER), _grasping),
    *(_going_to(SEED), _giving(WATER)),
)
_SMALL: tuple[Move, ...] = (
    *(*_PLANT, _grasping),
    *(_going_to(BABY_SMALL), _giving(GROWN_PLANT)),
)
_BIG: tuple[Move, ...] = (
    *(*_PLANT, _grasping, *_PLANT, _grasping),
    *(_going_to(BABY_BIG), _giving_all),
)

PLANS: dict[str, tuple[Move, ...]] = {
    "plant": _PLANT,
    "small": _SMALL,
    "small and big": (*_SMALL, *_BIG),
}
"""Scripts by what grows: 4, 7 and 19 steps."""


class ScriptedPolicy:
    """Follows one of the `PLANS` and then stops, or earlier if a move cannot be made.

    Args:
        plan: A name from `PLANS`.
    """

    def __init__(self, plan: str) -> None:
        self._moves = list(PLANS[plan])

    def action(self, scene: Scene) -> int | None:
        """Returns the next action of the script."""
        action = self._moves.pop(0)(scene) if self._moves else None
        return action if action in listed_actions(scene) else None


def hardest(number: int) -> list[Policy]:
    """Returns O-Hardest: episodes that reach the whole goal."""
    return [ScriptedPolicy("small and big") for _ in range(number)]


def curriculum(number: int, progress: float) -> list[Policy]:
    """Returns O-Curriculum: a plant first, then a small animal, then the whole goal.

    Args:
        number: Episodes.
        progress: Share of the training that is over, from 0 to 1.

    Raises:
        ValueError: If `progress` is not.
    """
    if not 0 <= progress <= 1:
        raise ValueError(f"progress must be from 0 to 1, got {progress}.")
    names = list(PLANS)
    # The last moment still belongs to the last third.
    plan = names[int(progress * len(names) - 1e-4)]
    return [ScriptedPolicy(plan) for _ in range(number)]


def ideal(number: int, draw: DrawNumber) -> list[Policy]:
    """Returns O-Ideal: small animals, then the whole goal, then random, a third each.

    Args:
        number: Episodes.
        draw: Source of the randomness of the random ones.
    """
    kinds: Sequence[Callable[[], Policy]] = (
        lambda: ScriptedPolicy("small"),
        lambda: ScriptedPolicy("small and big"),
        lambda: RandomPolicy(draw),
    )
    return [
        kind()
        for more, kind in enumerate(kinds)
        for _ in range((number + more) // len(kinds))
    ]
