import json
from dataclasses import replace
from pathlib import Path

import pytest

from cwm.evaluation import kept_episodes
from cwm.evaluation.episodes import ActingConfig
from cwm.evaluation.kept_episodes import EpisodeRecord, digest, play
from cwm.evaluation.setups import EnvironmentRef, Setup, usual_tolerances
from envs.registry import find
from planners.registry import PlannerConfig

LINE = "tests.support.toy_envs:Toy-Line-v0"


@pytest.fixture(scope="module")
def setup() -> Setup:
    spec = find(LINE)
    return Setup(
        name="random",
        environment=EnvironmentRef.of(spec),
        kind="random",
        planner=PlannerConfig(name="beam"),
        acting=ActingConfig(max_steps=6),
        tolerances=usual_tolerances(spec, 0),
        seed=3,
    )


def test_episodes_cut_after_any_byte_are_those_of_one_command(
    setup: Setup, tmp_path: Path
) -> None:
    whole = play(setup, 4, tmp_path / "whole.jsonl")
    assert [one.index for one in whole] == [0, 1, 2, 3]
    assert whole[0].episode_return == sum(whole[0].rewards)
    assert all(1 <= one.num_steps <= 6 for one in whole)
    content = (tmp_path / "whole.jsonl").read_bytes()
    for length in (0, 5, content.index(b"\n") + 1, len(content) // 2, len(content) - 1):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(content[:length])
        assert play(setup, 4, path) == whole
        assert path.read_bytes() == content


def test_what_is_there_is_not_played_again(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "played.jsonl"
    first = play(setup, 2, path)
    played: list[EpisodeRecord] = []
    more = play(setup, 3, path, on_episode=played.append)
    assert more[:2] == first
    assert [one.index for one in played] == [2]
    monkeypatch.setattr(kept_episodes, "open_actor", None)
    assert play(setup, 3, path) == more


def test_another_setup_begins_anew(setup: Setup, tmp_path: Path) -> None:
    path = tmp_path / "played.jsonl"
    play(setup, 2, path)
    other = replace(setup, seed=4)
    found = play(other, 1, path)
    assert found == play(other, 1, tmp_path / "other.jsonl")
    header, *rest = map(json.loads, path.read_text().splitlines())
    assert header["setup"] == digest(other)
    assert len(rest) == 1


def test_all_that_decides_is_in_the_digest(setup: Setup) -> None:
    planning = replace(setup, kind="true")
    changed = [
        setup,
        planning,
        replace(planning, seed=4),
        replace(planning, planner=PlannerConfig(name="beam", horizon=3)),
        replace(planning, acting=ActingConfig(max_steps=7)),
        replace(planning, environment=EnvironmentRef(id=LINE, kwargs={"start": 1})),
        replace(planning, kind="program", source="a"),
        replace(planning, kind="program", source="b"),
        replace(planning, kind="program", source="b", capabilities=("physics",)),
    ]
    assert len(set(map(digest, changed))) == len(changed)
    # Random actions do without a planner.
    other = replace(setup, planner=PlannerConfig(name="mcts"))
    assert digest(other) == digest(setup)
    # Nor do other models than programs need what those may use.
    assert digest(replace(setup, capabilities=("physics",))) == digest(setup)
