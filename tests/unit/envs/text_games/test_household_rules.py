"""Household games: what commands lead to, and what is told. No data are needed.

The sentences are written down by hand from ALFWorld's grammar.
"""

from dataclasses import replace

import pytest

from envs.text_games.household.goals import is_won, progress
from envs.text_games.household.rules import (
    NOBODY,
    Scene,
    Turn,
    carry_out,
    first_scene,
    legal_commands,
)
from envs.text_games.household.texts import (
    DIALECTS,
    HELP,
    NOTHING_HAPPENS,
    tell_list,
    tell_thing,
)
from envs.text_games.household.things import (
    Furniture,
    Game,
    Goal,
    Room,
    TaskName,
    Thing,
)


def piece(name: str, kind: str, place: int, *, can_open: bool = False) -> Furniture:
    return Furniture(name=name, kind=kind, place=place, can_open=can_open)


FURNITURE = (
    piece("countertop 1", "CounterTop", 1),
    piece("drawer 2", "Drawer", 2, can_open=True),
    piece("drawer 1", "Drawer", 2, can_open=True),
    piece("fridge 1", "Fridge", 3, can_open=True),
    piece("microwave 1", "Microwave", 4, can_open=True),
    piece("shelf 2", "Shelf", 5),
    piece("shelf 1", "Shelf", 5),
    piece("sinkbasin 1", "SinkBasin", 6),
)


def thing(name: str, kind: str, fits: set[str], *abilities: str) -> Thing:
    return Thing(
        name=name,
        kind=kind,
        fits=frozenset(fits),
        abilities=frozenset(abilities),
        can_slice=kind == "Knife",
        is_container=kind == "Mug",
    )


FOOD = ("take", "heat", "cool", "clean", "slice")
COLD = {"CounterTop", "Fridge", "Microwave", "SinkBasin"}
THINGS = (
    thing("apple 2", "Apple", COLD, *FOOD),
    thing("apple 1", "Apple", COLD, *FOOD),
    thing("desklamp 1", "DeskLamp", {"Shelf"}, "use"),
    thing("knife 1", "Knife", {"CounterTop", "Drawer"}, "take", "clean"),
    thing("mug 1", "Mug", {"CounterTop", "Drawer", "Shelf"}, "take", "heat", "cool"),
)
ROOM = Room(
    number=1, kind="Kitchen", furniture=FURNITURE, objects=(), lamps=(), scenery=()
)
GAME = Game(
    room=ROOM,
    goal=Goal(
        task="pick_heat_then_place",
        object_kind="Apple",
        target_kind="SinkBasin",
        words="put a hot apple in sinkbasin",
    ),
    things=THINGS,
    start=(0, 3, 5, 0, 1),
    wanted=(0, 1),
    targets=(7,),
    furniture_by_name={p.name: i for i, p in enumerate(FURNITURE)},
    thing_by_name={t.name: i for i, t in enumerate(THINGS)},
)


class Player:
    """Plays the game and remembers what was told last."""

    def __init__(self, dialect: str = "paper", game: Game = GAME) -> None:
        self.game = game
        self.dialect = DIALECTS[dialect]
        self.scene: Scene = first_scene(game)

    def __call__(self, *commands: str) -> str:
        told = ""
        for command in commands:
            outcome = carry_out(Turn(self.game, self.scene, self.dialect), command)
            self.scene, told = outcome or (self.scene, NOTHING_HAPPENS)
        return told

    def legal(self) -> list[str]:
        return legal_commands(Turn(self.game, self.scene, self.dialect))


def test_what_is_on_furniture_is_told_on_arrival() -> None:
    do = Player()
    assert do("go to countertop 1") == (
        "On the countertop 1, you see a apple 2, and a knife 1."
    )
    assert do("go to drawer 1") == "The drawer 1 is closed."
    assert do("go to shelf 1") == "On the shelf 1, you see nothing."


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ("paper", "The fridge 1 is closed."),
        ("0.3", "You arrive at loc 3. The fridge 1 is closed."),
        ("0.4", "You arrive at fridge 1. The fridge 1 is closed."),
    ],
)
def test_dialects_differ_in_how_arriving_is_told(dialect: str, told: str) -> None:
    assert Player(dialect)("go to fridge 1") == told


@pytest.mark.parametrize(
    ("dialect", "right", "told", "wrong"),
    [
        (
            "0.3",
            "put knife 1 in/on countertop 1",
            "You put the knife 1 in/on the countertop 1.",
            "move knife 1 to countertop 1",
        ),
        (
            "0.4",
            "move knife 1 to countertop 1",
            "You move the knife 1 to the countertop 1.",
            "put knife 1 in/on countertop 1",
        ),
    ],
)
def test_dialects_differ_in_how_things_are_put_down(
    dialect: str, right: str, told: str, wrong: str
) -> None:
    do = Player(dialect)
    do("go to countertop 1", "take knife 1 from countertop 1")
    assert right in do.legal()
    assert wrong not in do.legal()
    assert do(wrong) == "Nothing happens."
    assert do(right) == told


def test_help_is_there_in_one_dialect_only() -> None:
    assert Player("0.4")("help") == HELP
    assert "\n  move (object) to (receptacle):  place an object in or on" in HELP
    for dialect in ("paper", "0.3"):
        assert Player(dialect)("help") == "Nothing happens."
        assert "help" not in Player(dialect).legal()


def test_closed_furniture_has_to_be_opened() -> None:
    do = Player()
    do("go to fridge 1")
    assert do("take apple 1 from fridge 1") == "Nothing happens."
    assert do("open fridge 1") == (
        "You open the fridge 1. The fridge 1 is open. In it, you see a apple 1."
    )
    assert do("open fridge 1") == "Nothing happens."
    assert do("take apple 1 from fridge 1") == (
        "You pick up the apple 1 from the fridge 1."
    )
    assert do("examine fridge 1") == "The fridge 1 is open. In it, you see nothing."
    assert do("close fridge 1") == "You close the fridge 1."
    assert do("put apple 1 in/on fridge 1") == "Nothing happens."
    assert do("examine fridge 1") == "The fridge 1 is closed."
    assert do("close fridge 1") == "Nothing happens."


def test_one_thing_is_held_at_a_time() -> None:
    do = Player()
    assert do("inventory") == "You are not carrying anything."
    do("go to countertop 1", "take apple 2 from countertop 1")
    assert do("inventory") == "You are carrying: a apple 2."
    assert do("take knife 1 from countertop 1") == "Nothing happens."


def test_things_go_where_they_fit_only() -> None:
    do = Player()
    do("go to countertop 1", "take apple 2 from countertop 1", "go to shelf 1")
    assert do("put apple 2 in/on shelf 1") == "Nothing happens."
    assert do.scene.held == 0


def test_furniture_of_one_place_is_reached_without_going() -> None:
    do = Player()
    do("go to drawer 1")
    assert do("go to drawer 2") == "Nothing happens."
    assert do("open drawer 2") == (
        "You open the drawer 2. The drawer 2 is open. In it, you see a mug 1."
    )
    assert do("look") == (
        "You are facing the drawer 2, and drawer 1. Next to it, you see nothing."
    )


def test_in_the_middle_of_the_room_nothing_is_seen_again() -> None:
    assert Player()("look") == (
        "You are in the middle of a room. Looking quickly around you, you see nothing."
    )


def test_what_changed_furniture_at_one_place_lies_next_to_it() -> None:
    do = Player()
    do("go to drawer 1", "open drawer 1", "open drawer 2", "take mug 1 from drawer 2")
    do("put mug 1 in/on drawer 1")
    assert do("look") == (
        "You are facing the drawer 2, and drawer 1. Next to it, you see a mug 1."
    )
    do("take mug 1 from drawer 1", "put mug 1 in/on drawer 2")
    # It was taken from drawer 1, too, where it has not come back to.
    assert do("look").endswith("you see a mug 1.")


@pytest.mark.parametrize(
    ("commands", "told"),
    [
        ("", "There's nothing special about apple 2."),
        ("go to fridge 1;cool apple 2 with fridge 1", "This is a cold apple 2."),
        ("go to microwave 1;heat apple 2 with microwave 1", "This is a hot apple 2."),
        (
            "go to fridge 1;cool apple 2 with fridge 1;go to microwave 1;"
            "heat apple 2 with microwave 1;go to sinkbasin 1;"
            "clean apple 2 with sinkbasin 1",
            "This is a hot and clean apple 2.",
        ),
        (
            "go to sinkbasin 1;clean apple 2 with sinkbasin 1;go to fridge 1;"
            "cool apple 2 with fridge 1",
            "This is a cool and clean apple 2.",
        ),
    ],
)
def test_treating_changes_what_is_seen_of_a_thing(commands: str, told: str) -> None:
    do = Player()
    do("go to countertop 1", "take apple 2 from countertop 1")
    do(*filter(None, commands.split(";")))
    assert do("examine apple 2") == told


def test_treating_is_told() -> None:
    do = Player()
    do("go to countertop 1", "take apple 2 from countertop 1", "go to microwave 1")
    assert do("heat apple 2 with microwave 1") == (
        "You heat the apple 2 using the microwave 1."
    )
    assert do("cool apple 2 with microwave 1") == "Nothing happens."
    do("go to fridge 1")
    assert (
        do("cool apple 2 with fridge 1") == "You cool the apple 2 using the fridge 1."
    )
    do("go to sinkbasin 1")
    assert do("clean apple 2 with sinkbasin 1") == (
        "You clean the apple 2 using the sinkbasin 1."
    )


def test_what_cannot_be_treated_is_not() -> None:
    do = Player()
    do("go to countertop 1", "take knife 1 from countertop 1", "go to microwave 1")
    assert do("heat knife 1 with microwave 1") == "Nothing happens."


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ({"sliced"}, "This is a sliced apple 2."),
        ({"sliced", "hot"}, "This is a hot sliced apple 2."),
        ({"sliced", "cool"}, "This is a cool sliced apple 2."),
        ({"sliced", "clean"}, "This is a clean sliced apple 2."),
        ({"sliced", "hot", "clean"}, "This is a hot and clean sliced apple 2."),
        ({"sliced", "cool", "clean"}, "This is a cool and clean sliced apple 2."),
        ({"clean"}, "This is a clean apple 2."),
    ],
)
def test_every_state_of_a_thing_has_a_sentence(states: set[str], told: str) -> None:
    assert tell_thing(THINGS[0], states) == told


def test_containers_are_always_normal_and_empty() -> None:
    told = "This is a normal mug 1. In it, you see nothing."
    assert tell_thing(THINGS[4], set()) == told
    assert tell_thing(THINGS[4], {"hot"}) == told


def test_what_lies_about_cannot_be_examined() -> None:
    do = Player()
    do("go to countertop 1")
    assert do("examine apple 2") == "Nothing happens."
    assert do("examine countertop 1").startswith("On the countertop 1, you see")


def test_a_knife_slices_what_is_at_the_same_place() -> None:
    do = Player()
    do("go to countertop 1", "take knife 1 from countertop 1")
    assert (
        do("slice apple 2 with knife 1") == "You sliced the apple 2 with the knife 1."
    )
    assert do("slice apple 1 with knife 1") == "Nothing happens."
    do("go to fridge 1")
    # The fridge is closed: the original does not mind.
    assert "slice apple 1 with knife 1" in do.legal()
    do("go to countertop 1", "put knife 1 in/on countertop 1")
    assert do("slice apple 2 with knife 1") == "Nothing happens."
    do("take apple 2 from countertop 1")
    assert do("examine apple 2") == "This is a sliced apple 2."


def test_lamps_are_turned_on_and_never_off() -> None:
    do = Player()
    do("go to shelf 1")
    assert do("use desklamp 1") == "You turn on the desklamp 1."
    assert do("use desklamp 1") == "You turn on the desklamp 1."
    assert do("take desklamp 1 from shelf 2") == "Nothing happens."
    assert do("use mug 1") == "Nothing happens."


@pytest.mark.parametrize(
    "command",
    [
        *("", "dance", "go", "go to", "go fridge 1", "go to fridge", "go to  fridge 1"),
        *("open", "open fridge 1", "take apple 2", "take apple 2 from countertop 1"),
        *("put knife 1", "heat apple 2", "use", "look around", "Look", "examine"),
        *("inventory now", "slice apple 2 with mug 1", "examine fridge 1"),
    ],
)
def test_what_is_not_understood_changes_nothing(command: str) -> None:
    do = Player()
    assert do(command) == "Nothing happens."
    assert do.scene == first_scene(GAME)


def test_blanks_around_a_command_do_not_matter() -> None:
    assert Player()(" inventory ") == "You are not carrying anything."


def test_legal_commands_are_all_that_something_happens_on() -> None:
    do = Player("0.4")
    do("go to countertop 1", "take knife 1 from countertop 1", "go to drawer 2")
    do("open drawer 2")
    assert do.legal() == [
        "close drawer 2",
        "examine drawer 1",
        "examine drawer 2",
        "examine knife 1",
        "go to countertop 1",
        "go to fridge 1",
        "go to microwave 1",
        "go to shelf 1",
        "go to shelf 2",
        "go to sinkbasin 1",
        "help",
        "inventory",
        "look",
        "move knife 1 to drawer 2",
        "open drawer 1",
    ]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "nothing"),
        (["a pen 1"], "a pen 1"),
        (["a pen 1", "a cd 2"], "a pen 1, and a cd 2"),
        (["a pen 1", "a cd 2", "a cd 1"], "a pen 1, a cd 2, and a cd 1"),
    ],
)
def test_lists_end_with_and(names: list[str], told: str) -> None:
    assert tell_list(names) == told


def game_of(
    task: TaskName, *, wanted: tuple[int, ...], targets: tuple[int, ...]
) -> Game:
    return replace(
        GAME, goal=replace(GAME.goal, task=task), wanted=wanted, targets=targets
    )


def test_only_a_hot_apple_in_the_basin_wins() -> None:
    scene = first_scene(GAME)
    cold = scene._replace(where=(7, 3, 5, 0, 1))
    assert not is_won(GAME, cold)
    assert not is_won(GAME, scene._replace(hot=frozenset({0})))
    assert not is_won(GAME, cold._replace(hot=frozenset({1})))
    assert is_won(GAME, cold._replace(hot=frozenset({0})))


def test_progress_of_a_treated_thing_goes_in_thirds() -> None:
    scene = first_scene(GAME)
    held = scene._replace(held=0, where=(NOBODY, 3, 5, 0, 1))
    assert progress(GAME, scene) == 0
    assert progress(GAME, held) == pytest.approx(1 / 3)
    assert progress(GAME, held._replace(hot=frozenset({0}))) == pytest.approx(2 / 3)
    done = scene._replace(where=(7, 3, 5, 0, 1), hot=frozenset({0}))
    assert progress(GAME, done) == 1


def test_two_things_have_to_be_on_the_same_piece() -> None:
    game = game_of("pick_two_obj_and_place", wanted=(0, 1), targets=(5, 6))
    scene = first_scene(game)
    assert progress(game, scene._replace(held=0, where=(-1, 3, 5, 0, 1))) == 0.25
    apart = scene._replace(where=(5, 6, 5, 0, 1))
    assert not is_won(game, apart)
    assert progress(game, apart) == 0.5
    second = scene._replace(held=1, where=(5, NOBODY, 5, 0, 1))
    assert progress(game, second) == 0.75
    assert is_won(game, scene._replace(where=(6, 6, 5, 0, 1)))


def test_looking_needs_the_lamp_on_and_at_hand() -> None:
    game = game_of("look_at_obj_in_light", wanted=(4,), targets=(2,))
    scene = first_scene(game)._replace(held=4, where=(0, 3, 5, 0, NOBODY))
    assert progress(game, scene) == pytest.approx(1 / 3)
    lit = scene._replace(lit=frozenset({2}))
    assert not is_won(game, lit._replace(place=1))
    assert progress(game, lit) == pytest.approx(2 / 3)
    assert not is_won(game, scene._replace(place=5))
    assert is_won(game, lit._replace(place=5))
    assert not is_won(game, lit._replace(place=5, held=3))
