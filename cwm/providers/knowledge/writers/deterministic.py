"""Knowledge by rules, without a language model: the same words for the same episodes.

The paper's writer is a language model of 7 billion parameters. What small ones write
without training is of no use, so that these rules are what the method is tried with on
a machine without an accelerator; a knowledge model then learns to say the same without
having seen the expert's episode.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cwm.core.errors import DataError
from cwm.providers.knowledge.reading.progress import Progress
from cwm.providers.knowledge.reading.texts import goal_of
from cwm.providers.knowledge.records import Episode
from cwm.providers.knowledge.writers.roles import Pair
from cwm.providers.knowledge.writers.workflows import (
    avoided_in,
    known_of,
    missed_in,
    shared_words,
    workflow_of,
)

MAX_AVOIDED: Final = 4
MAX_MISSED: Final = 3
"""Of more warnings and hints the first are told."""


class DeterministicTaskWriter:
    """Task knowledge of one game from its pair of episodes.

    The workflow of the expert, what of it the explored episode never did, and what
    that did in vain. Things that are neither in the instruction nor in the first
    observation are told by their kind: what is written can be known before the first
    action.
    """

    made_by = "deterministic writer"

    def write(self, chosen: Episode, rejected: Episode | None) -> str:
        """Returns the task knowledge of one game; see `TaskWriter`."""
        known = known_of(chosen)
        workflow = workflow_of(chosen, known)
        missed: Sequence[str] = ()
        avoided: Sequence[str] = ()
        if rejected is not None:
            missed = missed_in(rejected, workflow, known)
            avoided = avoided_in(rejected, chosen, known)
        return _told(goal_of(chosen.instruction), workflow, missed, avoided)


@dataclass(frozen=True, slots=True)
class DeterministicKindWriter:
    """Task knowledge of a kind of task, one text for all games of it.

    Attributes:
        texts: Kind of task -> what is said.
    """

    texts: dict[str, str]

    @property
    def made_by(self) -> str:
        """Who it is; see `TaskWriter`."""
        return "deterministic writer, one text for each kind of task"

    @classmethod
    def from_pairs(cls, pairs: Sequence[Pair]) -> "DeterministicKindWriter":
        """Returns the writer that has seen all pairs.

        Of each kind the workflow that most experts share is told (of several the
        shortest), and what is missing in most explored episodes, and what
        most of them do in vain.
        """
        by_task: dict[str, list[Pair]] = {}
        for chosen, rejected in pairs:
            by_task.setdefault(chosen.task, []).append((chosen, rejected))
        return cls({task: _of_kind(task, of) for task, of in sorted(by_task.items())})

    def write(self, chosen: Episode, rejected: Episode | None) -> str:
        """Returns what is said about the kind of task of a game; see `TaskWriter`.

        Raises:
            DataError: If no pair was of this kind.
        """
        if chosen.task not in self.texts:
            known = ", ".join(sorted(self.texts))
            raise DataError(
                f"task must be a kind of task that pairs were given of ({known}), got "
                f"{chosen.task!r}."
            )
        return self.texts[chosen.task]


class DeterministicStateWriter:
    """State knowledge followed from instruction, observations and actions so far."""

    made_by = "deterministic writer"

    def write(self, episode: Episode) -> tuple[str, ...]:
        """Returns a text for each observation; see `StateWriter`."""
        progress = Progress.begin(episode.instruction, episode.observation)
        texts = [progress.note()]
        for step in episode.steps:
            progress = progress.after(
                step.action, step.observation, is_legal=step.is_legal
            )
            texts.append(progress.note())
        return tuple(texts)


def _of_kind(task: str, pairs: Sequence[Pair]) -> str:
    shared = shared_words(chosen.instruction for chosen, _ in pairs)
    workflows: Counter[tuple[str, ...]] = Counter()
    for chosen, _ in pairs:
        known = known_of(chosen, shared)
        workflows[workflow_of(chosen, known)] += 1
    workflow = min(workflows, key=lambda one: (-workflows[one], len(one), one))
    missed: Counter[str] = Counter()
    avoided: Counter[str] = Counter()
    num_rejected = 0
    for chosen, rejected in pairs:
        if rejected is None:
            continue
        num_rejected += 1
        known = known_of(chosen, shared)
        missed.update(missed_in(rejected, workflow, known))
        avoided.update(avoided_in(rejected, chosen, known))
    return _told(
        f"do a task of the kind {task.replace('_', ' ')}",
        workflow,
        [one for one in dict.fromkeys(workflow) if 2 * missed[one] > num_rejected],
        sorted(avoided, key=lambda one: (-avoided[one], one)),
    )


def _told(
    goal: str,
    workflow: Sequence[str],
    missed: Sequence[str],
    avoided: Sequence[str],
) -> str:
    """Returns task knowledge in the form that the paper demands of its writer."""
    parts = [f"When you are asked: {goal},"]
    if missed:
        parts.append(f"you should not forget to {_or(missed[:MAX_MISSED], 'and')}.")
    else:
        parts.append("you should go through the workflow without detours.")
    if avoided:
        parts.append(f"You should not {_or(avoided[:MAX_AVOIDED], 'or')}.")
    steps = " ".join(f"{place}. {line}." for place, line in enumerate(workflow, 1))
    parts.append(f"The action workflows are: {steps}")
    return " ".join(parts)


def _or(told: Sequence[str], word: str) -> str:
    return f"; {word} ".join(told)
