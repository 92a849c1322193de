"""How program files and other models did, for people and as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from cwm.core.trajectories import SPLIT_TITLES, Dataset
from cwm.evaluation.model_predictions import BatchLikelihood
from cwm.programs.evaluation import Evaluation
from cwm.report.audits import audit_lines
from cwm.report.scores import ScoreRow, notes
from cwm.report.tables import (
    data_line,
    draws_line,
    libraries_line,
    metrics_table,
    parts_table,
    tests_line,
)


@dataclass(frozen=True, kw_only=True)
class FileScore:
    """How one program file did.

    Attributes:
        path: The file, as the user named it.
        evaluation: On the training and validation transitions and the tests.
        row: On every split.
    """

    path: str
    evaluation: Evaluation
    row: ScoreRow


@dataclass(frozen=True, kw_only=True)
class ModelScore:
    """How a model did that is no program.

    Attributes:
        settings: What decides what it predicts, as plain data.
        row: On every split.
        likelihoods: By split, where it says how probable what happened is; else empty.
    """

    settings: dict[str, Any]
    row: ScoreRow
    likelihoods: Mapping[str, BatchLikelihood]

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        found = self.likelihoods.items()
        return {
            "model": self.settings,
            "row": self.row.to_json(),
            "log_likelihood": {split: one.to_json() for split, one in found},
        }

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        if not self.likelihoods:
            return []
        shown = "; ".join(
            f"{SPLIT_TITLES[split]} {_likelihood(one)}"
            for split, one in self.likelihoods.items()
        )
        return [
            f"{self.row.name}: mean log-likelihood of what happened, in nats, among "
            f"all changes that could have: {shown}"
        ]


def _likelihood(found: BatchLikelihood) -> str:
    shown = "-" if found.mean is None else f"{found.mean:.4g}"
    if not found.num_impossible:
        return shown
    return (
        f"{shown} ({found.num_impossible:,} of {found.num_transitions:,} that it takes "
        "for impossible left out)"
    )


@dataclass(frozen=True, kw_only=True)
class FilesReport:
    """How program files and other models did on the same transitions.

    Attributes:
        dataset: The transitions.
        files: In the order in which they were named.
        models: Models that are no programs, likewise.
        baselines: Doing nothing, and the true simulator.
    """

    dataset: Dataset
    files: tuple[FileScore, ...]
    models: tuple[ModelScore, ...] = ()
    baselines: tuple[ScoreRow, ...]

    @property
    def has_bug(self) -> bool:
        """Whether a program did not run, or not to the same end on every split."""
        return any(
            file.evaluation.is_bug or (audit is not None and not audit.is_consistent)
            for file in self.files
            for audit in [file.row.audit]
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "environment": self.dataset.environment_id,
            "num_transitions": dict(self.dataset.num_transitions),
            "is_stochastic": self.dataset.is_stochastic,
            "files": [
                {
                    "path": file.path,
                    "evaluation": file.evaluation.to_json(),
                    "row": file.row.to_json(),
                }
                for file in self.files
            ],
            "models": [model.to_json() for model in self.models],
            "baselines": [row.to_json() for row in self.baselines],
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        console = Console(file=stream, highlight=False, soft_wrap=True)
        rows = self._rows()
        console.print(metrics_table(rows, title=escape(self.dataset.environment_id)))
        for file in self.files:
            if any(score is not None for score in file.row.scores.values()):
                title = f"accuracy by part: {file.path}"
                console.print(parts_table(file.row, title=escape(title)))
        for model in self.models:
            title = f"accuracy by part: {model.row.name}"
            console.print(parts_table(model.row, title=escape(title)))
        for line in self.lines():
            console.print(escape(line))

    def _rows(self) -> list[ScoreRow]:
        rows = [file.row for file in self.files]
        return [*rows, *(model.row for model in self.models), *self.baselines]

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        rows = self._rows()
        lines = [data_line(self.dataset), *draws_line(rows), *notes(rows)]
        lines += audit_lines(
            [(f"{file.path}: ", file.row.audit) for file in self.files]
        )
        lines += libraries_line([file.evaluation for file in self.files])
        for file in self.files:
            evaluation = file.evaluation
            lines += [f"{file.path}: {line}" for line in tests_line(evaluation)]
            if evaluation.is_bug:
                lines.append(f"{file.path} is a bug ({evaluation.outcome_kind}):")
                lines += [f"  {line}" for line in evaluation.feedback.splitlines()]
        return lines + [line for model in self.models for line in model.lines()]
