from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.core.trajectories import Dataset
from envs.collect import CollectConfig, collect
from envs.data import load_data
from envs.minari_export import export_minari
from envs.registry import find
from tests.support.toy_envs import toy

pytestmark = [pytest.mark.minari, pytest.mark.filterwarnings("ignore")]


def collected(env_id: str) -> Dataset:
    config = CollectConfig(
        num_trajectories=4, min_transitions=20, max_transitions=200, planning_steps=0
    )
    return collect(find(env_id), config)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Blackjack-v1", toy("Mixed")])
def test_what_is_exported_comes_back_with_its_splits(
    env_id: str, tmp_path: Path
) -> None:
    data = collected(env_id)
    number = export_minari(data, tmp_path / "out", name="cwm/any-v0")
    back = load_data(tmp_path / "out")
    assert number == len(back.trajectories) == len(data.trajectories)
    assert back.splits == data.splits
    assert back.observation_space == data.observation_space
    assert back.action_space == data.action_space
    assert back.description == data.description.strip()
    for ours, theirs in zip(data.trajectories, back.trajectories, strict=True):
        for path, column in ours.observations.items():
            np.testing.assert_array_equal(column, theirs.observations[path])
        for path, column in ours.actions.items():
            np.testing.assert_array_equal(column, theirs.actions[path])
        np.testing.assert_array_equal(ours.rewards, theirs.rewards)
        np.testing.assert_array_equal(ours.terminated, theirs.terminated)


def test_a_piece_of_an_episode_ends_as_a_truncated_one(tmp_path: Path) -> None:
    data = collected("CartPole-v1")
    piece = data.trajectories[0].piece(0, 3)
    data = replace(data, trajectories=(piece,), splits=("train",))
    export_minari(data, tmp_path / "out", name="cwm/any-v0")
    (back,) = load_data(tmp_path / "out").trajectories
    assert back.truncated.tolist() == [False, False, True]
    assert not back.terminated.any()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="must be an empty folder"):
        export_minari(collected("CartPole-v1"), tmp_path, name="cwm/any-v0")
