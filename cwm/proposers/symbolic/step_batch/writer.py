"""Gives programs their `step_batch`, where it equals `step`."""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cwm.core.proposals import Task
from cwm.core.trajectories import TransitionBatch
from cwm.proposers.symbolic.step_batch.source import add_step_batch
from cwm.proposers.symbolic.step_batch.values import NoArrayForm
from cwm.proposers.symbolic.step_batch.verify import disagreement

MAX_SOURCE_LENGTH = 60_000
"""Characters of the longest program with a `step_batch`; a sandbox takes 64 KiB."""

_MAX_REMEMBERED = 64

Outcome: TypeAlias = Literal[
    "written", "no array form", "differs", "too long", "too deep"
]


@dataclass(kw_only=True)
class StepBatchWriter:
    """Writes `step_batch` beside `step`.

    Attributes:
        outcomes: How often programs got one, and why others did not; a program
            that is asked for again counts once.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    _train: TransitionBatch | None = None
    _known: OrderedDict[str, tuple[str, int]] = field(default_factory=OrderedDict)

    def write(self, source: str, task: Task) -> tuple[str, int]:
        """Returns a program with `step_batch`, and how far down `step` moved.

        It comes back as it is where there is no array form, where that is too long or
        nested too deeply, or where it differs from `step` on the training transitions
        or on others that are drawn.
        """
        if self._train is not task.train:
            self._train = task.train
            self._known.clear()
        if source not in self._known:
            self._known[source] = self._written(source, task)
            if len(self._known) > _MAX_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(source)
        return self._known[source]

    def _written(self, source: str, task: Task) -> tuple[str, int]:
        try:
            written, shift = add_step_batch(
                source,
                observation_space=task.observation_space,
                action_space=task.action_space,
            )
        except NoArrayForm:
            self.outcomes["no array form"] += 1
            return source, 0
        except RecursionError:
            # A sum of hundreds of terms; laying it out takes a call for each.
            self.outcomes["too deep"] += 1
            return source, 0
        if len(written) > MAX_SOURCE_LENGTH:
            self.outcomes["too long"] += 1
            return source, 0
        if disagreement(written, task.train):
            self.outcomes["differs"] += 1
            return source, 0
        self.outcomes["written"] += 1
        return written, shift
