"""RTFM as an environment, its scenarios, and the expert."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from cwm.core.errors import ConfigError
from cwm.core.spaces import NestedSpec
from envs.collect import CollectConfig, collect
from envs.declared import instruction_of, legal_actions_of
from envs.registry import find
from envs.restart import restart_predictions
from envs.rtfm.env import RTFM
from envs.rtfm.manual import named_group, read_manual
from envs.rtfm.rules import DOWN, STAY
from envs.rtfm.scenario import (
    check_options,
    draw_goal,
    draw_lore,
    draw_scene,
    winning_moves,
)
from envs.rtfm.solver import Solver
from envs.spaces import NestedText, space_spec
from envs.spec import Env

IDS = ("cwm/RTFM-v0", "cwm/RTFMManuals-v0", "cwm/RTFMMoving-v0")
FEW = CollectConfig(
    num_trajectories=4, min_transitions=60, max_transitions=90, planning_steps=0
)


def play(env: Env, solver: Solver, seed: int) -> float:
    observation, _ = env.reset(seed=seed)
    while True:
        observation, reward, terminated, truncated, _ = env.step(
            solver.action(observation)
        )
        if terminated or truncated:
            return float(reward)


def share_won(
    env_id: str,
    num_episodes: int,
    *,
    is_moving: bool,
    kwargs: Mapping[str, Any] | None = None,
) -> float:
    env = find(env_id, kwargs=kwargs).make()
    solver = Solver(is_moving=is_moving)
    won = [play(env, solver, seed) == 1.0 for seed in range(num_episodes)]
    env.close()
    return float(np.mean(won))


@pytest.mark.parametrize("env_id", ["cwm/RTFM-v0", "cwm/RTFMManuals-v0"])
def test_the_expert_beats_monsters_that_stand_still(env_id: str) -> None:
    assert share_won(env_id, 200, is_moving=False) == 1.0


def test_the_expert_beats_monsters_that_move() -> None:
    assert share_won("cwm/RTFMMoving-v0", 200, is_moving=True) >= 0.95


@pytest.mark.parametrize(
    ("env_id", "is_moving", "kwargs"),
    [
        ("cwm/RTFMManuals-v0", False, {"size": 6, "num_distractors": 3}),
        ("cwm/RTFMManuals-v0", False, {"size": 3, "num_distractors": 0}),
        ("cwm/RTFMMoving-v0", True, {"size": 5, "num_distractors": 0}),
    ],
)
def test_the_expert_copes_with_other_rooms(
    env_id: str, is_moving: bool, kwargs: dict[str, int]
) -> None:
    assert share_won(env_id, 20, is_moving=is_moving, kwargs=kwargs) >= 0.95


def test_the_expert_looks_at_nothing_but_what_is_shown() -> None:
    env = RTFM()
    solver = Solver()
    observation, _ = env.reset(seed=5)
    scene = env.scene
    lore, target = read_manual(env.manual), named_group(env.goal)
    assert target is not None
    expected = winning_moves(scene, lore, target)
    assert expected is not None
    for move in expected:
        assert solver.action(dict(observation)) == move
        observation, *_ = env.step(move)


def test_the_expert_waits_where_nothing_can_be_won() -> None:
    env = RTFM()
    observation, _ = env.reset(seed=0)
    emptied = [
        [["empty" if " " in word else word for word in cell] for cell in row]
        for row in observation["board"]
    ]
    for is_moving in (False, True):
        expert = Solver(is_moving=is_moving)
        assert expert.action({**observation, "board": emptied}) == STAY


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_accepts_the_environment(env_id: str) -> None:
    env = find(env_id).make()
    check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("env_id", IDS)
def test_a_seed_fixes_the_episode(env_id: str) -> None:
    def episode() -> list[Any]:
        env = find(env_id).make()
        seen = [env.reset(seed=7)[0]]
        for action in (0, 1, 2, 3, 4, 0, 2):
            observation, *rest = env.step(action)
            seen.append((observation, rest))
            if rest[1]:
                break
        return seen

    assert episode() == episode()


def test_a_manual_seed_fixes_manual_and_goal_but_not_the_room() -> None:
    env, other = RTFM(manual_seed=3), RTFM()
    shown = [env.reset(seed=seed)[0] for seed in range(5)]
    assert len({seen["manual"] + seen["goal"] for seen in shown}) == 1
    assert len({str(seen["board"]) for seen in shown}) == 5
    drawn = [other.reset(seed=seed)[0] for seed in range(5)]
    assert len({seen["manual"] for seen in drawn}) == 5


def test_the_instruction_is_manual_and_goal() -> None:
    env = RTFM()
    observation, _ = env.reset(seed=0)
    text = instruction_of(env)
    assert text == f"{observation['manual']} {observation['goal']}"


def test_nothing_is_legal_after_the_end_and_no_step_can_be_made() -> None:
    env = RTFM()
    assert env.legal_actions() == ()
    observation, _ = env.reset(seed=0)
    assert len(env.legal_actions()) >= 3
    expert = Solver()
    terminated = False
    while not terminated:
        observation, _, terminated, _, _ = env.step(expert.action(observation))
    assert legal_actions_of(env) == ()
    with pytest.raises(ResetNeeded, match="reset the environment"):
        env.step(DOWN)


def test_what_is_shown_does_not_change_with_later_steps() -> None:
    env = RTFM()
    first, _ = env.reset(seed=0)
    before = str(first)
    env.step(next(m for m in env.legal_actions() if m))
    assert str(first) == before


def test_the_true_simulator_goes_on_from_any_observation() -> None:
    spec = find("cwm/RTFMManuals-v0")
    batch = collect(spec, FEW).batch("train")
    found = restart_predictions(spec, batch)
    assert found is not None
    assert found.next_observations == batch.next_observations
    np.testing.assert_array_equal(found.rewards, batch.rewards)
    assert found.legal_actions == batch.next_legal_actions


@pytest.mark.parametrize("env_id", IDS)
def test_only_moving_monsters_are_random(env_id: str) -> None:
    dataset = collect(find(env_id), FEW)
    assert dataset.is_stochastic is (env_id == "cwm/RTFMMoving-v0")
    assert dataset.trajectories[0].instruction is not None


def test_each_start_has_what_it_should_have_and_can_be_won() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        lore, target = draw_lore(rng), draw_goal(rng)
        scene = draw_scene(lore, target, rng, size=4, num_distractors=2)
        assert winning_moves(scene, lore, target) is not None
        assert sum(lore.is_of(m, target) for m in scene.monsters) == 1
        assert len(scene.monsters) == len(scene.items) == 3
        # Each monster is beaten by one item, and each item beats one.
        beaten = [[lore.beats(i, m) for i in scene.items] for m in scene.monsters]
        assert np.asarray(beaten).sum(axis=0).tolist() == [1, 1, 1]
        assert np.asarray(beaten).sum(axis=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("size", "num_distractors", "message"),
    [
        (2, 1, "size must be from 3 to 10, got 2"),
        (11, 1, "size must be from 3 to 10, got 11"),
        (4, 4, "num_distractors must be from 0 to 3, got 4"),
        (4, -1, "num_distractors must be from 0 to 3, got -1"),
        (3, 2, "num_distractors must leave 4 free cells, got 2"),
    ],
)
def test_rooms_that_are_too_small_are_refused(
    size: int, num_distractors: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_options(size, num_distractors)
    kwargs = {"size": size, "num_distractors": num_distractors}
    with pytest.raises(ConfigError, match=message):
        find("cwm/RTFM-v0", kwargs=kwargs)


def test_lists_of_words_have_a_space() -> None:
    space = NestedText((2, 1), ("a", "b"), seed=0)
    assert space_spec(space) == NestedSpec()
    assert all(space.contains(space.sample()) for _ in range(10))
    assert space.contains([["a"], ["b"]])
    for value in ([["a"]], [["a"], ["c"]], [["a"], "b"], "a", [["a"], [0]]):
        assert not space.contains(value)
    assert space == NestedText((2, 1), ("a", "b"))
    assert space != NestedText((2, 1), ("a",))
    assert hash(space) == hash(NestedText((2, 1), ("a", "b")))
    assert NestedText((1,)).contains(["anything"])
