"""What a fine-tuned model is worth beside hypotheses: for people, and as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from cwm.providers.hypotheses.evaluation.scores import WorldScores
from cwm.report.hypotheses import FILE_WIDTH, show_scores


@dataclass(frozen=True, kw_only=True)
class FinetuningReport:
    """How a fine-tuning ended.

    Attributes:
        name: Of the fine-tuned model, in the tables.
        num_transitions: Transitions that it learned from.
        losses: As in `Finetuning`.
        scores: Its row beside those of the run.
        reworded: The same in other words; `None` if there is none.
        files: What was written, as lines.
        seconds: Wall-clock time.
        made_with: Versions and machine.
    """

    name: str
    num_transitions: int
    losses: tuple[float, ...]
    scores: WorldScores
    reworded: WorldScores | None = None
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "name": self.name,
            "num_transitions": self.num_transitions,
            "losses": list(self.losses),
            "scores": self.scores.to_json(),
            "reworded": None if self.reworded is None else self.reworded.to_json(),
            "seconds": round(self.seconds, 3),
            "made_with": dict(self.made_with),
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        width = None if stream.isatty() else FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        show_scores(console, [self.scores, self.reworded])
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        losses = self.losses
        return [
            f"{self.name}: {len(losses)} steps, loss {losses[0]:.3f} at the first and "
            f"{losses[-1]:.3f} at the last one; in {self.seconds:.1f} s",
            *self.files,
        ]
