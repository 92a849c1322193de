import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from cwm.core.errors import ConfigError, DataError
from envs.registry import find
from envs.snapshots import open_with_snapshots
from envs.text_games import science
from envs.text_games.java import stop_machines
from envs.text_games.java_game import CommandSnapshots
from envs.text_games.science_program import STAGE, Program
from envs.text_games.science_tasks import PAPER_TASKS, TASKS

pytestmark = pytest.mark.text

WALK = ("open door to kitchen", "teleport to kitchen", "open cupboard", "wait1")


@pytest.fixture(autouse=True)
def _no_known_paths() -> Iterator[None]:
    """Has gold paths found anew, and forgets those of broken parts."""
    science.gold_path.cache_clear()
    yield
    science.gold_path.cache_clear()


def world(task: str | list[str], **kwargs: Any) -> Any:
    return find("scienceworld", kwargs={"task": task, **kwargs}).make().unwrapped


def playing(env: Any, seed: int, commands: tuple[str, ...]) -> Iterator[Any]:
    """Yields what commands give."""
    yield env.reset(seed=seed)[0], env.instruction
    for command in commands:
        yield env.step(command)


def assert_gold_completes(task: str, split: str, seed: int = 0) -> None:
    env = world(task, split=split, max_steps=500)
    env.reset(seed=seed)
    path = env.expert_actions()
    steps = [env.step(command) for command in path]
    assert sum(step[1] for step in steps) == pytest.approx(1.0)
    assert [step[2] for step in steps] == [False] * (len(path) - 1) + [True]
    assert all(step[4]["is_legal"] for step in steps)
    assert env.has_won


@pytest.mark.parametrize("task", ["find-plant", "use-thermometer"])
def test_gold_paths_complete_quick_tasks(task: str) -> None:
    assert_gold_completes(task, "train")


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "seen", "unseen"])
@pytest.mark.parametrize("task", PAPER_TASKS)
def test_gold_paths_complete_every_task_of_the_papers(task: str, split: str) -> None:
    assert_gold_completes(task, split, seed=1)


@pytest.mark.slow
def test_splits_are_of_the_official_variations() -> None:
    java = STAGE.given_to(None).java
    for task, facts in TASKS.items():
        java.load(task, 0, "easy", False)
        lists = (
            java.getVariationsTrain(),
            java.getVariationsDev(),
            java.getVariationsTest(),
        )
        found = [list(one) for one in lists]
        assert [len(one) for one in found] == list(facts[:3])
        assert list(itertools.chain(*found)) == list(range(sum(facts[:3])))


def test_a_gold_path_has_teleports_only_where_they_are_allowed() -> None:
    paths = []
    for simplification in ("easy", "openDoors"):
        env = world("find-plant", simplification=simplification)
        env.reset(seed=0)
        paths.append(env.expert_actions())
    assert any(command.startswith("teleport to ") for command in paths[0])
    assert not any("teleport" in command for command in paths[1])
    assert any(command.startswith("go to ") for command in paths[1])


def test_where_teleports_lose_the_score_the_walk_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(science, "with_teleports", lambda _: ("wait1",))
    env = world("find-plant")
    env.reset(seed=0)
    assert any(command.startswith("go to ") for command in env.expert_actions())


def test_a_path_that_completes_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Program, "score", lambda _: 0.5)
    env = world("find-plant")
    env.reset(seed=0)
    with pytest.raises(DataError, match="that of find-plant 0 does not"):
        env.expert_actions()


def test_the_task_is_the_instruction_and_the_room_is_seen_first() -> None:
    env = world("find-plant")
    text, _ = env.reset(seed=0)
    assert text.startswith("This room is called the ")
    assert env.instruction.startswith("Your task is to find a(n) plant. First, focus ")
    assert (env.task, env.max_steps) == ("find-plant", 15)
    bare = world("find-plant", looks_around=False)
    assert bare.reset(seed=0)[0] == bare.instruction == env.instruction


def test_two_worlds_in_one_process_take_turns() -> None:
    # In one of them there are electrical actions, which the other must not have.
    kinds = (("find-plant", 0), ("test-conductivity", 1))
    alone = [list(playing(world(task), seed, WALK)) for task, seed in kinds]
    worlds = [world(task) for task, _ in kinds]
    both = [
        playing(env, seed, WALK) for env, (_, seed) in zip(worlds, kinds, strict=True)
    ]
    together = [list(steps) for steps in zip(*both, strict=True)]
    assert [list(steps) for steps in zip(*together, strict=True)] == alone
    listed = [env.legal_actions() for env in worlds]
    assert not any(action.startswith("connect ") for action in listed[0])
    assert any(action.startswith("connect ") for action in listed[1])
    assert listed[0] == worlds[0].legal_actions()


def told(task: str) -> list[Any]:
    env = world(task)
    steps = list(playing(env, 1, WALK))
    return [*steps, env.legal_actions()]


def test_texts_are_the_same_in_another_virtual_machine() -> None:
    # With the package, the order of objects in the first room differs at times.
    first = told("grow-plant")
    stop_machines()
    assert told("grow-plant") == first


def test_to_list_what_is_legal_changes_nothing() -> None:
    # With the package it does: names of objects are drawn, of one stream with the rest.
    plain, listing = world("grow-plant"), world("grow-plant")
    told_plain = list(playing(plain, 1, WALK))
    told_listing = []
    for told_of in playing(listing, 1, WALK):
        told_listing.append(told_of)
        listing.legal_actions()
    assert told_listing == told_plain
    assert listing.legal_actions() == plain.legal_actions()


@pytest.mark.slow
def test_gold_paths_are_the_same_in_another_virtual_machine() -> None:
    paths = []
    for _ in range(2):
        science.gold_path.cache_clear()
        found = []
        for task in ("grow-plant", "chemistry-mix", "test-conductivity"):
            env = world(task)
            told("boil")
            env.reset(seed=0)
            found.append(env.expert_actions())
        paths.append(found)
        stop_machines()
    assert paths[0] == paths[1]


def test_a_focus_on_the_wrong_thing_loses_for_good() -> None:
    env = world("find-plant")
    env.reset(seed=0)
    env.step("teleport to kitchen")
    text, reward, terminated, truncated, info = env.step("focus on table")
    assert text == "You focus on the table."
    assert (terminated, truncated) == (True, False)
    assert info == {"score": env.score, "won": False, "is_legal": True}
    assert reward == 0.0


def test_commands_are_legal_if_the_game_understands_them() -> None:
    env = world("find-plant")
    env.reset(seed=0)
    legal = env.legal_actions()
    assert legal == tuple(sorted(set(legal)))
    assert {"inventory", "look around", "wait1", "teleport to kitchen"} <= set(legal)
    for command in ("sing", "pick up elephant", ""):
        assert not env.step(command)[4]["is_legal"]
    assert env.legal_actions() == legal
    env.step("teleport to kitchen")
    # It numbers what could be meant.
    assert "Ambiguous request" in env.step("open door")[0]
    assert set(env.legal_actions()) == {"0", "1", "2"}
    assert env.step("1")[4]["is_legal"]
    # Anything else closes the question.
    env.step("open door")
    assert not env.step("inventory")[4]["is_legal"]
    assert env.step("inventory")[4]["is_legal"]


def test_what_is_in_closed_containers_is_not_listed_until_they_are_open() -> None:
    env = world("find-plant", split="seen")
    env.reset(seed=0)
    env.step("teleport to kitchen")
    assert "The cupboard door is closed." in env.step("look around")[0]
    assert "look at metal pot" not in env.legal_actions()
    # The program lists it, and does not understand it.
    listed = str(STAGE.given_to(env).java.getValidActionObjectCombinations())
    assert "look at metal pot" in listed
    assert not env.step("look at metal pot")[4]["is_legal"]
    env.step("open cupboard")
    assert "look at metal pot" in env.legal_actions()
    assert env.step("look at metal pot")[4]["is_legal"]


def test_what_is_held_and_what_is_in_it_is_listed() -> None:
    env = world("find-plant", split="seen")
    env.reset(seed=0)
    env.step("teleport to greenhouse")
    env.step("pick up flower pot 8")
    legal = env.legal_actions()
    assert any(action.startswith("put down flower pot 8") for action in legal)
    assert "look in inventory" in legal
    assert "teleport to kitchen" in legal
    held = "a flower pot 8 (containing a apple tree in the adult stage, soil)"
    assert held in env.step("inventory")[0]
    assert {"focus on adult apple tree", "focus on soil in flower pot 8"} <= set(legal)


@pytest.mark.parametrize("room", ["kitchen", "workshop"])
def test_what_is_listed_is_understood(room: str) -> None:
    env = world("power-component", split="seen")
    env.reset(seed=0)
    env.step(f"teleport to {room}")
    legal = env.legal_actions()
    for command in legal[:: len(legal) // 12]:
        env.reset(seed=0)
        env.step(f"teleport to {room}")
        assert env.step(command)[4]["is_legal"], command


def test_a_tasks_own_limit_truncates() -> None:
    env = find("scienceworld", kwargs={"task": "find-plant"}).make()
    env.reset(seed=0)
    ends = [env.step("inventory")[2:4] for _ in range(15)]
    assert ends == [(False, False)] * 14 + [(False, True)]
    assert world("find-plant", max_steps=40).max_steps is None
    longer = world("find-plant", max_steps=40)
    longer.reset(seed=0)
    assert longer.max_steps == 40


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"task": "boyle"}, "task must be '' or one of boil, melt"),
        ({"simplification": "easier"}, "simplification must be made of .* 'easier'"),
        (
            {"simplification": "noElectricalAction"},
            "must leave electrical actions .* for power-component, power-",
        ),
        (
            {
                "simplification": "noElectricalAction",
                "task": ["boil", "test-conductivity"],
            },
            r"must leave electrical actions .* for test-conductivity\.$",
        ),
        ({"max_steps": 0}, "max_steps must be at least 1 step, got 0"),
    ],
)
def test_settings_that_break_their_rules_are_refused(
    kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        find("scienceworld", kwargs=kwargs)


def test_seeds_of_a_mixed_split_are_of_successive_tasks() -> None:
    env = world("")
    assert env.num_games == 1_408
    tasks = []
    for seed in (0, 4, 13):
        env.reset(seed=seed)
        tasks.append(env.task)
    expected = list(
        itertools.compress(PAPER_TASKS, (i in (0, 4, 13) for i in range(24)))
    )
    assert tasks == expected


def test_a_list_of_tasks_takes_turns_each_with_its_own_limit() -> None:
    env = world(["lifespan-longest-lived", "power-component"], split="seen")
    assert env.num_games == 10 + 5
    found = []
    for seed in (0, 1, 2, 14):
        env.reset(seed=seed)
        found.append((env.task, env.max_steps))
    life, power = ("lifespan-longest-lived", 10), ("power-component", 20)
    assert found == [life, power, life, life]


@pytest.mark.slow
def test_snapshots_restore_exactly() -> None:
    env = open_with_snapshots(find("scienceworld", kwargs={"task": "find-animal"}))
    assert isinstance(env.adapter, CommandSnapshots)
