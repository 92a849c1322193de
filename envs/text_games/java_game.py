"""What games in Java have in common: their state follows the commands.

Covers: restoring a state by doing its commands again, in the same virtual machine and
only when the state is needed; legal commands listed once for each state.
"""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from envs.snapshots import AttributeSnapshots
from envs.spec import Env
from envs.text_games.base import Split, TextGame, Told


@dataclass(slots=True)
class _Behind:
    """What the Java side has been told to do since it began a game.

    Attributes:
        game: Which game; -1 for none.
        commands: Done in it.
        answer: To the last of them, or to the beginning.
        legal: What can be done now, once it was listed.
    """

    game: int = -1
    commands: tuple[str, ...] = ()
    answer: str = ""
    legal: tuple[str, ...] | None = None


class JavaGame(TextGame):
    """A game of which the state is in Java, where it can be neither saved nor copied.

    The state is that of `game` after `commands`. Whoever sets these attributes back
    has restored it: the commands are done again before the next one, from the
    beginning unless the state is on the way.

    Args:
        split: Which games.
    """

    def __init__(self, *, split: Split = "train") -> None:
        super().__init__(split=split)
        self._behind = _Behind()

    @abstractmethod
    def _start(self, game: int) -> str:
        """Begins a game in Java, sets what depends on it; returns the answer."""

    @abstractmethod
    def _first(self, answer: str) -> str:
        """Returns what is seen first, given the answer to the beginning."""

    @abstractmethod
    def _send(self, command: str) -> str:
        """Has a command done; returns the answer."""

    @abstractmethod
    def _read(self, answer: str) -> Told:
        """Returns what an answer says, to the command that was sent last."""

    @abstractmethod
    def _listed(self, answer: str) -> Iterable[str]:
        """Returns what can be done after the last answer, in any order."""

    @abstractmethod
    def _is_there(self) -> bool:
        """Returns whether the Java side still has what `_behind` says."""

    def legal_actions(self) -> tuple[str, ...]:
        """Returns the commands that the game lists, sorted; none after the end."""
        if self.is_over:
            return ()
        self._catch_up()
        if self._behind.legal is None:
            self._behind.legal = tuple(sorted(set(self._listed(self._behind.answer))))
        return self._behind.legal

    def snapshot_adapter(self, env: Env) -> "CommandSnapshots":
        """Returns how to save and restore an episode."""
        return CommandSnapshots(env, self)

    def _begin(self, game: int) -> str:
        self._behind = _Behind(game, (), self._start(game))
        return self._first(self._behind.answer)

    def _do(self, command: str) -> Told:
        self._catch_up()
        self._carry_out(command)
        return self._read(self._behind.answer)

    def _catch_up(self) -> None:
        """Brings the Java side to where the commands of the episode lead."""
        behind = self._behind
        is_on_the_way = (
            behind.game == self.game
            and behind.commands == self.commands[: len(behind.commands)]
            and self._is_there()
        )
        if not is_on_the_way:
            self._begin(self.game)
        for command in self.commands[len(self._behind.commands) :]:
            self._carry_out(command)

    def _carry_out(self, command: str) -> None:
        behind = self._behind
        behind.answer = self._send(command)
        behind.commands = (*behind.commands, command)
        behind.legal = None

    def _lose(self) -> None:
        """Forgets what the Java side has done: something else was done there."""
        self._behind = _Behind()


class CommandSnapshots(AttributeSnapshots):
    """Copies the attributes, which say how the state in Java comes about.

    Args:
        env: The environment, wrappers included.
        game: What is wrapped.
    """

    def __init__(self, env: Env, game: JavaGame) -> None:
        super().__init__(env)
        self._game = game

    @property
    def restore_cost(self) -> int:  # type: ignore[override]
        """Returns the length of the episode so far: it may have to be done again."""
        return max(1, len(self._game.commands))
