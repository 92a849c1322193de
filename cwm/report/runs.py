"""How a run ended: for people, and as plain data for machines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from cwm.core.proposals import Usage
from cwm.core.trajectories import Dataset
from cwm.report.audits import audit_lines
from cwm.report.scores import ScoreRow, notes
from cwm.report.tables import (
    data_line,
    draws_line,
    nodes_line,
    strict_table,
    tests_line,
)
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.loop import StopReason
from mcts.export import TreeStatistics

STOP_SENTENCES: dict[StopReason, str] = {
    "perfect": "every training and validation transition is predicted",
    "budget": "the call budget is used",
    "stalled": "no better program was found for a while (--patience)",
    "exhausted": "no node of the tree can be expanded any more",
}


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """How a run ended.

    Attributes:
        dataset: The transitions that it used.
        proposer: Who made the programs.
        stopped_by: Why the search ended.
        num_calls: Calls used.
        call_budget: Calls allowed.
        tree: Figures about the search tree.
        usage: What all calls cost.
        best: The best program, if one runs.
        rows: The program beside doing nothing and the true simulator.
        folder: The run's folder.
        world_model: The program's file.
        seed: The run's seed.
        next_commands: What can be run next.
        seconds: Wall-clock time since the command began.
    """

    dataset: Dataset
    proposer: str
    stopped_by: StopReason
    num_calls: int
    call_budget: int
    tree: TreeStatistics
    usage: Usage
    best: Candidate | None
    rows: tuple[ScoreRow, ...]
    folder: Path
    world_model: Path
    seed: int
    next_commands: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "environment": self.dataset.environment_id,
            "made_by": self.proposer,
            "seed": self.seed,
            "stopped_by": self.stopped_by,
            "num_calls": self.num_calls,
            "call_budget": self.call_budget,
            "tree": self.tree.to_json(),
            "usage": {
                "prompt_tokens": self.usage.prompt_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "seconds": round(self.usage.seconds, 3),
            },
            "num_transitions": dict(self.dataset.num_transitions),
            "is_stochastic": self.dataset.is_stochastic,
            "best": None if self.best is None else _best_json(self.best),
            "rows": [row.to_json() for row in self.rows],
            "folder": str(self.folder),
            "world_model": None if self.best is None else str(self.world_model),
            "next": list(self.next_commands),
            "seconds": round(self.seconds, 3),
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        console = Console(file=stream, highlight=False, soft_wrap=True)
        console.print()
        if self.rows:
            title = f"{self.dataset.environment_id}, seed {self.seed}"
            console.print(strict_table(self.rows, title=escape(title)))
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> list[str]:
        """Returns what is said below the table."""
        lines = [
            f"made by: {self.proposer}",
            data_line(self.dataset),
            f"calls: {self.num_calls} of {self.call_budget}, in {self.seconds:.1f} s; "
            f"ended because {STOP_SENTENCES[self.stopped_by]}",
            *audit_lines([("", row.audit) for row in self.rows]),
            nodes_line(self.tree),
        ]
        if self.usage.prompt_tokens or self.usage.completion_tokens:
            lines.append(
                f"tokens: {self.usage.prompt_tokens:,} sent, "
                f"{self.usage.completion_tokens:,} received"
            )
        if self.best is not None:
            lines += tests_line(self.best.evaluation)
        lines += draws_line(self.rows)
        lines += notes(self.rows)
        if self.best is not None:
            lines.append(f"program: {self.world_model}")
        lines.append("next:")
        lines += [f"  {command}" for command in self.next_commands]
        return lines


def _best_json(best: Candidate) -> dict[str, Any]:
    evaluation = best.evaluation
    return {
        "call": best.call_index,
        "node": best.node_id,
        "kind": best.kind,
        "score": evaluation.score,
        "is_perfect": evaluation.is_perfect,
        "unit_tests": tests.to_json() if (tests := evaluation.unit_tests) else None,
        "num_lines": len(best.source.splitlines()),
    }
