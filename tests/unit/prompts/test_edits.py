"""Answers that edit the parent's program."""

import difflib

import pytest

from cwm.core.proposals import ParseFailure
from prompts.edits import Edit, apply_edits, find_edits
from prompts.parse import parse_completion

PARENT = """\
import numpy as np

GRAVITY = 9.8


class Environment:
    def __init__(self):
        self.x = 0.0

    def set_state(self, observation):
        self.x = float(observation[0])

    def step(self, action):
        self.x += GRAVITY

        return self.x, 0.0, False
"""
CHANGED = PARENT.replace("9.8", "3.7").replace("0.0, False", "1.0, self.x > 2")


def reason(text: str, parent: str = PARENT) -> str:
    parsed = parse_completion(text, parent=parent)
    assert isinstance(parsed, ParseFailure)
    return parsed.reason


def unified(before: str, after: str, *, num_lines: int = 3) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "a/m.py", "b/m.py", "", "", num_lines
    )
    return "\n".join(line.rstrip("\n") for line in lines)


SEARCH = """\
The gravity is too large.

<<<<<<< SEARCH
GRAVITY = 9.8
=======
GRAVITY = 3.7
>>>>>>> REPLACE

And it ends:

<<<<<<< SEARCH
        return self.x, 0.0, False
=======
        return self.x, 1.0, self.x > 2
>>>>>>> REPLACE
"""


@pytest.mark.parametrize(
    "text",
    [
        f"Like this:\n```diff\n{unified(PARENT, CHANGED)}\n```\nDone.",
        f"```python\n{unified(PARENT, CHANGED)}\n```",
        unified(PARENT, CHANGED),
        unified(PARENT, CHANGED, num_lines=0),
        f"diff --git a/m.py b/m.py\nindex 1..2\n{unified(PARENT, CHANGED)}\n",
        unified(PARENT, CHANGED).replace("@@ -", "@@ -9"),
        unified(PARENT, CHANGED).replace("\n \n", "\n\n"),
        unified(PARENT, CHANGED) + "\n\\ No newline at end of file\n",
        "\n".join(
            "@@ some place @@" if line.startswith("@@") else line
            for line in unified(PARENT, CHANGED).split("\n")
        ),
        SEARCH,
        f"```python\n{SEARCH}```",
        SEARCH.replace("SEARCH\n", "SEARCH \n").replace("=\n", "=\r\n"),
        "```diff\n-GRAVITY = 9.8\n+GRAVITY = 3.7\n```\nand\n"
        "```diff\n-        return self.x, 0.0, False\n"
        "+        return self.x, 1.0, self.x > 2\n```",
    ],
    ids=[
        "diff block",
        "python block",
        "no block",
        "no context",
        "git",
        "wrong line numbers",
        "empty context lines",
        "no newline",
        "no line numbers",
        "search",
        "search in a block",
        "search with blanks",
        "no hunk heads",
    ],
)
def test_edits_that_fit_exactly_are_made(text: str) -> None:
    assert parse_completion(text, parent=PARENT) == CHANGED


def test_block_of_edits_is_no_program_though_it_has_the_class() -> None:
    text = (
        "```python\n<<<<<<< SEARCH\nclass Environment:\n    def __init__(self):\n"
        "=======\nclass Environment:\n    def __init__(self, x=0):\n"
        ">>>>>>> REPLACE\n```"
    )
    expected = PARENT.replace("__init__(self)", "__init__(self, x=0)")
    assert parse_completion(text, parent=PARENT) == expected


def test_complete_program_goes_before_edits_of_it() -> None:
    other = PARENT.replace("9.8", "1.6")
    text = f"{SEARCH}\n```python\n{other}```"
    assert parse_completion(text, parent=PARENT) == other


def test_edits_go_before_a_block_that_quotes_the_parent() -> None:
    text = f"This is it:\n```python\n{PARENT}```\nChange it so:\n{SEARCH}"
    assert parse_completion(text, parent=PARENT) == CHANGED


def test_edits_go_before_a_block_with_parts_left_out() -> None:
    text = f"```python\nclass Environment:\n    # ... rest unchanged\n```\n{SEARCH}"
    assert parse_completion(text, parent=PARENT) == CHANGED


def test_edits_go_before_a_block_without_the_class() -> None:
    text = f"```python\nGRAVITY = 3.7\n```\n{SEARCH}"
    assert parse_completion(text, parent=PARENT) == CHANGED


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_windows_line_ends_of_either_do_not_matter(ends: str) -> None:
    text = SEARCH.replace("\n", ends)
    assert parse_completion(text, parent=PARENT.replace("\n", "\r\n")) == CHANGED


def test_diff_of_a_new_file_is_the_program() -> None:
    added = "".join(f"+{line}\n" for line in PARENT.splitlines())
    text = f"```diff\n--- /dev/null\n+++ b/m.py\n@@ -0,0 +1,17 @@\n{added}```"
    assert parse_completion(text) == PARENT
    assert parse_completion(text, parent=CHANGED) == PARENT


def test_edit_that_does_not_fit_is_a_failure_with_its_line() -> None:
    text = SEARCH.replace("GRAVITY = 9.8", "GRAVITY = 9.81")
    assert reason(text) == (
        "An edit does not apply: its 1 lines to replace, with 'GRAVITY = 9.81', are "
        "not in the program. Give the complete program instead."
    )


def test_edit_that_fits_twice_is_a_failure_unless_it_says_where() -> None:
    parent = PARENT + "\n    def more(self):\n        self.x += GRAVITY\n"
    text = "@@ @@\n-        self.x += GRAVITY\n+        self.x -= GRAVITY\n"
    assert "with 'self.x += GRAVITY', stand 2 times in the program" in reason(
        text, parent
    )
    for line, expected in ((14, 0), (19, 1)):
        parsed = parse_completion(
            text.replace("@@ @@", f"@@ -{line},1 +{line},1 @@"), parent=parent
        )
        assert isinstance(parsed, str)
        assert parsed.count("self.x -= GRAVITY") == 1
        assert parsed.index("-=") > parsed.index("step")
        assert (parsed.index("-=") > parsed.index("more")) == expected


def test_line_numbers_count_what_earlier_edits_have_added() -> None:
    program = "a\nb\na\nb\na\n"
    edits = [Edit(("a",), ("x", "y"), 1), Edit(("a",), ("z",), 3)]
    assert apply_edits(program, edits) == "x\ny\nb\nz\nb\na\n"


def test_lines_that_are_to_be_added_nowhere_are_a_failure() -> None:
    text = "@@ -1 +1 @@\n+x = 1\n@@ -5 +5 @@\n+y = 2\n"
    assert reason(text) == (
        "An edit adds lines without saying where; give the complete program."
    )


def test_edits_without_a_program_to_edit_are_a_failure() -> None:
    assert "there is none to edit" in reason(SEARCH, parent="")


def test_edits_that_break_the_class_are_a_failure() -> None:
    text = "<<<<<<< SEARCH\nclass Environment:\n=======\nclass Env:\n>>>>>>> REPLACE\n"
    assert "Its class Env has set_state and step" in reason(text)


def test_edits_may_leave_a_comment_that_the_parent_has() -> None:
    parent = PARENT + "# ... rest unchanged\n"
    assert parse_completion(SEARCH, parent=parent) == CHANGED + "# ... rest unchanged\n"
    text = SEARCH.replace("GRAVITY = 3.7", "GRAVITY = 3.7\n# ... rest unchanged")
    assert "is not complete" in reason(text)


def test_too_many_edits_are_a_failure() -> None:
    edit = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"
    assert reason(edit * 101) == (
        "The answer has 101 edits, more than 100; give the complete program instead."
    )


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< SEARCH\na\n",
        "<<<<<<< SEARCH\na\n=======\nb\n",
        "=======\n>>>>>>> REPLACE\n",
        "@@ -1 +1 @@\n context\n",
        "a >>>>>>> b\n",
        "",
    ],
)
def test_what_is_no_edit_is_not_taken_for_one(text: str) -> None:
    assert find_edits(text, []) == []


def test_hunk_ends_where_the_next_file_begins() -> None:
    text = "@@ -1 +1 @@\n-a\n+b\n--- a/n.py\n+++ b/n.py\n@@ -1 +1 @@\n-c\n+d\n"
    edits = find_edits(text, [])
    assert edits == [Edit(("a",), ("b",), 1), Edit(("c",), ("d",), 1)]


def test_edit_of_very_many_lines_is_refused_and_not_searched_for() -> None:
    program = "a\n" * 3_000
    refused = apply_edits(program, [Edit(("a",) * 1_000, ("b",))])
    assert isinstance(refused, ParseFailure)
