"""Who chooses the actions where observations repeat exactly: planning on a table."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cwm.core.seeding import child_rng, child_seed
from cwm.core.spaces import SpaceSpec, Value
from cwm.core.trajectories import Trajectory
from envs.actions import ActionSource, to_key
from envs.curators import Choice
from envs.snapshots import SnapshotEnv
from envs.spaces import to_gymnasium, to_value
from envs.tabular import DISCOUNT, NoveltyValues, TransitionTable

DULL = 0.2
"""Novelty below which a trajectory may end: something new is 30 steps away."""

NEAR_THE_END = 60
"""Steps before the end from which the way to a terminal state is watched."""


class TableCurator:
    """Curates environments whose observations repeat exactly.

    Policies: `random`, `novelty` (what was tried least, then a terminal state),
    `return` (value iteration), `mixed` (half of the actions random).
    """

    policies = (
        *("random", "novelty", "novelty", "mixed", "novelty"),
        *("novelty", "return", "novelty", "novelty", "novelty"),
    )

    def __init__(
        self,
        env: SnapshotEnv,
        *,
        source: ActionSource,
        observation_space: SpaceSpec,
        is_stochastic: bool,
        planning_steps: int,
        seed: int,
    ) -> None:
        self.env = env
        self.source = source
        self.space = observation_space
        self.seed = seed
        self.table = TransitionTable(num_actions=len(source.actions))
        self.action_index = {to_key(a): i for i, a in enumerate(source.actions)}
        self.novelty = NoveltyValues(self.table, is_stochastic=is_stochastic)
        self.ends: Counter[float] = Counter()
        self.can_plan = planning_steps > 0
        self._returns = np.zeros((0, 0))
        self._num_solved = -1
        self._fill(planning_steps)

    def _fill(self, num_steps: int) -> None:
        """Explores the copy until the table has had `num_steps` steps."""
        novelty = NoveltyValues(self.table, is_stochastic=False)
        rng = child_rng(self.seed, "fill")
        state, episode = -1, 0
        for _ in range(num_steps):
            if state < 0:
                seed = child_seed(self.seed, "fill", episode)
                state, episode = self._state(self.env.reset(seed)), episode + 1
            action = _argmax(novelty.action_values(num_sweeps=2)[state], rng)
            novelty.tried(state, action)
            state = self._step(state, action)

    def _state(self, observation: Value) -> int:
        return self.table.state(to_key(to_value(self.space, observation)))

    def _step(self, state: int, action: int) -> int:
        """Steps the copy and counts the outcome; -1 if the episode ended."""
        value = self.source.actions[action]
        step = self.env.step(to_gymnasium(self.source.space, value))
        next_state = self._state(step.observation)
        self.table.add(state, action, next_state, step.reward, step.terminated)
        return -1 if step.terminated or step.truncated else next_state

    def choose(
        self, index: int, seeds: Sequence[int], *, length: int, enough: int
    ) -> Choice:
        """Returns what to record; see `Curator`."""
        policy = self.policies[index % len(self.policies)]
        policy = policy if self.can_plan else "random"
        rng = child_rng(self.seed, "choose", index)
        seed = self._newest_start(seeds) if policy == "novelty" else seeds[0]
        state = self._state(self.env.reset(seed))
        chosen: list[Value] = []
        while state >= 0 and len(chosen) < length:
            if policy == "novelty":
                left = length - len(chosen)
                may_end = len(chosen) >= enough
                action = self._newest(state, left=left, may_end=may_end, rng=rng)
            elif policy == "return" or (policy == "mixed" and rng.random() < 0.5):
                action = self._greedy(self._return_values(), state, rng)
            else:
                action = int(rng.integers(len(self.source.actions)))
            chosen.append(self.source.actions[action])
            self.novelty.tried(state, action)
            state = self._step(state, action)
        return Choice(policy, seed, chosen)

    def _newest_start(self, seeds: Sequence[int]) -> int:
        """Returns the seed whose first observation leads to what the data lack."""
        states = [self._state(self.env.reset(seed)) for seed in seeds]
        if len(set(states)) == 1:
            return seeds[0]
        values = self.novelty.action_values(num_sweeps=64).max(axis=1)
        return seeds[int(np.argmax(values[states]))]

    def _greedy(
        self, values: NDArray[np.float64], state: int, rng: np.random.Generator
    ) -> int:
        # A state may be new to the table since the values were made.
        if state >= len(values):
            return int(rng.integers(len(self.source.actions)))
        return _argmax(values[state], rng)

    def _return_values(self) -> NDArray[np.float64]:
        """Returns action values of the return, solved anew if outcomes are new."""
        if self._num_solved != len(self.table.outcomes):
            self._num_solved = len(self.table.outcomes)
            gain = self.table.expected(self.table.outcomes["reward"].copy())
            gain = np.where(self.table.was_tried(), gain, gain.min(initial=0.0) - 1.0)
            self._returns = self.table.solve(gain, discount=0.99, num_sweeps=1_000)
        return self._returns

    def _end_values(self) -> NDArray[np.float64]:
        """Returns values of coming to an end; 1 for the kind that is rarest."""
        outcomes = self.table.outcomes
        weights = np.asarray([1 / (1 + self.ends[r]) for r in outcomes["reward"]])
        weights = np.where(outcomes["terminated"], weights, 0.0)
        weights /= max(weights.max(initial=0.0), 1e-9)
        return self.table.solve(self.table.expected(weights))

    def _newest(
        self, state: int, *, left: int, may_end: bool, rng: np.random.Generator
    ) -> int:
        novelty = self.novelty.action_values(num_sweeps=4)[state]
        is_dull = may_end and novelty.max() < DULL
        if is_dull or left < NEAR_THE_END:
            ends = self._end_values()[state]
            if ends.max() > 0:
                # A discounted gain of 1 tells how far away it is.
                distance = np.log(ends.max()) / np.log(DISCOUNT)
                if is_dull or left <= distance + 4:
                    return _argmax(ends, rng)
        return _argmax(novelty, rng)

    def learn(self, trajectory: Trajectory) -> None:
        """Takes note of how a trajectory ended."""
        if trajectory.terminated[-1]:
            self.ends[float(trajectory.rewards[-1])] += 1


def _argmax(values: NDArray[np.float64], rng: np.random.Generator) -> int:
    """Returns one of the best indices, ties broken at random."""
    best = np.flatnonzero(values >= values.max() - 1e-9)
    return int(best[int(rng.integers(len(best)))])
