"""Levels and seeds: the original's episodes."""

import gzip
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from envs.babyai.describing import describe
from envs.babyai.env import BabyAIText
from envs.babyai.levels import LevelSource
from envs.babyai.minigrid import minigrid_module
from envs.babyai.names import KINDS, OF_BABYAI_TEXT, OF_MINIGRID, minigrid_id
from envs.babyai.view import view
from envs.registry import OWN

pytestmark = pytest.mark.babyai

GOLDEN = Path(__file__).parents[3] / "fixtures" / "babyai"
LOCATED = ("PickupLoc", "BossLevel", "Synth")
ORIGINAL_KINDS = {"pick up seq go to": "sequence"}


def golden(name: str) -> Any:
    return json.loads(gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes()))


def shown(env: BabyAIText) -> list[Any]:
    return [env.mission, env.image.tolist(), env.max_steps, env.descriptions]


SEEDS = golden("golden_seeds")


@pytest.mark.parametrize("level", sorted(set(SEEDS) - set(LOCATED)))
def test_a_seed_gives_the_episode_of_the_original(level: str) -> None:
    env = BabyAIText(level)
    for seed, expected in enumerate(SEEDS[level]):
        env.reset(seed=seed)
        assert shown(env) == expected


def test_mixed_levels_give_the_episodes_of_the_original() -> None:
    episodes = defaultdict(list)
    for level, kind, seed, turn, *expected in golden("golden_mixed"):
        episodes[level, kind, seed].append((turn, expected))
    for (level, kind, seed), turns in episodes.items():
        env = BabyAIText(
            level.removeprefix("Level_"), kind=ORIGINAL_KINDS.get(kind, kind)
        )
        for turn, expected in sorted(turns):
            env.reset(seed=None if turn else seed)
            assert shown(env) == expected


def test_kinds_are_drawn_for_each_episode_from_the_seed() -> None:
    def kinds(seed: int, **settings: Any) -> list[str]:
        env = BabyAIText("MixedTrainLocal", **settings)
        env.reset(seed=seed)
        found = [env.source.kind]
        for _ in range(19):
            env.reset()
            found.append(env.source.kind)
        return found

    assert set(kinds(0)) == set(KINDS)
    assert kinds(0) == kinds(0) != kinds(1)
    kept = [kinds(seed, kind_per_instance=True) for seed in range(20)]
    assert all(len(set(one)) == 1 for one in kept)
    assert {one[0] for one in kept} == set(KINDS)


def test_a_drawn_kind_has_the_layout_of_that_kind_alone() -> None:
    mixed = BabyAIText("MixedTestLocal")
    for seed in range(5):
        mixed.reset(seed=seed)
        alone = BabyAIText("MixedTestLocal", kind=mixed.source.kind)
        alone.reset(seed=seed)
        assert shown(alone) == shown(mixed)


@pytest.mark.parametrize(
    ("level", "parts"),
    [
        ("PickUpThenGoToLocal", ("pick up", ", then go to")),
        ("GoToAfterPickUpLocal", ("go to", "after you pick up")),
        ("PickUpSeqPickUpLocal", ("pick up", "pick up")),
    ],
)
def test_sequences_are_told_in_their_order(level: str, parts: tuple[str, str]) -> None:
    env = BabyAIText(level)
    for seed in range(10):
        env.reset(seed=seed)
        assert env.mission.startswith(parts[0])
        assert parts[1] in env.mission.removeprefix(parts[0])


def test_every_level_of_minigrid_has_an_id_and_those_have_levels() -> None:
    minigrid_module()
    registered = {i for i in gymnasium.registry if i.startswith("BabyAI-")}
    assert {minigrid_id(name) for name in OF_MINIGRID} == registered
    for name in (*OF_MINIGRID, *OF_BABYAI_TEXT):
        assert f"cwm/{minigrid_id(name)}" in OWN


@pytest.mark.parametrize(
    "level", ["GoToLocal", "GoToObjMazeS4", "UnlockLocal", "KeyCorridorS3R2", "Open"]
)
def test_the_view_is_the_one_of_minigrid(level: str) -> None:
    base = minigrid_module(".minigrid_env").MiniGridEnv
    env = BabyAIText(level)
    rng = np.random.default_rng(0)
    for seed in range(4):
        env.reset(seed=seed)
        while not env.is_over and env.level.step_count < 60:
            expected = base.gen_obs(env.level)["image"]
            np.testing.assert_array_equal(env.image, expected)
            assert env.descriptions == describe(expected) == describe(view(env.level))
            env.step(int(rng.choice(6, p=[0.15, 0.15, 0.3, 0.15, 0.1, 0.15])))


def test_rejected_layouts_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    env = BabyAIText("PutNextLocal", level_settings={"num_objs": 14})
    for seed in range(30):
        env.reset(seed=seed)
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "")


def test_pygame_does_not_greet() -> None:
    code = "import envs.babyai.minigrid as m; m.minigrid_module('.minigrid_env')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[4],
        env={k: v for k, v in os.environ.items() if not k.startswith("PYGAME")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_waiting_for_done_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = minigrid_module(".envs.babyai.core.verifier")
    monkeypatch.setattr(verifier, "use_done_actions", "1")
    minigrid_module.cache_clear()
    with pytest.raises(ValueError, match="BABYAI_DONE_ACTIONS must not be set"):
        minigrid_module()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": "GoToMoon"}, "level must be one of BabyAI's, got 'BabyAI-GoToMoon"),
        ({"level": "MixedTestLocal", "kind": "fly"}, "kind of MixedTestLocal must be"),
        ({"level": "GoToLocal", "kind": "goto"}, "kind of GoToLocal must be None"),
        (
            {"level": "PickUpSeqGoToLocal", "settings": {"num_dists": 1}},
            "num_dists must be at least 2, got 1",
        ),
    ],
)
def test_levels_that_there_are_not_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LevelSource(**settings)
