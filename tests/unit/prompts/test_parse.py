"""Which program is read from a completion, and what is said when there is none."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.proposals import ParseFailure
from prompts.parse import MAX_CHECKED_CHARS, code_blocks, fenced, parse_completion

PROGRAM = (
    "class Environment:\n    def step(self, action):\n        return 0, 0.0, False\n"
)
LONGER = "import numpy as np\n\n\n" + PROGRAM


def reason(text: str, prefix: str = "") -> str:
    parsed = parse_completion(text, prefix=prefix)
    assert isinstance(parsed, ParseFailure)
    return parsed.reason


def test_only_block_is_the_program() -> None:
    assert parse_completion(f"Here it is.\n```python\n{PROGRAM}```\nDone.") == PROGRAM


def test_longest_block_after_the_last_heading_wins_over_longer_ones_before() -> None:
    text = (
        f"```python\n{LONGER}```\n## Correct code\n```python\n{LONGER}```\n"
        f"Better:\n### Correct code:\n```python\n{PROGRAM}```\n"
    )
    assert parse_completion(text) == PROGRAM


def test_longest_of_all_blocks_wins_without_a_heading() -> None:
    text = f"```python\n{PROGRAM}```\n```python\n{LONGER}```\n```python\n{PROGRAM}```"
    assert parse_completion(text) == LONGER


def test_heading_without_a_block_after_it_leaves_the_blocks_before_it() -> None:
    text = f"```python\n{PROGRAM}```\n## Correct code\nAs above."
    assert parse_completion(text) == PROGRAM


def test_heading_inside_a_block_or_a_long_sentence_is_none() -> None:
    commented = PROGRAM + "# Correct code\n"
    text = (
        f"```python\n{commented}```\nThe rest is no heading, though it mentions that "
        f"this is the correct code: it goes on for a while.\n```python\n{PROGRAM}```"
    )
    assert parse_completion(text) == commented


def test_block_that_defines_the_class_goes_before_a_longer_one_that_does_not() -> None:
    other = "x = 1\n" * 50
    text = f"```python\n{other}```\n```python\n{PROGRAM}```"
    assert parse_completion(text) == PROGRAM


def test_tagged_block_goes_before_an_untagged_one() -> None:
    text = f"```\n{LONGER}```\n```Python\n{PROGRAM}```"
    assert parse_completion(text) == PROGRAM


def test_untagged_block_is_taken_if_there_is_no_other() -> None:
    assert parse_completion(f"```\n{PROGRAM}```") == PROGRAM


def test_blocks_of_other_languages_are_not_programs() -> None:
    assert "no Python code block" in reason(f"```json\n{PROGRAM}```")


def test_block_in_a_list_loses_the_indentation_of_its_fence() -> None:
    indented = "".join(f"   {line}\n" for line in PROGRAM.splitlines())
    assert parse_completion(f"1. So:\n   ```python\n{indented}   ```") == PROGRAM


def test_fence_in_a_docstring_does_not_end_the_block() -> None:
    source = f'"""Use it so:\n\n```\nx = 1\n```\n"""\n{PROGRAM}'
    assert parse_completion(f"```python\n{source}```\nThat is all.") == source


def test_first_end_is_taken_where_no_end_leaves_valid_python() -> None:
    broken = PROGRAM + "def (:\n"
    text = f"```python\n{broken}```\nand\n```python\nx = 1\n```"
    assert parse_completion(text) == broken


def test_longer_fences_and_tildes_hold_shorter_ones() -> None:
    source = f"# ```\n{PROGRAM}"
    assert parse_completion(f"````python\n{source}````") == source
    assert parse_completion(f"~~~python\n{source}~~~") == source


def test_words_after_the_tag_are_ignored() -> None:
    assert parse_completion(f"```python title=model.py\n{PROGRAM}```") == PROGRAM


def test_unclosed_block_is_taken_if_it_is_complete() -> None:
    assert parse_completion(f"```python\n{PROGRAM}") == PROGRAM


def test_unclosed_block_that_stops_in_a_statement_was_cut_off() -> None:
    assert "was cut off" in reason("```python\nclass Environment:\n    def step(self")


def test_thoughts_before_the_answer_are_dropped() -> None:
    text = f"<think>```python\n{LONGER}```</think>\n```python\n{PROGRAM}```"
    assert parse_completion(text) == PROGRAM


def test_bare_program_without_a_fence_is_taken() -> None:
    assert parse_completion(PROGRAM.rstrip()) == PROGRAM


def test_syntax_error_is_left_to_the_sandbox_to_report() -> None:
    broken = PROGRAM + "    def oops(:\n"
    assert parse_completion(f"```python\n{broken}```") == broken


def test_carriage_returns_of_the_source_are_kept() -> None:
    source = PROGRAM.replace("\n", "\r\n")
    assert parse_completion(f"```python\r\n{source}```\r\n") == source


def test_remaining_lines_alone_are_glued_to_the_prefix() -> None:
    prefix, rest = "class Environment:\n", PROGRAM.partition("\n")[2]
    assert parse_completion(f"```python\n{rest}```", prefix=prefix) == PROGRAM


def test_program_that_repeats_the_prefix_is_not_glued_to_it() -> None:
    prefix = "import numpy as np\n\n"
    assert parse_completion(f"```python\n{LONGER}```", prefix=prefix) == LONGER


def test_program_that_drops_the_prefix_is_taken_as_it_is() -> None:
    assert parse_completion(f"```python\n{PROGRAM}```", prefix="import math\n") == (
        PROGRAM
    )


def test_remaining_lines_that_do_not_fit_the_prefix_are_a_failure() -> None:
    text = "```python\n  x = 1\n```"
    assert "does not define class Environment" in reason(
        text, "class Environment:\n\tpass\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "The completion is empty"),
        (" \n\n", "The completion is empty"),
        ("I cannot do that.", "no Python code block"),
        ("```python\n```", "The code block is empty"),
        ("```python\nclass Env:\n    pass\n```", "does not define class Environment"),
        ("```python\nif True:\n    class Environment: ...\n```", "at module level"),
        (f"```python\n{PROGRAM}{PROGRAM}```", "defines class Environment 2 times"),
    ],
)
def test_completion_without_a_program_has_its_reason(text: str, expected: str) -> None:
    assert expected in reason(text)


def test_failure_reason_is_a_whole_sentence() -> None:
    assert reason("no") == (
        "The completion has no Python code block; the program must stand between "
        "```python and ```."
    )


def test_text_that_exhausts_the_python_parser_is_no_crash() -> None:
    deep = "class Environment: ...\nx = " + "(" * 5_000 + ")" * 5_000
    assert parse_completion(f"```python\n{deep}\n```") == f"{deep}\n"


def test_odd_escape_in_a_program_warns_nobody() -> None:
    source = PROGRAM + 'X = "\\d"\n'
    assert parse_completion(f"```python\n{source}```") == source


@settings(deadline=None)
@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\n"), max_size=30)),
    chatter=st.sampled_from(["", "Sure.\n", "## Correct code\n"]),
)
def test_any_source_put_between_its_fences_is_parsed_back_unchanged(
    lines: list[str], chatter: str
) -> None:
    source = PROGRAM + "".join(f"# {line}\n" for line in lines)
    assert parse_completion(f"{chatter}{fenced(source)}\nThat is it.") == source


@settings(deadline=None)
@given(source=st.text(max_size=200).map(lambda text: f"{text}\n"))
def test_any_text_is_one_closed_block_between_its_fences(source: str) -> None:
    (block,) = code_blocks(f"before\n{fenced(source)}\nafter")
    assert (block.source, block.tag, block.is_closed) == (source, "python", True)


@settings(deadline=None)
@given(text=st.text(alphabet="`~py thon\n<>:clasEvirmet#", max_size=300))
def test_no_text_makes_parsing_fail_otherwise_than_with_a_reason(text: str) -> None:
    parsed = parse_completion(text)
    assert isinstance(parsed, str | ParseFailure)


def test_programs_that_language_models_wrote_are_parsed_back_unchanged() -> None:
    folder = os.environ.get("CWM_EXAMPLES")
    if folder is None:
        pytest.skip("CWM_EXAMPLES names no folder with programs")
    sources = [path.read_text(encoding="utf-8") for path in Path(folder).glob("*.py")]
    assert sources
    for source in sources:
        ended = source if source.endswith("\n") else f"{source}\n"
        text = f"So:\n## Correct code\n```python\n{ended}```\nDone."
        parsed = parse_completion(text)
        has_class = re.search(r"^class Environment\b", ended, re.MULTILINE)
        assert parsed == ended if has_class else isinstance(parsed, ParseFailure)


def test_block_too_long_to_check_is_taken_as_it_is() -> None:
    source = PROGRAM + "#" * MAX_CHECKED_CHARS + "\n"
    assert parse_completion(f"```python\n{source}```") == source
