"""What writers of knowledge, agent and knowledge model are told.

Covers: the two prompts that have task and state knowledge written, of the structure of
    Qiao et al., 2024 (https://arxiv.org/abs/2405.14205, appendix), in sentences of our
    own; what agent and knowledge model are told before a task.
Does not cover: the turns of a conversation (`cwm.providers.knowledge.conversations`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from prompts.fill import fill

MAX_OBSERVATION_CHARS: Final = 1_000
"""Longer observations are cut where attempts are shown to the writer of task knowledge,
as published."""

TASK_LABEL: Final = "Task Knowledge:"
STATE_LABEL: Final = "State Knowledge:"
OBSERVATION: Final = "Observation:"

_PLACE: Final = "knowledge"

FOLDERS: Final = {
    "cwm/Household-v0": "household",
    "cwm/TWC-v0": "express",
    "cwm/CookingWorld-v0": "express",
    "cwm/CoinCollector-v0": "express",
    "cwm/MapReader-v0": "express",
    "cwm/ScienceWorld-v0": "scienceworld",
    "cwm/TextWorld-v0": "textworld",
}
"""Id of an environment -> folder of its templates."""


@dataclass(frozen=True, slots=True)
class KnowledgePrompts:
    """The prompts of one kind of environment.

    Attributes:
        folder: Folder of its templates in `prompts/templates/knowledge`: what can be
            done there, and one worked example of each kind of knowledge.
    """

    folder: str

    def __post_init__(self) -> None:
        known = sorted(set(FOLDERS.values()))
        if self.folder not in known:
            raise ValueError(
                f"folder must be one of {', '.join(known)}, got {self.folder!r}."
            )

    @classmethod
    def of(cls, env_id: str) -> "KnowledgePrompts":
        """Returns the prompts of an environment.

        Raises:
            ValueError: If there are none.
        """
        if env_id not in FOLDERS:
            known = ", ".join(sorted(FOLDERS))
            raise ValueError(f"env must be one of {known}, got {env_id!r}.")
        return cls(FOLDERS[env_id])

    def task(self, chosen: Sequence[str], rejected: Sequence[str]) -> str:
        """Returns the prompt whose answer is task knowledge.

        Args:
            chosen: The turns of the attempt that succeeded, the instruction included.
            rejected: The turns of the explored one; empty if there is none.
        """
        shown = {"chosen": _attempt(chosen), "rejected": _attempt(rejected)}
        return self._filled(
            "task" if rejected else "task_alone",
            **shown,
            example=self._own("task_example"),
        )

    def state(self, transcript: str) -> str:
        """Returns the prompt whose answer is state knowledge.

        Args:
            transcript: All turns so far, with what was said about the moments before.
        """
        return self._filled(
            "state", transcript=transcript, example=self._own("state_example")
        )

    def agent(self, *, with_thought: bool) -> str:
        """Returns what an agent is told before its task.

        Args:
            with_thought: Whether it is to say what it thinks.
        """
        answer = _text(f"{_PLACE}/answer{'_with_thought' * with_thought}", ())
        return self._filled(
            "agent", description=self._own("description"), answer=answer
        )

    def knowledge_model(self) -> str:
        """Returns what a knowledge model is told before a task."""
        return self._filled("knowledge_model", description=self._own("description"))

    def _own(self, name: str) -> str:
        return _text(f"{_PLACE}/{self.folder}/{name}", ())

    def _filled(self, name: str, **fields: str) -> str:
        return _text(f"{_PLACE}/{name}", tuple(fields.items()))


@lru_cache(maxsize=256)
def _text(name: str, fields: tuple[tuple[str, str], ...]) -> str:
    return fill(name, dict(fields)).strip()


def _attempt(turns: Sequence[str]) -> str:
    """Returns turns as they are shown: one after the other, observations cut."""
    return "\n".join(
        turn[:MAX_OBSERVATION_CHARS] if turn.startswith(OBSERVATION) else turn
        for turn in turns
    )


def known_folders() -> tuple[str, ...]:
    """Returns the folders that have templates."""
    root = files("prompts") / "templates" / _PLACE
    return tuple(sorted(one.name for one in root.iterdir() if one.is_dir()))
