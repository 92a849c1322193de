"""Answers that are to go on from a prefix: nothing stands twice, nothing is lost.

Of the published code's answers to such requests about a tenth are lost to a prefix
that is glued before an answer which repeats it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cwm.core.proposals import ParseFailure, ProgramInterface
from cwm.programs.identity import normalised_source
from prompts.joining import join, longest_head, with_what_it_lacks
from prompts.parse import parse_completion
from prompts.syntax import SyntaxReader
from tests.support.tasks import CORRIDOR_PROGRAM

LINES = CORRIDOR_PROGRAM.splitlines(keepends=True)


def parts(source: str, num_lines: int) -> tuple[str, str]:
    lines = source.splitlines(keepends=True)
    return "".join(lines[:num_lines]), "".join(lines[num_lines:])


def answers(source: str, num_lines: int) -> Iterator[tuple[str, str, bool]]:
    """Yields the forms that answers take: name, text, whether the answer was begun."""
    prefix, rest = parts(source, num_lines)
    last = prefix.splitlines(keepends=True)[-1]
    yield "goes on", rest, True
    yield "goes on, closed", f"{rest}```", True
    yield "goes on, closed, prose", f"{rest}```\nThat is the program.\n", True
    yield "goes on, stripped", rest.strip(), True
    yield "goes on after a line end", f"\n{rest}```", True
    yield "goes on in a block", f"```python\n{rest}```\n", True
    yield "repeats all", f"{source}```", True
    yield "repeats all in a block", f"```python\n{source}```", True
    yield "repeats all after prose", f"Sure:\n\n```python\n{source}```\nSo.", True
    yield "repeats the last line", f"{last}{rest}```", True
    yield "repeats the last line, stripped", f"{last}{rest}```".strip(), True
    yield "whole", f"Sure.\n## Correct code\n```python\n{source}```", False
    yield "rest alone", f"Sure.\n## Correct code\n```python\n{rest}```", False
    yield "repeats last", f"## Correct code\n```python\n{last}{rest}```", False


@pytest.mark.parametrize("num_lines", range(1, len(LINES) - 1))
def test_every_form_of_an_answer_gives_the_program_once(num_lines: int) -> None:
    prefix, _ = parts(CORRIDOR_PROGRAM, num_lines)
    for name, text, continues in answers(CORRIDOR_PROGRAM, num_lines):
        parsed = parse_completion(text, prefix=prefix, continues=continues)
        assert isinstance(parsed, str), name
        assert normalised_source(parsed) == normalised_source(CORRIDOR_PROGRAM), name
        assert parsed.count("class Environment") == 1
        assert parsed.count("import numpy") == 1


def test_gluing_without_looking_loses_most_answers_that_repeat_the_prefix() -> None:
    """What the test above says of programs that are glued so."""
    lost = 0
    for num_lines in range(1, len(LINES) - 1):
        glued = parts(CORRIDOR_PROGRAM, num_lines)[0] + CORRIDOR_PROGRAM
        is_once = glued.count("class Environment") == 1
        lost += not is_once or normalised_source(glued) is None
    assert lost == 12


@pytest.mark.skipif(
    "CWM_EXAMPLES" not in os.environ,
    reason="CWM_EXAMPLES names no folder of example programs",
)
def test_programs_that_language_models_wrote_are_continued_without_loss() -> None:
    """In brackets a repeated line is not told from a row that occurs twice."""
    total = wrong = 0
    for path in sorted(Path(os.environ["CWM_EXAMPLES"]).glob("*.py")):
        source = path.read_text(encoding="utf-8").lstrip("\n").rstrip("\n") + "\n"
        if "class Environment" not in source:
            continue
        for num_lines in (6,):
            if num_lines + 2 > source.count("\n"):
                continue
            prefix, _ = parts(source, num_lines)
            for _, text, continues in answers(source, num_lines):
                parsed = parse_completion(text, prefix=prefix, continues=continues)
                assert isinstance(parsed, str)
                total += 1
                wrong += normalised_source(parsed) != normalised_source(source)
    assert total > 500
    assert wrong / total < 0.02


def test_answer_that_was_not_begun_is_taken_as_it_is_if_it_drops_the_prefix() -> None:
    text = f"```python\n{CORRIDOR_PROGRAM}```"
    assert parse_completion(text, prefix="import math\n") == CORRIDOR_PROGRAM


def test_import_that_stands_in_the_prefix_alone_is_supplied() -> None:
    prefix = "import numpy as np\nimport math\nclass Environment:\n"
    _, _, body = CORRIDOR_PROGRAM.partition("import numpy as np\n\n\n")
    parsed = parse_completion(f"```python\n{body}```", prefix=prefix)
    assert parsed == f"import numpy as np\nimport math\n{body}"


@pytest.mark.parametrize("continues", [True, False])
def test_rows_of_a_map_may_be_equal(continues: bool) -> None:
    prefix = 'MAP = [\n    "#  #",\n    "#  #",\n'
    rest = '    "#  #",\n]\n\n\nclass Environment:\n    pass\n'
    text = rest if continues else f"```python\n{rest}```"
    if not continues:
        # The class stands in the block, so that it is the program by itself.
        prefix, rest = (
            'class Environment:\n    MAP = [\n        "##",\n',
            '"##",\n    ]\n',
        )
        text = f"```python\n        {rest}```"
        rest = f"        {rest}"
    assert parse_completion(text, prefix=prefix, continues=continues) == prefix + rest


def test_repeated_line_in_brackets_is_dropped_if_it_cannot_stand_twice() -> None:
    prefix = "class Environment:\n    MAP = [\n        (1,\n"
    rest = "        (1,\n         2),\n    ]\n"
    assert parse_completion(rest, prefix=prefix, continues=True) == (
        f"{prefix}         2),\n    ]\n"
    )


def test_long_prefix_may_be_repeated_as_a_whole() -> None:
    prefix = "".join(f"X{i} = {i}\n" for i in range(200))
    whole = f"{prefix}\n{CORRIDOR_PROGRAM}"
    assert parse_completion(whole, prefix=prefix, continues=True) == whole


def test_blanks_that_a_service_has_stripped_come_back() -> None:
    state = "    def set_state(self, observation): ...\n"
    prefix = f"class Environment:\n{state}    def step(self, action):\n"
    rest = "x = 1\n        return x, 0.0, False\n"
    joined = f"{prefix}        {rest}"
    assert parse_completion(rest, prefix=prefix, continues=True) == joined
    prefix += "        x = 1\n"
    rest = "if x:\n            x = 2\n        return x, 0.0, False\n"
    joined = f"{prefix}        {rest}"
    assert parse_completion(rest, prefix=prefix, continues=True) == joined


def test_lines_are_not_indented_until_they_happen_to_fit() -> None:
    prefix = "import math\n\n\nclass Environment:\n"
    text = '```python\n"""A corridor."""\nx = 1\n```\n'
    parsed = parse_completion(text, prefix=prefix)
    assert isinstance(parsed, ParseFailure)
    assert "does not define class Environment" in parsed.reason


def test_continuation_of_tabs_and_hard_blanks_is_mended() -> None:
    prefix = "class Environment:\n    def step(self, action):\n"
    rest = "        return 0,\u00a00.0,\u00a0False\n```"
    assert parse_completion(rest, prefix=prefix, continues=True) == (
        f"{prefix}        return 0, 0.0, False\n"
    )


def test_prose_after_a_continuation_without_a_fence_is_cut() -> None:
    prefix = "class Environment:\n    def step(self, action):\n"
    rest = "        return 0, 0.0, False\n\nThis program never ends.\n"
    assert parse_completion(rest, prefix=prefix, continues=True) == (
        f"{prefix}        return 0, 0.0, False\n"
    )


def test_broken_continuation_goes_to_the_sandbox_as_one_program() -> None:
    prefix = "class Environment:\n    def step(self, action):\n"
    rest = "        return 0, 0.0, (\n"
    assert parse_completion(f"{rest}```\n", prefix=prefix, continues=True) == (
        prefix + rest
    )


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("        return 0, 0.0, (", "was cut off"),
        ("```\n", "adds nothing"),
        ("        # ... rest unchanged\n        return 1\n```", "is not complete"),
        ("I would rather not.\n", "was cut off"),
    ],
)
def test_continuation_that_leads_nowhere_has_its_reason(
    rest: str, expected: str
) -> None:
    prefix = "class Environment:\n    def step(self, action):\n"
    parsed = parse_completion(rest, prefix=prefix, continues=True)
    assert isinstance(parsed, ParseFailure)
    assert expected in parsed.reason


def test_block_of_its_own_in_a_begun_answer_is_judged_by_itself() -> None:
    prefix = "class Environment:\n    def step(self, action):\n"
    text = "Sure:\n```python\ny = 2\n```\n"
    parsed = parse_completion(text, prefix=prefix, continues=True)
    assert isinstance(parsed, ParseFailure)
    assert "does not define class Environment" in parsed.reason


def test_continuation_without_the_class_says_so() -> None:
    parsed = parse_completion("y = 2\n```", prefix="x = 1\n", continues=True)
    assert isinstance(parsed, ParseFailure)
    assert "does not define class Environment" in parsed.reason


def test_prefix_of_blanks_is_none() -> None:
    text = f"```python\n{CORRIDOR_PROGRAM}```"
    assert parse_completion(text, prefix="\n\n", continues=True) == CORRIDOR_PROGRAM
    assert parse_completion("No.", prefix="\n", continues=True) == (
        parse_completion("No.")
    )


def test_script_is_continued_too() -> None:
    parsed = parse_completion(
        "print(2 * n)\n```",
        prefix="n = 1\n",
        continues=True,
        program=ProgramInterface(),
    )
    assert parsed == "n = 1\nprint(2 * n)\n"


def test_join_gives_nothing_if_no_way_leads_to_a_program() -> None:
    reader = SyntaxReader()
    assert join("x = (\n", "y = (\n", reader.is_python) is None
    assert join("", "x = 1\n", reader.is_python) == "x = 1\n"


def test_repeated_line_after_bad_indentation_is_dropped() -> None:
    prefix = "if x:\n        a = 1\n    b = 2\n    c = 3\n"
    assert join(prefix, "    c = 3\nd = 4\n", lambda text: True) == (f"{prefix}d = 4\n")


def test_longest_head_is_as_much_as_is_python() -> None:
    reader = SyntaxReader()
    assert longest_head("a = 1\nclass B:\n", reader) == "a = 1\n"
    assert longest_head("class B:\n", reader) == ""
    assert longest_head("", reader) == ""


def test_nothing_is_supplied_to_a_source_that_is_no_python() -> None:
    assert with_what_it_lacks("x = (", ["y = 1"], SyntaxReader()) == "x = ("
    assert with_what_it_lacks("x = y", ["y = ("], SyntaxReader()) == "x = y"
    assert with_what_it_lacks("x = y", ["z = 1"], SyntaxReader()) == "x = y"
    assert with_what_it_lacks("x = y", ["y = 1"], SyntaxReader()) == "y = 1\nx = y"
