"""Programs and other texts of a page: in colours, each piece of text once.

Pieces of source go to the page as pairs of a class and a text, never as HTML: what a
language model wrote cannot become markup.
"""

import hashlib
import json
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, TypeAlias

from sandbox.outcome import shorten

MAX_SOURCE_CHARS = 65_536
"""Longer programs are cut; the sandbox runs none that are longer."""

MAX_TEXT_CHARS = 60_000
"""Longer prompts and answers are cut in the middle."""

Line: TypeAlias = list[str]
"""Classes and texts in turns: `["k", "def", "", " step"]`."""

Change: TypeAlias = tuple[str, int, int, int, int]
"""`(what, first, stop, first, stop)`: lines before, and lines after."""

_CLASSES = (
    ("Comment", "c"),
    ("Keyword", "k"),
    ("Literal.String", "s"),
    ("Literal.Number", "n"),
    ("Name.Function", "f"),
    ("Name.Class", "f"),
    ("Name.Builtin", "b"),
    ("Operator.Word", "k"),
)


def coloured_lines(source: str) -> list[Line]:
    """Returns the lines of a Python text with the classes of their pieces.

    The texts of all pieces of all lines, joined with newlines, are the source without
    its last newline. Text that is no Python has colours of no meaning.
    """
    from pygments.lexers.python import PythonLexer  # noqa: PLC0415 - loaded for pages

    lexer = PythonLexer(stripnl=False, ensurenl=False)
    lines: list[Line] = [[]]
    for kind, text in lexer.get_tokens(_plain_newlines(source)):
        name = _class_of(str(kind).removeprefix("Token."))
        for number, piece in enumerate(text.split("\n")):
            if number:
                lines.append([])
            _append(lines[-1], name, piece)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _plain_newlines(source: str) -> str:
    # As the lexer does; other line breaks stay characters of their line.
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _class_of(kind: str) -> str:
    for start, name in _CLASSES:
        if kind == start or kind.startswith(f"{start}."):
            return name
    return ""


def _append(line: Line, name: str, piece: str) -> None:
    if not piece:
        return
    if line and line[-2] == name:
        line[-1] += piece
    else:
        line += [name, piece]


def changes(before: Sequence[str], after: Sequence[str]) -> list[Change]:
    """Returns how lines became others: `equal`, `replace`, `delete` and `insert`."""
    matcher = SequenceMatcher(None, list(before), list(after), autojunk=False)
    return [(what, i, j, k, m) for what, i, j, k, m in matcher.get_opcodes()]


class TextStore:
    """Programs and paragraphs of a page, each line and each paragraph once.

    The programs of a run have most of their lines in common, and its prompts most of
    their paragraphs.
    """

    def __init__(self) -> None:
        self._programs: dict[str, list[int]] = {}
        self._lines: dict[str, int] = {}
        self._paragraphs: dict[str, int] = {}
        self._sources: dict[str, list[str]] = {}

    def add_program(self, source: str) -> str:
        """Takes a program and returns its key."""
        source = shorten(source, MAX_SOURCE_CHARS)
        key = hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()[:12]
        if key not in self._programs:
            lines = coloured_lines(source)
            self._sources[key] = ["".join(line[1::2]) for line in lines]
            self._programs[key] = [
                self._lines.setdefault(json.dumps(line), len(self._lines))
                for line in lines
            ]
        return key

    def changes(self, before: str, after: str) -> list[Change]:
        """Returns how the program of one key became that of another."""
        return changes(self._sources[before], self._sources[after])

    def add_text(self, text: str) -> list[int]:
        """Takes a text and returns the numbers of its paragraphs."""
        text = shorten(text, MAX_TEXT_CHARS)
        return [
            self._paragraphs.setdefault(paragraph, len(self._paragraphs))
            for paragraph in text.split("\n\n")
        ]

    def to_json(self) -> dict[str, Any]:
        """Returns all that was taken, as plain data."""
        return {
            "programs": self._programs,
            "lines": [json.loads(line) for line in self._lines],
            "paragraphs": list(self._paragraphs),
        }
