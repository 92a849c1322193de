"""What each model learns: conversations made from episodes and notes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from cwm.core.errors import DataError
from cwm.knowledge_pipeline.rows import Row, TrainedAgent, agents_of
from cwm.knowledge_pipeline.runs import SeedFolder, Thoughts
from cwm.providers.knowledge.conversations import (
    Conversation,
    agent_conversation,
    knowledge_conversation,
)
from cwm.providers.knowledge.records import (
    Episode,
    StateNotes,
    TaskNote,
    read_records,
    write_records,
)
from prompts.knowledge import KnowledgePrompts

KnowledgeName: TypeAlias = Literal["knowledge"]
ModelName: TypeAlias = TrainedAgent | KnowledgeName

KNOWLEDGE: KnowledgeName = "knowledge"
"""The knowledge model, among all that is trained."""

ROLES: dict[ModelName, str] = {
    "plain": "agent without knowledge",
    "task": "agent with task knowledge",
    "kind": "agent with knowledge of kinds of tasks",
    "explicit": "agent with task and state knowledge",
    KNOWLEDGE: "knowledge model",
}
"""What each model is for, in words."""


class LearnedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation, as it is written.

    Attributes:
        role: `user` or `assistant`.
        content: What is said.
        is_learned: Whether the model learns to say it.
    """

    role: str
    content: str
    is_learned: bool


class LearnedConversation(msgspec.Struct, frozen=True, kw_only=True):
    """What a model learns from one episode, a line of a file.

    Attributes:
        episode: Id of the episode.
        made_by: Who wrote the knowledge in it; empty if there is none.
        messages: In order.
    """

    episode: str
    made_by: str
    messages: tuple[LearnedMessage, ...]


def models_of(row: Row) -> list[ModelName]:
    """Returns the trained models that a row consists of."""
    names: list[ModelName] = list(agents_of([row]))
    return [*names, KNOWLEDGE] if row.needs_knowledge else names


def notes_of(files: SeedFolder, name: ModelName) -> list[Path]:
    """Returns the files of notes that a model's conversations have."""
    found = []
    if name != "plain":
        found.append(files.kind_notes if name == "kind" else files.task_notes)
    if name in ("explicit", KNOWLEDGE):
        found.append(files.state_notes)
    return found


def make_conversations(
    name: ModelName,
    experts: Sequence[Episode],
    files: SeedFolder,
    prompts: KnowledgePrompts,
    *,
    thoughts: Thoughts,
) -> list[Conversation]:
    """Returns what a model learns, and writes it beside the notes.

    Raises:
        DataError: If an episode has no note, or a file cannot be read.
        ConfigError: If the file cannot be written.
    """
    tasks: dict[str, TaskNote] = {}
    states: dict[str, StateNotes] = {}
    for path in notes_of(files, name):
        if path == files.state_notes:
            states = {one.episode: one for one in read_records(path, StateNotes)}
        else:
            tasks = {one.episode: one for one in read_records(path, TaskNote)}
    conversations: list[Conversation] = []
    lines: list[LearnedConversation] = []
    for one in experts:
        task, state = tasks.get(one.id), states.get(one.id)
        if (tasks and task is None) or (states and state is None):
            raise DataError(f"Episode {one.id!r} has no note for the model {name}.")
        conversation = _conversation(
            name, one, prompts, task=task, states=state, thoughts=thoughts
        )
        conversations.append(conversation)
        made_by = {note.made_by: None for note in (task, state) if note is not None}
        lines.append(
            LearnedConversation(
                episode=one.id,
                made_by="; ".join(made_by),
                messages=tuple(
                    LearnedMessage(
                        role=turn.message.role,
                        content=turn.message.content,
                        is_learned=turn.is_learned,
                    )
                    for turn in conversation
                ),
            )
        )
    write_records(files.training(name), lines)
    return conversations


def _conversation(
    name: ModelName,
    episode: Episode,
    prompts: KnowledgePrompts,
    *,
    task: TaskNote | None,
    states: StateNotes | None,
    thoughts: Thoughts,
) -> Conversation:
    if name != KNOWLEDGE:
        return agent_conversation(
            episode, prompts, task=task, states=states, thoughts=thoughts
        )
    assert task is not None, "a knowledge model has notes"
    return knowledge_conversation(
        episode, prompts, task=task, states=states, thoughts=thoughts
    )
