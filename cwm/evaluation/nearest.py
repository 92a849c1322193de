"""A world model that only remembers: the nearest training transition.

What it gets right needs no rule, only data near enough. It stands beside a program
to show what memory is worth on a task.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from cwm.core.codec import Columns, decode_columns, select_rows
from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.evaluation.features import Features
from cwm.programs.tolerances import real_leaves
from envs.actions import is_table_like

NEAREST_NEIGHBOUR = "nearest neighbour"

SAME_DISTANCE = 1e-9
"""Neighbours that are further away by no more than this are as near."""

_ANY = ""
"""Stands for all actions together."""


def nearest_neighbour(
    train: TransitionBatch, *, num_draws: int = 1
) -> Callable[[TransitionBatch], Sequence[Predictions]]:
    """Returns the world model that repeats the nearest training transition.

    Nearest by the standardised observation (codes and texts one-hot; see
    `cwm.evaluation.features`), among the transitions with the same action; where
    actions are real numbers, by the observation and the action together. An action
    that training never shows has all transitions for neighbours.

    It copies the neighbour's reward, `terminated`, legal actions, and whatever of the
    next observation is no real number. To a real element it adds the neighbour's
    *change*: so it keeps what stays as it is, and is right to first order; where
    the element equals the neighbour's, that is the neighbour's next value itself.

    Args:
        train: The training transitions.
        num_draws: How often each transition is predicted. Above 1 (stochastic
            tasks) the draws go round the neighbours that are equally near, of which
            it remembers as many as there are draws.
    """
    memory = _Memory(train, num_draws)

    def predict(batch: TransitionBatch) -> Sequence[Predictions]:
        neighbours = memory.neighbours(batch)
        return [_copied(train, batch, rows) for rows in neighbours.T]

    return predict


class _Memory:
    """Finds neighbours among the training transitions."""

    def __init__(self, train: TransitionBatch, num_draws: int) -> None:
        self._num_draws = num_draws
        self._observations = Features(train.observation_space, train.observations)
        self._actions = Features(train.action_space, train.actions)
        self._splits = is_table_like(train.action_space)
        inputs = self._inputs(train)
        self._rows = {_ANY: np.arange(len(train))}
        if self._splits:
            keys = self._keys(train)
            for key in sorted(set(keys)):
                self._rows[key] = np.asarray(
                    [row for row, own in enumerate(keys) if own == key]
                )
        self._trees = {
            key: NearestNeighbors(algorithm="kd_tree").fit(inputs[rows])
            for key, rows in self._rows.items()
        }

    def neighbours(self, batch: TransitionBatch) -> NDArray[np.intp]:
        """Returns training rows `[N, num_draws]`, the nearest ones."""
        inputs = self._inputs(batch)
        keys = [k if k in self._rows else _ANY for k in self._keys(batch)]
        found = np.zeros((len(batch), self._num_draws), dtype=np.intp)
        for key in sorted(set(keys)):
            rows = np.asarray([row for row, own in enumerate(keys) if own == key])
            known = self._rows[key]
            distances, places = self._trees[key].kneighbors(
                inputs[rows], n_neighbors=min(self._num_draws, len(known))
            )
            for row, distance, place in zip(rows, distances, places, strict=True):
                nearest = np.sort(known[place[distance <= distance[0] + SAME_DISTANCE]])
                found[row] = np.resize(nearest, self._num_draws)
        return found

    def _inputs(self, batch: TransitionBatch) -> NDArray[np.float64]:
        observations = self._observations(batch.observations)
        if self._splits:
            return observations
        return np.concatenate([observations, self._actions(batch.actions)], axis=1)

    def _keys(self, batch: TransitionBatch) -> list[str]:
        """Returns what tells actions from each other; nothing if they are numbers."""
        if not self._splits:
            return [_ANY] * len(batch)
        return [repr(a) for a in decode_columns(batch.action_space, batch.actions)]


def _copied(
    train: TransitionBatch, batch: TransitionBatch, rows: NDArray[np.intp]
) -> Predictions:
    following = select_rows(train.next_observations, rows)
    before = select_rows(train.observations, rows)
    for path, _ in real_leaves(batch.observation_space):
        following[path] = _changed(batch.observations, before, following, path)
    legal = train.next_legal_actions
    return Predictions(
        next_observations=following,
        rewards=train.rewards[rows],
        terminated=train.terminated[rows],
        valid=np.ones(len(batch), dtype=np.bool_),
        messages={},
        legal_actions=None if legal is None else tuple(legal[r] for r in rows.tolist()),
    )


def _changed(
    own: Columns, before: Columns, following: Columns, path: str
) -> NDArray[Any]:
    """Returns a leaf with the neighbour's change added to the own value."""
    o, b, f = (np.asarray(columns[path]) for columns in (own, before, following))
    with np.errstate(invalid="ignore", over="ignore"):
        moved = o.astype(np.float64) + (f.astype(np.float64) - b.astype(np.float64))
        return np.where(o == b, f, moved.astype(f.dtype))
