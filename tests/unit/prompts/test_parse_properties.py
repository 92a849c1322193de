"""Whatever a model sends: a program or a reason, within a limit of work."""

import ast
import html
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cwm.core.proposals import ParseFailure, ProgramInterface
from prompts import syntax
from prompts.parse import (
    MAX_CHECKED_CHARS,
    MAX_COMPLETION_CHARS,
    code_blocks,
    fenced,
    parse_completion,
)
from prompts.syntax import MAX_PARSED_CHARS
from tests.support.tasks import CORRIDOR_PROGRAM

PROGRAM = (
    "class Environment:\n    def step(self, action):\n        return 0, 0.0, False\n"
)
DIFF = "@@ -3 +3 @@\n import numpy as np\n+import math\n"
SEARCH = "<<<<<<< SEARCH\nimport numpy as np\n=======\nimport math\n>>>>>>> REPLACE\n"
ANSWERS = [
    f"It goes right.\n\n## Correct code\n{fenced(CORRIDOR_PROGRAM)}\nThat is all.\n",
    f"<think>Left?</think>\nFirst:\n{fenced('import math')}\n{fenced(PROGRAM)}",
    f"```diff\n{DIFF}```\n",
    f"I would do this:\n{SEARCH}",
    json.dumps({"code": CORRIDOR_PROGRAM}),
    f"<code>{html.escape(CORRIDOR_PROGRAM)}</code>",
    CORRIDOR_PROGRAM.partition("class Environment:\n")[2] + "```\nSo it goes.\n",
    "".join(f">>> {line}\n" for line in PROGRAM.splitlines()),
    PROGRAM.replace("    ", "\t") + "    # ... rest unchanged\n",
]
FENCES = ["```", "```python\n", "~~~", "\n", "\r\n", "    ", "\t", "\u00a0", "\x00"]
MARKS = [
    "\u201c",
    '"',
    "'''",
    "\\",
    "(",
    ")",
    "{",
    "[",
    "#",
    "...",
    "&lt;",
    ">>> ",
    "1 | ",
]
TAGS = ["<think>", "</think>", "<code>", "@@ @@\n", "<<<<<<< SEARCH\n", "=======\n"]
LINES = ["class Environment:\n", "# ... rest unchanged\n", "Then it ends.\n\n"]
PIECES = st.sampled_from([*FENCES, *MARKS, *TAGS, *LINES, ">>>>>>> REPLACE\n"])
PROGRAMS = st.sampled_from(
    [None, ProgramInterface(), ProgramInterface(function="Environment.step")]
)


@st.composite
def changed_answers(draw: st.DrawFn) -> str:
    """A usual answer with parts cut out, repeated, put in or taken from another."""
    text = draw(st.sampled_from(ANSWERS))
    for _ in range(draw(st.integers(1, 6))):
        start, stop = sorted(draw(st.integers(0, len(text))) for _ in range(2))
        inserted = draw(
            st.sampled_from(["", text[start:stop] * 2]) | PIECES | st.text(max_size=5)
        )
        text = text[:start] + inserted + text[stop if draw(st.booleans()) else start :]
    return text


@settings(deadline=None)
@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\n\r"), max_size=30)),
    chatter=st.sampled_from(["", "Sure.\n", "## Correct code\n"]),
)
def test_any_source_put_between_its_fences_is_parsed_back_unchanged(
    lines: list[str], chatter: str
) -> None:
    source = PROGRAM + "".join(f"#: {line}\n" for line in lines)
    assert parse_completion(f"{chatter}{fenced(source)}\nThat is it.") == source


@settings(deadline=None)
@given(source=st.text(max_size=200).map(lambda text: f"{text}\n"))
def test_any_text_is_one_closed_block_between_its_fences(source: str) -> None:
    (block,) = code_blocks(f"before\n{fenced(source)}\nafter")
    assert (block.source, block.tag, block.is_closed) == (source, "python", True)


@settings(deadline=None)
@given(
    text=st.text(alphabet="`~py thon\n<>:clasEvirmet#|@=\"'\\{}", max_size=300)
    | st.lists(PIECES, max_size=40).map("".join)
    | st.text(max_size=100),
    prefix=st.sampled_from(["", "import math\n", CORRIDOR_PROGRAM[:100], "\\"]),
    parent=st.sampled_from(["", CORRIDOR_PROGRAM, "\n"]),
    continues=st.booleans(),
    program=PROGRAMS,
)
def test_any_text_gives_a_program_or_a_reason(
    text: str,
    prefix: str,
    parent: str,
    continues: bool,
    program: ProgramInterface | None,
) -> None:
    parsed = parse_completion(
        text, prefix=prefix, parent=parent, continues=continues, program=program
    )
    assert isinstance(parsed, str | ParseFailure)
    if isinstance(parsed, ParseFailure):
        assert parsed.reason.endswith(".")


@settings(deadline=None, max_examples=300)
@given(text=changed_answers(), continues=st.booleans(), has_parent=st.booleans())
def test_any_change_of_an_answer_gives_a_program_or_a_reason(
    text: str, continues: bool, has_parent: bool
) -> None:
    fields = {
        "prefix": CORRIDOR_PROGRAM.partition("    def")[0] if continues else "",
        "parent": CORRIDOR_PROGRAM if has_parent else "",
        "continues": continues,
    }
    parsed = parse_completion(text, **fields)
    assert parse_completion(text, **fields) == parsed
    if isinstance(parsed, ParseFailure):
        assert parsed.reason.endswith(".")
        return
    if "think>" in parsed:
        return  # A tag in a string of the program is taken for one of the answer.
    # What was read is read again as it is.
    again = parse_completion(fenced(parsed), **fields)
    ended = parsed if parsed.endswith("\n") else f"{parsed}\n"
    is_python = syntax.SyntaxReader().is_python(parsed)
    assert again in (parsed, ended) or not is_python


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=changed_answers(), times=st.integers(1, 40))
def test_no_more_is_parsed_than_the_limit_allows(
    text: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed_chars = []
    parse = syntax._parse
    with monkeypatch.context() as patch:
        patch.setattr(syntax, "_parse", lambda s: parsed_chars.append(len(s)))
        parse_completion(text * times, prefix=PROGRAM, continues=True)
    assert sum(parsed_chars) <= MAX_PARSED_CHARS
    assert syntax._parse is parse


def repeated(piece: str) -> str:
    return (piece * (MAX_COMPLETION_CHARS // len(piece) + 1))[:MAX_COMPLETION_CHARS]


HUGE = {
    "fences": repeated("```python\n"),
    "empty blocks": repeated("```\n"),
    "blocks": repeated("```python\nx\n```\n"),
    "broken blocks": repeated("```python\nclass Environment: pass\nx (\n```\n"),
    "long block": f"```python\n{repeated(PROGRAM)}"[:MAX_COMPLETION_CHARS],
    "fence and backtick": "```" + "a" * (MAX_COMPLETION_CHARS - 4) + "`",
    "blanks": " " * MAX_COMPLETION_CHARS,
    "lines": "x" + "\n" * (MAX_COMPLETION_CHARS - 1),
    "class and tabs": "class" + "\t" * (MAX_COMPLETION_CHARS - 5),
    "digits and bars": repeated("1 | "),
    "prompts": repeated(">>> x\n"),
    "thoughts": repeated("<think>"),
    "tags": repeated("<code>"),
    "edits": repeated(SEARCH),
    "hunks": repeated("@@ -1 +1 @@\n-a\n+b\n"),
    "quotes": repeated("```python\nclass Environment:\n\"'\u201c"),
    "brackets": repeated("["),
    "prose": repeated("Then x is y.\n\n"),
    "comments": repeated("# the rest of the code\n"),
    "deep": "```python\nclass Environment: pass\nx = " + "-" * 150_000 + "1\n```",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("continues", [False, True])
def test_a_million_characters_are_read_in_seconds(name: str, continues: bool) -> None:
    """Work in proportion to the square of the length would take hours."""
    start = time.perf_counter()
    parsed = parse_completion(
        HUGE[name],
        prefix=CORRIDOR_PROGRAM[:60] if continues else "",
        parent="a\n" * 50_000,
        continues=continues,
    )
    assert isinstance(parsed, str | ParseFailure)
    assert time.perf_counter() - start < 30.0


def test_reader_says_when_it_has_read_enough() -> None:
    reader = syntax.SyntaxReader(max_chars=500)
    assert reader.is_python("x = 1")
    assert reader.chars_left == 300
    assert reader.is_python("x = 1")
    assert reader.chars_left == 290
    assert not reader.is_exhausted
    assert not reader.is_python("y = 1" + " " * 300)
    assert reader.is_exhausted
    assert reader.is_python("x = 1"), "it is known"
    assert not reader.is_python("z = 1")


def test_no_more_ends_are_tried_once_enough_is_read() -> None:
    class Counting(syntax.SyntaxReader):
        num_asked = 0

        def tree(self, source: str) -> ast.Module | None:
            self.num_asked += 1
            return super().tree(source)

    reader = Counting()
    assert len(code_blocks("```python\nx (\n```\n" * 20_000, reader)) == 20_000
    assert reader.is_exhausted
    assert reader.num_asked < 60_000


def test_reader_refuses_what_is_too_long_at_no_cost() -> None:
    reader = syntax.SyntaxReader()
    assert not reader.is_python("#" * (MAX_CHECKED_CHARS + 1))
    assert reader.chars_left == MAX_PARSED_CHARS


NAMES = """
import os.path
import numpy as np
from math import sin as sine, *
A, (B, *C) = 1, (2, 3)
def f(x, *y, k=1, **z): local = unknown
class D:
    E = other
with open("f") as g: pass
for h in range(3): pass
try: pass
except ValueError as error: print(error, __name__)
[i for i in A]
match A:
    case {"a": j, **rest}: pass
    case [m, *others]: pass
lambda q: q + (w := 1)
async def later(): pass
"""


def test_names_of_a_module_and_those_that_come_from_nowhere() -> None:
    reader = syntax.SyntaxReader()
    tree = reader.tree(NAMES.replace(", *\n", "\n"))
    assert tree is not None
    assert syntax.missing_names(tree) == {"unknown", "other"}
    names = syntax.module_names(tree)
    assert {"os", "np", "sine", "A", "B", "C", "f", "D", "g", "h", "error"} <= names
    assert {"j", "rest", "m", "others", "later"} <= names
    assert not names & {"local", "x", "y", "z", "k", "E", "unknown", "print"}


def test_nothing_is_missing_where_anything_may_be_imported() -> None:
    tree = syntax.SyntaxReader().tree("from math import *\nsin(1)\n")
    assert tree is not None
    assert syntax.missing_names(tree) == set()
