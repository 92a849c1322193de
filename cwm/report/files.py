"""How program files did, for people and as plain data."""

from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from cwm.core.trajectories import Dataset
from cwm.programs.evaluation import Evaluation
from cwm.report.audits import audit_lines
from cwm.report.scores import ScoreRow, notes
from cwm.report.tables import (
    data_line,
    draws_line,
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
class FilesReport:
    """How program files did on the same transitions.

    Attributes:
        dataset: The transitions.
        files: In the order in which they were named.
        baselines: Doing nothing, and the true simulator.
    """

    dataset: Dataset
    files: tuple[FileScore, ...]
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
            "baselines": [row.to_json() for row in self.baselines],
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        console = Console(file=stream, highlight=False, soft_wrap=True)
        rows = [*(file.row for file in self.files), *self.baselines]
        console.print(metrics_table(rows, title=escape(self.dataset.environment_id)))
        for file in self.files:
            if any(score is not None for score in file.row.scores.values()):
                title = f"accuracy by part: {file.path}"
                console.print(parts_table(file.row, title=escape(title)))
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        rows = [*(file.row for file in self.files), *self.baselines]
        lines = [data_line(self.dataset), *draws_line(rows), *notes(rows)]
        lines += audit_lines(
            [(f"{file.path}: ", file.row.audit) for file in self.files]
        )
        for file in self.files:
            evaluation = file.evaluation
            lines += [f"{file.path}: {line}" for line in tests_line(evaluation)]
            if evaluation.is_bug:
                lines.append(f"{file.path} is a bug ({evaluation.outcome_kind}):")
                lines += [f"  {line}" for line in evaluation.feedback.splitlines()]
        return lines
