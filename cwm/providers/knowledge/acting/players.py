"""Who acts in a text game: the protocol, and players that know no language."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np

Legal: TypeAlias = Callable[[], Sequence[str]]
"""Asks the game for the commands that it understands now, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a player is told when a game begins.

    Attributes:
        instruction: What is to be done.
        observation: What is seen first.
        task: Kind of task.
        key: Which game it is, the same for every player; no player but an oracle
            looks at it.
    """

    instruction: str
    observation: str
    task: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a player does next.

    Attributes:
        action: The command; empty if what was said held none.
        thought: What was thought before; may be empty.
        trace: Figures of the decision, JSON-able, such as what each part of a mixture
            gave.
    """

    action: str
    thought: str = ""
    trace: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was asked of language models.

    Attributes:
        num_calls: Completions and scorings.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
    """

    num_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            num_calls=self.num_calls + other.num_calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class OutOfContext(Exception):  # noqa: N818 - an event, not a fault
    """A player's model cannot read the episode any further."""


class GaveUp(Exception):  # noqa: N818 - an event, not a fault
    """A player has nothing left to do."""


class Session(Protocol):
    """A player in one episode."""

    @property
    def usage(self) -> Usage:
        """What the episode has cost so far."""
        ...

    def act(self, legal: Legal) -> Move:
        """Returns what to do now.

        Raises:
            OutOfContext: If the episode has become too long for the player.
            GaveUp: If it has nothing left to do.
        """
        ...

    def see(self, observation: str, *, is_legal: bool) -> None:
        """Is told what came of the last move."""
        ...


class Player(Protocol):
    """Plays text games, each from its beginning."""

    @property
    def name(self) -> str:
        """Who it is, as shown beside every number."""
        ...

    def begin(self, start: Start, rng: np.random.Generator) -> Session:
        """Returns the player in a new episode; sessions know nothing of each other.

        Raises:
            OutOfContext: If the game's beginning is too long for the player.
        """
        ...


class _Free:
    """A session that asks no model."""

    @property
    def usage(self) -> Usage:
        """Nothing."""
        return Usage()

    def see(self, observation: str, *, is_legal: bool) -> None:
        """Looks away."""


class _Random(_Free):
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def act(self, legal: Legal) -> Move:
        """Returns any legal command."""
        actions = legal()
        return Move(action=actions[int(self._rng.integers(len(actions)))])


class RandomPlayer:
    """Takes legal commands, each as probably as any other."""

    name = "random legal commands"

    def begin(self, start: Start, rng: np.random.Generator) -> Session:
        """Returns the player in a new episode."""
        return _Random(rng)


class _Replay(_Free):
    def __init__(self, actions: Sequence[str]) -> None:
        self._left = list(reversed(actions))

    def act(self, legal: Legal) -> Move:
        """Returns the next command."""
        if not self._left:
            raise GaveUp
        return Move(action=self._left.pop())


class ExpertPlayer:
    """Does what is known to win; the ceiling of every table.

    Args:
        actions_of: Returns the commands that win the game that a start belongs to.
    """

    name = "expert"

    def __init__(self, actions_of: Callable[[Start], Sequence[str]]) -> None:
        self._actions_of = actions_of

    def begin(self, start: Start, rng: np.random.Generator) -> Session:
        """Returns the player in a new episode."""
        return _Replay(self._actions_of(start))
