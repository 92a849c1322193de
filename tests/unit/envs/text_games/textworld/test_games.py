"""Games that TextWorld makes, played; a few, as each takes seconds to make."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError
from envs.registry import find
from envs.snapshots import AttributeSnapshots, SnapshotEnv, restores_exactly
from envs.spec import Env
from envs.text_games.textworld.env import MachineSnapshots, TextWorld
from envs.text_games.textworld.library import LOGIC, STORY, library

pytestmark = pytest.mark.textworld

NUM_GAMES = 2
"""Of a split, in tests of what holds for any seed."""

Make = Callable[..., Any]


@pytest.fixture
def game(textworld_cache: Path) -> Make:
    def make(kind: str = "cooking", **kwargs: Any) -> Any:
        given = {"kind": kind, "cache": str(textworld_cache), **kwargs}
        return find("textworld", kwargs=given).make().unwrapped

    return make


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TextWorld, "num_games", NUM_GAMES)


def walk(env: Any, *, seed: int, num_steps: int) -> list[tuple[Any, ...]]:
    """Returns what random commands give."""
    rng = np.random.default_rng(seed)
    found: list[tuple[Any, ...]] = [(env.reset(seed=seed)[0], env.legal_actions())]
    for _ in range(num_steps):
        if env.is_over:
            break
        command = str(rng.choice(env.legal_actions()))
        found.append((command, *env.step(command)[:4], env.legal_actions()))
    return found


FIRST = {
    "cooking": """\
You are hungry! Let's cook a delicious meal. Check the cookbook in the kitchen for \
the recipe. Once done, enjoy your meal!

-= Bedroom =-
You arrive in a bedroom. A typical kind of place.

You can see a bed. The bed is large. The bed appears to be empty.

There is an exit to the north. Don't worry, there is no door.""",
    "coin_collector": """\
Hey, thanks for coming over to the TextWorld today, there is something I need you to \
do for me. First off, make an effort to move south. And then, take a trip east. Then, \
try to go north. Okay, and then, make an effort to head north. And then, retrieve the \
coin from the floor of the cookery. Got that? Good!

-= Cookhouse =-
You've just sauntered into a cookhouse. The room seems oddly familiar, as though it \
were only superficially different from the other rooms in the building.

You don't like doors? Why not try going south, that entranceway is unguarded.""",
    "treasure_hunter": """\
Welcome to TextWorld! Here is your task for today. First step, attempt to go north. \
After that, try to take a trip north. After that, pick-up the passkey from the floor \
of the cookery. That's it!

-= Cookhouse =-
You arrive in a cookhouse. A typical one.

You don't like doors? Why not try going north, that entranceway is unblocked. You \
don't like doors? Why not try going west, that entranceway is unguarded.""",
    "simple": """\
The dinner is almost ready! It's only missing a grilled milk.

-= Bedroom =-
You make a grand eccentric entrance into a bedroom.

You see a closed normal looking chest drawer right there by you. You can see an \
antique trunk. You see a king-size bed. But the thing is empty.

There is a closed wooden door leading east.""",
    "custom": """\
Get ready to pick stuff up and put it in places, because you've just entered \
TextWorld! Here is your task for today. First stop, go to the south. And then, head \
east. With that over with, make an effort to go north. With that accomplished, ensure \
that the type D locker is open. Then, take the keyboard from the type D locker. \
That's it!

-= Spare Room =-
This might come as a shock to you, but you've just walked into a spare room. You can \
barely contain your excitement.

You can make out a closed usual looking crate close by. You can make out a rack. \
However, the rack, like an empty rack, has nothing on it.

There is an exit to the east. Don't worry, it is unblocked. You don't like doors? Why \
not try going south, that entranceway is unguarded.""",
}
"""What is seen first in the game of seed 1."""

WAYS = {
    "cooking": "inventory; go north; go west; examine cookbook; "
    "take red potato from counter; cook red potato with oven; take knife from counter; "
    "slice red potato with knife; drop knife; prepare meal; eat meal",
    "coin_collector": "go south; go east; go north; go north; take coin",
    "treasure_hunter": "go north; go north; take passkey",
    "simple": "open antique trunk; take old key from antique trunk; unlock wooden door "
    "with old key; open wooden door; go east; go south; take milk from couch; "
    "go north; put milk on stove",
    "custom": "go south; go east; go north; open type D locker; "
    "take keyboard from type D locker",
}

POINTS = {"cooking": 5, "simple": 8}
"""Where they are more than one."""

KINDS = [
    "cooking",
    *(
        pytest.param(kind, marks=pytest.mark.slow)
        for kind in ("coin_collector", "treasure_hunter", "simple", "custom")
    ),
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_game_is_told_and_won_as_it_was(game: Make, kind: str) -> None:
    env = game(kind, **({"goal": "brief"} if kind == "simple" else {}))
    text, _ = env.reset(seed=1)
    assert text == FIRST[kind]
    assert text.startswith(env.instruction)
    assert env.task == kind
    way = env.expert_actions()
    assert way == tuple(WAYS[kind].split("; "))
    rewards = []
    for command in way:
        assert command in env.legal_actions()
        _, reward, terminated, truncated, info = env.step(command)
        assert info["is_legal"]
        assert terminated == (command == way[-1])
        assert not truncated
        rewards.append(reward)
    assert info == {"score": 1.0, "won": True, "is_legal": True}
    assert env.legal_actions() == ()
    assert min(r for r in rewards if r) == pytest.approx(1 / POINTS.get(kind, 1))


@pytest.mark.filterwarnings("ignore:.*unsupported game:UserWarning")
@pytest.mark.filterwarnings("ignore:.*is not fully supported:UserWarning")
def test_texts_and_commands_are_those_of_textworlds_own_environment(
    game: Make, textworld_cache: Path
) -> None:
    env = game()
    env.reset(seed=1)
    textworld = library()
    wanted = textworld.EnvInfos(admissible_commands=True, score=True)
    folder = env.machine().folder
    own = textworld.start(str(folder / STORY), wanted)
    state = own.reset()
    assert (folder / LOGIC).is_file()
    assert state.objective == env.instruction
    rng = np.random.default_rng(3)
    for _ in range(60):
        assert env.legal_actions() == tuple(state.admissible_commands)
        command = str(rng.choice(env.legal_actions()))
        text, _, terminated, _, _ = env.step(command)
        state, score, is_done = own.step(command)
        told, _, _ = state.feedback.partition("Would you like to RESTART")
        assert text.split() == told.split()
        assert terminated == is_done
        assert env.score >= score / 5
        if is_done:
            break
    own.close()


def test_a_seed_gives_the_same_game_in_another_process(
    game: Make, tmp_path: Path
) -> None:
    program = (
        "import sys; from envs.registry import find\n"
        "kwargs = {'kind': 'cooking', 'cache': sys.argv[1]}\n"
        "env = find('textworld', kwargs=kwargs).make().unwrapped\n"
        # Another game first: it must not matter what was made before.
        "env.reset(seed=0); print(env.reset(seed=1)[0], env.expert_actions())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "7", "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    env = game()
    assert done.stdout.strip() == f"{env.reset(seed=1)[0]} {env.expert_actions()}"
    # The compiler would write documentation there.
    assert not (tmp_path / "home").exists()


def test_the_same_commands_have_the_same_answers_each_time(
    game: Make, few: None
) -> None:
    env = game()
    first = walk(env, seed=1, num_steps=40)
    assert len(first) > 20
    walk(env, seed=0, num_steps=5)
    assert walk(env, seed=1, num_steps=40) == first
    assert walk(game(), seed=1, num_steps=40) == first


def test_legal_commands_do_not_depend_on_when_they_are_asked_for(
    game: Make, few: None
) -> None:
    env = game()
    listed = walk(env, seed=1, num_steps=30)
    env.reset(seed=1)
    for command, *_ in listed[1:]:
        env.step(command)
    assert env.legal_actions() == listed[-1][-1]


def test_snapshots_restore_exactly(game: Make, few: None) -> None:
    made = game()
    env = SnapshotEnv(made, made.snapshot_adapter(made))
    assert isinstance(env.adapter, MachineSnapshots)
    assert restores_exactly(env, seed=5)


class Forgetful(MachineSnapshots):
    """Does not restore what is in the interpreter."""

    def restore(self, snapshot: Any) -> None:
        AttributeSnapshots.restore(self, snapshot[0])


def test_snapshots_without_the_interpreter_are_found_out(game: Make, few: None) -> None:
    made = game()
    assert not restores_exactly(SnapshotEnv(made, Forgetful(made, made)), seed=5)


def test_a_moment_of_one_instance_can_be_gone_on_from_in_another(
    game: Make, few: None
) -> None:
    envs: list[Env] = [game(), game()]
    left, right = (
        SnapshotEnv(env, env.unwrapped.snapshot_adapter(env)) for env in envs
    )  # type: ignore[attr-defined]
    left.reset(1)
    left.step("go north")
    right.reset(0)
    right.restore(left.save())
    for command in ("look", "go west", "inventory", "examine cookbook"):
        assert right.step(command) == left.step(command)


def test_the_way_to_win_is_known_in_the_middle_and_leaves_the_episode_alone(
    game: Make,
) -> None:
    env = game()
    env.reset(seed=1)
    path = env.expert_actions()
    for command in path[:5]:
        env.step(command)
    assert env.expert_actions() == path
    for command in path[5:]:
        env.step(command)
    assert env.has_won


def test_a_way_that_does_not_win_is_refused(
    game: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = game()
    env.reset(seed=1)
    metadata = env._machine.logic.metadata
    monkeypatch.setitem(metadata, "walkthrough", metadata["walkthrough"][:-1])
    with pytest.raises(DataError, match=r"game 1 of cooking \(train\) does not"):
        env.expert_actions()


@pytest.mark.slow
def test_a_game_that_its_own_way_does_not_win_is_made_anew(game: Make) -> None:
    env = game("custom")
    # The first try has a "locker" and a "type 0 locker", not told apart by the parser.
    assert "locker" not in env.reset(seed=0)[0]
    for command in env.expert_actions():
        env.step(command)
    assert env.has_won


def test_what_does_nothing_is_no_part_of_the_way(
    game: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = game()
    env.reset(seed=1)
    metadata = env._machine.logic.metadata
    plain = env.expert_actions()
    longer = ["sing", "open bed", *metadata["walkthrough"], "look"]
    monkeypatch.setitem(metadata, "walkthrough", longer)
    assert env.expert_actions() == plain


def test_what_is_not_understood_is_said_and_changes_nothing(game: Make) -> None:
    env = game()
    env.reset(seed=1)
    before = env.legal_actions()
    for command in ("sing", "go north. go west", "x" * 300, "quit", "take moon"):
        text, reward, terminated, _, info = env.step(command)
        assert text
        assert (reward, terminated, info["is_legal"]) == (0.0, False, False)
        assert env.legal_actions() == before
    assert env.step("  GO   north ")[4]["is_legal"]


def test_games_write_no_files_of_their_own(
    game: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = game()
    env.reset(seed=1)
    for command in ("save", "script", "transcript on", "go north, save", "then save"):
        env.step(command)
    assert list(tmp_path.iterdir()) == []


def test_burned_food_loses_for_good(game: Make) -> None:
    env = game()
    env.reset(seed=1)
    way = env.expert_actions()
    for command in way[: way.index("cook red potato with oven") + 1]:
        env.step(command)
    score = env.score
    text, reward, terminated, _, info = env.step("cook red potato with stove")
    assert "*** You lost! ***" in text
    assert "RESTART" not in text
    assert terminated
    assert (reward, info["won"]) == (0.0, False)
    assert env.score == score == pytest.approx(2 / 5)
    assert env.legal_actions() == ()


def ingredients(env: Any) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for seed in range(NUM_GAMES):
        env.reset(seed=seed)
        found |= {tuple(part) for part in env._machine.logic.metadata["ingredients"]}
    return found


@pytest.mark.slow
def test_recipes_of_unseen_games_are_of_what_no_other_game_has(game: Make) -> None:
    tables = library("textworld.challenges.tw_cooking.cooking")
    known = tables.FOOD_PREPARATIONS_SPLITS["train"]

    def is_known(food: str, cooking: str, cutting: str) -> bool:
        return (cooking, cutting) in map(tuple, known.get(food, ()))

    kinds = {"recipe": 3, "take": 3, "go": 1}
    for split, expected in (("train", True), ("seen", True), ("unseen", False)):
        parts = ingredients(game(split=split, **kinds))
        assert len(parts) >= 4
        assert {is_known(*part) for part in parts} == {expected}


@pytest.mark.slow
def test_food_asked_for_in_unseen_simple_games_is_in_no_other(game: Make) -> None:
    env = game("simple", split="unseen", goal="brief")
    for seed in range(2):
        env.reset(seed=seed)
        assert any(food in env.instruction for food in ("garlic", "kiwi", "carrot"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rewards", "num_points"), [("dense", 8), ("balanced", 3), ("sparse", 1)]
)
def test_points_of_simple_games_are_as_asked_for(
    game: Make, rewards: str, num_points: int
) -> None:
    env = game("simple", rewards=rewards, goal="none")
    env.reset(seed=1)
    assert env.instruction == ""
    gains = [env.step(command)[1] for command in env.expert_actions()]
    assert [gain for gain in gains if gain] == pytest.approx(
        [1 / num_points] * num_points
    )


def test_settings_shape_the_games(game: Make) -> None:
    env = game(go=1, take=0, cook=False, cut=False)
    env.reset(seed=0)
    assert env.expert_actions()[-2:] == ("prepare meal", "eat meal")
    assert not any(command.startswith("go ") for command in env.legal_actions())


def test_settings_that_do_not_fit_are_refused(game: Make) -> None:
    with pytest.raises(ConfigError, match=r"level is no setting of 'cooking', got 5"):
        game(level=5)
    with pytest.raises(ConfigError, match=r"kind must be one of coin_collector"):
        game("chess")


def test_splits_have_as_many_games_as_seeds(game: Make) -> None:
    splits = ("train", "seen", "unseen")
    assert [game(split=split).num_games for split in splits] == [900, 100, 1_000]


def test_time_limits_are_the_registrys_and_can_be_another(
    textworld_cache: Path,
) -> None:
    assert find("textworld").max_episode_steps == 100
    given = {"cache": str(textworld_cache), "max_episode_steps": 2}
    env = find("textworld", kwargs=given).make()
    env.reset(seed=1)
    assert [env.step("inventory")[3] for _ in range(2)] == [False, True]
