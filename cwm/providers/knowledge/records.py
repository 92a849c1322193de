"""What is known of episodes, and what was written about them, as plain data.

Each kind of record is a line of JSON in a file of its own, and says in `made_by` which
component wrote it: knowledge of one writer is never taken for that of another.

    Episode      what was seen and done in one text game
    TaskNote     task knowledge: what makes the task succeed (in the paper κ)
    StateNotes   state knowledge: where each moment of an episode stands (there s)

After Qiao et al., Agent Planning with World Knowledge Model, 2024,
https://arxiv.org/abs/2405.14205, section 3.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from envs.text_games.base import Split

Ending: TypeAlias = Literal["won", "lost", "out_of_steps", "out_of_context", "gave_up"]
"""How an episode ended; the last two: the agent's model could not read it any further;
the player had nothing left to do."""

Source: TypeAlias = Literal["expert", "explored", "evaluated"]
"""Why an episode was played."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One action and what came of it.

    Attributes:
        thought: What the agent said before it; may be empty.
        action: The command; empty if what the agent said held none.
        observation: What was seen then.
        score: The score after it, the best so far, from 0 to 1.
        is_legal: Whether the game understood the command.
    """

    thought: str = ""
    action: str
    observation: str
    score: float
    is_legal: bool = True


class Episode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text game, as it was played.

    Attributes:
        id: Unlike that of every other episode of the same file.
        env: Id of the environment.
        task: Kind of task.
        split: Which games this one belongs to.
        game: Number of the game in its split: the seed of its reset.
        instruction: What is to be done, in words.
        observation: What was seen first.
        steps: In order; may be empty.
        score: At the end, from 0 to 1.
        ending: How it ended.
        source: Why it was played.
        made_by: Who acted.
    """

    id: str
    env: str
    task: str
    split: Split
    game: int
    instruction: str
    observation: str
    steps: tuple[Step, ...]
    score: float
    ending: Ending
    source: Source
    made_by: str

    @property
    def has_won(self) -> bool:
        """Whether the task was done."""
        return self.ending == "won"

    @property
    def observations(self) -> tuple[str, ...]:
        """All that was seen, one more than there are steps."""
        return (self.observation, *(step.observation for step in self.steps))

    @property
    def actions(self) -> tuple[str, ...]:
        """All that was done."""
        return tuple(step.action for step in self.steps)


class TaskNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Task knowledge of one game.

    Attributes:
        episode: Id of the expert's episode that it is about.
        rejected: Id of the explored one that it was compared with; empty for none.
        text: What it says.
        made_by: Who wrote it.
    """

    episode: str
    rejected: str = ""
    text: str
    made_by: str


class StateNotes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State knowledge of one episode.

    Attributes:
        episode: Id of the expert's episode.
        texts: What is said at each observation, the first included; one more than the
            episode has steps.
        made_by: Who wrote them.
    """

    episode: str
    texts: tuple[str, ...]
    made_by: str


class PlayedEpisode(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """An episode of an evaluation, and what it cost.

    Attributes:
        row: The player, as tables name it.
        seed: Of the models and of everything that the player drew.
        episode: What was seen and done.
        num_calls: Calls of language models.
        prompt_tokens: Tokens that they read.
        completion_tokens: Tokens that they wrote.
        seconds: Duration, that of the environment included.
        traces: For each step, the player's figures of its decision.
    """

    row: str
    seed: int
    episode: Episode
    num_calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    traces: tuple[dict[str, Any], ...] = ()


RecordT = TypeVar("RecordT", bound=msgspec.Struct)


def write_records(path: Path, records: Iterable[msgspec.Struct]) -> None:
    """Writes records, a line of JSON each; the file is replaced in one step.

    Raises:
        ConfigError: If the file cannot be written.
    """
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lines)
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be written: {error}.") from error


def append_record(path: Path, record: msgspec.Struct) -> None:
    """Adds a record to a file, which is made if there is none.

    Raises:
        ConfigError: If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be written: {error}.") from error


def drop_torn_line(path: Path) -> None:
    """Removes what a process that was killed has left of its last line.

    Raises:
        ConfigError: If the file cannot be written.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        try:
            write_atomically(path, whole)
        except OSError as error:
            raise ConfigError(f"{str(path)!r} cannot be written: {error}.") from error


def read_records(path: Path, kind: type[RecordT]) -> list[RecordT]:
    """Returns the records of a file.

    Raises:
        DataError: If it cannot be read, or a line is no such record.
    """
    return _decoded(_content(path), path, kind)


def read_whole_records(path: Path, kind: type[RecordT]) -> list[RecordT]:
    """Returns the records of a file that is being written, without a last half line.

    Without the file there are none.

    Raises:
        DataError: If it cannot be read, or a whole line is no such record.
    """
    if not path.exists():
        return []
    content = _content(path)
    return _decoded(content[: content.rfind(b"\n") + 1], path, kind)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error


def _decoded(content: bytes, path: Path, kind: type[RecordT]) -> list[RecordT]:
    decoder = msgspec.json.Decoder(kind)
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            found.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise DataError(
                f"Line {number} of {str(path)!r} must be a {kind.__name__}: {error}."
            ) from error
    return found
