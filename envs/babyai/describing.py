"""The agent's view in sentences: a pure function of the image.

The sentences are those of BabyAI-Text, word by word; they leave out walls off the
rays ahead and aside, the compass, and the steps taken.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, TypeAlias

from envs.babyai.wordings import ENGLISH, Wording

Cell: TypeAlias = tuple[int, int, int]
"""Type, colour and state of what is in a cell, in minigrid's numbers."""

TYPES = (
    *("unseen", "empty", "wall", "floor", "door", "key", "ball", "box"),
    *("goal", "lava", "agent"),
)
"""Minigrid's types of objects, by their numbers."""

COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
"""Minigrid's colours, by their numbers."""

STATES = ("open", "closed", "locked")
"""Minigrid's states of doors, by their numbers."""

VIEW = 7
"""Cells that the agent sees ahead, and from left to right."""

_COLUMN, _ROW = 3, 6
_WALL, _DOOR = TYPES.index("wall"), TYPES.index("door")
_FIRST_OBJECT = TYPES.index("floor")

_RAYS: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("forward", tuple((_COLUMN, row) for row in range(_ROW - 1, -1, -1))),
    ("left", tuple((column, _ROW) for column in range(_COLUMN - 1, -1, -1))),
    ("right", tuple((column, _ROW) for column in range(_COLUMN + 1, VIEW))),
)
"""Direction -> cells in it, nearest first."""


def describe(image: Any, wording: Wording = ENGLISH) -> list[str]:
    """Returns what the agent sees and carries, one sentence each.

    First what it carries; then the walls ahead, left and right, each if nothing else
    is before it; then everything else, column by column from the left, in each from
    far to near.

    Args:
        image: `[7, 7, 3]`, the view of minigrid with the agent at `[3, 6]` looking
            towards `[3, 0]`: type, colour and state; an array, or (faster) nested
            lists.
        wording: In which words.
    """
    return _describer(wording).describe(image)


@cache
def _describer(wording: Wording) -> "_Describer":
    return _Describer(wording)


class _Describer:
    """Describes in one wording; remembers sentences."""

    def __init__(self, wording: Wording) -> None:
        self.wording = wording
        self._seen: dict[tuple[int, ...], str] = {}

    def describe(self, image: Any) -> list[str]:
        rows = image.tolist() if hasattr(image, "tolist") else image
        told: list[str] = []
        own = rows[_COLUMN][_ROW]
        if own[0] > 1:
            told.append(self.wording.tell_carried(COLOURS[own[1]], TYPES[own[0]]))
        for direction, cells in _RAYS:
            distance = _wall_distance(rows, cells)
            if distance:
                told.append(self.wording.tell_wall(distance, direction))
        seen = self._seen
        for column, cells_of_column in enumerate(rows):
            for row, (kind, colour, state) in enumerate(cells_of_column):
                if kind < _FIRST_OBJECT or (column == _COLUMN and row == _ROW):
                    continue
                key = (kind, colour, state, column, row)
                sentence = seen.get(key)
                if sentence is None:
                    sentence = seen[key] = self._tell(key)
                told.append(sentence)
        return told

    def _tell(self, key: tuple[int, ...]) -> str:
        kind, colour, state, column, row = key
        return self.wording.tell_object(
            COLOURS[colour],
            TYPES[kind],
            STATES[state] if kind == _DOOR else "",
            right=column - _COLUMN,
            forward=_ROW - row,
        )


def _wall_distance(
    rows: Sequence[Sequence[Cell]], cells: Iterable[tuple[int, int]]
) -> int:
    """Returns how far the first thing on a ray is, if it is a wall; else 0."""
    for distance, (column, row) in enumerate(cells, start=1):
        kind = rows[column][row][0]
        if kind > 1:
            return distance if kind == _WALL else 0
    return 0


def join_sentences(sentences: Iterable[str]) -> str:
    """Returns sentences as one text, each with its full stop; empty for none."""
    return " ".join(f"{sentence}." for sentence in sentences)


def split_sentences(text: str) -> list[str]:
    """Returns the sentences that `join_sentences` has joined."""
    return text[:-1].split(". ") if text else []
