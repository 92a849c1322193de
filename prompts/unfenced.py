"""Programs that do not stand in a fenced block."""

import ast
import html
import json
import re
from collections.abc import Iterator
from typing import Any

from prompts.blocks import cut_lines, split_lines
from prompts.syntax import SyntaxReader
from prompts.wanted import Wanted

_MAX_JSON_VALUES = 2_000
_MAX_TAGS = 20
_MAX_STARTS_TRIED = 8
_MAX_CUTS_TRIED = 8

_PROSE = re.compile(r"(?:[A-Z][\w'’]*,?|\*\*.*|[-*]|\d{1,3}[.)]|#{2,6}) ")
"""A line that reads like a sentence, a list item or a heading."""

_START = re.compile(
    r"(?:import |from [\w.]{1,80} import |class \w|def \w|async def |@\w"
    r"|[A-Z_][A-Z_0-9]{0,60}(?:: ?[^=\n]{1,80})? ?= ?|\"\"\"|''')"
)
"""How the first line of a program can begin."""

_TAG = re.compile(r"<(code|pre|python|program|answer)\b[^<>\n]{0,200}>", re.IGNORECASE)


def cut_at_prose(source: str, reader: SyntaxReader) -> str | None:
    """Returns the program before the prose that follows it, if that is Python.

    An answer whose fence is not closed, or that has none, may go on in words. What
    was cut off in the middle of a statement is no such case.
    """
    lines = split_lines(source)
    tried = 0
    for index, line in enumerate(lines):
        if not index or lines[index - 1].strip() or not _is_prose(line):
            continue
        head = cut_lines(lines, index)
        if head and reader.is_python(head):
            return head
        tried += 1
        if tried == _MAX_CUTS_TRIED:
            break
    return None


def _is_prose(line: str) -> bool:
    return _PROSE.match(line) is not None and " = " not in line


def program_in_prose(text: str, wanted: Wanted, reader: SyntaxReader) -> str | None:
    """Returns the program that stands in a text without any fence."""
    lines = split_lines(text if text.endswith("\n") else f"{text}\n")
    starts = [i for i, line in enumerate(lines) if not i or _START.match(line)]
    for start in starts[:_MAX_STARTS_TRIED]:
        source = "".join(lines[start:])
        if not wanted.stands_in(source):
            return None
        found = source if reader.is_python(source) else cut_at_prose(source, reader)
        tree = reader.tree(found) if found else None
        if found and tree and _does_much(tree):
            return found if wanted.num_definitions(tree) == 1 else None
    return None


def _does_much(tree: ast.Module) -> bool:
    """Whether it is more than a word, which is Python, too."""
    return any(not isinstance(node, ast.Expr) for node in tree.body) or any(
        isinstance(node, ast.Call) for node in ast.walk(tree)
    )


def programs_in_json(texts: list[str], wanted: Wanted) -> Iterator[str]:
    """Yields the longest program among the texts of each JSON value.

    Args:
        texts: What may be JSON.
        wanted: What a program defines.
    """
    for text in texts:
        stripped = text.strip()
        if not stripped.startswith(("{", "[", '"')):
            continue
        try:
            value = json.loads(stripped, strict=False)
        except (ValueError, RecursionError):
            continue
        found = [s for s in _strings(value) if "\n" in s and wanted.stands_in(s)]
        if found:
            yield max(found, key=len)


def _strings(value: Any) -> Iterator[str]:
    waiting = [value]
    for _ in range(_MAX_JSON_VALUES):
        if not waiting:
            return
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def programs_in_markup(text: str, wanted: Wanted) -> Iterator[str]:
    """Yields programs that stand in HTML or XML elements for code."""
    position = 0
    for _ in range(_MAX_TAGS):
        opening = _TAG.search(text, position)
        if opening is None:
            return
        position = opening.end()
        closing = text.lower().find(f"</{opening[1].lower()}>", position)
        inside = text[position : closing if closing >= 0 else len(text)]
        inside = inside.lstrip("\n")
        if _TAG.match(inside.lstrip()):
            continue  # The element within it is the code.
        for source in (inside, html.unescape(inside)):
            if wanted.name and wanted.stands_in(source):
                yield source if source.endswith("\n") else f"{source}\n"
