"""ScienceWorld's tasks: their variations, which are for what, how long they may take.

Steps are those of the agents of Song et al. (2024, https://arxiv.org/abs/2403.02502)
and of world knowledge models (Qiao et al., 2024, https://arxiv.org/abs/2405.14205),
whose 24 tasks are `PAPER_TASKS`. Their training games are drawn from the official
train and dev variations together, and their test games from dev: 54 of 194 are among
the training games. Here the splits have no variation in common.
"""

from collections.abc import Sequence
from typing import NamedTuple

from envs.text_games.base import Split


class TaskFacts(NamedTuple):
    """What is known of a task.

    Attributes:
        num_train: Variations of the official train split, which come first.
        num_dev: Of the official dev split, which follow.
        num_test: Of the official test split, the rest.
        max_steps: Longest episode of the papers; `None` where they leave it out.
    """

    num_train: int
    num_dev: int
    num_test: int
    max_steps: int | None = None


TASKS: dict[str, TaskFacts] = {
    "boil": TaskFacts(14, 7, 9, 100),
    "melt": TaskFacts(14, 7, 9, 80),
    "freeze": TaskFacts(14, 7, 9, 80),
    "change-the-state-of-matter-of": TaskFacts(14, 7, 9, 80),
    "use-thermometer": TaskFacts(270, 135, 135, 30),
    "measure-melting-point-known-substance": TaskFacts(218, 109, 109, 120),
    "measure-melting-point-unknown-substance": TaskFacts(150, 75, 75),
    "power-component": TaskFacts(10, 5, 5, 20),
    "power-component-renewable-vs-nonrenewable-energy": TaskFacts(10, 5, 5, 30),
    "test-conductivity": TaskFacts(450, 225, 225, 30),
    "test-conductivity-of-unknown-substances": TaskFacts(300, 150, 150, 30),
    "find-living-thing": TaskFacts(150, 75, 75, 15),
    "find-non-living-thing": TaskFacts(150, 75, 75, 15),
    "find-plant": TaskFacts(150, 75, 75, 15),
    "find-animal": TaskFacts(150, 75, 75, 15),
    "grow-plant": TaskFacts(62, 31, 33, 30),
    "grow-fruit": TaskFacts(62, 31, 33, 60),
    "chemistry-mix": TaskFacts(16, 8, 8, 60),
    "chemistry-mix-paint-secondary-color": TaskFacts(18, 9, 9, 15),
    "chemistry-mix-paint-tertiary-color": TaskFacts(18, 9, 9, 30),
    "lifespan-longest-lived": TaskFacts(62, 31, 32, 10),
    "lifespan-shortest-lived": TaskFacts(62, 31, 32, 10),
    "lifespan-longest-lived-then-shortest-lived": TaskFacts(62, 31, 32, 12),
    "identify-life-stages-1": TaskFacts(6, 3, 5, 30),
    "identify-life-stages-2": TaskFacts(4, 2, 4, 30),
    "inclined-plane-determine-angle": TaskFacts(84, 42, 42),
    "inclined-plane-friction-named-surfaces": TaskFacts(692, 346, 348),
    "inclined-plane-friction-unnamed-surfaces": TaskFacts(80, 40, 42),
    "mendelian-genetics-known-plant": TaskFacts(60, 30, 30),
    "mendelian-genetics-unknown-plant": TaskFacts(240, 120, 120),
}
"""Every task; the numbers are those of ScienceWorld 1.2."""

PAPER_TASKS = tuple(name for name, facts in TASKS.items() if facts.max_steps)
"""The 24 tasks of the papers."""

MAX_TRAIN, MAX_SEEN, MAX_UNSEEN = 120, 10, 10
"""Most games of one task in a split, as in the papers."""


def variations(task: str, split: Split) -> tuple[int, ...]:
    """Returns the numbers of a task's variations in a split.

    Those of `train` and `seen` are spread evenly over the official train and dev
    variations; those of `unseen` are the first official test variations, as in the
    papers.
    """
    facts = TASKS[task]
    if split == "train":
        return _spread(0, facts.num_train, MAX_TRAIN)
    if split == "seen":
        return _spread(facts.num_train, facts.num_dev, MAX_SEEN)
    start = facts.num_train + facts.num_dev
    return tuple(range(start, start + min(facts.num_test, MAX_UNSEEN)))


def named_tasks(task: str | Sequence[str]) -> tuple[str, ...]:
    """Returns the tasks that a name or several stand for; those of the papers for none.

    Raises:
        ValueError: If there is no such task, or one is named twice.
    """
    if not task:
        return PAPER_TASKS
    names = (task,) if isinstance(task, str) else tuple(task)
    if any(name not in TASKS for name in names) or len(set(names)) < len(names):
        raise ValueError(
            f"task must be '' or one of {', '.join(TASKS)}, or several of them, each "
            f"once, got {task!r}."
        )
    return names


def games(tasks: Sequence[str], split: Split) -> tuple[tuple[str, int], ...]:
    """Returns the games of a split as `(task, variation)`.

    Args:
        tasks: They take turns, so that successive games are of different tasks. One
            that has fewer games than the others is left out when they are used up.
        split: The split.
    """
    ranked = [
        (rank, name, variation)
        for name in tasks
        for rank, variation in enumerate(variations(name, split))
    ]
    ranked.sort(key=lambda one: one[0])
    return tuple((name, variation) for _, name, variation in ranked)


def _spread(start: int, number: int, most: int) -> tuple[int, ...]:
    kept = min(number, most)
    return tuple(start + i * number // kept for i in range(kept))
