"""What all text games have in common: splits, scores, legal commands, an expert.

Covers: games that tell what happens in words and are played by commands in words.
Does not cover: the time limit, which the registry sets and which truncates.
"""

import math
import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import gymnasium
from gymnasium import error, spaces

Split: TypeAlias = Literal["train", "seen", "unseen"]
"""Games to learn from; other games of the same kind; games with other contents."""

MAX_TEXT_LENGTH = 20_000
"""Most characters of what a game tells at once."""

MAX_COMMAND_LENGTH = 400
"""Most characters of a command."""


class Told(NamedTuple):
    """What a game says after a command.

    Attributes:
        text: In words.
        score: Of the present state, usually from 0 to 1; below 0 where the game is
            lost.
        has_won: Whether the task is done.
        has_lost: Whether it can no longer be done.
        is_legal: Whether the game understood the command.
    """

    text: str
    score: float
    has_won: bool = False
    has_lost: bool = False
    is_legal: bool = True


class Commands(spaces.Text):
    """Free text; samples are commands that are legal at the moment.

    Random letters would not be understood, and whoever tries an environment out by
    random actions would see nothing of it.

    Args:
        legal: Returns the legal commands; samples are letters where there are none.
    """

    def __init__(self, legal: Callable[[], Sequence[str]]) -> None:
        super().__init__(MAX_COMMAND_LENGTH, charset=_LETTERS)
        self._legal = legal

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """Returns a legal command, each equally likely."""
        found = self._legal()
        if not found:
            return str(super().sample())
        return found[int(self.np_random.integers(len(found)))]


class TextGame(gymnasium.Env[str, str]):
    """A game in words; a game is one of a split, by number.

    `reset(seed=s)` plays game `s % num_games` of the split, so that a seed names a
    game. Commands are free text: what a game does not understand costs a step, changes
    nothing, and is told in words.

    The reward of a step is what it raises the best score so far by: the return is the
    best score of the episode, from 0 to 1. The episode terminates when the game is won
    or lost for good. Where the game has a time limit of its own, `max_steps`, it
    truncates there, beside the limit of the registry.

    Args:
        split: Which games.

    Attributes:
        instruction: What is to be done in the present game, in words.
        task: Kind of task of the present game.
        game: Its number in the split.
        score: The best so far, from 0 to 1.
        has_won: Whether the task is done.
        is_over: Whether the episode has ended.
        commands: Those of the present episode.
        max_steps: Time limit of the present game; `None` for none but the registry's.

    Raises:
        ValueError: If there is no such split.
    """

    instruction: str
    task: str
    game: int

    def __init__(self, *, split: Split = "train") -> None:
        if split not in get_args(Split):
            names = ", ".join(get_args(Split))
            raise ValueError(f"split must be one of {names}, got {split!r}.")
        self.split = split
        self.observation_space = spaces.Text(MAX_TEXT_LENGTH, charset=_LETTERS)
        self.action_space = Commands(self.legal_actions)
        self.instruction = self.task = ""
        self.game = 0
        self.score = 0.0
        self.has_won = False
        self.is_over = True
        self.commands: tuple[str, ...] = ()
        self.max_steps: int | None = None

    @property
    @abstractmethod
    def num_games(self) -> int:
        """Games of the split; at least 1."""

    @abstractmethod
    def legal_actions(self) -> tuple[str, ...]:
        """Returns the commands that the game understands now, sorted.

        None after the end.
        """

    @abstractmethod
    def expert_actions(self) -> tuple[str, ...]:
        """Returns commands that win the present game from its beginning.

        Raises:
            DataError: If none are known.
        """

    @abstractmethod
    def _begin(self, game: int) -> str:
        """Starts a game, sets `instruction` and `task`, and returns what is seen."""

    @abstractmethod
    def _do(self, command: str) -> Told:
        """Carries a command out."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts the game that the seed names; without one, any of the split."""
        super().reset(seed=seed)
        number = int(self.np_random.integers(2**31)) if seed is None else seed
        self.game = number % self.num_games
        self.score, self.has_won, self.is_over = 0.0, False, False
        self.commands = ()
        return self._begin(self.game), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carries a command out; `info` has the score and whether it was understood.

        Raises:
            ResetNeeded: If the episode has ended.
        """
        if self.is_over:
            raise error.ResetNeeded("The episode has ended: reset the environment.")
        told = self._do(action)
        self.commands = (*self.commands, action)
        if math.isnan(told.score):
            raise ValueError(f"A score must be a number, got {told.score}.")
        best = max(self.score, min(told.score, 1.0))
        reward, self.score = best - self.score, best
        self.has_won = told.has_won
        self.is_over = told.has_won or told.has_lost
        is_late = self.max_steps is not None and len(self.commands) >= self.max_steps
        truncated = is_late and not self.is_over
        info = {"score": self.score, "won": self.has_won, "is_legal": told.is_legal}
        return told.text, reward, self.is_over, truncated, info


def tidy(text: str) -> str:
    """Returns a text without double spaces, spaces before line ends and outer lines."""
    lines = (re.sub(r"(?<=\S) {2,}", " ", line) for line in text.splitlines())
    return "\n".join(line.rstrip() for line in lines).strip("\n")


_LETTERS = frozenset(chr(code) for code in range(32, 127)) | {"\n", "\t"}
