"""From the text of a completion to the source of a program, or the reason why not.

Covers: fenced blocks of any fence length, indented or not closed; reasoning that
    was left in the text; answers that give only the lines after the prefix; bare
    programs without a fence.
Does not cover: running or judging the program; a syntax error is for the sandbox
    to report, which can name its line.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cwm.core.proposals import ParseFailure

ENTRY_POINT = "Environment"
"""The class that a program must define."""

HEADING = "correct code"
"""Words of the heading under which the final program stands, in lower case."""

MAX_CHECKED_CHARS = 200_000
"""Longer text is not parsed as Python, which needs memory in proportion."""

_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$")
_PYTHON_TAGS = ("python", "py", "python3")
_DEFINITION = re.compile(rf"^class[ \t]+{ENTRY_POINT}\b", re.MULTILINE)
_MAX_HEADING_CHARS = 80
_MAX_ENDS_TRIED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBlock:
    """A fenced block of a completion.

    Attributes:
        source: Its lines, each with its line end.
        tag: The word after the opening fence, in lower case; may be empty.
        is_closed: Whether a closing fence was found.
        is_final: Whether it stands after the last "correct code" heading.
    """

    source: str
    tag: str
    is_closed: bool
    is_final: bool


def parse_completion(text: str, *, prefix: str = "") -> str | ParseFailure:
    """Returns the program that a completion holds.

    It is the longest Python block after the last "correct code" heading, or the
    longest one of all if there is none after it. Blocks that define the class
    `Environment` go before others, and tagged ones before untagged ones.

    The answer to a `generate` with a prefix is a complete program too, and is taken
    as it is, whether it keeps the prefix or not. Only if it lacks the class, and
    becomes a valid program with exactly one when it is appended to the prefix, then
    that is the program: the model has given the remaining lines alone.

    Args:
        text: The completion.
        prefix: First lines that the model was asked to continue from.
    """
    text = _without_reasoning(text)
    if not text.strip():
        return ParseFailure("The completion is empty; a program was expected.")
    blocks = [b for b in code_blocks(text) if b.tag in (*_PYTHON_TAGS, "")]
    if not blocks:
        return _parse_bare(text)
    return _check(_choose(blocks), prefix)


def fenced(source: str) -> str:
    """Returns the source as a Python block whose fence does not occur in it."""
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if source.endswith("\n") or not source else "\n"
    return f"{fence}python\n{source}{end}{fence}"


def code_blocks(text: str) -> list[CodeBlock]:
    """Returns all fenced blocks in order."""
    # Not splitlines, which also splits at form feeds and the like inside a source.
    lines = [part for part in re.split(r"(?<=\n)", text) if part]
    found: list[tuple[int, CodeBlock]] = []
    last_heading = -1
    index = 0
    while index < len(lines):
        opening = _FENCE.match(lines[index].rstrip("\n"))
        if opening is None:
            if _is_heading(lines[index]):
                last_heading = index
            index += 1
            continue
        end = _closing(lines, index, opening)
        stop = len(lines) if end is None else end
        block = CodeBlock(
            source=_dedent(lines[index + 1 : stop], opening[1]),
            tag=opening[3].lower(),
            is_closed=end is not None,
            is_final=False,
        )
        found.append((index, block))
        index = stop + 1
    return [replace(b, is_final=0 <= last_heading < start) for start, b in found]


def _closing(lines: list[str], start: int, opening: re.Match[str]) -> int | None:
    """Returns the line of the fence that closes the block, if there is one.

    A fence inside a string literal of the program looks like a closing one. Taken as
    such it leaves an open string, so the first end that leaves valid Python is the
    right one; if none does, it is the first of all.
    """
    ends = list(_possible_ends(lines, start, opening[2]))
    for end in ends[:_MAX_ENDS_TRIED]:
        if _tree(_dedent(lines[start + 1 : end], opening[1])) is not None:
            return end
    return ends[0] if ends else None


def _possible_ends(lines: list[str], start: int, fence: str) -> Iterator[int]:
    for index in range(start + 1, len(lines)):
        match = _FENCE.match(lines[index].rstrip("\n"))
        if match and not match[3] and match[2].startswith(fence):
            yield index


def _dedent(lines: list[str], indentation: str) -> str:
    return "".join(line.removeprefix(indentation) for line in lines)


def _is_heading(line: str) -> bool:
    return len(line) <= _MAX_HEADING_CHARS and HEADING in line.lower()


def _without_reasoning(text: str) -> str:
    """Drops what a model thought aloud in `<think>` tags before its answer."""
    return text.rpartition("</think>")[2]


def _choose(blocks: list[CodeBlock]) -> CodeBlock:
    candidates = [b for b in blocks if b.is_final] or blocks

    def rank(numbered: tuple[int, CodeBlock]) -> tuple[bool, bool, int, int]:
        index, block = numbered
        defines = _DEFINITION.search(block.source) is not None
        return (defines, block.tag != "", len(block.source), index)

    return max(enumerate(candidates), key=rank)[1]


def _check(block: CodeBlock, prefix: str) -> str | ParseFailure:
    source = block.source
    tree = _tree(source)
    if not block.is_closed and tree is None:
        return ParseFailure(
            "The code block has no closing fence and stops in the middle of a "
            "statement: the completion was cut off. Give a shorter program."
        )
    if not source.strip():
        return ParseFailure("The code block is empty; a program was expected.")
    if _DEFINITION.search(source) is None:
        joined = _joined(prefix, source)
        if joined is not None:
            return joined
        return ParseFailure(
            f"The code block does not define class {ENTRY_POINT} at module level."
        )
    if tree is not None and _num_definitions(tree) > 1:
        return ParseFailure(
            f"The code block defines class {ENTRY_POINT} "
            f"{_num_definitions(tree)} times; it must do so once."
        )
    return source


def _joined(prefix: str, source: str) -> str | None:
    """Returns the prefix with the source after it, if that is a program."""
    joined = f"{prefix}{source}"
    tree = _tree(joined) if prefix else None
    return joined if tree is not None and _num_definitions(tree) == 1 else None


def _parse_bare(text: str) -> str | ParseFailure:
    """Takes the whole text as the program, if it is one."""
    tree = _tree(text)
    if tree is not None and _num_definitions(tree) == 1:
        return text if text.endswith("\n") else f"{text}\n"
    return ParseFailure(
        "The completion has no Python code block; the program must stand between "
        "```python and ```."
    )


def _num_definitions(tree: ast.Module) -> int:
    return sum(
        isinstance(node, ast.ClassDef) and node.name == ENTRY_POINT
        for node in tree.body
    )


def _tree(source: str) -> ast.Module | None:
    """Returns the syntax tree; `None` if the text is not Python."""
    if len(source) > MAX_CHECKED_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            # An odd escape in the candidate's text is not ours to report.
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
