"""What is told from the words of an episode: commands, places, refusals, progress."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.providers.knowledge.reading.commands import Command, parse_command, plain_name
from cwm.providers.knowledge.reading.progress import Progress, is_named, progress_of
from cwm.providers.knowledge.reading.texts import (
    closed_in,
    goal_of,
    ingredients_in,
    menu_choice,
    place_in,
    received_in,
    refusal_in,
    things_in,
)
from cwm.providers.knowledge.records import Episode
from tests.support.knowledge_episodes import (
    AMBIGUOUS,
    BOILING,
    COLD_MUG,
    COOKING,
    HOT_MUG,
    KITCHEN,
    PANTRY,
    RECIPE,
    ROOM,
)


def parts(text: str) -> tuple[str, str, str, str]:
    command = parse_command(text)
    return command.verb, command.thing, command.relation, command.other


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("take mug 1 from desk 2", ("take", "mug 1", "from", "desk 2")),
        ("put mug 1 in/on desk 2", ("put", "mug 1", "in/on", "desk 2")),
        ("move mug 1 to desk 2", ("move", "mug 1", "to", "desk 2")),
        ("heat egg 1 with microwave 1", ("heat", "egg 1", "with", "microwave 1")),
        ("go to desk 2", ("go to", "desk 2", "", "")),
        ("Move North", ("move", "north", "", "")),
        ("open door to east", ("open door to", "east", "", "")),
        ("pick up pot", ("pick up", "pot", "", "")),
        ("look around", ("look around", "", "", "")),
        ("cook onion in oven", ("cook", "onion", "in", "oven")),
        ("dice onion with knife", ("dice", "onion", "with", "knife")),
        ("unlock oak door with key", ("unlock", "oak door", "with", "key")),
        (
            "move pot 7 containing soil in inventory to orange box",
            ("move", "pot 7 containing soil in inventory", "to", "orange box"),
        ),
        ("", ("", "", "", "")),
    ],
)
def test_a_command_is_taken_apart(
    text: str, expected: tuple[str, str, str, str]
) -> None:
    assert parts(text) == expected


def kinds(command: Command) -> list[str]:
    names = ("is_going", "is_taking", "is_putting", "is_opening", "is_searching")
    return [name for name in names if getattr(command, name)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open door to kitchen", ["is_opening", "is_searching"]),
        ("go to desk 1", ["is_going", "is_searching"]),
        ("move north", ["is_going", "is_searching"]),
        ("teleport to kitchen", ["is_going", "is_searching"]),
        ("move pot to stove", ["is_putting"]),
        ("move pot to inventory", ["is_taking"]),
        ("pick up pot", ["is_taking"]),
        ("put coin in box", ["is_putting"]),
        ("open fridge", ["is_opening", "is_searching"]),
        ("close fridge", ["is_searching"]),
        ("look around", ["is_searching"]),
        ("heat mug 1 with microwave 1", []),
    ],
)
def test_a_command_moves_things_or_serves_to_find_them(
    text: str, expected: list[str]
) -> None:
    assert kinds(parse_command(text)) == expected


def test_a_plain_name_has_no_number() -> None:
    assert plain_name("mug 1") == "mug"
    assert plain_name("flower pot 7") == "flower pot"
    assert plain_name("7up") == "7up"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (KITCHEN, "kitchen"),
        (ROOM, ""),
        ("You move to the greenhouse.", "greenhouse"),
        ("This room is called the hallway. In it, you see:", "hallway"),
        ("This outside location is called the outside. Here", "outside"),
        ("-= Living Room =-\nYou are in the living room.", "living room"),
        ("First, go north.\n\n-= Dish-Pit =-\nA normal one.", "dish-pit"),
        ("You are facing the desk 1. Next to it, you see nothing.", "desk 1"),
        ("You take the coin.", ""),
    ],
)
def test_an_observation_names_the_place(text: str, place: str) -> None:
    assert place_in(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "Nothing happens.",
        "No known action matches that input.",
        "Unknown action: I'm not sure what you mean.",
        "That's not a verb I recognise.",
        "I didn't understand that sentence.",
        "You can't see any such thing.",
        "You can't move something into itself.",
        "The kitchen is not openable.",
        "The door is already open.",
        'Nothing was done: an answer must contain "Action:" and a command.',
    ],
)
def test_a_refusal_is_known_by_its_words(text: str) -> None:
    assert refusal_in(text) == text


@pytest.mark.parametrize("text", [KITCHEN, RECIPE, "You take the coin.", "", AMBIGUOUS])
def test_what_is_seen_is_no_refusal(text: str) -> None:
    assert refusal_in(text) == ""


def test_things_that_lie_about_are_found_and_furniture_and_doors_are_not() -> None:
    assert things_in(KITCHEN) == ("cookbook",)
    assert things_in(PANTRY) == ("raw white onion", "jar")
    seen = "On the desk 1, you see a mug 2, and a apple 1."
    assert things_in(seen) == ("mug 2", "apple 1")


def test_what_is_closed_is_found_in_each_wording() -> None:
    assert closed_in(KITCHEN) == ("fridge", "north")
    assert closed_in("a cupboard. The cupboard door is closed. ") == ("cupboard",)
    assert closed_in("The drawer 1 is closed.") == ("drawer 1",)
    assert closed_in("You open the drawer 1. The drawer 1 is open.") == ()


def test_a_recipe_says_what_it_asks_for() -> None:
    assert ingredients_in(RECIPE) == ("white onion", "olive oil")
    assert ingredients_in(KITCHEN) == ()


def test_a_number_stands_for_a_line_of_the_list_before_it() -> None:
    assert menu_choice(AMBIGUOUS, "0") == "pick up pot"
    assert menu_choice(AMBIGUOUS, "1") == "pick up lid"
    assert menu_choice(AMBIGUOUS, "7") == ""
    assert menu_choice(AMBIGUOUS, "look") == ""


def test_what_comes_into_the_inventory_is_told() -> None:
    assert received_in("Adding the meal to your inventory.") == "meal"
    assert received_in("You move the thermometer to the inventory.") == "thermometer"
    assert received_in("You take the coin.") == ""


def test_a_goal_is_the_instruction_without_its_beginning_and_full_stop() -> None:
    assert goal_of("Your task is to: put a mug\n in desk.") == "put a mug in desk"
    assert goal_of("Your task is to boil water.") == "boil water"
    assert goal_of("You are hungry!") == "You are hungry"


def test_a_thing_is_named_by_all_of_its_name_or_the_end_of_it() -> None:
    assert is_named("mug 1", "put a hot mug in desk")
    assert is_named("adult pea plant", "find a(n) plant.")
    assert is_named("object", "pick up objects")
    assert not is_named("pea", "find a peach")
    assert not is_named("mug tree", "put a hot mug in desk")


def notes(episode: Episode) -> list[str]:
    progress = Progress.begin(episode.instruction, episode.observation)
    told = [progress.note()]
    for step in episode.steps:
        progress = progress.after(step.action, step.observation, is_legal=step.is_legal)
        told.append(progress.note())
    return told


def test_a_note_tells_goal_places_things_and_deeds() -> None:
    told = notes(HOT_MUG)
    goal = "Goal: put a hot mug in coffeemachine."
    assert told[0] == f"{goal} Here: coffeemachine 1. Held: nothing."
    assert told[3] == (
        f"{goal} Place: countertop 1. Here: mug 2. Seen: drawer 1, countertop 1. "
        "Held: nothing."
    )
    assert told[8] == (
        f"{goal} Place: coffeemachine 1. Seen: drawer 1, countertop 1, microwave 1, "
        "coffeemachine 1. Held: nothing. Done: heat mug 2 with microwave 1, put mug 2 "
        "in/on coffeemachine 1."
    )


def test_a_note_says_why_the_last_command_failed_and_only_the_last() -> None:
    told = notes(COLD_MUG)
    assert told[2].endswith("Held: nothing. The last command failed: Nothing happens.")
    assert "failed" not in told[3]


def test_a_note_says_what_a_recipe_still_asks_for() -> None:
    told = notes(COOKING)
    assert "Wanted: white onion, olive oil." in told[1]
    assert "Here: raw white onion." in told[3]
    assert "Held: white onion. Wanted: olive oil." in told[4]
    assert "Held: white onion, meal." in told[7]
    assert "Held: white onion. " in told[8]


def test_a_note_tells_what_is_closed_until_it_is_opened() -> None:
    told = notes(COOKING)
    assert "Closed: fridge, north." in told[1]
    assert "Closed: fridge." in told[2]
    assert "Closed" not in told[3]
    drawers = notes(HOT_MUG)
    assert "Closed: drawer 1." in drawers[1]
    assert "Closed" not in drawers[2]
    shut = Progress.begin("Find it.", "You are in the hall.")
    assert shut.after("close chest", "You close the chest.").closed == ("chest",)


def test_a_note_tells_where_things_were_found_elsewhere() -> None:
    progress = Progress.begin("Put the coin in the box.", "You are in the hall.")
    assert progress.found == ()
    progress = progress.after("move east", "You are in the den. You see a coin.")
    progress = progress.after("move south", "You are in the bath. You see a box.")
    assert "Here: box. Found: coin (den)." in progress.note()
    progress = progress.after("move north", "You are in the den. You see a coin.")
    assert "Here: coin. Found: box (bath)." in progress.note()
    progress = progress.after("take coin", "You take the coin.")
    progress = progress.after("move south", "You are in the bath. You see a box.")
    assert "Here: box. Seen: hall, den, bath. Held: coin." in progress.note()


def test_what_is_told_with_the_task_is_not_in_sight() -> None:
    task = "Your task is to: put a mug in desk."
    progress = Progress.begin(task, f"{ROOM}\n{task}")
    assert progress.here == ()


def test_what_is_done_several_times_in_a_row_is_told_once() -> None:
    progress = Progress.begin("Cook.", "You are in the hall.")
    for action in ("stir pot", "stir pot", "taste pot", "stir pot"):
        progress = progress.after(action, "You do.")
    assert progress.accomplished == ("stir pot", "taste pot", "stir pot")


def test_a_door_that_was_opened_is_no_place_that_was_seen() -> None:
    assert "Seen: kitchen. " in notes(COOKING)[2]


def test_the_answer_to_a_question_counts_as_what_it_stands_for() -> None:
    told = notes(BOILING)
    assert told[3].endswith("The game asks which one is meant.")
    assert told[4].endswith("Held: pot.")
    assert told[5].endswith("failed: You can't move something into itself.")
    assert "Held: nothing. Done: focus on water in pot, move pot to stove." in told[7]


def test_a_command_that_is_not_legal_failed_whatever_is_said() -> None:
    progress = Progress.begin("Find it.", "You are in the hall.")
    after = progress.after("take coin", "You take the coin.", is_legal=False)
    assert after.held == ()
    assert after.failure == "The game did not understand it."


def test_only_the_last_places_are_told() -> None:
    progress = Progress.begin("Find it.", "You are in the hall.")
    for number in range(9):
        progress = progress.after("move north", f"You are in the room {number}.")
    assert "Seen: room 3, room 4, room 5, room 6, room 7, room 8." in progress.note()


def test_a_long_goal_is_cut() -> None:
    note = Progress.begin("word " * 50, "").note()
    assert note == f"Goal: {' '.join(['word'] * 40)} .... Held: nothing."


@settings(deadline=None)
@given(st.data())
def test_progress_is_a_function_of_the_history_alone(data: st.DataObject) -> None:
    episode = data.draw(st.sampled_from([HOT_MUG, COLD_MUG, COOKING, BOILING]))
    end = data.draw(st.integers(0, len(episode.steps)))
    steps = episode.steps[:end]
    found = progress_of(
        episode.instruction,
        [episode.observation, *(step.observation for step in steps)],
        [step.action for step in steps],
        [step.is_legal for step in steps],
    )
    assert found.note() == notes(episode)[end]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=80)), max_size=5))
def test_any_words_can_be_followed(steps: list[tuple[str, str]]) -> None:
    progress = Progress.begin("Do it.", "You are here.")
    for action, observation in steps:
        progress = progress.after(action, observation)
        assert progress.note().startswith("Goal: Do it.")
        assert "\n" not in progress.note()
