import pytest

from envs.playground.applying import (
    apply_change,
    read_change,
    say_action,
    shown_actions,
)
from envs.playground.rules import (
    GO_TO,
    GRASP,
    GREW_BIG,
    HOLDING2,
    RELEASE_ALL,
    RELEASE_FIRST,
    RELEASE_SECOND,
    STANDING,
)
from envs.playground.texts import NO_ACTION, ORIGINAL, REWORDED
from envs.playground.things import THINGS

BEFORE = (
    "You see the baby pig, the pea seed, the pea, the water. You are next to the pea "
    "seed. In your inventory, there is the water."
)


def go_to(name: str) -> int:
    return GO_TO[THINGS[name]]


def test_actions_are_read_off_the_text() -> None:
    places = {go_to(name) for name in ("baby pig", "pea seed", "pea", "water")}
    assert set(shown_actions(BEFORE)) == places | {GRASP, RELEASE_FIRST}
    nowhere = "You see the pea. In your inventory, there are the pea and the water."
    assert shown_actions(nowhere) == (go_to("pea"),)
    both = nowhere.replace(". In", ". You are next to the pea. In")
    releases = (RELEASE_FIRST, RELEASE_SECOND, RELEASE_ALL)
    assert shown_actions(both) == (go_to("pea"), *releases)
    same = both.replace("and the water", "and the pea")
    assert shown_actions(same) == (go_to("pea"), RELEASE_FIRST, RELEASE_ALL)


def test_actions_that_the_text_does_not_allow_are_told_as_none() -> None:
    assert say_action(BEFORE, RELEASE_FIRST) == "You give the water."
    assert say_action(BEFORE, RELEASE_SECOND) == NO_ACTION
    assert say_action(BEFORE, go_to("beet")) == NO_ACTION


def test_sentences_are_read() -> None:
    assert read_change("You are standing on nothing.") == (STANDING, ())
    two = "The pea and the pea are in your grasp."
    assert read_change(two, REWORDED) == (HOLDING2, ("pea", "pea"))
    grown = ORIGINAL.growing.format("giraffe")
    assert read_change(grown) == (GREW_BIG, ("giraffe",))
    with pytest.raises(ValueError, match="sentence of the wording, got 'The objects"):
        read_change(ORIGINAL.growing.format("water"))


@pytest.mark.parametrize(
    ("action", "change", "after"),
    [
        (
            go_to("baby pig"),
            "You are standing on the baby pig.",
            BEFORE.replace("next to the pea seed", "next to the baby pig"),
        ),
        # Names are looked up by their beginning: the seed comes first.
        (go_to("pea"), "You are standing on the pea.", BEFORE),
        (
            go_to("pea"),
            "You are standing on nothing.",
            BEFORE.replace(" You are next to the pea seed.", ""),
        ),
        (
            GRASP,
            "In your inventory, there are the water and the pea seed.",
            "You see the baby pig, the pea, the water. In your inventory, there are "
            "the water and the pea seed.",
        ),
        # What is held need not be what the agent was next to: the model may say so.
        (
            GRASP,
            "In your inventory, there are the water and the pea.",
            "You see the baby pig, the pea seed, the water. You are next to the pea "
            "seed. In your inventory, there are the water and the pea.",
        ),
        (
            RELEASE_FIRST,
            "The objects transform into the pea.",
            "You see the baby pig, the pea, the pea, the water. You are next to the "
            "pea. In your inventory, there is nothing.",
        ),
        (RELEASE_FIRST, "Nothing happens.", BEFORE),
    ],
)
def test_changes_are_made(action: int, change: str, after: str) -> None:
    assert apply_change(BEFORE, action, change) == after


def test_what_was_held_comes_back_where_the_agent_is() -> None:
    before = (
        "You see the baby pig, the pea, the water. You are next to the pea. "
        "In your inventory, there are the beet and the baby giraffe."
    )
    grown = apply_change(before, RELEASE_ALL, "The objects transform into the giraffe.")
    assert grown == (
        "You see the baby pig, the giraffe, the water. You are next to the giraffe. "
        "In your inventory, there is nothing."
    )


@pytest.mark.parametrize(
    ("action", "change", "message"),
    [
        (go_to("pea"), "You are standing on the beet.", "a beet to stand on"),
        (GRASP, "In your inventory, there is the pea.", "come to those held"),
        (
            GRASP,
            "In your inventory, there are the water and the beet.",
            "come to those held",
        ),
        (GRASP, "The objects transform into the pea.", "given something to become"),
        (RELEASE_ALL, "The objects transform into the pea.", "something to become"),
        (RELEASE_FIRST, "The objects transform into the pig.", "A baby pig must"),
        (GRASP, "The pea is beneath you.", "sentence of the wording"),
    ],
)
def test_changes_that_cannot_be_made_are_refused(
    action: int, change: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        apply_change(BEFORE, action, change)
