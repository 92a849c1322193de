"""What the agent in words would be told at a state that is all observed.

A planner's states are integers (`privileged.PrivilegedBabyAI`) or text
(`env.BabyAIText`); a policy reads sentences, a mission and sometimes an image. All
functions are pure.

Covers: sentences and image, exactly those of the level in words; the mission of an
episode from its first state, with BabyAI's articles: "the" where one thing fits.
Does not cover: of two instructions, whether they were told in order ("..., then ...",
which is what is said here) or the other way round ("... after you ..."); articles from
a later state, when things may have been moved, opened or taken.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import Value
from envs.babyai.describing import (
    COLOURS,
    STATES,
    TYPES,
    Cell,
    describe,
    split_sentences,
)
from envs.babyai.state import (
    ANY_COLOUR,
    ANY_TYPE,
    EMPTY,
    HEAD,
    MAX_PARTS,
    PART,
    TAKEN,
    State,
)
from envs.babyai.view import Rows, view
from envs.babyai.wordings import ENGLISH, Wording

_WALL, _DOOR = TYPES.index("wall"), TYPES.index("door")
_OPEN = STATES.index("open")
_VERBS = ("", "go to", "pick up", "open", "put")


class Teller(Protocol):
    """Tells of an environment's observations in words."""

    def mission(self, instruction: str, first: Value) -> str:
        """Returns the mission of an episode.

        Args:
            instruction: What the environment says of it; may be empty.
            first: The episode's first observation.
        """
        ...

    def sentences(self, observation: Value) -> list[str]:
        """Returns what the agent sees and carries."""
        ...

    def image(self, observation: Value) -> NDArray[np.uint8]:
        """Returns what it sees as minigrid shows it: `[7, 7, 3]`.

        Raises:
            ValueError: If it has no images.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTeller:
    """Tells of states in integers; a `Teller`.

    Attributes:
        width: Columns of the grid.
        height: Rows of the grid.
        wording: In which words.
    """

    width: int
    height: int
    wording: Wording = ENGLISH

    def mission(self, instruction: str, first: Value) -> str:
        """Returns the mission in these words, without an instruction from the state."""
        return self.wording.tell_mission(instruction or tell_mission(first))

    def sentences(self, observation: Value) -> list[str]:
        """Returns what the agent sees and carries in a state."""
        rows = view_of_state(observation, self.width, self.height)
        return describe(rows, self.wording)

    def image(self, observation: Value) -> NDArray[np.uint8]:
        """Returns what it sees as minigrid shows it: `[7, 7, 3]`."""
        rows = view_of_state(observation, self.width, self.height)
        return np.array(rows, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class TextTeller:
    """Tells of observations that are text already; a `Teller`."""

    def mission(self, instruction: str, first: Value) -> str:
        """Returns the instruction."""
        return instruction

    def sentences(self, observation: Value) -> list[str]:
        """Returns the sentences of a text."""
        return split_sentences(str(observation))

    def image(self, observation: Value) -> NDArray[np.uint8]:
        """Raises an error.

        Raises:
            ValueError: Always.
        """
        raise ValueError("Observations must be integers to be shown, got text.")


def view_of_state(state: State, width: int, height: int) -> Rows:
    """Returns what the agent sees in a state, `[7][7]` cells.

    Args:
        state: Of a level of this size.
        width: Columns of its grid.
        height: Rows of its grid.

    Raises:
        ValueError: If the state is of another size.
    """
    if len(state) != HEAD + 3 * width * height:
        raise ValueError(
            f"state must have {HEAD + 3 * width * height} numbers for a grid of "
            f"{width} by {height}, got {len(state)}."
        )
    x, y, direction, _, _, kind, colour = map(int, state[:7])
    cells = iter(state[HEAD:].tolist())
    return view(
        _Scene(
            grid=_Grid(
                [_thing(*cell) for cell in zip(cells, cells, cells, strict=True)]
            ),
            width=width,
            height=height,
            agent_pos=(x, y),
            agent_dir=direction,
            carrying=_thing(kind, colour, 0) if kind else None,
        )
    )


def tell_mission(first: State) -> str:
    """Returns the mission in BabyAI's words.

    Args:
        first: The first state of an episode; of a later one, articles may be others.
    """
    told = []
    for index in range(MAX_PARTS):
        kind, *looks = first[8 + index * PART :][:PART].tolist()
        if kind:
            words = [_VERBS[kind], _tell_thing(first, *looks[:2])]
            if kind == _VERBS.index("put"):
                words += ["next to", _tell_thing(first, *looks[2:])]
            told.append(" ".join(words))
    return ", then ".join(told)


def _tell_thing(first: State, kind: int, colour: int) -> str:
    """Returns a thing with its article; of what is carried at first there is one."""
    things = first[HEAD:].reshape(-1, 3)[:, :2]
    fits = (things[:, 0] != EMPTY) & (things[:, 0] != ANY_TYPE)
    if kind != ANY_TYPE:
        fits &= things[:, 0] == kind
    if colour != ANY_COLOUR:
        fits &= things[:, 1] == colour
    words = ["a" if fits.sum() > 1 else "the"]
    if colour != ANY_COLOUR:
        words.append(COLOURS[colour])
    words.append("object" if kind == ANY_TYPE else TYPES[kind])
    return " ".join(words)


class _Thing(NamedTuple):
    """What is in a cell, as `view` asks about it."""

    cell: Cell

    def encode(self) -> Cell:
        """Returns type, colour and state."""
        return self.cell

    def see_behind(self) -> bool:
        """Returns whether it can be seen through."""
        kind, _, state = self.cell
        return kind != _WALL and (kind != _DOOR or state == _OPEN)


class _Grid(NamedTuple):
    grid: list[_Thing | None]


class _Scene(NamedTuple):
    """A level as far as `view` looks at it."""

    grid: _Grid
    width: int
    height: int
    agent_pos: tuple[int, int]
    agent_dir: int
    carrying: _Thing | None


@cache
def _thing(kind: int, colour: int, state: int) -> _Thing | None:
    if kind == EMPTY or state == TAKEN:
        return None
    return _Thing((kind, colour, state))
