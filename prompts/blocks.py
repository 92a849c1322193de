"""The fenced code blocks of a Markdown text, and putting a source into one."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import NamedTuple

from prompts.syntax import SyntaxReader

HEADING = "correct code"
"""Words of the heading under which the final program stands, in lower case."""

PYTHON_TAGS = ("python", "py", "python3", "py3", "ipython", "pycon")

_WRAPPER_TAGS = ("markdown", "md")
"""Tags of a fence around a whole answer, with blocks of its own."""

_MAX_HEADING_CHARS = 80
_MAX_ENDS_TRIED = 30
_MAX_FENCES_LOOKED_AT = 200


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

    @property
    def may_be_python(self) -> bool:
        """Whether its tag is Python's, or there is none."""
        return not self.tag or self.tag in PYTHON_TAGS


def fenced(source: str, tag: str = "python") -> str:
    """Returns the source as a block whose fence does not occur in it."""
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if source.endswith("\n") or not source else "\n"
    return f"{fence}{tag}\n{source}{end}{fence}"


def split_lines(text: str) -> list[str]:
    """Returns the lines with their ends; only a line feed ends one.

    Unlike `str.splitlines`, which also splits at form feeds and the like.
    """
    return [part for part in re.split(r"(?<=\n)", text) if part]


def code_blocks(text: str, reader: SyntaxReader | None = None) -> list[CodeBlock]:
    """Returns all fenced blocks in order.

    Args:
        text: Any text.
        reader: What may be spent on telling a fence in a string from a closing one.
    """
    reader = reader or SyntaxReader()
    lines = split_lines(text)
    fences = {i: f for i, line in enumerate(lines) if (f := _fence(line)) is not None}
    order = list(fences)
    found: list[tuple[int, CodeBlock]] = []
    last_heading = -1
    index = 0
    while index < len(lines):
        opening = fences.get(index)
        if opening is None or opening.tag in _WRAPPER_TAGS:
            if _is_heading(lines[index]):
                last_heading = index
            index += 1
            continue
        first = bisect_right(order, index)
        later = order[first : first + _MAX_FENCES_LOOKED_AT]
        ends = (i for i in later if fences[i].closes(opening))
        end = _end(lines, index, opening, ends, reader)
        again = _opened_again(fences, later, end)
        if again is not None and not _is_block(lines, index, end, opening, reader):
            index = again
            continue
        stop = len(lines) if end is None else end
        source = _dedent(lines[index + 1 : stop], opening.indentation)
        is_glued = end is None and source.rstrip().endswith(opening.marks)
        if is_glued:  # The closing fence stands at the end of the last line of code.
            source = source.rstrip().removesuffix(opening.marks) + "\n"
        block = CodeBlock(
            source=source,
            tag=opening.tag,
            is_closed=end is not None or is_glued,
            is_final=False,
        )
        found.append((index, block))
        index = stop + 1
    return [replace(b, is_final=0 <= last_heading < start) for start, b in found]


def without_fences(text: str) -> str:
    """Returns the text with an empty line in place of each fence."""
    lines = split_lines(text)
    return "".join("\n" if _fence(line) is not None else line for line in lines)


class _Fence(NamedTuple):
    """A line of backticks or tildes."""

    indentation: str
    marks: str
    info: str

    @property
    def tag(self) -> str:
        """The language: `{.python title=x}` and `python:model.py` are Python, too."""
        words = self.info.lower().split()
        return words[0].strip("{}.").partition(":")[0] if words else ""

    def closes(self, opening: "_Fence") -> bool:
        return not self.info and self.marks.startswith(opening.marks)


def _fence(line: str) -> _Fence | None:
    stripped = line.strip()
    if not stripped.startswith(("```", "~~~")):
        return None
    mark = stripped[0]
    info = stripped.lstrip(mark)
    if "`" in info:
        return None  # Code within a line.
    indentation = line[: len(line) - len(line.lstrip(" \t"))]
    return _Fence(indentation, mark * (len(stripped) - len(info)), info.strip())


def _end(
    lines: list[str],
    start: int,
    opening: _Fence,
    ends: Iterator[int],
    reader: SyntaxReader,
) -> int | None:
    """Returns the line of the fence that closes the block, if there is one.

    A fence inside a string literal of the program looks like a closing one. Taken as
    such it leaves an open string, so the first end that leaves valid Python is the
    right one; if none does, it is the first of all.
    """
    first = next(ends, None)
    if first is None or (opening.tag and opening.tag not in PYTHON_TAGS):
        return first
    for end in chain([first], islice(ends, _MAX_ENDS_TRIED)):
        if reader.is_exhausted:
            break
        if reader.is_python(_dedent(lines[start + 1 : end], opening.indentation)):
            return end
    return first


def _opened_again(
    fences: dict[int, _Fence], later: list[int], end: int | None
) -> int | None:
    """Returns the first line before `end` that opens a Python block, if there is one.

    Small models open a block, write a heading into it, and open it once more.
    """
    for index in later:
        if end is not None and index >= end:
            break
        if fences[index].tag in PYTHON_TAGS:
            return index
    return None


def _is_block(
    lines: list[str],
    start: int,
    end: int | None,
    opening: _Fence,
    reader: SyntaxReader,
) -> bool:
    """Whether what stands in a block is its content, with fences in it."""
    if opening.tag and opening.tag not in PYTHON_TAGS:
        return True
    if end is None or reader.is_exhausted:
        return end is not None
    return reader.is_python(_dedent(lines[start + 1 : end], opening.indentation))


def _dedent(lines: list[str], indentation: str) -> str:
    return "".join(line.removeprefix(indentation) for line in lines)


def _is_heading(line: str) -> bool:
    return len(line) <= _MAX_HEADING_CHARS and HEADING in line.lower()


def cut_lines(lines: list[str], stop: int) -> str:
    """Returns the lines before `stop`, without empty ones at their end."""
    while stop and not lines[stop - 1].strip():
        stop -= 1
    return "".join(lines[:stop])
