"""Defects of saving by `copy.deepcopy`, and where planners look, in numbers.

Each function returns a row of its table: figures by column. `benchmarks.defects`
prints the tables; docs/benchmark-defects.md explains them.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from cwm.core.codec import decode_columns
from cwm.core.seeding import child_seed
from cwm.core.spaces import Value
from cwm.core.trajectories import Dataset, TransitionBatch, batch_trajectories
from cwm.suites.planner_visited import PlannerWalker, VisitConfig
from envs.actions import is_table_like, to_key, to_vector
from envs.collect import CollectConfig
from envs.snapshots import open_with_snapshots
from envs.spaces import to_value
from envs.spec import Env, EnvSpec

Row: TypeAlias = dict[str, float]
"""Figures by column; NaN where there is none."""

Save: TypeAlias = Callable[[Env], Any]
Restore: TypeAlias = Callable[[Env, Any], Env]
"""Puts an environment back; returns the one to go on with."""


def by_deepcopy() -> tuple[Save, Restore]:
    """Returns saving and restoring as a copy of the environment object."""
    return copy.deepcopy, lambda env, saved: copy.deepcopy(saved)


def by_snapshots(spec: EnvSpec, seed: int) -> tuple[Env, Save, Restore]:
    """Returns an environment with the way that `envs.snapshots` saves it."""
    snapshots = open_with_snapshots(spec, seed)

    def restore(env: Env, saved: Any) -> Env:
        snapshots.restore(saved)
        return env

    return snapshots.env, lambda env: snapshots.save(), restore


def try_plans(
    env: Env, save: Save, restore: Restore, *, num_plans: int, num_steps: int
) -> Env:
    """Returns the environment after a planner tried random plans in it.

    A planner that has no model but the environment: it saves, tries, and restores.
    What it found is not used: only what is left behind by looking.
    """
    saved = save(env)
    for _ in range(num_plans):
        for _ in range(num_steps):
            step = env.step(env.action_space.sample())
            if step[2] or step[3]:
                break
        env = restore(env, saved)
    return env


def deepcopy_of(spec: EnvSpec, *, num_episodes: int, seed: int) -> Row:
    """What `copy.deepcopy` loses, and what it does to recorded first transitions.

    A collector that keeps the observation of `reset`, lets a planner look ahead, and
    then records the first step. A first transition is wrong if its next observation
    is another one than the environment's, after that reset and with that action.
    """
    lost, wrong = 0.0, {"deepcopy": 0, "snapshot": 0}
    for episode in range(num_episodes):
        reset_seed = child_seed(seed, "deepcopy", episode)
        env = spec.make()
        env.action_space.seed(reset_seed)
        env.reset(seed=reset_seed)
        action = env.action_space.sample()
        before = _numbers(spec, env.step(action)[0])
        copied = copy.deepcopy(env)
        following = env.action_space.sample()
        after = [_numbers(spec, one.step(following)[0]) for one in (env, copied)]
        lost = max(lost, float(np.abs(after[0] - after[1]).max()))
        env.close()
        ways = {"deepcopy": (spec.make(), *by_deepcopy())}
        ways["snapshot"] = by_snapshots(spec, seed)
        for name, (other, save, restore) in ways.items():
            other.action_space.seed(reset_seed)
            other.reset(seed=reset_seed)
            acting = try_plans(other, save, restore, num_plans=2, num_steps=5)
            recorded = _numbers(spec, acting.step(action)[0])
            wrong[name] += not np.array_equal(recorded, before)
            acting.close()
    return {
        "next observation after deepcopy, off by": lost,
        "wrong first transitions, deepcopy": wrong["deepcopy"] / num_episodes,
        "wrong first transitions, snapshot": wrong["snapshot"] / num_episodes,
    }


def oracle_of(spec: EnvSpec, *, max_steps: int, num_episodes: int, seed: int) -> Row:
    """What a planner with the true environment does to the environment it acts in.

    The agent acts at random; whatever it gains, it gains by saving and restoring.
    """
    env = spec.make()
    env.action_space.seed(seed)
    env.reset(seed=seed)
    for _ in range(5):
        env.step(env.action_space.sample())
    before = _positions(env)
    env = try_plans(env, *by_deepcopy(), num_plans=1, num_steps=5)
    start: Any = getattr(env.unwrapped, "init_qpos", np.full_like(before, np.nan))
    row = {
        "positions moved by, deepcopy": float(np.abs(_positions(env) - before).max()),
        "then from the default pose": float(np.abs(_positions(env) - start).max()),
    }
    env.close()
    env, save, restore = by_snapshots(spec, seed)
    env.action_space.seed(seed)
    env.reset(seed=seed)
    for _ in range(5):
        env.step(env.action_space.sample())
    before = _positions(env)
    env = try_plans(env, save, restore, num_plans=1, num_steps=5)
    row["positions moved by, snapshot"] = float(np.abs(_positions(env) - before).max())

    def returns(*, every: int | None, by_copy: bool) -> float:
        found = [
            _random_return(
                spec, every, by_copy=by_copy, max_steps=max_steps, seed=seed + episode
            )
            for episode in range(num_episodes)
        ]
        return float(np.mean(found))

    row["random return, never planning"] = returns(every=None, by_copy=True)
    for every in (1, 10):
        column = f"planning every {every}, deepcopy"
        row[column] = returns(every=every, by_copy=True)
    row["planning every 1, snapshot"] = returns(every=1, by_copy=False)
    return row


def _random_return(
    spec: EnvSpec, every: int | None, *, by_copy: bool, max_steps: int, seed: int
) -> float:
    """Returns what random actions gain while a planner looks ahead now and then."""
    if by_copy:
        env, (save, restore) = spec.make(), by_deepcopy()
    else:
        env, save, restore = by_snapshots(spec, seed)
    env.reset(seed=seed)
    # Planning draws actions of its own, so that all agents do the same.
    actions = copy.deepcopy(env.action_space)
    actions.seed(seed)
    total = 0.0
    for step in range(max_steps):
        if every is not None and step % every == 0:
            env = try_plans(env, save, restore, num_plans=1, num_steps=1)
        _, reward, terminated, truncated, _ = env.step(actions.sample())
        total += float(reward)
        if terminated or truncated:
            break
    env.close()
    return total


def _numbers(spec: EnvSpec, observation: Any) -> NDArray[np.float64]:
    space = spec.observation_space
    return to_vector(space, to_value(space, observation))


def _positions(env: Env) -> NDArray[np.float64]:
    unwrapped: Any = env.unwrapped
    state = unwrapped.data.qpos if hasattr(unwrapped, "data") else unwrapped.state
    return np.array(state, dtype=np.float64)


def planner_queries(
    spec: EnvSpec, datasets: Mapping[str, Dataset], *, num_queries: int, seed: int
) -> Row:
    """How far a planner's questions are from recorded transitions.

    The default planner acts with the true model, which is asked about imagined steps.
    A question is new if its observation and action are not among the training
    transitions (where these repeat), or if some element of its observation is outside
    their range (elsewhere). Where there are distances, it is also said how probable
    it is that a question is farther from the training transitions than a held-out
    one: 1/2 if they are alike.

    Args:
        spec: The environment.
        datasets: Of that environment, by name.
        num_queries: Imagined steps that are looked at, an even sample of all.
        seed: Of everything.
    """
    amount = VisitConfig(num_transitions=2 * num_queries)
    planning_steps = CollectConfig().planning_steps
    with PlannerWalker(spec, None, planning_steps=planning_steps, seed=seed) as walker:
        visits = walker.visit(amount, seed)
    spaces = spec.observation_space, spec.action_space
    questions = _pairs(batch_trajectories(visits.queries, *spaces))
    row: Row = {}
    for name, dataset in datasets.items():
        train, held_out = (
            _pairs(dataset.batch(split)) for split in ("train", "held_out")
        )
        row[f"{name}: new held-out transitions"] = _share_new(spec, train, held_out)
        row[f"{name}: new questions"] = _share_new(spec, train, questions)
        if not is_table_like(spec.observation_space):
            row[f"{name}: farther than held out"] = _farther(
                spec, train, held_out, questions
            )
    return row


Pairs: TypeAlias = Sequence[tuple[Value, Value]]


def _pairs(batch: TransitionBatch) -> Pairs:
    return list(
        zip(
            decode_columns(batch.observation_space, batch.observations),
            decode_columns(batch.action_space, batch.actions),
            strict=True,
        )
    )


def _share_new(spec: EnvSpec, train: Pairs, pairs: Pairs) -> float:
    """Returns the share of pairs that are unlike all training pairs."""
    if is_table_like(spec.observation_space):
        seen = {to_key(pair) for pair in train}
        return float(np.mean([to_key(pair) not in seen for pair in pairs]))
    known, found = (
        np.asarray([to_vector(spec.observation_space, pair[0]) for pair in some])
        for some in (train, pairs)
    )
    is_outside = (found < known.min(axis=0)) | (found > known.max(axis=0))
    return float(is_outside.any(axis=1).mean())


def _farther(spec: EnvSpec, train: Pairs, held_out: Pairs, queries: Pairs) -> float:
    """Returns how probable it is that a query is farther away than a held-out pair.

    The distance is that to the nearest training pair, in standard deviations of each
    number.
    """
    known = _vectors(spec, train)
    scale = known.std(axis=0)
    scale[scale == 0.0] = 1.0
    nearest = NearestNeighbors(n_neighbors=1).fit(known / scale)
    usual, asked = (
        nearest.kneighbors(_vectors(spec, pairs) / scale)[0][:, 0]
        for pairs in (held_out, queries)
    )
    rank = np.searchsorted(np.sort(usual), asked)
    return float(rank.mean() / len(usual))


def _vectors(spec: EnvSpec, pairs: Pairs) -> NDArray[np.float64]:
    spaces = spec.observation_space, spec.action_space
    return np.asarray(
        [np.concatenate(list(map(to_vector, spaces, pair))) for pair in pairs]
    )
