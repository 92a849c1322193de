"""Damage and wrappings that real answers have, each undone or named."""

import html
import json

import pytest

from cwm.core.proposals import ParseFailure
from prompts.mending import mend, plain_text, without_reasoning
from prompts.parse import parse_completion
from prompts.syntax import SyntaxReader
from tests.support.tasks import CORRIDOR_PROGRAM

PROGRAM = f"{CORRIDOR_PROGRAM}LIMIT = 3 < 4 & 5\n"


def block(source: str) -> str:
    return f"It goes right.\n\n## Correct code\n```python\n{source}```\nThat is all.\n"


def reason(text: str) -> str:
    parsed = parse_completion(text)
    assert isinstance(parsed, ParseFailure)
    return parsed.reason


NUMBERED = "".join(
    f"{number:3} | {line}\n"
    for number, line in enumerate(PROGRAM.splitlines(), start=1)
)
PROMPTED = "".join(
    f"{'>>>' if line[:1].strip() else '...'} {line}\n" for line in PROGRAM.splitlines()
)
QUOTED = "".join(f"> {line}\n" for line in block(PROGRAM).splitlines())


@pytest.mark.parametrize(
    "text",
    [
        block(PROGRAM).replace("\n", "\r\n"),
        "\ufeff" + block(PROGRAM),
        block("".join(f"    {line}\n" for line in PROGRAM.splitlines())),
        block(html.escape(PROGRAM)),
        block(html.escape(PROGRAM, quote=False)),
        block(PROGRAM.replace("    ", "\u00a0\u00a0\u00a0\u00a0")),
        block(PROGRAM.replace("import numpy", "import\u200b numpy")),
        block(PROGRAM.replace("-1.0", "\u22121.0")),
        block(NUMBERED),
        block(NUMBERED.replace("import ", "import\u00a0")),
        block(html.escape(NUMBERED)),
        block(PROMPTED),
        QUOTED,
        f"```python\n{PROGRAM.rstrip()}```",
    ],
    ids=[
        "Windows line ends",
        "byte order mark",
        "indented",
        "HTML",
        "HTML without quotes",
        "hard blanks",
        "zero width",
        "minus",
        "line numbers",
        "line numbers and hard blanks",
        "line numbers and HTML",
        "interpreter",
        "quoted",
        "a fence glued to the last line",
    ],
)
def test_damaged_program_is_read_as_it_was(text: str) -> None:
    assert text != block(PROGRAM)
    assert parse_completion(text) == PROGRAM


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("\u201c", "\u201d"), ("\u201e", "\u201c"), ("\u2018", "\u2019"), ("\u201c", '"')],
)
def test_curled_quotes_are_quotes_outside_of_strings_alone(
    opening: str, closing: str
) -> None:
    kept = 'TEXT = "say \u201chi\u201d and it\u2019s so"  # it\u2019s \u201cso\u201d\n'
    source = f"{PROGRAM}{kept}NAME = {opening}left{closing}\n"
    mark = "'" if opening == "\u2018" else '"'
    expected = f"{PROGRAM}{kept}NAME = {mark}left{mark}\n"
    assert parse_completion(block(source)) == expected


def test_odd_characters_in_strings_stay_where_code_is_mended() -> None:
    kept = (
        'A = "a\u00a0b \u2212 \\" \u2212"\n'
        "B = '''\u00a0\n'\u2212\n'''\n"
        "C = 'it \\\n\u2212'  # \u2212\u00a0\n"
    )
    mended = mend(f"{kept}D\u00a0= \u22121\n", SyntaxReader())
    assert mended == f"{kept}D = -1\n"


def test_python_is_never_mended() -> None:
    source = f'{PROGRAM}A = "&lt;\u201c\u00a0\u2212"\n'
    assert parse_completion(block(source)) == source


def test_what_cannot_be_mended_stays_as_it_was() -> None:
    source = PROGRAM + "x = \u201cleft\ny = &lt;\n\tz = (\n"
    assert parse_completion(block(source)) == source


@pytest.mark.parametrize("width", [4, 8])
def test_tabs_mixed_with_spaces_are_spaced_as_the_program_needs_it(width: int) -> None:
    lines = [
        "class Environment:",
        "    def step(self, action):",
        "        x = 1",
        "\tx += 1" if width == 8 else "\t\tx += 1",
        "        return x, 0.0, False",
    ]
    source = "\n".join([*lines, ""])
    expected = source.expandtabs(width)
    assert parse_completion(block(source)) == expected


def test_tabs_alone_stay_tabs() -> None:
    source = PROGRAM.replace("    ", "\t")
    assert parse_completion(block(source)) == source


def test_program_on_one_line_gets_its_line_ends() -> None:
    escaped = PROGRAM.replace('"', '\\"').replace("\n", "\\n")
    assert parse_completion(f"```python\n{escaped}\n```") == f"{PROGRAM}\n"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"explanation": "It goes right.", "code": PROGRAM}),
        json.dumps({"files": [{"name": "a.py", "text": "x"}, {"text": PROGRAM}]}),
        json.dumps(PROGRAM),
        f"Here:\n```json\n{json.dumps({'program': PROGRAM}, indent=1)}\n```\n",
        '{"code": "' + PROGRAM.replace('"', '\\"') + '"}',
        f"<pre><code class='python'>\n{html.escape(PROGRAM)}</code></pre>",
        f"The program is <code>{PROGRAM}</code>.",
        f"<answer>\n{PROGRAM}",
        PROGRAM.rstrip(),
        f"Here is the program.\n\n{PROGRAM}\n\nIt moves, then checks the end.\n",
        f"Here is it:\n{PROGRAM}",
        f"{PROGRAM}\n- First, it moves.\n- Then it checks.\n",
        f"{PROGRAM}\n## How it works\n\nIt moves.\n",
    ],
    ids=[
        "JSON",
        "nested JSON",
        "JSON text",
        "JSON in a block",
        "JSON with line ends",
        "HTML",
        "HTML not escaped",
        "tag not closed",
        "bare",
        "bare in prose",
        "bare after prose",
        "bare before a list",
        "bare before a heading",
    ],
)
def test_program_in_another_wrapping_is_found(text: str) -> None:
    parsed = parse_completion(text)
    assert isinstance(parsed, str)
    # Without a fence, text before the first statement is not told from prose.
    bare = PROGRAM.partition("\n\n")[2]
    assert parsed.rstrip("\n") in (PROGRAM.rstrip("\n"), bare.rstrip("\n"))


def test_broken_program_in_another_wrapping_is_not_taken() -> None:
    broken = json.dumps({"code": f"{PROGRAM}x = (\n"})
    assert "no Python code block" in reason(broken)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("<think>", "</think>"), ("<Thinking>", "</Thinking>"), ("[THINK]", "[/THINK]")],
)
def test_thoughts_before_the_answer_are_dropped(opening: str, closing: str) -> None:
    draft = "class Environment:\n    pass\n" + "x = 1\n" * 99
    text = f"{opening}```python\n{draft}```{closing}\n{block(PROGRAM)}"
    assert parse_completion(text) == PROGRAM
    # Some servers keep the opening tag to themselves.
    assert parse_completion(text.removeprefix(opening)) == PROGRAM


def test_thoughts_that_are_never_ended_may_still_be_followed_by_an_answer() -> None:
    assert parse_completion(f"<think>Right, or left?\n{block(PROGRAM)}") == PROGRAM


def test_thoughts_that_are_never_ended_and_hold_no_program_are_the_reason() -> None:
    assert reason("<think>Right, or left? Perhaps").startswith(
        "The completion does not end its reasoning, and no program stands in what "
        "there is."
    )


def test_nothing_but_thoughts_is_named_as_such() -> None:
    assert reason(f"<think>{block(PROGRAM)}</think>\n") == (
        "The completion is nothing but reasoning; a program was expected."
    )


def test_tag_of_another_kind_is_no_thought() -> None:
    assert without_reasoning("<b>x</b>") == ("<b>x</b>", True)
    assert without_reasoning("a</think>b<think>c") == ("bc", False)


def test_quotation_marks_of_an_answer_with_fences_of_its_own_stay() -> None:
    text = f"> ```python\n> x = 1\n> ```\n\n```python\n{PROGRAM}```"
    assert plain_text(text) == text
    assert parse_completion(text) == PROGRAM


def test_interpreter_output_between_prompts_is_dropped() -> None:
    source = ">>> x = 1\n>>> x\n1\n>>> class Environment:\n...     y = 2\n"
    assert parse_completion(block(source)) == (
        "x = 1\nx\nclass Environment:\n    y = 2\n"
    )


def test_numbers_that_do_not_count_lines_are_not_dropped() -> None:
    assert "does not define" in reason(block("1 | class Environment:\n3 |   x = 1\n"))
