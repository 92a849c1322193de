"""Household games as they are drawn: rooms, placements, splits, plans that win."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.errors import InternalError
from envs.text_games.base import Split
from envs.text_games.household.experts import _Walk, known_plan, searching_plan
from envs.text_games.household.games import (
    MAX_COMMANDS,
    asked_in,
    draw_game,
    room_numbers,
)
from envs.text_games.household.goals import KINDS, is_won
from envs.text_games.household.rooms import make_room
from envs.text_games.household.rules import Turn, carry_out, first_scene, legal_commands
from envs.text_games.household.sources import read_facts, read_floor_plan
from envs.text_games.household.texts import DIALECTS
from envs.text_games.household.things import LOOK, TASKS, TWO, Game, TaskName

pytestmark = pytest.mark.household

SPLITS: tuple[Split, ...] = ("train", "seen", "unseen")
SOME = [(split, task, n) for split in SPLITS for task in TASKS for n in range(12)]
PAPER = DIALECTS["paper"]


def wins(game: Game, plan: tuple[str, ...]) -> bool:
    """Returns whether a plan wins with its last command, all of it legal."""
    scene = first_scene(game)
    for number, command in enumerate(plan, start=1):
        outcome = carry_out(Turn(game, scene, PAPER), command)
        if outcome is None:
            return False
        scene = outcome[0]
        if is_won(game, scene):
            return number == len(plan)
    return False


def test_both_experts_win_every_game() -> None:
    for name in SOME:
        game = draw_game(*name)
        searched, known = searching_plan(game, PAPER), known_plan(game, PAPER)
        assert wins(game, searched), name
        assert wins(game, known), name
        assert len(known) <= len(searched) <= MAX_COMMANDS


def test_a_plan_without_its_end_does_not_win() -> None:
    game = draw_game(*SOME[0])
    assert not wins(game, known_plan(game, PAPER)[:-1])
    assert not wins(game, (*known_plan(game, PAPER), "look"))
    assert not wins(game, ("dance", *known_plan(game, PAPER)))


def shortest(game: Game, most: int) -> int:
    """Returns the fewest commands that win, found by trying them all."""
    scenes = {first_scene(game)}
    seen = set(scenes)
    for number in range(1, most + 1):
        reached = set()
        for scene in scenes:
            turn = Turn(game, scene, PAPER)
            for command in legal_commands(turn):
                outcome = carry_out(turn, command)
                assert outcome is not None
                if is_won(game, outcome[0]):
                    return number
                reached.add(outcome[0])
        scenes = reached - seen
        seen |= scenes
    return most + 1


@pytest.mark.parametrize("task", ["pick_and_place_simple", "look_at_obj_in_light"])
def test_no_plan_is_shorter_than_that_of_who_knows(task: TaskName) -> None:
    games = [draw_game("train", task, n) for n in range(40)]
    few = [g for g in games if len(g.room.furniture) + len(g.things) < 38]
    assert len(few) >= 3
    for game in few[:3]:
        plan = known_plan(game, PAPER)
        assert shortest(game, len(plan) - 1) == len(plan)


def test_who_searches_looks_only_where_things_can_be() -> None:
    game = draw_game("train", "pick_cool_then_place", 3)
    plan = searching_plan(game, PAPER)
    names = {f"{game.goal.object_kind.lower()} {n}" for n in range(1, 4)}
    found = next(i for i, c in enumerate(plan) if c.startswith("take"))
    fits = game.things[game.wanted[0]].fits
    for command in plan[:found]:
        name = command.removeprefix("go to ").removeprefix("open ")
        piece = game.room.furniture[game.furniture_by_name[name]]
        assert piece.kind in fits
    assert plan[found].split(" from ")[0].removeprefix("take ") in names


def test_who_searches_looks_at_nothing_twice() -> None:
    for name in SOME:
        game = draw_game(*name)
        plan = searching_plan(game, PAPER)
        looks = [c for c in plan if c.startswith("examine")]
        assert len(looks) == len(set(looks))
        for command in looks:
            # Only what is reached without going has to be examined.
            assert f"go to {command.removeprefix('examine ')}" not in plan


def visited(game: Game, plan: tuple[str, ...]) -> set[int]:
    """Returns the furniture that a plan goes to."""
    names = {c.removeprefix("go to ") for c in plan if c.startswith("go to ")}
    names |= {c.removeprefix("open ") for c in plan if c.startswith("open ")}
    names |= {c.removeprefix("examine ") for c in plan if c.startswith("examine ")}
    return {game.furniture_by_name[name] for name in names}


def rearranged(game: Game, plan: tuple[str, ...]) -> Game:
    """Returns the game with things elsewhere that the plan never came across."""
    known = visited(game, plan)
    start = list(game.start)
    for index, (thing, at) in enumerate(zip(game.things, game.start, strict=True)):
        if at in known:
            continue
        other = [
            i
            for i, piece in enumerate(game.room.furniture)
            if piece.kind in thing.fits and i not in known and i != at
        ]
        start[index] = other[index % len(other)] if other else at
    return replace(game, start=tuple(start))


def test_what_was_never_seen_does_not_change_what_the_searching_expert_does() -> None:
    changed = 0
    for name in SOME:
        game = draw_game(*name)
        plan = searching_plan(game, PAPER)
        other = rearranged(game, plan)
        changed += other.start != game.start
        assert searching_plan(other, PAPER) == plan
    assert changed > len(SOME) / 2


def test_what_was_never_seen_does_change_what_who_knows_all_does() -> None:
    games = [draw_game(*name) for name in SOME]
    others = [rearranged(g, searching_plan(g, PAPER)) for g in games]
    pairs = zip(games, others, strict=True)
    assert any(known_plan(a, PAPER) != known_plan(b, PAPER) for a, b in pairs)


def test_an_expert_that_does_what_cannot_be_done_is_our_bug() -> None:
    walk = _Walk(draw_game(*SOME[0]), PAPER)
    with pytest.raises(InternalError, match="must be legal, got 'dance'"):
        walk.do("dance")


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(SOME), st.integers(0, 2**32), st.sampled_from(list(DIALECTS)))
def test_something_happens_on_legal_commands_only(
    name: tuple[Split, TaskName, int], seed: int, dialect: str
) -> None:
    game, words = draw_game(*name), DIALECTS[dialect]
    others = [
        f"{verb} {p.name}" for verb in ("open", "close") for p in game.room.furniture
    ]
    others += [f"{verb} {t.name}" for verb in ("use", "examine") for t in game.things]
    scene = first_scene(game)
    for number in range(30):
        turn = Turn(game, scene, words)
        legal = legal_commands(turn)
        assert legal == sorted(set(legal))
        assert all(carry_out(turn, command) for command in legal)
        illegal = set(others) - set(legal)
        assert not any(carry_out(turn, command) for command in illegal)
        outcome = carry_out(turn, legal[(seed + 7 * number) % len(legal)])
        assert outcome is not None
        scene = outcome[0]


def test_the_same_number_is_the_same_game() -> None:
    game = draw_game("train", "look_at_obj_in_light", 5)
    draw_game.cache_clear()
    assert draw_game("train", "look_at_obj_in_light", 5) == game
    assert draw_game("train", "look_at_obj_in_light", 6) != game
    assert draw_game("seen", "look_at_obj_in_light", 5) != game


@pytest.mark.parametrize("task", TASKS)
def test_splits_ask_for_different_things(task: TaskName) -> None:
    trained = room_numbers("train", task)
    assert trained == room_numbers("seen", task)
    assert not set(trained) & set(room_numbers("unseen", task))
    shares = []
    for room in trained:
        train, seen = (set(asked_in(split, task, room)) for split in ("train", "seen"))
        assert not train & seen
        shares.append((len(seen), len(train | seen)))
    kept, all_of_it = map(sum, zip(*shares, strict=True))
    assert 0.05 < kept / all_of_it < 0.15


def test_unseen_rooms_are_the_first_six_of_each_kind() -> None:
    assert room_numbers("unseen", "pick_heat_then_place") == [1, 2, 3, 4, 5, 6]
    assert room_numbers("train", LOOK) == [*range(207, 231), *range(307, 331)]
    assert len(room_numbers("train", "pick_and_place_simple")) == 96


def test_things_are_where_they_belong_and_not_yet_done() -> None:
    facts = read_facts()
    for name in SOME:
        game = draw_game(*name)
        for thing, at in zip(game.things, game.start, strict=True):
            piece = game.room.furniture[at]
            assert piece.kind in thing.fits
            if "take" in thing.abilities:
                assert thing.kind in facts.holds[piece.kind]
        if game.goal.task != LOOK:
            assert all(game.start[i] not in game.targets for i in game.wanted)
        number = len(game.wanted)
        assert number in ((2, 3) if game.goal.task == TWO else (1, 2))


def test_things_are_listed_by_kind_and_the_last_number_first() -> None:
    for name in SOME[:30]:
        for pieces in (draw_game(*name).things, draw_game(*name).room.furniture):
            order = [(p.kind.lower(), -int(p.name.split()[1])) for p in pieces]
            assert order == sorted(order)


def test_goals_are_told_in_alfworlds_words() -> None:
    said = {
        "pick_and_place_simple": {"put a mug in desk", "put some mug on desk"},
        "look_at_obj_in_light": {
            "look at mug under the desk",
            "examine the mug with the desk",
        },
        "pick_clean_then_place": {
            "put a clean mug in desk",
            "clean some mug and put it in desk",
        },
        "pick_heat_then_place": {
            "put a hot mug in desk",
            "heat some mug and put it in desk",
        },
        "pick_cool_then_place": {
            "put a cool mug in desk",
            "cool some mug and put it in desk",
        },
        "pick_two_obj_and_place": {
            "put two mug in desk",
            "find two mug and put them in desk",
        },
    }
    assert {
        task: {s.format(thing="mug", target="desk") for s in kind.sentences}
        for task, kind in KINDS.items()
    } == said


def test_a_floor_plan_gives_the_furniture_and_where_it_is_used_from() -> None:
    plan, room = read_floor_plan(301), make_room(301)
    drawers = {name: pose for name, pose in plan.poses.items() if "Drawer" in name}
    placed = [piece for piece in room.furniture if piece.kind == "Drawer"]
    assert len(placed) == len(drawers) > len(set(drawers.values()))
    # As many places as poses: some drawers are used from the same.
    assert len({piece.place for piece in placed}) == len(set(drawers.values()))
    assert all(piece.can_open for piece in placed)
    assert room.kind == "Bedroom"
    assert room.lamps == ("DeskLamp",)
    assert "Chair" not in room.objects
    assert "Book" in room.objects


def test_kinds_without_a_pose_have_a_place_of_their_own() -> None:
    room = make_room(1)
    burners = [p for p in room.furniture if p.kind == "StoveBurner"]
    assert [p.name for p in burners] == [f"stoveburner {n}" for n in (4, 3, 2, 1)]
    assert len({p.place for p in burners}) == 4
    assert [p.name for p in room.furniture if p.kind == "Toaster"] == ["toaster 1"]


def test_every_room_can_be_made_and_has_furniture_for_its_tasks() -> None:
    for first in (1, 201, 301, 401):
        for number in range(first, first + 30):
            room = make_room(number)
            assert len(room.furniture) >= 5
            assert {p.name for p in room.furniture if " 0" in p.name} == set()
            assert len({p.name for p in room.furniture}) == len(room.furniture)
    kinds = [{p.kind for p in make_room(n).furniture} for n in range(1, 31)]
    assert all({"Fridge", "Microwave", "SinkBasin"} <= found for found in kinds)
