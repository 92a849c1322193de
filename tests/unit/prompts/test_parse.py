"""Which program is read from a completion, and what is said when there is none."""

import os
import re
from pathlib import Path

import pytest

from cwm.core.proposals import ParseFailure, ProgramInterface
from prompts.parse import (
    MAX_CHECKED_CHARS,
    MAX_COMPLETION_CHARS,
    code_blocks,
    fenced,
    parse_completion,
)

PROGRAM = (
    "class Environment:\n    def step(self, action):\n        return 0, 0.0, False\n"
)
LONGER = "import numpy as np\n\n\n" + PROGRAM


def reason(text: str, **fields: object) -> str:
    parsed = parse_completion(text, **fields)
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


@pytest.mark.parametrize(
    "opening",
    [
        "```py",
        "```python3",
        "``` python",
        "```{.python}",
        "```python:model.py",
        "```PY",
    ],
)
def test_tag_may_be_written_in_any_usual_way(opening: str) -> None:
    text = f"```\n{LONGER}```\n{opening}\n{PROGRAM}```"
    assert parse_completion(text) == PROGRAM


def test_answer_that_is_fenced_as_a_whole_is_looked_into() -> None:
    text = f"```markdown\n## Correct code\n```python\n{PROGRAM}```\n```"
    assert parse_completion(text) == PROGRAM


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


def test_shorter_fence_does_not_end_a_block_of_any_language() -> None:
    (block,) = code_blocks("````text\n```\na b\n```\n````\n")
    assert block.source == "```\na b\n```\n"


def test_last_of_very_many_blocks_is_the_program() -> None:
    text = "```python\nx = 1\n```\n" * 300 + f"```python\n{PROGRAM}```"
    assert parse_completion(text) == PROGRAM


def test_code_within_a_line_is_no_fence() -> None:
    text = f"Use ```x = 1``` or\n```y = 2```\n```python\n{PROGRAM}```"
    assert [block.tag for block in code_blocks(text)] == ["python"]


def test_block_that_is_opened_twice_begins_at_the_second_fence() -> None:
    text = f"```python\n# Your task:\n```python\n{PROGRAM}```\nIt ends.\n"
    assert parse_completion(text) == PROGRAM
    assert parse_completion(f"```\nSo, then:\n```python\n{PROGRAM}") == PROGRAM
    (block,) = code_blocks(f"````text\nSo:\n```python\n{PROGRAM}```\n````\n")
    assert block.tag == "text"


def test_fence_that_opens_a_block_in_a_docstring_does_not_begin_one() -> None:
    source = f'"""Use it so:\n\n```python\nx = 1\n```\n"""\n{PROGRAM}'
    assert parse_completion(f"```python\n{source}```\nThat is all.") == source


def test_program_below_an_empty_block_is_found() -> None:
    text = f"```python\n# Correct code\n```\nimport math\n\n{PROGRAM}```\n"
    parsed = parse_completion(text)
    assert parsed == f"\n# Correct code\n\nimport math\n\n{PROGRAM}\n"


def test_words_after_the_tag_are_ignored() -> None:
    assert parse_completion(f"```python title=model.py\n{PROGRAM}```") == PROGRAM


def test_unclosed_block_is_taken_if_it_is_complete() -> None:
    assert parse_completion(f"```python\n{PROGRAM}") == PROGRAM


def test_unclosed_block_that_stops_in_a_statement_was_cut_off() -> None:
    assert "was cut off" in reason("```python\nclass Environment:\n    def step(self")


def test_unclosed_block_loses_the_prose_that_follows_it() -> None:
    text = f"```python\n{PROGRAM}\n\nThis program does what the corridor does."
    assert parse_completion(text) == PROGRAM


def test_syntax_error_is_left_to_the_sandbox_to_report() -> None:
    broken = PROGRAM + "    def oops(:\n"
    assert parse_completion(f"```python\n{broken}```") == broken


def test_earlier_blocks_supply_what_the_program_lacks() -> None:
    imports = "import numpy as np\n"
    constants = "GOAL = np.zeros(2)"
    program = PROGRAM.replace("0.0", "GOAL[0]")
    text = (
        f"First:\n```python\n{imports}```\n```python\nunused = 1\n```\n"
        f"```python\n{constants}\n```\nThen:\n```python\n{program}```"
    )
    # What the program lacks are the constants; they lack the import.
    assert parse_completion(text) == f"{imports}{constants}\n{program}"


def test_earlier_blocks_are_no_part_of_a_program_that_lacks_nothing() -> None:
    text = f"```python\nimport numpy as np\n```\n```python\n{LONGER}```"
    assert parse_completion(text) == LONGER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "The completion is empty"),
        (" \n\n", "The completion is empty"),
        ("I cannot do that.", "no Python code block"),
        ("Sorry", "no Python code block"),
        ("```python\n```", "The code block is empty"),
        ("```python\nclass Env:\n    pass\n```", "does not define class Environment"),
        ("```python\nif True:\n    class Environment: ...\n```", "at module level"),
        (f"```python\n{PROGRAM}{PROGRAM}```", "defines class Environment 2 times"),
        (f'```python\ns = """\n{PROGRAM}"""\n```', "does not define class Environment"),
        ("x" * (MAX_COMPLETION_CHARS + 1), "has 1000001 characters, more than 1000000"),
    ],
)
def test_completion_without_a_program_has_its_reason(text: str, expected: str) -> None:
    assert expected in reason(text)


def test_class_with_another_name_is_told_to_be_renamed() -> None:
    body = "    def set_state(self, o): ...\n    def step(self, a): ...\n"
    text = f"```python\nclass Helper: ...\nclass CartPole:\n{body}```"
    assert reason(text) == (
        "The code block does not define class Environment at module level. Its class "
        "CartPole has set_state and step: name it Environment."
    )
    two = f"```python\nclass A:\n{body}\nclass B:\n{body}```"
    assert "name it" not in reason(two)


def test_other_class_may_be_given_the_name() -> None:
    source = PROGRAM.replace("Environment", "Corridor") + "Environment = Corridor\n"
    assert parse_completion(f"```python\n{source}```") == source
    wrapped = PROGRAM + "Environment = print(Environment) or Environment\n"
    assert parse_completion(f"```python\n{wrapped}```") == wrapped


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


def test_block_too_long_to_check_is_taken_as_it_is() -> None:
    source = PROGRAM + "#" * MAX_CHECKED_CHARS + "\n"
    assert parse_completion(f"```python\n{source}```") == source


SCRIPT = "n = int(input())\nprint(n * 2)\n"


def test_program_of_another_family_needs_no_class() -> None:
    any_program = ProgramInterface()
    text = f"So:\n```python\nprint(1)\n```\n## Correct code\n```python\n{SCRIPT}```"
    assert parse_completion(text, program=any_program) == SCRIPT
    assert parse_completion(SCRIPT, program=any_program) == SCRIPT
    assert "no Python code block" in reason("No", program=any_program)
    assert "no Python code block" in reason("I cannot", program=any_program)


@pytest.mark.parametrize(
    ("function", "source", "problem"),
    [
        ("double", "def double(n):\n    return 2 * n\n", ""),
        ("double", "async def double(n):\n    return 2 * n\n", ""),
        ("double", "double = lambda n: 2 * n\n", ""),
        ("double", "def twice(n):\n    return 2 * n\n", "define function double at"),
        ("Box.get", "class Box:\n    def get(self): ...\n", ""),
        ("Box.get", "def get(self): ...\n", "does not define class Box"),
        ("double", "def double(n): ...\ndef double(n): ...\n", "double 2 times"),
    ],
)
def test_function_or_class_that_is_called_must_be_defined(
    function: str, source: str, problem: str
) -> None:
    program = ProgramInterface(function=function)
    text = f"```python\n{source}```"
    if problem:
        assert problem in reason(text, program=program)
    else:
        assert parse_completion(text, program=program) == source


def test_programs_that_language_models_wrote_are_parsed_back_unchanged() -> None:
    folder = os.environ.get("CWM_EXAMPLES")
    if folder is None:
        pytest.skip("CWM_EXAMPLES names no folder with programs")
    sources = [path.read_text(encoding="utf-8") for path in Path(folder).glob("*.py")]
    assert sources
    for source in sources:
        ended = source if source.endswith("\n") else f"{source}\n"
        text = f"So:\n## Correct code\n{fenced(ended)}\nDone."
        parsed = parse_completion(text)
        has_class = re.search(r"^class Environment\b", ended, re.MULTILINE)
        assert parsed == ended if has_class else isinstance(parsed, ParseFailure)
