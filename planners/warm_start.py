"""What a decision leaves for the next one of its episode."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.protocols import Context, FloatArray


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """A distribution of plans and good ones, as of the state that they start from.

    Attributes:
        mean: `[H, D]`.
        plans: Good ones, the best first, `[E, H, D]`.
        steps_left: Steps that were left of the episode then; `None` if not known.
        num_done: Steps that had been made then; `None` if not known.
    """

    mean: FloatArray
    plans: FloatArray
    steps_left: int | None
    num_done: int | None

    def steps_since(self, steps_left: int | None, context: Context | None) -> int:
        """Returns how many steps were made since; 1 if nothing tells."""
        if steps_left is not None and self.steps_left is not None:
            return self.steps_left - steps_left
        if context is not None and self.num_done is not None:
            return len(context.actions) - self.num_done
        return 1


def begin_from(
    memory: Any,
    *,
    horizon: int,
    size: int,
    steps_left: int | None,
    context: Context | None,
) -> tuple[FloatArray, FloatArray] | None:
    """Returns the mean `[H, D]` and plans `[E, H, D]` to begin with.

    Those of the decision before without the steps made since; the last step is
    repeated up to the horizon. `None` if there are none, or all is done.
    """
    if not isinstance(memory, WarmStart) or memory.mean.shape[-1] != size:
        return None
    num_steps = memory.steps_since(steps_left, context)
    if not 1 <= num_steps < len(memory.mean):
        return None
    mean = shifted(memory.mean, by=num_steps, horizon=horizon)
    return mean, shifted(memory.plans, by=num_steps, horizon=horizon)


def shifted(points: FloatArray, *, by: int, horizon: int) -> FloatArray:
    """Returns points `[..., H, D]` from a later step on, their last one repeated."""
    times = np.minimum(np.arange(by, by + horizon), points.shape[-2] - 1)
    taken: FloatArray = points[..., times, :]
    return taken
