"""Programs and other texts of a page: in colours, each piece of text once.

Pieces of source go to the page as pairs of a class and a text, never as HTML: what a
language model wrote cannot become markup.
"""

import hashlib
import json
import re
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, TypeAlias

from sandbox.outcome import shorten

MAX_SOURCE_CHARS = 65_536
"""Longer programs are cut; the sandbox runs none that are longer."""

MAX_TEXT_CHARS = 60_000
"""Longer prompts and answers are cut in the middle."""

MAX_BLANK_LINES = 100
"""Programs with more blank lines in a row have no colours: the lexer's time grows with
the square of their number."""

MAX_COMPARED_LINES = 1_000
"""Of longer programs, lines that are frequent are not matched, for the same reason."""

Line: TypeAlias = list[str]
"""Classes and texts in turns: `["k", "def", "", " step"]`."""

Change: TypeAlias = tuple[str, int, int, int, int]
"""`(what, first, stop, first, stop)`: lines before, and lines after."""

_MANY_BLANK_LINES = re.compile(rf"(?:^[^\S\n]*\n){{{MAX_BLANK_LINES}}}", re.MULTILINE)

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
    source = _plain_newlines(source)
    if _MANY_BLANK_LINES.search(source):
        return [["", text] if text else [] for text in _texts_of_lines(source)]
    from pygments.lexers.python import PythonLexer  # noqa: PLC0415 - loaded for pages

    lexer = PythonLexer(stripnl=False, ensurenl=False)
    lines: list[Line] = [[]]
    for kind, text in lexer.get_tokens(source):
        name = _class_of(str(kind).removeprefix("Token."))
        for number, piece in enumerate(text.split("\n")):
            if number:
                lines.append([])
            _append(lines[-1], name, piece)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


@lru_cache(maxsize=4096)
def _coloured_texts(source: str) -> tuple[str, ...]:
    """Returns `coloured_lines` as JSON; a page that is live asks again and again."""
    return tuple(json.dumps(line) for line in coloured_lines(source))


def _texts_of_lines(source: str) -> list[str]:
    texts = source.split("\n")
    return texts[:-1] if len(texts) > 1 and not texts[-1] else texts


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


def changes(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[Change]:
    """Returns how lines became others: `equal`, `replace`, `delete` and `insert`."""
    is_long = max(len(before), len(after)) > MAX_COMPARED_LINES
    matcher = SequenceMatcher(None, list(before), list(after), autojunk=is_long)
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

    def add_program(self, source: str) -> str:
        """Takes a program and returns its key."""
        source = shorten(source, MAX_SOURCE_CHARS)
        key = hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()[:12]
        if key not in self._programs:
            lines = _coloured_texts(source)
            self._programs[key] = [
                self._lines.setdefault(line, len(self._lines)) for line in lines
            ]
        return key

    def add_plain(self, text: str) -> str:
        """Takes a text that is no program, and returns its key: lines, no colours."""
        lines = _texts_of_lines(_plain_newlines(shorten(text, MAX_TEXT_CHARS)))
        pieces = [json.dumps(["", line] if line else []) for line in lines]
        # A program of the same words has a key of its own.
        key = hashlib.sha256(json.dumps([pieces]).encode()).hexdigest()[:12]
        self._programs[key] = [
            self._lines.setdefault(piece, len(self._lines)) for piece in pieces
        ]
        return key

    def changes(self, before: str, after: str) -> list[Change]:
        """Returns how the program of one key became that of another."""
        return changes(self._programs[before], self._programs[after])

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
