"""Transitions and trajectories in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from cwm.core.errors import DataError
from cwm.core.protocols import FloatArray


class TextTransition(NamedTuple):
    """What was seen, done, and came of it, or is said to come of it.

    Attributes:
        state: What is seen before the action.
        action: The action in words.
        change: What comes of it, one sentence; this is what is predicted.
    """

    state: str
    action: str
    change: str


class ToldStep(Protocol):
    """One step, as an environment tells it."""

    @property
    def state(self) -> str:
        """What is seen after it."""
        ...

    @property
    def action(self) -> str:
        """What was done."""
        ...

    @property
    def change(self) -> str:
        """What came of it."""
        ...

    @property
    def type(self) -> str:
        """Name of the transition's type."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTrajectory:
    """One episode, or the first part of one, in words.

    Attributes:
        states: `T + 1` texts, what is seen before each action and after the last.
        actions: `T` actions in words.
        changes: `T` sentences, what came of each action.
        types: `T` names of the types of the transitions, for reports alone: nobody who
            predicts or proposes is shown them.
        action_ids: `T` numbers of the actions in the environment's action space.
    """

    states: tuple[str, ...]
    actions: tuple[str, ...]
    changes: tuple[str, ...]
    types: tuple[str, ...]
    action_ids: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths = {
            len(self.states) - 1,
            *map(len, (self.actions, self.changes, self.types, self.action_ids)),
        }
        if len(lengths) != 1:
            raise ValueError(
                "A trajectory must have one state more than it has actions, changes, "
                f"types and action numbers, got {len(self.states)} states, "
                f"{len(self.actions)} actions, {len(self.changes)} changes, "
                f"{len(self.types)} types, {len(self.action_ids)} numbers."
            )

    @classmethod
    def from_steps(
        cls, begin: str, steps: Sequence[ToldStep], action_ids: Iterable[int]
    ) -> Self:
        """Returns what was told from a reset on.

        Args:
            begin: What is seen after the reset.
            steps: `T` steps.
            action_ids: `T` numbers of the actions.
        """
        return cls(
            states=(begin, *(step.state for step in steps)),
            actions=tuple(step.action for step in steps),
            changes=tuple(step.change for step in steps),
            types=tuple(step.type for step in steps),
            action_ids=tuple(action_ids),
        )

    def __len__(self) -> int:
        """Returns the number of transitions."""
        return len(self.changes)

    @property
    def transitions(self) -> tuple[TextTransition, ...]:
        """The transitions in order."""
        return tuple(map(TextTransition, self.states[:-1], self.actions, self.changes))

    def first(self, num_steps: int) -> "TextTrajectory":
        """Returns the first steps, `num_steps` at most."""
        return TextTrajectory(
            states=self.states[: num_steps + 1],
            actions=self.actions[:num_steps],
            changes=self.changes[:num_steps],
            types=self.types[:num_steps],
            action_ids=self.action_ids[:num_steps],
        )

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {
            "states": list(self.states),
            "actions": list(self.actions),
            "changes": list(self.changes),
            "types": list(self.types),
            "action_ids": list(self.action_ids),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Returns what `to_json` wrote.

        Raises:
            DataError: If the data are of another form.
        """
        try:
            return cls(
                states=tuple(map(str, data["states"])),
                actions=tuple(map(str, data["actions"])),
                changes=tuple(map(str, data["changes"])),
                types=tuple(map(str, data["types"])),
                action_ids=tuple(map(int, data["action_ids"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"A trajectory in words cannot be read: {error}") from error


def transitions_of(trajectories: Iterable[TextTrajectory]) -> list[TextTransition]:
    """Returns all transitions of some trajectories, in order."""
    return [one for trajectory in trajectories for one in trajectory.transitions]


def types_of(trajectories: Iterable[TextTrajectory]) -> list[str]:
    """Returns the types of all transitions of some trajectories, in order."""
    return [name for trajectory in trajectories for name in trajectory.types]


def means_by_type(values: FloatArray, types: Sequence[str]) -> dict[str, float]:
    """Returns the mean of the values of each type that occurs, the first one first.

    Args:
        values: `[N]`.
        types: `[N]`, the type of each.
    """
    names = np.array(types, dtype=str)
    return {name: float(values[names == name].mean()) for name in dict.fromkeys(types)}


def count_types(
    trajectories: Iterable[TextTrajectory], types: Sequence[str]
) -> dict[str, int]:
    """Returns how many transitions of each type there are.

    Args:
        trajectories: Where to count.
        types: Names of types; each is in the result, others are added behind.
    """
    counts = dict.fromkeys(types, 0)
    for name in types_of(trajectories):
        counts[name] = counts.get(name, 0) + 1
    return counts
