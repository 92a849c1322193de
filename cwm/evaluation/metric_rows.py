"""A world model's metrics on every split, as one row of a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.evaluation.metrics import ModelMetrics, model_metrics
from cwm.evaluation.rollout_error import PredictOnce, rollout_errors
from cwm.programs.tolerances import Tolerances


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """How one world model does on each split.

    Attributes:
        name: What predicts.
        metrics: By name of the split; `None` where it cannot predict, or where what
            it predicts does not count (an audit failed).
        note: What a reader must know about this row; may be empty.
        audit: Of a program: what running it again showed (`ProgramAudit.to_json`).
        seconds_per_transition: How long a prediction takes, where that was measured.
        cost: Of a language model: what its answers took
            (`DirectPredictions.to_json`).
    """

    name: str
    metrics: dict[str, ModelMetrics | None]
    note: str = ""
    audit: dict[str, Any] | None = None
    seconds_per_transition: float | None = None
    cost: dict[str, Any] | None = None

    def strict(self, split: str) -> float | None:
        """Returns the strict accuracy on a split; `None` where there is none."""
        found = self.metrics.get(split)
        return None if found is None else found.score.strict

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain data."""
        return {
            "name": self.name,
            "metrics": {
                split: None if found is None else found.to_json()
                for split, found in self.metrics.items()
            },
            "note": self.note,
            "audit": self.audit,
            "seconds_per_transition": self.seconds_per_transition,
            "cost": self.cost,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "MetricRow":
        """Returns the row that `to_json` described."""
        metrics = {
            split: None if found is None else ModelMetrics.from_json(found)
            for split, found in data["metrics"].items()
        }
        return cls(**(data | {"metrics": metrics}))


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Measures world models, all on the same transitions.

    Attributes:
        splits: Transitions by name of the split.
        tolerances: Of the training transitions, for all splits.
        has_rollouts: Whether rollouts are measured; not of stochastic tasks.
    """

    splits: Mapping[str, TransitionBatch]
    tolerances: Tolerances
    has_rollouts: bool = True

    def row(
        self,
        name: str,
        predict: Callable[[TransitionBatch], Sequence[Predictions] | None],
        *,
        once: PredictOnce | None = None,
        note: str = "",
    ) -> MetricRow:
        """Returns the row of anything that predicts.

        Args:
            name: What predicts.
            predict: Predicts a batch, once or in several draws; `None` where it
                cannot. Called once for each split.
            once: Predicts the steps of rollouts; the first draw of `predict` by
                default.
            note: See `MetricRow`.
        """

        def first_draw(batch: TransitionBatch) -> Predictions | None:
            draws = predict(batch)
            return None if draws is None else draws[0]

        metrics = {
            split: self._on(batch, predict, once or first_draw)
            for split, batch in self.splits.items()
        }
        return MetricRow(name=name, metrics=metrics, note=note)

    def _on(
        self,
        batch: TransitionBatch,
        predict: Callable[[TransitionBatch], Sequence[Predictions] | None],
        once: PredictOnce,
    ) -> ModelMetrics | None:
        draws = predict(batch)
        if draws is None:
            return None
        rollouts = None
        if self.has_rollouts:
            rollouts = rollout_errors(once, batch, self.tolerances)
        return model_metrics(draws, batch, self.tolerances, rollouts=rollouts)
