"""Prompts of world knowledge models are those that were read and approved.

`python -m tests.golden.test_knowledge_prompts` rewrites them after a change that is
meant to change them.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from cwm.providers.knowledge.conversations import (
    agent_conversation,
    knowledge_conversation,
)
from cwm.providers.knowledge.records import Episode
from cwm.providers.knowledge.writers.deterministic import (
    DeterministicStateWriter,
    DeterministicTaskWriter,
)
from cwm.providers.knowledge.writers.roles import state_notes, task_note
from prompts.knowledge import KnowledgePrompts
from tests.support.knowledge_episodes import (
    BOILING,
    COLD_MUG,
    COOKING,
    HOT_MUG,
    ROASTING,
)

FOLDER = Path(__file__).parent / "knowledge_prompts"

EPISODES: dict[str, tuple[Episode, Episode | None]] = {
    "household": (HOT_MUG, COLD_MUG),
    "express": (COOKING, None),
    "scienceworld": (BOILING, None),
    "textworld": (ROASTING, None),
}


def _turns(episode: Episode, folder: str) -> list[str]:
    conversation = agent_conversation(episode, KnowledgePrompts(folder))
    return [turn.message.content for turn in conversation]


def _task(folder: str) -> str:
    chosen, rejected = EPISODES[folder]
    explored = [] if rejected is None else _turns(rejected, folder)
    return KnowledgePrompts(folder).task(_turns(chosen, folder), explored)


def _state(folder: str) -> str:
    turns = _turns(EPISODES[folder][0], folder)
    return KnowledgePrompts(folder).state("\n".join(turns[:5]))


def _told(folder: str, who: str) -> str:
    chosen, rejected = EPISODES[folder]
    prompts = KnowledgePrompts(folder)
    task = task_note(DeterministicTaskWriter(), chosen, rejected)
    states = state_notes(DeterministicStateWriter(), chosen)
    if who == "agent":
        conversation = agent_conversation(
            chosen, prompts, task=task, thoughts="template"
        )
    else:
        conversation = knowledge_conversation(chosen, prompts, task=task, states=states)
    lines = []
    for message, is_learned in conversation:
        lines += [f"--- {message.role}{', learned' * is_learned}", message.content]
    return "\n".join(lines)


MAKERS: dict[str, Callable[[str], str]] = {
    "task": _task,
    "state": _state,
    "agent": lambda folder: _told(folder, "agent"),
    "knowledge_model": lambda folder: _told(folder, "knowledge_model"),
}
NAMES = [f"{folder}-{role}" for folder in EPISODES for role in MAKERS]


def golden_text(name: str) -> str:
    folder, _, role = name.partition("-")
    return MAKERS[role](folder) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_role_has_its_golden_prompt(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert golden_text(name) == text


def test_every_golden_prompt_has_its_role() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for golden in NAMES:
        path = FOLDER / f"{golden}.txt"
        path.write_text(golden_text(golden), encoding="utf-8")
