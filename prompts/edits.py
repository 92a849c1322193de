"""Answers that change a program by edits instead of giving it whole.

Covers: unified diffs (by what their lines say, not by their line numbers, which
    models get wrong) and SEARCH/REPLACE blocks, inside and outside of fences.
Does not cover: edits that fit approximately; they are refused with the reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cwm.core.proposals import ParseFailure

DIFF_TAGS = ("diff", "patch", "udiff")

_MAX_EDITS = 100
_MAX_COMPARED = 2_000_000
_MAX_QUOTED_CHARS = 80

_SEARCH = re.compile(r"<{5,9}(?: ?[A-Za-z]\w{0,20})?$")
_DIVIDER = re.compile(r"={5,9}$")
_REPLACE = re.compile(r">{5,9}(?: ?[A-Za-z]\w{0,20})?$")
_HUNK = re.compile(r"@@(?: -(\d{1,9})(?:,\d{1,9})? \+\d{1,9}(?:,\d{1,9})? @@|.{0,200})")
_MARKS = ("", " ", "+", "-", "\\")
"""How lines of a hunk begin; an empty one stands for an empty line of the program."""

_HEADERS = ("--- ", "+++ ", "diff ", "index ", "new file", "deleted file", "similarity")


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines of a program and those that take their place.

    Attributes:
        old: Lines to look for, without line ends.
        new: Lines instead of them.
        line: Where the old ones begin, from 1, as far as the author says.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    line: int | None = None


def looks_like_edits(source: str) -> bool:
    """Whether a code block holds edits and no program."""
    return any(
        _SEARCH.match(line.rstrip()) or _is_hunk_head(line)
        for line in source.split("\n")
    )


def find_edits(text: str, diff_blocks: list[str]) -> list[Edit] | ParseFailure:
    """Returns the edits of an answer; an empty list if it has none.

    Args:
        text: The completion.
        diff_blocks: Sources of its blocks that are tagged as diffs, each of which
            is an edit even without `@@` lines.
    """
    lines = text.split("\n")
    edits = list(_replacements(lines)) + list(_hunks(lines))
    if not edits:
        edits = [e for block in diff_blocks if (e := _edit(block.split("\n"), None))]
    if len(edits) > _MAX_EDITS:
        return ParseFailure(
            f"The answer has {len(edits)} edits, more than {_MAX_EDITS}; give the "
            "complete program instead."
        )
    return edits


def apply_edits(program: str, edits: list[Edit]) -> str | ParseFailure:
    """Returns the program with all edits made, in their order.

    Each must fit exactly one place; where lines occur more than once, the place
    that the edit itself names.
    """
    if len(edits) == 1 and not edits[0].old:
        # Nothing to look for, as in the diff of a new file: it is the whole program.
        return "\n".join([*edits[0].new, ""])
    lines = program.replace("\r\n", "\n").split("\n")
    offset = 0
    for edit in edits:
        places = _places(lines, edit.old)
        near = None if edit.line is None else edit.line - 1 + offset
        if len(places) > 1 and near in places:
            places = [near]
        if len(places) != 1:
            return _refusal(edit, len(places))
        (place,) = places
        lines[place : place + len(edit.old)] = edit.new
        offset += len(edit.new) - len(edit.old)
    return "\n".join(lines)


def _places(lines: list[str], old: tuple[str, ...]) -> list[int]:
    if not old or len(lines) * len(old) > _MAX_COMPARED:
        return []
    return [
        index
        for index, line in enumerate(lines[: len(lines) - len(old) + 1])
        if line == old[0] and tuple(lines[index : index + len(old)]) == old
    ]


def _refusal(edit: Edit, num_places: int) -> ParseFailure:
    if not edit.old:
        return ParseFailure(
            "An edit adds lines without saying where; give the complete program."
        )
    first = next((line for line in edit.old if line.strip()), edit.old[0]).strip()
    quoted = first[:_MAX_QUOTED_CHARS]
    found = "are not" if num_places == 0 else f"stand {num_places} times"
    return ParseFailure(
        f"An edit does not apply: its {len(edit.old)} lines to replace, with "
        f"{quoted!r}, {found} in the program. Give the complete program instead."
    )


def _replacements(lines: list[str]) -> Iterator[Edit]:
    """Yields the SEARCH/REPLACE blocks."""
    old: list[str] | None = None
    new: list[str] | None = None
    for line in lines:
        marker = line.rstrip()
        if _SEARCH.match(marker):
            old, new = [], None
        elif old is not None and new is None and _DIVIDER.match(marker):
            new = []
        elif old is not None and new is not None and _REPLACE.match(marker):
            yield Edit(tuple(old), tuple(new))
            old = new = None
        elif new is not None:
            new.append(line)
        elif old is not None:
            old.append(line)


def _is_hunk_head(line: str) -> bool:
    return line.startswith("@@") and _HUNK.match(line) is not None


def _hunks(lines: list[str]) -> Iterator[Edit]:
    """Yields the hunks of unified diffs."""
    index = 0
    while index < len(lines):
        head = _HUNK.match(lines[index]) if lines[index].startswith("@@") else None
        index += 1
        if head is None:
            continue
        start = index
        while index < len(lines) and lines[index][:1] in _MARKS:
            index += 1
        body = lines[start:index]
        while body and not body[-1]:
            body.pop()  # Empty lines after the diff.
        edit = _edit(body, int(head[1]) if head[1] else None)
        if edit is not None:
            yield edit


def _edit(body: list[str], line: int | None) -> Edit | None:
    """Returns what lines with ` `, `+` or `-` before them change."""
    old: list[str] = []
    new: list[str] = []
    for text in body:
        mark, rest = text[:1], text[1:]
        if mark == "\\" or text.startswith(_HEADERS):
            continue
        if mark != "+":
            old.append(rest if mark in ("-", " ") else text)
        if mark != "-":
            new.append(rest if mark in ("+", " ") else text)
    if old == new:
        return None
    return Edit(tuple(old), tuple(new), line)
