"""Saving and restoring an episode in words, in about a millisecond.

Minigrid's levels do not define how they are pickled, so that a deep copy is one; the
self-test of `envs.snapshots` looks at it all the same.
"""

from copy import deepcopy
from typing import Any

from envs.babyai.levels import LevelSource
from envs.snapshots import AttributeSnapshots, Snapshot
from envs.spec import Env


class LevelSnapshots:
    """Copies the level and the plain attributes; an `envs.snapshots.SnapshotAdapter`.

    Args:
        env: An environment of BabyAI in words, wrappers included.
        source: Its source of levels.
    """

    restore_cost = 3

    def __init__(self, env: Env, source: LevelSource) -> None:
        self.source = source
        self.attributes = AttributeSnapshots(env)

    def began(self, seed: int) -> None:
        """Does nothing: the level says it all."""

    def stepped(self, action: Any) -> None:
        """Does nothing: the level says it all."""

    def save(self) -> Snapshot:
        """Returns copies of the level and of the attributes."""
        source = self.source
        level = deepcopy(source.level)
        return level, source.kind, source.random_state(), self.attributes.save()

    def restore(self, snapshot: Snapshot) -> None:
        """Puts a copy of the saved level in place."""
        level, kind, random_state, attributes = snapshot
        self.source.put(kind, deepcopy(level))
        self.source.set_random_state(random_state)
        self.attributes.restore(attributes)
