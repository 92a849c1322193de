"""Planning in environments with real-valued observations, through snapshots.

`Explorer` rolls out random action sequences from the present state, for those who
continue along the best one: by novelty, by return, or towards a kind of termination
that the data lack. The archive of `search_far` restores rarely visited cells and
explores on from there (Go-Explore, https://arxiv.org/abs/1901.10995, Section 2).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cwm.core.spaces import SpaceSpec, Value
from envs.actions import ActionSource
from envs.archive import Archive
from envs.novelty import (
    Extreme,
    FeatureMap,
    Novelty,
    Rollout,
    Side,
    TerminalKind,
    Way,
)
from envs.snapshots import Snapshot, SnapshotEnv, reseed
from envs.spaces import to_gymnasium


class Explorer:
    """Rolls out action sequences from snapshots of one environment.

    Attributes:
        env: The environment that is stepped, saved and restored.
        novelty: What the data have so far.
    """

    def __init__(
        self,
        env: SnapshotEnv,
        *,
        observation_space: SpaceSpec,
        source: ActionSource,
        is_stochastic: bool,
        rng: np.random.Generator,
    ) -> None:
        self.env = env
        self.source = source
        self.is_stochastic = is_stochastic
        self.features = FeatureMap(observation_space, rng)
        self.novelty = Novelty(source)
        self.num_steps = 0

    def run(self, actions: list[Value]) -> Rollout:
        """Takes steps from the present state until the episode ends."""
        features, rewards = [], []
        terminated = truncated = False
        for action in actions:
            step = self.env.step(to_gymnasium(self.source.space, action))
            features.append(self.features(step.observation))
            rewards.append(step.reward)
            terminated, truncated = step.terminated, step.truncated
            if terminated or truncated:
                break
        self.num_steps += len(rewards)
        return Rollout(
            actions=actions[: len(rewards)],
            features=np.asarray(features),
            rewards=np.asarray(rewards),
            terminated=terminated,
            truncated=truncated,
        )

    def rollouts(
        self,
        start: Snapshot,
        *,
        plans: list[list[Value]],
        rng: np.random.Generator,
    ) -> list[Rollout]:
        """Returns what each plan leads to from a snapshot.

        In a stochastic environment each has chances of its own: what the recorded
        episode will draw must not be known to whoever chooses its actions.
        """
        found = []
        for plan in plans:
            self.restore(start)
            if self.is_stochastic:
                reseed(self.env.env, int(rng.integers(1 << 31)))
            found.append(self.run(plan))
        self.novelty.see(found)
        return found

    def random_plans(
        self, number: int, horizon: int, rng: np.random.Generator
    ) -> list[list[Value]]:
        """Returns action sequences, from jittery to holding one action."""
        holds = np.exp(rng.uniform(0.0, np.log(max(horizon, 2)), size=number))
        return [self.source.held(rng, horizon, float(hold)) for hold in holds]

    def restore(self, snapshot: Snapshot) -> None:
        """Goes back to a saved state, which costs about as much as some steps."""
        self.num_steps += self.env.adapter.restore_cost
        self.env.restore(snapshot)

    def search_far(
        self,
        start: Snapshot,
        *,
        sides: Sequence[Side],
        max_steps: int,
        length: int,
        rng: np.random.Generator,
        until_ended: bool = False,
    ) -> "Found":
        """Looks for ends and states that are many steps away.

        Args:
            start: Where to begin.
            sides: Where to look for them above all.
            max_steps: Environment steps to spend.
            length: Longest sequence, in steps.
            rng: Source of the actions and of what is restored; advanced.
            until_ended: Stop when there is an end beyond each of `sides`.
        """
        archive = Archive(start, self.novelty.low, self.novelty.high)
        ends: list[Way] = []
        left_to_find = set(sides)
        rim = _Rim(len(self.novelty.low))
        budget_end = self.num_steps + max_steps
        while self.num_steps < budget_end:
            entry = archive.choose(rng, sides)
            # A way that is too long already still counts as a try.
            left = max(1, length - len(entry.actions))
            self.restore(entry.snapshot)
            horizon = min(int(rng.integers(2, MAX_HOP)), left)
            hold = float(rng.integers(1, horizon + 1))
            rollout = self.run(self.source.held(rng, horizon, hold))
            self.novelty.see([rollout])
            actions = [*entry.actions, *rollout.actions]
            if len(actions) > length:
                continue
            rim.widen(entry.actions, rollout)
            if rollout.terminated:
                ends.append(Way(actions, rollout))
                left_to_find.discard(self.novelty.terminal_kind(rollout)[:2])
                if until_ended and not left_to_find:
                    break
            elif not rollout.truncated and archive.is_wanted(rollout, len(actions)):
                archive.add(actions, rollout.features[-1], self.env.save())
        return Found(self._shortest(ends), rim.extremes(), self._rarest_state(archive))

    def _shortest(self, ends: list[Way]) -> list[Way]:
        ways: dict[TerminalKind, Way] = {}
        for way in ends:
            kind = self.novelty.terminal_kind(way.rollout)
            if kind not in ways or len(way.actions) < len(ways[kind].actions):
                ways[kind] = way
        return list(ways.values())

    def _rarest_state(self, archive: Archive) -> list[Value]:
        entries = [entry for entry in archive.entries if entry.features is not None]
        if not entries:
            return []
        features = np.asarray([entry.features for entry in entries])
        return entries[int(self.novelty.rarity(features).argmax())].actions


class Found(NamedTuple):
    """What a search came to.

    Attributes:
        ends: The shortest way to each kind of end.
        extremes: The farthest state along each side.
        to_rarest: Actions that lead to the state that is rarest in the data.
    """

    ends: list[Way]
    extremes: list[Extreme]
    to_rarest: list[Value]


class _Rim:
    """The farthest states along each side that were not ends."""

    def __init__(self, num_elements: int) -> None:
        self._farthest = np.full(2 * num_elements, -np.inf)
        self._ways: dict[int, list[Value]] = {}

    def widen(self, before: list[Value], rollout: Rollout) -> None:
        """Takes note of what a rollout went through after `before`."""
        features = rollout.features[:-1] if rollout.terminated else rollout.features
        if not len(features):
            return
        values = np.concatenate([features, -features], axis=1)
        for index in np.flatnonzero(values.max(axis=0) > self._farthest).tolist():
            step = int(values[:, index].argmax())
            self._farthest[index] = values[step, index]
            self._ways[index] = [*before, *rollout.actions[: step + 1]]

    def extremes(self) -> list[Extreme]:
        """Returns the farthest state along each side."""
        found = []
        for index, actions in sorted(self._ways.items()):
            direction = 1 if index < len(self._farthest) // 2 else -1
            side = (index % (len(self._farthest) // 2), direction)
            value = direction * float(self._farthest[index])
            found.append(Extreme(side, value, actions))
        return found


MAX_HOP = 16
"""Steps explored from a restored cell, at most."""
