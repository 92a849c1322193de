"""The two roles of a writer: task knowledge from a pair of episodes, state knowledge.

In the paper an untrained language model takes both (Qiao et al., 2024,
https://arxiv.org/abs/2405.14205, sections 3.1 and 3.2).
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from cwm.core.errors import DataError
from cwm.providers.knowledge.records import Episode, StateNotes, TaskNote

Pair: TypeAlias = tuple[Episode, Episode | None]
"""An expert's episode, and the explored one of the same game if there is one."""


class TaskWriter(Protocol):
    """Says what makes a task succeed."""

    @property
    def made_by(self) -> str:
        """Who it is, as its notes say."""
        ...

    def write(self, chosen: Episode, rejected: Episode | None) -> str:
        """Returns the task knowledge of one game.

        Args:
            chosen: The expert's episode.
            rejected: The explored one that it is compared with; `None` for none.

        Raises:
            CwmError: If there is no answer.
        """
        ...


class StateWriter(Protocol):
    """Says where each moment of an episode stands."""

    @property
    def made_by(self) -> str:
        """Who it is, as its notes say."""
        ...

    def write(self, episode: Episode) -> tuple[str, ...]:
        """Returns a text for each observation, the first one included.

        Raises:
            CwmError: If there is no answer.
        """
        ...


def task_note(
    writer: TaskWriter, chosen: Episode, rejected: Episode | None
) -> TaskNote:
    """Returns the record of what a writer says about a pair."""
    return TaskNote(
        episode=chosen.id,
        rejected="" if rejected is None else rejected.id,
        text=writer.write(chosen, rejected),
        made_by=writer.made_by,
    )


def state_notes(writer: StateWriter, episode: Episode) -> StateNotes:
    """Returns the record of what a writer says about an episode."""
    return StateNotes(
        episode=episode.id, texts=writer.write(episode), made_by=writer.made_by
    )


def pairs_of(chosen: Iterable[Episode], rejected: Sequence[Episode]) -> list[Pair]:
    """Returns each expert's episode with the explored one of the same game.

    An explored one counts as rejected whatever it reached: where both won, the
    expert's is the shorter one and there is still something to be learned from it.
    Of several the first is taken.

    Raises:
        DataError: If an expert's episode was not won.
    """
    by_game: dict[tuple[str, str, int], Episode] = {}
    for episode in rejected:
        by_game.setdefault(_game_of(episode), episode)
    pairs: list[Pair] = []
    for episode in chosen:
        if not episode.has_won:
            raise DataError(
                f"Chosen episodes must have been won, got {episode.id!r}, which "
                f"ended as {episode.ending!r}. Leave it out."
            )
        pairs.append((episode, by_game.get(_game_of(episode))))
    return pairs


def _game_of(episode: Episode) -> tuple[str, str, int]:
    return episode.env, episode.split, episode.game
