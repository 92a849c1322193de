"""What a world model in this process says of recorded transitions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.codec import conform, decode_columns, encode_columns
from cwm.core.predictions import LegalActions, Predictions
from cwm.core.protocols import LikelihoodModel, ModelError, StepResult, WorldModel
from cwm.core.seeding import child_rng
from cwm.core.spaces import Value
from cwm.core.trajectories import TransitionBatch

CHUNK_ROWS = 64
"""Transitions whose probabilities are asked for together."""

OnRows = Callable[[int], None]
"""Is told after how many rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLikelihood:
    """How probable a model takes what was recorded.

    Attributes:
        mean: Mean log-likelihood of a transition in nats, over those that the model
            takes for possible; `None` if there are none.
        num_impossible: Transitions that it takes for impossible.
        num_transitions: All of them.
    """

    mean: float | None
    num_impossible: int
    num_transitions: int

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {
            "mean": self.mean,
            "num_impossible": self.num_impossible,
            "num_transitions": self.num_transitions,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "BatchLikelihood":
        """Returns what `to_json` described."""
        return cls(**data)


def batch_likelihood(
    model: LikelihoodModel,
    batch: TransitionBatch,
    *,
    on_rows: OnRows = lambda number: None,
) -> BatchLikelihood:
    """Returns how probable a model takes what was recorded.

    Raises:
        CwmError: If the model has no answer.
    """
    space = batch.observation_space
    before = decode_columns(space, batch.observations)
    actions = decode_columns(batch.action_space, batch.actions)
    after = decode_columns(space, batch.next_observations)
    found = np.zeros(len(batch))
    for start in range(0, len(batch), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        found[rows] = model.log_probs(before[rows], actions[rows], after[rows])
        on_rows(min(start + CHUNK_ROWS, len(batch)))
    possible = found[np.isfinite(found)]
    return BatchLikelihood(
        mean=float(possible.mean()) if len(possible) else None,
        num_impossible=len(batch) - len(possible),
        num_transitions=len(batch),
    )


def step_predictions(
    model: WorldModel, batch: TransitionBatch, *, num_draws: int = 1, seed: int = 0
) -> list[Predictions]:
    """Returns what a model predicts for recorded transitions, in several draws.

    Rows are independent of each other; each begins from the recorded observation. One
    that the model has no answer for is not valid. Legal actions are those of the next
    state, where the recorded ones are there to be compared.

    Args:
        model: Starts from observations.
        batch: `N` transitions.
        num_draws: How often each is predicted, at least 1.
        seed: Of all draws.

    Raises:
        CwmError: If whoever the model asks has no answer.
    """
    return [_predictions(model, batch, (seed, draw)) for draw in range(num_draws)]


def _predictions(
    model: WorldModel, batch: TransitionBatch, draw: tuple[int, int]
) -> Predictions:
    steps: list[StepResult | None] = []
    messages: dict[int, str] = {}
    for row, (observation, action) in enumerate(_inputs(batch)):
        try:
            step = model.step(
                observation, action, child_rng(draw[0], "scored", draw[1], row)
            )
            shown = conform(batch.observation_space, step.observation)
            steps.append(step._replace(observation=shown))
        except (ModelError, ValueError) as error:
            steps.append(None)
            messages[row] = str(error)
    filler = decode_columns(batch.observation_space, batch.observations)
    return Predictions(
        next_observations=encode_columns(
            batch.observation_space,
            [
                old if step is None else step.observation
                for old, step in zip(filler, steps, strict=True)
            ],
        ),
        rewards=np.array([0.0 if step is None else step.reward for step in steps]),
        terminated=np.array([step is not None and step.terminated for step in steps]),
        valid=np.array([step is not None for step in steps]),
        messages=messages,
        legal_actions=_legal_actions(model, batch, steps),
    )


def _inputs(batch: TransitionBatch) -> Iterator[tuple[Value, Value]]:
    observations = decode_columns(batch.observation_space, batch.observations)
    return zip(
        observations, decode_columns(batch.action_space, batch.actions), strict=True
    )


def _legal_actions(
    model: WorldModel, batch: TransitionBatch, steps: list[StepResult | None]
) -> LegalActions | None:
    if batch.next_legal_actions is None:
        return None
    found: list[tuple[Value, ...] | None] = []
    for step in steps:
        legal = None if step is None else model.legal_actions(step.next_state)
        found.append(None if legal is None else tuple(legal))
    return tuple(found)
