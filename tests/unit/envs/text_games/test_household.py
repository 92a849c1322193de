"""Household games as an environment: what is told, scored, saved, refused."""

import importlib.util
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from cwm.core.errors import ConfigError, PrerequisiteError
from envs.registry import find
from envs.snapshots import (
    AttributeSnapshots,
    SnapshotEnv,
    open_with_snapshots,
    restores_exactly,
)
from envs.text_games.household import sources
from envs.text_games.household.env import Household
from envs.text_games.household.things import TASKS
from envs.true_model import TrueModel

pytestmark = pytest.mark.household


def play(env: Household, commands: tuple[str, ...]) -> list[float]:
    """Returns the rewards of commands."""
    return [float(env.step(command)[1]) for command in commands]


def test_gymnasium_accepts_the_environment() -> None:
    check_env(Household(), skip_render_check=True)


def test_the_first_text_tells_furniture_and_task() -> None:
    env = Household(split="unseen")
    told, _ = env.reset(seed=0)
    assert told == (
        "You are in the middle of a room. Looking quickly around you, you see a bed 1, "
        "a desk 1, a drawer 2, a drawer 1, a garbagecan 1, a safe 1, a shelf 3, "
        "a shelf 2, a shelf 1, a sidetable 2, and a sidetable 1.\n"
        "Your task is to: put some book on drawer."
    )
    assert env.instruction == "put some book on drawer."
    assert env.task == "pick_and_place_simple"


@pytest.mark.parametrize("dialect", ["0.3", "0.4"])
def test_the_original_begins_with_a_banner(dialect: str) -> None:
    told = Household(dialect=dialect).reset(seed=0)[0].split("\n\n")
    assert told[0] == "-= Welcome to TextWorld, ALFRED! =-"
    assert told[1].startswith("You are in the middle of a room. Looking quickly")
    assert told[2].startswith("Your task is to: ")
    assert len(told) == 3


def test_tasks_take_turns() -> None:
    env = Household()
    tasks = []
    for seed in range(7):
        env.reset(seed=seed)
        tasks.append(env.task)
    assert tuple(tasks) == (*TASKS, TASKS[0])


def test_one_task_alone_is_the_same_games() -> None:
    alone, mixed = Household(tasks=("pick_heat_then_place",)), Household()
    assert alone.reset(seed=2)[0] == mixed.reset(seed=2 * 6 + 3)[0]
    assert alone.task == "pick_heat_then_place"


def test_splits_have_as_many_games_as_the_original() -> None:
    sizes = {s: Household(split=s).num_games for s in ("train", "seen", "unseen")}
    assert sizes == {"train": 3321, "seen": 140, "unseen": 134}
    env = Household(split="unseen")
    assert env.reset(seed=5)[0] == env.reset(seed=5 + 134)[0]


@pytest.mark.parametrize("is_searching", [True, False])
@pytest.mark.parametrize("dialect", ["paper", "0.3", "0.4"])
def test_experts_speak_the_dialect_and_win(dialect: str, is_searching: bool) -> None:
    env = Household(dialect=dialect)
    for seed in range(60):
        env.reset(seed=seed)
        plan = env.expert_actions(is_searching=is_searching)
        assert play(env, plan) == [0.0] * (len(plan) - 1) + [1.0]
        assert env.has_won
        assert env.is_over
        assert env.legal_actions() == ()


def test_a_game_and_its_plan_stay_what_they_are() -> None:
    env = Household(split="unseen")
    env.reset(seed=3)
    assert env.instruction == "put a hot bread in fridge."
    assert env.expert_actions() == (
        "go to microwave 1",
        "open microwave 1",
        "take bread 1 from microwave 1",
        "heat bread 1 with microwave 1",
        "go to fridge 1",
        "open fridge 1",
        "put bread 1 in/on fridge 1",
    )


@pytest.mark.slow
def test_experts_win_every_game_of_the_test_splits() -> None:
    for split in ("seen", "unseen"):
        env = Household(split=split)
        for seed in range(env.num_games):
            for is_searching in (True, False):
                env.reset(seed=seed)
                play(env, env.expert_actions(is_searching=is_searching))
                assert env.has_won


def test_the_plan_is_that_from_the_beginning() -> None:
    env = Household()
    env.reset(seed=4)
    plan = env.expert_actions()
    env.step(plan[0])
    assert env.expert_actions() == plan


def test_progress_is_rewarded_where_it_is_asked_for() -> None:
    env = Household(score="progress", tasks=("pick_clean_then_place",))
    env.reset(seed=1)
    rewards = play(env, env.expert_actions(is_searching=False))
    gains = [reward for reward in rewards if reward]
    assert gains == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_what_is_not_understood_is_said_and_marked() -> None:
    env = Household()
    env.reset(seed=0)
    told, reward, terminated, truncated, info = env.step("dance")
    assert (told, reward, terminated, truncated) == (
        "Nothing happens.",
        0,
        False,
        False,
    )
    assert info == {"score": 0.0, "won": False, "is_legal": False}
    assert env.step("look")[4]["is_legal"]


def test_nothing_goes_on_after_the_end() -> None:
    env = Household()
    env.reset(seed=0)
    play(env, env.expert_actions())
    with pytest.raises(ResetNeeded):
        env.step("look")


def test_the_time_limit_is_fifty_commands() -> None:
    spec = find("household")
    assert (spec.id, spec.max_episode_steps) == ("cwm/Household-v0", 50)


def walk(env: Any, rng: np.random.Generator, number: int) -> list[Any]:
    """Returns what random legal commands lead to."""
    steps = []
    for _ in range(number):
        legal = env.unwrapped.legal_actions()
        if not legal:
            break
        steps.append(env.step(legal[int(rng.integers(len(legal)))]))
    return steps


@pytest.mark.parametrize("seed", range(6))
def test_saved_attributes_bring_everything_back(seed: int) -> None:
    game = Household(score="progress")
    env = SnapshotEnv(game, AttributeSnapshots(game))
    rng = np.random.default_rng(seed)
    env.reset(seed)
    walk(env.env, rng, 25)
    saved, state = env.save(), rng.bit_generator.state
    expected = walk(env.env, rng, 25)
    # Another game, with another room.
    env.reset(seed + 1)
    walk(env.env, rng, 10)
    env.restore(saved)
    rng.bit_generator.state = state
    assert walk(env.env, rng, 25) == expected


def test_attributes_are_all_that_is_needed_to_save_it() -> None:
    env = open_with_snapshots(find("household"))
    assert isinstance(env.adapter, AttributeSnapshots)
    assert restores_exactly(env, seed=5)
    env.close()


def test_a_game_that_keeps_something_to_itself_is_found_out() -> None:
    class Hidden(Household):
        def __init__(self) -> None:
            super().__init__()
            self.own = iter(range(10**6))

        def _do(self, command: str) -> Any:
            return super()._do(command)._replace(text=str(next(self.own)))

    env = Hidden()
    assert not restores_exactly(SnapshotEnv(env, AttributeSnapshots(env)), seed=5)


def test_planners_can_use_the_true_game() -> None:
    spec = find("household", kwargs={"split": "unseen"})
    model = TrueModel(spec)
    acting = open_with_snapshots(spec)
    state = model.state_of(acting, acting.reset(2))
    own: Any = acting.env.unwrapped
    rng = np.random.default_rng(0)
    rewards, legal = [], []
    for command in own.expert_actions():
        legal.append(command in (state.legal or ()))
        result = model.step(state, command, rng)
        rewards.append(result.reward)
        state = result.next_state
    assert all(legal)
    assert rewards[-1] == sum(rewards) == 1
    assert not own.has_won
    model.close()
    acting.close()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"split": "test"}, "split must be one of train, seen, unseen, got 'test'"),
        ({"tasks": ("cook",)}, "tasks must be of pick_and_place_simple, .*'cook'"),
        ({"tasks": ()}, "tasks must be of"),
        ({"dialect": "0.5"}, "dialect must be one of paper, 0.3, 0.4, got '0.5'"),
        ({"score": "time"}, "score must be one of won, progress, got 'time'"),
    ],
)
def test_wrong_settings_are_named(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Household(**kwargs)
    with pytest.raises(ConfigError, match=message):
        find("household", kwargs=kwargs)


def test_without_the_data_the_line_that_installs_them_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources.read_facts.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for make in (Household, lambda: find("household")):
        with pytest.raises(
            PrerequisiteError, match="Run: pip install --no-deps alfworld"
        ):
            make()
