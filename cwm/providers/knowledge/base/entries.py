"""What the state base holds: the state of a moment, with the actions around it."""

from collections.abc import Iterable, Mapping

import msgspec

from cwm.core.errors import DataError
from cwm.providers.knowledge.base.verbs import FIRST_ACTION, cut_action
from cwm.providers.knowledge.records import Episode, StateNotes


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One moment of an expert's episode.

    Attributes:
        state: State knowledge at that moment.
        previous: The action before it, cut as `cut_action` says.
        next: The action after it, cut likewise.
        task: Kind of task.
        episode: Id of the episode, so that it can be left out of a search.
    """

    state: str
    previous: str
    next: str
    task: str
    episode: str


def entries_of(episode: Episode, notes: StateNotes) -> tuple[Entry, ...]:
    """Returns the entries of an episode, one for each action.

    The first has the state of the first observation, before which `look` counts as
    done (Qiao et al., 2024, https://arxiv.org/abs/2405.14205, section 3.3, and its
    code).

    Raises:
        DataError: If the notes are of another episode or not one for each observation,
            or an action is empty.
    """
    if notes.episode != episode.id or len(notes.texts) != len(episode.steps) + 1:
        raise DataError(
            f"Episode {episode.id!r} needs {len(episode.steps) + 1} state notes of its "
            f"own, got {len(notes.texts)} of {notes.episode!r}."
        )
    entries = []
    previous = FIRST_ACTION
    for state, action in zip(notes.texts, episode.actions, strict=False):
        following = cut_action(action)
        if not following:
            raise DataError(
                f"Every action of {episode.id!r} must be a command, got {action!r}."
            )
        entries.append(
            Entry(
                state=state,
                previous=previous,
                next=following,
                task=episode.task,
                episode=episode.id,
            )
        )
        previous = following
    return tuple(entries)


def entries_of_all(
    episodes: Iterable[Episode], notes: Iterable[StateNotes]
) -> tuple[Entry, ...]:
    """Returns the entries of many episodes, in their order.

    Raises:
        DataError: If an episode has no notes; and as `entries_of`.
    """
    by_episode: Mapping[str, StateNotes] = {one.episode: one for one in notes}
    entries: list[Entry] = []
    for episode in episodes:
        if episode.id not in by_episode:
            raise DataError(f"Episode {episode.id!r} has no state notes.")
        entries += entries_of(episode, by_episode[episode.id])
    return tuple(entries)
