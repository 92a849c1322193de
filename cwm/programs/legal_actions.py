"""Whether the legal actions that a model names are those that were recorded.

They are compared as sets. What is legal after a terminal step is not judged: nothing
can be done there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.predictions import Predictions
from cwm.core.spaces import Value
from cwm.core.trajectories import TransitionBatch


def legal_matches(
    predictions: Predictions, batch: TransitionBatch
) -> NDArray[np.bool_] | None:
    """Returns where exactly the legal actions are named, `[N]`; `None` if not judged.

    True after terminal steps. A model that names none is wrong everywhere else.
    """
    if batch.next_legal_actions is None:
        return None
    expected = [action_set(actions) for actions in batch.next_legal_actions]
    named = _named(predictions, len(batch))
    pairs = zip(named, expected, strict=True)
    right = np.fromiter((n == e for n, e in pairs), dtype=np.bool_, count=len(batch))
    return np.asarray((right & predictions.valid) | batch.terminated)


def reference_legal_matches(
    predictions: Predictions, batch: TransitionBatch
) -> NDArray[np.bool_] | None:
    """Returns what the published code takes for right: some legal action, no other."""
    if batch.next_legal_actions is None:
        return None
    expected = [action_set(actions) for actions in batch.next_legal_actions]
    named = _named(predictions, len(batch))
    pairs = zip(named, expected, strict=True)
    right = [bool(n) and n is not None and n <= e for n, e in pairs]
    return np.asarray(right, dtype=np.bool_) & predictions.valid


def _named(predictions: Predictions, num_rows: int) -> list[frozenset[Any] | None]:
    if predictions.legal_actions is None:
        return [None] * num_rows
    return [None if a is None else action_set(a) for a in predictions.legal_actions]


def action_set(actions: tuple[Value, ...]) -> frozenset[Any]:
    """Returns actions as a set of hashable values."""
    return frozenset(map(_key, actions))


def _key(action: Value) -> Any:
    if isinstance(action, np.ndarray):
        return action.dtype.str, action.shape, action.tobytes()
    if isinstance(action, tuple):
        return tuple(map(_key, action))
    if isinstance(action, dict):
        return tuple((name, _key(part)) for name, part in action.items())
    return action
