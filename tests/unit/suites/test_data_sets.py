import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.dataset_file import load_dataset, save_dataset
from cwm.core.spaces import DiscreteSpec, TextSpec
from cwm.core.trajectories import Dataset, Transition, make_trajectory
from cwm.sources import environment_of
from cwm.suites import data_sets
from cwm.suites.benchmark_task import BenchmarkTask, quick
from cwm.suites.data_hashes import shipped_hashes
from cwm.suites.data_sets import (
    arithmetic,
    content_digest,
    data_path,
    deciding_versions,
    make_data,
    summarise,
    task_data,
)
from cwm.suites.tasks import tasks
from envs.collect import CollectConfig
from tests.support.corridor import corridor_dataset, trajectory_of
from tests.support.toy_envs import toy

TINY = CollectConfig(
    num_trajectories=2,
    min_transitions=40,
    max_transitions=100,
    max_trajectory_length=30,
    planning_steps=50,
)


def task(env: str = "CartPole-v1", **changes: Any) -> BenchmarkTask:
    fields = {"name": "Task", "suite": "own", "env": env, "collect": TINY} | changes
    return BenchmarkTask(**fields)


def test_data_have_all_splits_and_are_made_once(tmp_path: Path) -> None:
    told: list[str] = []
    path = task_data(task(), 0, tmp_path, lambda split, _: told.append(split))
    assert set(told) == {"train", "held_out", "planner"}
    assert path.name.startswith("Task-0-")
    assert list(tmp_path.iterdir()) == [path]
    dataset = load_dataset(path)
    assert all(dataset.num_transitions.values())
    assert dataset.num_transitions["planner"] >= 40
    before = path.stat().st_mtime_ns
    assert task_data(task(), 0, tmp_path) == path
    assert path.stat().st_mtime_ns == before


def test_data_follow_from_the_seed(tmp_path: Path) -> None:
    one, two = make_data(task(), 3), make_data(task(), 3)
    assert content_digest(one) == content_digest(two)
    assert content_digest(make_data(task(), 4)) != content_digest(one)


def test_everything_that_decides_the_data_is_in_the_name(tmp_path: Path) -> None:
    one = task()
    others = [
        replace(one, changes={"gravity": 3.7}),
        replace(one, env_kwargs={"sutton_barto_reward": True}),
        replace(one, description="words"),
        replace(one, collect=replace(TINY, min_transitions=41)),
        replace(one, name="Other"),
    ]
    paths = {data_path(t, 0, tmp_path) for t in (one, *others)}
    assert len(paths) == 6
    assert data_path(one, 1, tmp_path) not in paths
    # How long is played later has nothing to do with it.
    assert data_path(replace(one, episodes=99), 0, tmp_path) in paths


def test_the_environment_can_be_made_again_from_the_data(tmp_path: Path) -> None:
    changed = task(
        changes={"gravity": 3.7, "length": 0.8},
        env_kwargs={"sutton_barto_reward": True},
        description="A pole on a cart, somewhere else.",
    )
    dataset = load_dataset(task_data(changed, 0, tmp_path))
    assert dataset.description == "A pole on a cart, somewhere else."
    spec = environment_of(dataset)
    assert spec is not None
    env: Any = spec.make().unwrapped
    assert (env.gravity, env.length) == (3.7, 0.8)
    assert env._sutton_barto_reward
    assert spec.description == dataset.description
    assert dataset.collection["task"] == "Task"


def test_an_environment_that_is_no_model_has_no_planner_split() -> None:
    # It can be replayed only, and with its chances.
    dataset = make_data(task(toy("HiddenNoise")), 0)
    assert dataset.num_transitions["planner"] == 0
    assert dataset.num_transitions["held_out"] > 0
    assert "chances" in dataset.collection["planner_visited"]["missing"]


def test_a_planner_takes_some_trajectories_where_states_are_many() -> None:
    collect = replace(TINY, num_trajectories=10, max_transitions=200)
    dataset = make_data(task(collect=collect), 0)
    seen = {s: {t.policy for t in dataset.in_split(s)} for s in ("train", "held_out")}
    validation = {t.policy for t in dataset.in_split("validation")}
    assert "planner-beam" in seen["train"] | validation
    assert "planner-beam" in seen["held_out"]
    table = make_data(task("CliffWalking-v1", collect=collect), 0)
    assert not any(
        t.policy.startswith("planner-")
        for t, split in zip(table.trajectories, table.splits, strict=True)
        if split != "planner"
    )


def text_dataset() -> Dataset:
    space = TextSpec(20)
    steps = [Transition("one", 0, "zwölf", 0.5, False, False)]
    walked = make_trajectory(
        steps, observation_space=space, action_space=DiscreteSpec(2)
    )
    return Dataset(
        environment_id="Text",
        description="",
        observation_space=space,
        action_space=DiscreteSpec(2),
        trajectories=(walked,),
        splits=("train",),
    )


def test_the_digest_is_of_what_a_data_set_says() -> None:
    dataset = corridor_dataset()
    digest = content_digest(dataset)
    first, *rest = dataset.trajectories
    same = [
        replace(dataset, description="other words", collection={"a": 1}),
        replace(dataset, trajectories=(replace(first, policy="other"), *rest)),
        replace(
            dataset,
            trajectories=(replace(first, states=np.zeros((len(first) + 1, 2))), *rest),
        ),
    ]
    assert {content_digest(other) for other in same} == {digest}
    rewards = first.rewards.copy()
    rewards[0] += 1e-12
    ends = first.terminated.copy()
    ends[-1] = not ends[-1]
    different = [
        replace(dataset, environment_id="Other"),
        replace(dataset, is_stochastic=True),
        replace(dataset, splits=("train", "held_out", "planner")),
        replace(dataset, trajectories=(*rest, first)),
        replace(dataset, trajectories=(replace(first, rewards=rewards), *rest)),
        replace(dataset, trajectories=(replace(first, terminated=ends), *rest)),
        replace(
            dataset, trajectories=(replace(first, truncated=first.terminated), *rest)
        ),
        replace(dataset, trajectories=(replace(first, seed=99), *rest)),
        replace(dataset, trajectories=(replace(first, instruction="go"), *rest)),
        replace(dataset, trajectories=(trajectory_of([0, 0, 1]), *rest)),
        text_dataset(),
    ]
    digests = {content_digest(other) for other in different}
    assert len(digests) == len(different)
    assert digest not in digests


@pytest.mark.parametrize("dataset", [corridor_dataset(), text_dataset()])
def test_the_digest_survives_the_file(dataset: Dataset, tmp_path: Path) -> None:
    save_dataset(dataset, tmp_path / "data.npz")
    again = load_dataset(tmp_path / "data.npz")
    assert content_digest(again) == content_digest(dataset)


def test_the_digest_is_the_same_in_another_process() -> None:
    program = (
        "from tests.support.corridor import corridor_dataset\n"
        "from cwm.suites.data_sets import content_digest\n"
        "print(content_digest(corridor_dataset()))\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    assert done.stdout.strip() == content_digest(corridor_dataset())


def test_a_summary_has_counts_and_returns(tmp_path: Path) -> None:
    save_dataset(corridor_dataset(), tmp_path / "data.npz")
    summary = summarise(tmp_path / "data.npz")
    assert summary.num_transitions["train"] == 11
    assert summary.num_trajectories["planner"] == 0
    assert (summary.lowest_return, summary.highest_return) == (1.0, 1.0)


def test_arithmetic_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    here = arithmetic()
    assert here == arithmetic()
    monkeypatch.setattr(np, "sin", np.cos)
    assert arithmetic() != here


@pytest.mark.parametrize(
    ("name", "is_quick"), [("CartPole-v1", True), ("Taxi-v4", True)]
)
def test_data_that_we_ship_digests_of_are_made_here_again(
    name: str, is_quick: bool
) -> None:
    (known,) = [
        one
        for one in shipped_hashes("cwmb-r")
        if (one.task, one.seed, one.quick) == (name, 0, is_quick)
    ]
    here = deciding_versions()
    other = {n: v for n, v in known.decided_by.items() if here.get(n) != v}
    if other:
        pytest.skip(f"the digest was made with {json.dumps(other)}")
    (found,) = [t for t in tasks("cwmb-r", 0) if t.name == name]
    dataset = make_data(quick(found) if is_quick else found, 0)
    assert content_digest(dataset) == known.digest, data_sets.DATA_VERSION


def test_digests_that_we_ship_say_what_decides_them() -> None:
    shipped = shipped_hashes("cwmb-r")
    whole = {one.task for one in shipped if not one.quick}
    names = {one.name for one in tasks("cwmb-r", 0)}
    assert whole == names
    for one in shipped:
        assert ("mujoco" in one.decided_by) is one.task.endswith("-v5")
        assert {"numpy", "gymnasium", "data", "arithmetic"} <= set(one.decided_by)
