import pytest

from envs.text_games.textworld.machine import OUTSIDE, SEVERAL, read

TAKEN = """[removing the old key from the antique trunk]
[(1) taking the old key]
You take the old key from the antique trunk.
[(1) taking the old key - succeeded]

[removing the old key from the antique trunk - succeeded]

<score>
2
</score><moves>
4
</moves>
Your score has just gone up by one point.
"""

LOST = """[eating the milk]
You eat the milk. Not bad.
[eating the milk - succeeded]

<score>
7
</score><moves>
9
</moves>

                                         *** You lost! ***

You scored 7 out of a possible 8, in 10 turns.


Would you like to RESTART, RESTORE a saved game, QUIT or UNDO the last command?"""


def test_notes_and_numbers_are_no_part_of_the_text() -> None:
    answer = read(TAKEN)
    assert answer.text == (
        "You take the old key from the antique trunk.\n\n"
        "Your score has just gone up by one point."
    )
    assert answer.points == 2
    assert answer.is_understood


def test_events_are_what_succeeded_without_its_parts() -> None:
    assert read(TAKEN).events == ("removing the old key from the antique trunk",)


def test_what_failed_was_understood_and_is_no_event() -> None:
    answer = read("[opening the door]\nThat's already open.\n[opening - failed it]\n")
    assert (answer.text, answer.events) == ("That's already open.", ())
    assert answer.is_understood
    assert answer.points is None


def test_what_has_no_note_was_not_understood() -> None:
    answer = read("That's not a verb I recognise.\n")
    assert answer.text == "That's not a verb I recognise."
    assert not answer.is_understood


def test_the_end_is_told_without_the_question_after_it() -> None:
    answer = read(LOST)
    assert answer.has_lost
    assert not answer.has_won
    assert answer.text == (
        "You eat the milk. Not bad.\n\n*** You lost! ***\n\n"
        "You scored 7 out of a possible 8, in 10 turns."
    )
    assert read(LOST.replace("You lost!", "The End")).has_won


@pytest.mark.parametrize(
    "command",
    [
        *("save", "Restore", "restart now", "quit", "q", "undo", "oops save"),
        *("script on", "noscript", "unscript", "transcript off", "tw-trace-actions"),
    ],
)
def test_commands_about_files_and_the_interpreter_stay_outside(command: str) -> None:
    assert OUTSIDE.match(command)


@pytest.mark.parametrize("command", ["quilt", "savour the meal", "examine scripture"])
def test_words_that_begin_like_them_do_not(command: str) -> None:
    assert not OUTSIDE.match(command)


def test_several_commands_in_one_are_seen() -> None:
    assert SEVERAL.search("go north. save")
    assert SEVERAL.search("take key THEN go north")
    assert not SEVERAL.search("take strengthening drink, and the lathe nut")
