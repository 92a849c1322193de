"""Who chooses the actions of the trajectories: random policies and planners.

A curator offers a fixed sequence of policies, from random ones to planners that
seek return, novelty, or a kind of termination that the data lack. It plans on a
copy of the environment and knows it only through `reset`, `step`, `save` and
`restore`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from cwm.core.codec import decode_columns
from cwm.core.seeding import child_rng
from cwm.core.spaces import SpaceSpec, Value
from cwm.core.trajectories import Trajectory
from envs.actions import ActionSource
from envs.explore import Explorer
from envs.novelty import NUM_ENDS_WANTED, Rollout, Side, Way
from envs.snapshots import Snapshot, SnapshotEnv
from envs.spaces import to_value

STICKY_HOLD = 8.0
"""Mean number of steps for which the sticky random policy holds an action."""


NUM_SEEDS = 16
"""First observations that a planner chooses from."""

NUM_ROUNDS = 3
"""One of random plans, and others in which the best plan so far is varied."""

MIN_PLANS = 4
"""Plans tried when the planning steps are used up."""

NUM_REACHED_WANTED = 3
"""Trajectories that should come to the farthest state along each side."""

SEARCH_SHARES = 4
"""A search may cost as much as this many other trajectories."""

MISSING_FACTOR = 3
"""A search for the other end of a threshold may cost this much more, beyond shares."""

MAX_SEARCHES = 2
"""Searches for the other end of a threshold before it is taken to have none."""

RANDOM_POLICIES = ("random", "sticky")
"""Policies that do not plan."""

RETURN_POLICIES = ("return", "mixed")
"""Policies that look farther ahead: what is lost soon after counts as well."""


class _Effort(NamedTuple):
    """How far to look ahead, in how many plans, in how many rounds of them."""

    horizon: int
    num_plans: int
    num_rounds: int


class Choice(NamedTuple):
    """An episode to record."""

    policy: str
    seed: int
    actions: list[Value]


class Curator(Protocol):
    """Chooses what to record next, given what was recorded."""

    def choose(
        self, index: int, seeds: Sequence[int], *, length: int, enough: int
    ) -> Choice:
        """Returns a policy, the seed of its episode and the actions that it takes.

        Args:
            index: Which trajectory, from 0; decides the policy.
            seeds: The episode may start with `reset` of one of these. Planners take
                one whose first observation is most unlike the data so far; random
                policies take the first.
            length: Longest episode to plan, in steps.
            enough: A trajectory of this many steps may end early.
        """
        ...

    def learn(self, trajectory: Trajectory) -> None:
        """Takes note of what was recorded."""
        ...


class ExplorerCurator:
    """Curates environments with real-valued observations.

    Policies: `random`, `sticky` (actions held for a while), `novelty`, `return` and
    `mixed` (rollouts from snapshots), `far` (an archive of cells, for states and
    ends that are many steps away).
    """

    policies = (
        *("random", "sticky", "novelty", "far", "return"),
        *("far", "mixed", "far", "novelty", "far"),
    )
    horizon = 24
    num_kept = 12
    """Steps of a chosen rollout that are taken before the next choice."""

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
        self.is_stochastic = is_stochastic
        self.planning_steps = planning_steps
        self.seed = seed
        self._num_learned = 0
        self._num_extra = 0
        self._num_searched: Counter[Side] = Counter()
        self._ways: list[tuple[int, Way]] = []
        self._planned_lengths: list[int] = []
        self.explorer = Explorer(
            env,
            observation_space=observation_space,
            source=source,
            is_stochastic=is_stochastic,
            rng=child_rng(seed, "features"),
        )

    def choose(
        self, index: int, seeds: Sequence[int], *, length: int, enough: int
    ) -> Choice:
        """Returns what to record; see `Curator`."""
        policies = self.policies if self.planning_steps else RANDOM_POLICIES
        policy = policies[index % len(policies)]
        rng = child_rng(self.seed, "choose", index)
        if policy == "random":
            actions = [self.source.uniform(rng) for _ in range(length)]
            return Choice(policy, seeds[0], actions)
        if policy == "sticky":
            actions = self.source.held(rng, length, STICKY_HOLD)
            return Choice(policy, seeds[0], actions)
        seed = self._newest_start(seeds)
        done: list[Value] = []
        # What a search finds on one draw of chance is no way to anything.
        if policy in ("far", "novelty") and not self.is_stochastic:
            if policy == "far":
                done = self._search(seed, length, rng)
            # A kind of end that is known but was never recorded comes first.
            way = self._rare_end(NUM_ENDS_WANTED if policy == "far" else 1)
            if way is not None:
                return Choice("far", *way)
        self.env.reset(seed)
        self.explorer.run(done)
        actions = self._follow(
            policy, seed, done, length=length, enough=enough, rng=rng
        )
        return Choice(policy, seed, actions[:length])

    def _search(self, seed: int, length: int, rng: np.random.Generator) -> list[Value]:
        """Notes ways to ends; returns actions that lead to what the data lack most.

        That is the farthest state along a side to which few trajectories came, or
        else the rarest state.
        """
        self.env.reset(seed)
        novelty = self.explorer.novelty
        # Not all thresholds have two sides.
        tries = self._num_searched
        missing = [s for s in novelty.missing_sides() if tries[s] < MAX_SEARCHES]
        tries.update(missing)
        max_steps = SEARCH_SHARES * self._allowance()
        before = self.explorer.num_steps
        found = self.explorer.search_far(
            self.env.save(),
            sides=missing or self._sides_to_search(),
            until_ended=bool(missing),
            max_steps=max_steps * (MISSING_FACTOR if missing else 1),
            length=length,
            rng=rng,
        )
        self._num_extra += max(0, self.explorer.num_steps - before - max_steps)
        self._ways += [(seed, way) for way in found.ends]
        reached = [novelty.num_reached(extreme) for extreme in found.extremes]
        if not reached or min(reached) >= NUM_REACHED_WANTED:
            return found.to_rarest
        least = [
            e for e, n in zip(found.extremes, reached, strict=True) if n == min(reached)
        ]
        return max(least, key=novelty.excess).actions

    def _sides_to_search(self) -> list[Side]:
        """Returns the sides beyond which few episodes ended."""
        novelty = self.explorer.novelty
        ended = novelty.num_ended()
        sides = [(e, side) for e in range(len(novelty.low)) for side in (1, -1)]
        return [side for side in sides if ended[side] < NUM_ENDS_WANTED]

    def _rare_end(self, num_wanted: int) -> tuple[int, list[Value]] | None:
        """Returns the way to the rarest kind of end known, as seed and actions.

        `None` if `num_wanted` of each kind are recorded.
        """
        novelty = self.explorer.novelty
        kinds = [novelty.terminal_kind(way.rollout) for _, way in self._ways]
        rare = [i for i, k in enumerate(kinds) if novelty.terminals[k] < num_wanted]
        if not rare:
            return None
        # Of equally rare ends, the one farthest away is the hardest to come by.
        best = min(
            rare,
            key=lambda i: (novelty.terminals[kinds[i]], -len(self._ways[i][1].actions)),
        )
        seed, way = self._ways.pop(best)
        return seed, way.actions

    def _allowance(self) -> int:
        """Returns the steps that one trajectory may cost: a share of what is left.

        A search counts as several.
        """
        left = self.planning_steps * len(self.policies) + self._num_extra
        left -= self.explorer.num_steps
        to_come = self.policies[self._num_learned :]
        num_shares = sum(
            SEARCH_SHARES if policy == "far" else 1
            for policy in to_come
            if policy not in RANDOM_POLICIES
        )
        return max(0, left // max(1, num_shares))

    def _newest_start(self, seeds: Sequence[int]) -> int:
        """Returns the seed whose first observation is rarest in the data."""
        observations = [to_value(self.space, self.env.reset(seed)) for seed in seeds]
        features = np.asarray([self.explorer.features(o) for o in observations])
        return seeds[int(self.explorer.novelty.rarity(features).argmax())]

    def _follow(
        self,
        policy: str,
        seed: int,
        done: list[Value],
        *,
        length: int,
        enough: int,
        rng: np.random.Generator,
    ) -> list[Value]:
        """Returns the actions of a policy that looks ahead again and again."""
        done = list(done)
        effort = self._effort(length, 2 if policy in RETURN_POLICIES else 1)
        rest: list[Value] = []
        while len(done) < length:
            start = self.env.save()
            left = length - len(done)
            rank = partial(
                self._rank,
                policy,
                may_end=length - left + self.horizon >= enough,
                is_last=left <= self.horizon,
            )
            near = effort._replace(horizon=min(effort.horizon, left))
            found = self._look_ahead(start, rest, rank=rank, effort=near, rng=rng)
            self._note_ends(seed, done, found)
            best = max(found, key=rank)
            if policy == "mixed" and rng.random() < 0.25:
                best = found[int(rng.integers(effort.num_plans))]
            is_wanted = policy not in RETURN_POLICIES and rank(best)[0] > 0
            kept = self._num_taken(best, is_wanted=is_wanted)
            self.explorer.restore(start)
            taken = self.explorer.run(best.actions[:kept])
            self.explorer.novelty.count_part(taken)
            done.extend(taken.actions)
            rest = best.actions[kept:]
            if taken.terminated or taken.truncated:
                break
        return done

    def _note_ends(self, seed: int, done: list[Value], found: list[Rollout]) -> None:
        """Keeps the way to each kind of end that neither data nor ways have."""
        novelty = self.explorer.novelty
        if self.is_stochastic:
            return
        known = {novelty.terminal_kind(way.rollout) for _, way in self._ways}
        for rollout in found:
            if not rollout.terminated:
                continue
            kind = novelty.terminal_kind(rollout)
            if kind not in known and not novelty.terminals[kind]:
                known.add(kind)
                self._ways.append((seed, Way([*done, *rollout.actions], rollout)))

    def _effort(self, length: int, num_horizons: int) -> _Effort:
        """Returns how far and how hard to look ahead in a trajectory."""
        lengths = self._planned_lengths
        expected = 2 * float(np.mean(lengths)) if lengths else length
        expected = min(max(expected, 2 * self.horizon), length)
        steps_per_choice = self._allowance() * self.num_kept / expected
        horizon = num_horizons * self.horizon
        number = int(steps_per_choice / horizon / NUM_ROUNDS)
        if number < MIN_PLANS:
            return _Effort(horizon, MIN_PLANS, 1)
        return _Effort(horizon, number, NUM_ROUNDS)

    def _look_ahead(
        self,
        start: Snapshot,
        rest: list[Value],
        *,
        rank: Callable[[Rollout], tuple[float, float]],
        effort: _Effort,
        rng: np.random.Generator,
    ) -> list[Rollout]:
        """Returns rollouts of random plans, then of variations of the best one."""
        horizon, number = effort.horizon, effort.num_plans
        plans = self.explorer.random_plans(number, horizon, rng)
        if rest:
            plans[0] = [*rest, *plans[0]][:horizon]
        found = self.explorer.rollouts(start, plans=plans, rng=rng)
        for _ in range(effort.num_rounds - 1):
            best = max(found, key=rank)
            padded = [*best.actions, *plans[-1]][:horizon]
            hold = float(rng.uniform(1.0, self.num_kept))
            varied = [self.source.perturbed(padded, rng, hold) for _ in range(number)]
            found += self.explorer.rollouts(start, plans=varied, rng=rng)
        return found

    def _num_taken(self, best: Rollout, *, is_wanted: bool) -> int:
        """Returns how many steps to take before looking ahead again."""
        if best.terminated and is_wanted and not self.is_stochastic:
            return len(best)
        if best.terminated:
            # All plans end the episode: there may be a way out for the next ones.
            return max(1, len(best) // 3)
        return min(self.num_kept, len(best))

    def _rank(
        self, policy: str, rollout: Rollout, *, may_end: bool, is_last: bool
    ) -> tuple[float, float]:
        """Returns what a policy prefers by, and by what among equals."""
        score = self.explorer.novelty.score(rollout)
        if policy in RETURN_POLICIES:
            return float(rollout.rewards.sum()), score
        is_rare = may_end and self.explorer.novelty.is_rare_terminal(rollout)
        if (is_rare or is_last) == rollout.terminated:
            return 1.0, score
        # An end that is not wanted is better later than sooner.
        return (len(rollout) - self.horizon) / self.horizon, score

    def learn(self, trajectory: Trajectory) -> None:
        """Counts what a trajectory went through."""
        self._num_learned += 1
        if trajectory.policy not in RANDOM_POLICIES:
            self._planned_lengths.append(len(trajectory))
        values = decode_columns(self.space, trajectory.observations)
        actions = decode_columns(self.source.space, trajectory.actions)
        self.explorer.novelty.add(
            Rollout(
                actions=actions,
                features=np.asarray([self.explorer.features(v) for v in values[1:]]),
                rewards=trajectory.rewards,
                terminated=bool(trajectory.terminated[-1]),
                truncated=bool(trajectory.truncated[-1]),
            )
        )
