"""Programs outside of fenced blocks."""

import json

import pytest

from prompts.blocks import code_blocks
from prompts.syntax import SyntaxReader
from prompts.unfenced import (
    cut_at_prose,
    program_in_prose,
    programs_in_json,
    programs_in_markup,
)
from prompts.wanted import Wanted

PROGRAM = "class Environment:\n    x = 1\n"
WORLD_MODEL = Wanted.of(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{PROGRAM}\n\nThen it ends.\n", PROGRAM),
        (f"{PROGRAM}\n1. It ends.\n", PROGRAM),
        (f"{PROGRAM}\n**Note** that it ends.\n", PROGRAM),
        (f"{PROGRAM}\nNAME = 1\n\nThen it ends.\n", f"{PROGRAM}\nNAME = 1\n"),
        # Not after an empty line: it may be part of a statement.
        (f"{PROGRAM}Then it ends.\n", None),
        (f"x = (\n\nThen it ends.\n{PROGRAM}", None),
        (PROGRAM, None),
    ],
)
def test_prose_is_cut_where_the_program_before_it_is_python(
    text: str, expected: str | None
) -> None:
    assert cut_at_prose(text, SyntaxReader()) == expected


def test_prose_is_looked_for_a_few_times_only() -> None:
    reader = SyntaxReader()
    assert cut_at_prose("x = (\n" + "\nThen it ends.\n" * 50, reader) is None
    assert reader.chars_left > 590_000


def test_program_starts_where_a_statement_does() -> None:
    text = (
        f"I import all of it.\nimport math\n\n@staticmethod\n{PROGRAM}\nSo it goes.\n"
    )
    assert program_in_prose(text, WORLD_MODEL, SyntaxReader()) == (
        f"import math\n\n@staticmethod\n{PROGRAM}"
    )


def test_start_that_leads_to_no_program_is_followed_by_the_next_one() -> None:
    text = f"import of goods\nX = 1\n{PROGRAM}"
    assert program_in_prose(text, WORLD_MODEL, SyntaxReader()) == f"X = 1\n{PROGRAM}"


@pytest.mark.parametrize(
    "text", [f"{PROGRAM}{PROGRAM}", "class Environment: (\n", "import math\nx y\n"]
)
def test_text_without_exactly_one_program_has_none(text: str) -> None:
    assert program_in_prose(text, WORLD_MODEL, SyntaxReader()) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": PROGRAM, "b": f"{PROGRAM}y = 2\n"}, [f"{PROGRAM}y = 2\n"]),
        ([[{"a": [PROGRAM]}]], [PROGRAM]),
        ({"a": "class Environment: no line end", "b": 1, "c": None}, []),
        ([], []),
        ({"a": ["x\ny"] * 3_000 + [PROGRAM]}, [PROGRAM]),
        ([["x\ny"]] * 3_000 + [PROGRAM], [PROGRAM]),
        ([PROGRAM] + [["x\ny"]] * 3_000, []),
    ],
    ids=["longest", "nested", "other", "empty", "many", "last", "too many before"],
)
def test_texts_of_json_values_are_looked_through(
    value: object, expected: list[str]
) -> None:
    assert list(programs_in_json([json.dumps(value)], WORLD_MODEL)) == expected


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '"open', "no JSON"])
def test_what_is_no_json_has_no_program(text: str) -> None:
    assert list(programs_in_json([text], WORLD_MODEL)) == []


def test_elements_without_a_program_are_passed_over() -> None:
    text = f"<code>x = 1</code> and <pre>\n{PROGRAM}</pre>"
    assert list(programs_in_markup(text, WORLD_MODEL)) == [PROGRAM, PROGRAM]
    many = "<code>x</code>" * 30 + f"<code>{PROGRAM}</code>"
    assert list(programs_in_markup(many, WORLD_MODEL)) == []


def test_first_fence_ends_the_block_where_nothing_more_is_parsed() -> None:
    text = f'```python\n"""\n```\n"""\n{PROGRAM}```'
    (whole,) = code_blocks(text, SyntaxReader())
    assert whole.source.endswith(PROGRAM)
    first, *_ = code_blocks(text, SyntaxReader(max_chars=0))
    assert first.source == '"""\n'
