"""The rows that a program is shown beside: doing nothing, and the true simulator.

Every row is scored by the same code (`cwm.programs`), on the same transitions.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from cwm.core.codec import decode_columns
from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, Value, leaves
from cwm.core.trajectories import SPLIT_TITLES, TransitionBatch
from cwm.programs.accuracy import (
    SplitScore,
    score_draws,
    score_predictions,
    strict_matches,
)
from cwm.programs.tolerances import Tolerances
from cwm.report.audits import ProgramAudit

Predictor: TypeAlias = Callable[[TransitionBatch], Sequence[Predictions] | None]
"""Predicts a batch of transitions, once or (stochastic tasks) in several draws.

`None` where it cannot.
"""

PROGRAM = "program"
DO_NOTHING = "do nothing"
TRUE_SIMULATOR = "true simulator"


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """How one world model does on each split.

    Attributes:
        name: What predicts.
        scores: By name of the split; `None` where it cannot predict.
        note: What a reader must know about this row; may be empty.
        audit: Of a program: whether its scores are its own.
    """

    name: str
    scores: dict[str, SplitScore | None]
    note: str = ""
    audit: ProgramAudit | None = None

    @property
    def title(self) -> str:
        """The name, with what the audit found, if it found anything."""
        if self.audit is None or self.audit.verdict == "consistent":
            return self.name
        return f"{self.name} ({self.audit.verdict})"

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain data."""
        return {
            "name": self.name,
            "scores": {
                split: None if score is None else score.to_json()
                for split, score in self.scores.items()
            },
            "note": self.note,
            "audit": None if self.audit is None else self.audit.to_json(),
        }


def score_row(
    name: str,
    predict: Predictor,
    splits: dict[str, TransitionBatch],
    tolerances: Tolerances,
    *,
    note: str = "",
) -> ScoreRow:
    """Returns the row of a world model.

    Args:
        name: What predicts.
        predict: Predicts a batch; called once for each split.
        splits: Transitions by name of the split.
        tolerances: Of the training data, for all splits.
        note: See `ScoreRow`.
    """
    scores: dict[str, SplitScore | None] = {}
    for split, batch in splits.items():
        draws = predict(batch)
        scores[split] = None if draws is None else _score(draws, batch, tolerances)
    return ScoreRow(name=name, scores=scores, note=note)


def _score(
    draws: Sequence[Predictions], batch: TransitionBatch, tolerances: Tolerances
) -> SplitScore:
    if len(draws) == 1:
        return score_predictions(draws[0], batch, tolerances)
    return score_draws(draws, batch, tolerances)


def do_nothing(train: TransitionBatch, *, num_draws: int = 1) -> Predictor:
    """Returns the world model in which nothing happens.

    It predicts the observation unchanged, the reward most frequent in the
    training transitions (the smallest of equally frequent ones), that no state is
    terminal, and the most frequent legal actions where they are judged. A score
    near its score means that nothing was learnt.

    Args:
        train: The training transitions.
        num_draws: How often it predicts the same, to be scored as others are.
    """
    rewards, counts = np.unique(train.rewards, return_counts=True)
    reward = float(rewards[np.argmax(counts)])
    legal = _usual_actions(train)

    def predict(batch: TransitionBatch) -> Sequence[Predictions]:
        predictions = Predictions(
            next_observations=batch.observations,
            rewards=np.full(len(batch), reward),
            terminated=np.zeros(len(batch), dtype=np.bool_),
            valid=np.ones(len(batch), dtype=np.bool_),
            messages={},
            legal_actions=None if legal is None else (legal,) * len(batch),
        )
        return [predictions] * num_draws

    return predict


def _usual_actions(train: TransitionBatch) -> tuple[Value, ...] | None:
    """Returns the most frequent legal actions; the first of equally frequent ones."""
    if train.next_legal_actions is None:
        return None
    keys = [repr(actions) for actions in train.next_legal_actions]
    ((most, _),) = Counter(keys).most_common(1)
    return train.next_legal_actions[keys.index(most)]


def unseen_note(
    predictions: Predictions,
    train: TransitionBatch,
    batch: TransitionBatch,
    tolerances: Tolerances,
    *,
    title: str = SPLIT_TITLES["held_out"],
) -> list[str]:
    """Returns how many wrong predictions start where training never was.

    Only where observations are counts, codes or text: of real numbers nearly every
    one is new. Empty if nothing is wrong.

    Args:
        predictions: Of the transitions in question.
        train: The training transitions.
        batch: The transitions in question.
        tolerances: Of the training transitions.
        title: What the split is called.
    """
    if any(
        isinstance(leaf, BoxSpec) and not leaf.is_integer
        for _, leaf in leaves(batch.observation_space)
    ):
        return []
    is_wrong = ~strict_matches(predictions, batch, tolerances).everything
    if not is_wrong.any():
        return []
    seen = set(_observation_keys(train))
    is_new = np.asarray([key not in seen for key in _observation_keys(batch)])
    return [
        f"{int((is_wrong & is_new).sum())} of {int(is_wrong.sum())} wrong {title} "
        "predictions start from an observation that training never showed"
    ]


def _observation_keys(batch: TransitionBatch) -> list[str]:
    values = decode_columns(batch.observation_space, batch.observations)
    return [repr(value) for value in values]


def num_wrong(score: SplitScore) -> int:
    """Returns how many transitions are not strictly right."""
    return round((1.0 - score.strict) * score.num_transitions)


def show_share(value: float | None) -> str:
    """Returns a share in [0, 1] with four digits, rounded down.

    So that 1.0000 means all of them. `-` where there is no value.
    """
    if value is None:
        return "-"
    return f"{np.floor(value * 10_000 + 1e-9) / 10_000:.4f}"


def notes(rows: Sequence[ScoreRow]) -> list[str]:
    """Returns the notes of all rows that have one, as lines."""
    return [f"{row.name}: {row.note}" for row in rows if row.note]
