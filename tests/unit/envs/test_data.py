import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.dataset_file import save_dataset
from cwm.core.errors import DataError, PrerequisiteError
from envs.collect import CollectConfig, collect
from envs.data import load_data
from envs.registry import find
from envs.spaces import to_value
from tests.support.toy_envs import toy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    config = CollectConfig(
        num_trajectories=2, min_transitions=5, max_transitions=50, planning_steps=0
    )
    save_dataset(collect(find(toy("Line")), config), tmp_path / "dataset.npz")
    return tmp_path / "dataset.npz"


def test_a_file_and_the_folder_of_a_run_are_the_same_data(file: Path) -> None:
    by_file, by_folder = load_data(file), load_data(file.parent)
    assert by_file.environment_id == by_folder.environment_id == toy("Line")
    assert by_file.num_transitions == by_folder.num_transitions


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got a folder with neither"):
        load_data(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a readable file"):
        load_data(tmp_path / "none.npz")


def test_without_minari_the_install_line_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(PrerequisiteError, match=r"models\[minari\]"):
        load_data("minari:some/data-v0")


@pytest.fixture
def minari(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    pytest.importorskip("h5py")
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return importlib.import_module("minari")


def episode(env: Any, seed: int) -> list[tuple[Any, ...]]:
    """Returns (observation, action, next one, reward, terminated, truncated)s."""
    observation, _ = env.reset(seed=seed)
    steps: list[tuple[Any, ...]] = []
    while not steps or not (steps[-1][4] or steps[-1][5]):
        action = env.action_space.sample()
        result = env.step(action)
        steps.append((observation, action, *result[:4]))
        observation = result[0]
    return steps


def stacked(values: list[Any]) -> Any:
    """Returns values stacked leaf by leaf, as Minari keeps them."""
    first = values[0]
    if isinstance(first, dict):
        return {key: stacked([value[key] for value in values]) for key in first}
    if isinstance(first, tuple):
        return tuple(stacked(list(part)) for part in zip(*values, strict=True))
    return values if isinstance(first, str) else np.asarray(values)


@pytest.mark.minari
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("env_id", ["CartPole-v1", "Blackjack-v1", toy("Mixed")])
def test_minari_episodes_come_back_as_they_were(
    minari: Any, env_id: str, tmp_path: Path
) -> None:
    buffers_module = importlib.import_module("minari.data_collector.episode_buffer")
    EpisodeBuffer = buffers_module.EpisodeBuffer  # noqa: N806 - a class
    spec = find(env_id)
    env = spec.make()
    env.action_space.seed(0)
    episodes = [episode(env, seed) for seed in range(5)]
    buffers = [
        EpisodeBuffer(
            id=index,
            observations=stacked([e[0] for e in steps] + [steps[-1][2]]),
            actions=stacked([e[1] for e in steps]),
            rewards=[e[3] for e in steps],
            terminations=[e[4] for e in steps],
            truncations=[e[5] for e in steps],
        )
        for index, steps in enumerate(episodes)
    ]
    minari.create_dataset_from_buffers(
        dataset_id="toys/any-v0",
        buffer=buffers,
        env=env,
        description="What it is about.",
        data_format="hdf5",
    )
    rewards = [[e[3] for e in steps] for steps in episodes]

    dataset = load_data("minari:toys/any-v0")
    assert dataset.observation_space == spec.observation_space
    assert dataset.action_space == spec.action_space
    assert [t.rewards.tolist() for t in dataset.trajectories] == rewards
    assert dataset.splits == ("train", "train", "validation", "train", "held_out")
    assert all(t.terminated[-1] or t.truncated[-1] for t in dataset.trajectories)
    assert dataset.description == "What it is about."
    first = dataset.batch("train").transition(0)
    assert str(first.observation) == str(
        to_value(spec.observation_space, episodes[0][0][0])
    )
    assert str(first.action) == str(to_value(spec.action_space, episodes[0][0][1]))
    by_folder = load_data(tmp_path / "minari" / "toys" / "any-v0")
    assert by_folder.num_transitions == dataset.num_transitions


@pytest.mark.minari
def test_an_unknown_minari_name_is_a_data_error(minari: Any) -> None:
    assert minari is not None
    with pytest.raises(DataError, match="Run: minari download no/such-v0"):
        load_data("minari:no/such-v0")


def test_a_file_without_a_minari_data_set_around_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "junk.hdf5").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"junk\.hdf5' must be the file of a Minari"):
        load_data(tmp_path / "junk.hdf5")
