"""Programs of which parts are only mentioned."""

import ast
import sysconfig
from pathlib import Path

import pytest

from cwm.core.proposals import ParseFailure
from prompts.elision import elided_line
from prompts.parse import parse_completion
from tests.support.tasks import CORRIDOR_PROGRAM

BODY = """\
class Environment:
    def set_state(self, observation):
        self.x = 1
        {}

    def step(self, action):
        return self.x, 0.0, False
"""


def elided(source: str, known: frozenset[str] = frozenset()) -> tuple[int, str] | None:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        tree = None
    return elided_line(source, tree, known)


@pytest.mark.parametrize(
    "line",
    [
        "# ... rest unchanged",
        "# ... existing code ...",
        "# \u2026 same as before",
        "# ...",
        "# [...]",
        "# ... (keep the rest of the code)",
        "# ... other methods ...",
        "# ... (omitted for brevity)",
        "# rest of the code remains the same",
        "# (rest of the class unchanged)",
        "# Rest of the implementation is the same as before",
        "# other methods remain unchanged",
        "# existing methods here",
        "# remaining methods stay the same",
        "# The rest is unchanged",
        "# [rest of code]",
        "# rest of your code",
        "# everything else remains the same",
        "# unchanged",
        "# (unchanged)",
        "# no changes here",
        "# same as before",
        "# Same as above.",
        "# code omitted for brevity",
        "...",
    ],
)
def test_line_that_stands_for_missing_code_is_found(line: str) -> None:
    assert elided(BODY.format(line)) == (4, line)


@pytest.mark.parametrize(
    "line",
    [
        "# the remaining energy stays the same",
        "# other doors remain closed",
        "# the other player goes first",
        "# same as before the update",
        "# state unchanged if the wall blocks",
        "# ...then clip the velocity",
        "# keep the rest position",
        "# the rest of the grid is empty",
        "# original constants are in SI units",
        "# other constants",
        "# no change of direction here",
        "# Same as above\n        self.y = 2",
        "# unchanged\n        self.y = 2",
        "# first,\n        # ...\n        # last",
        'x = "# ... rest unchanged"',
        "x[...] = 1",
    ],
)
def test_line_that_describes_something_is_none(line: str) -> None:
    assert elided(BODY.format(line)) is None


@pytest.mark.parametrize(
    "source",
    [
        "class Environment:\n    def step(self, action): ...\n",
        'class Environment:\n    def step(self):\n        """Steps."""\n        ...\n',
        "class Environment: ...\n",
    ],
)
def test_body_of_nothing_but_dots_is_left_out_on_purpose(source: str) -> None:
    assert elided(source) is None


@pytest.mark.parametrize(
    "line",
    [
        "... rest of the code ...",
        "[rest of the class unchanged]",
        "\u2026",
        "<existing code remains the same>",
    ],
)
def test_words_instead_of_code_are_found_where_there_is_no_python(line: str) -> None:
    assert elided(BODY.format(line)) == (4, line)


def test_comment_that_nothing_follows_stands_for_code() -> None:
    source = BODY.format("pass") + "\n# same as above\n\n# (end)\n"
    assert elided(source) == (9, "# same as above")


def test_long_line_is_no_such_comment() -> None:
    assert elided(BODY.format("# ... rest unchanged " + "x" * 120)) is None


def test_lines_that_were_there_before_do_not_count() -> None:
    source = BODY.format("# ... rest unchanged")
    assert elided(source, frozenset({"# ... rest unchanged"})) is None


def test_program_with_parts_left_out_is_a_failure_with_its_line() -> None:
    source = BODY.format("# ... rest unchanged")
    parsed = parse_completion(f"```python\n{source}```")
    assert isinstance(parsed, ParseFailure)
    assert parsed.reason == (
        "The program is not complete: line 4, '# ... rest unchanged', stands for code "
        "that is left out. Give the whole program."
    )


def test_complete_block_goes_before_a_longer_one_with_parts_left_out() -> None:
    short = BODY.format("pass")
    long = BODY.format("# ... rest unchanged") + "X = 1\n" * 9
    text = f"```python\n{short}```\n```python\n{long}```"
    assert parse_completion(text) == short


def test_parent_may_have_such_a_comment_and_keep_it() -> None:
    source = BODY.format("# ... rest unchanged")
    changed = source.replace("0.0", "1.0")
    assert parse_completion(f"```python\n{changed}```", parent=source) == changed


def test_nothing_is_missing_from_the_standard_library() -> None:
    folder = Path(sysconfig.get_path("stdlib"))
    found = {}
    for path in sorted(folder.glob("*.py"))[:120]:
        source = path.read_text(encoding="utf-8", errors="replace")
        if len(source) < 60_000 and (line := elided(source)):
            found[path.name] = line
    assert found == {}
    assert elided(CORRIDOR_PROGRAM) is None
