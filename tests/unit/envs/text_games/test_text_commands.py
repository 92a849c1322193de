"""Text games on the command line, and their benchmark."""

import gc
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.text_games import BenchmarkConfig
from benchmarks.text_games import main as measure
from cwm.agents.experts import read_expert
from cwm.collect import main as collect
from cwm.core.codec import decode_columns
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import ConfigError
from cwm.core.trajectories import Dataset
from cwm.plan import main as plan
from envs.registry import find

pytestmark = pytest.mark.text

ONE_ITEM = '{"game_params": "numLocations=1,numItemsToPutAway=1"}'


def collected(path: Path, *options: str) -> Dataset:
    words = ["--num-trajectories", "4", "--min-transitions", "20", "--json"]
    assert collect(["--out", str(path), *words, *options]) == 0
    return load_dataset(path)


def test_collected_gold_paths_win(tmp_path: Path) -> None:
    path = tmp_path / "twc.npz"
    data = collected(path, "--env", "twc", "--expert", "gold", "--expert-every", "1")
    assert len(data.trajectories) >= 8
    for trajectory in data.trajectories:
        assert trajectory.policy == "gold"
        assert trajectory.episode_return == pytest.approx(1.0)
        assert trajectory.terminated[-1]
        assert trajectory.instruction is not None
        assert trajectory.instruction.startswith("Your task is to pick up objects")
        actions = decode_columns(data.action_space, trajectory.actions)
        legal = trajectory.legal_actions
        assert legal is not None
        assert all(a in known for a, known in zip(actions, legal, strict=False))
    assert "textworld-express" in data.collection["versions"]
    assert not data.is_stochastic


def test_without_an_expert_random_commands_and_gold_paths_are_mixed(
    tmp_path: Path,
) -> None:
    data = collected(tmp_path / "coin.npz", "--env", "coin", "--seed", "1")
    assert {t.policy for t in data.trajectories} == {"random", "slips", "gold"}
    again = collected(tmp_path / "again.npz", "--env", "coin", "--seed", "1")
    for left, right in zip(data.trajectories, again.trajectories, strict=True):
        assert left.observations == right.observations


def test_gold_paths_are_of_text_games_only() -> None:
    with pytest.raises(ConfigError, match="text games only, got 'CartPole-v1'"):
        read_expert("gold", find("CartPole-v1"), {})


def test_a_planner_wins_in_the_true_game(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--planner", "mcts", "--episodes", "1", "--model-steps", "300")
    words = ["true", "--env", "twc", "--env-kwargs", ONE_ITEM, *options]
    assert plan([*words, "--max-steps", "15", "--json", "--quiet"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["summary"]["returns"]["value"] == 1.0


# The package leaves the pipes of its process open.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_benchmark_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "results.jsonl"
    config = BenchmarkConfig(
        games=("coin",), num_episodes=2, length=5, repeats=1, output=str(output)
    )
    measure(config)
    gc.collect()
    record: dict[str, Any] = json.loads(output.read_text())
    figures = record["repeats"]
    assert figures["coin: steps_over_raw"][0] == pytest.approx(
        figures["coin: steps_per_s"][0] / figures["coin: raw_steps_per_s"][0]
    )
    assert "coin: restore_ms" in capsys.readouterr().out
