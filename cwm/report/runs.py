"""How a run ended: for people, and as plain data for machines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from cwm.core.proposals import Usage
from cwm.core.trajectories import Dataset
from cwm.execution.budget import Limits, Resource
from cwm.programs.residual.report import ResidualReport
from cwm.report.audits import audit_lines
from cwm.report.constants import constants_json, constants_lines
from cwm.report.residual import residual_lines
from cwm.report.scores import ScoreRow, notes
from cwm.report.tables import (
    data_line,
    draws_line,
    libraries_line,
    nodes_line,
    strict_table,
    tests_line,
)
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.results import StopReason
from mcts.export import TreeStatistics

STOP_SENTENCES: dict[StopReason, str] = {
    "perfect": "every training and validation transition is predicted",
    "budget": "a budget is used",
    "stalled": "no better program was found for a while (--patience)",
    "exhausted": "no node of the tree can be expanded any more",
}


BUDGET_SENTENCES: dict[Resource, str] = {
    "calls": "the call budget is used",
    "tokens": "the next call could exceed the token budget",
    "usd": "the next call could exceed the cost budget",
    "seconds": "the time budget is used",
}


@dataclass(frozen=True, kw_only=True)
class ModelReport:
    """How one model did, and what it cost.

    Attributes:
        name: The model.
        usage: What its calls cost.
        num_better: Its answers that ran and scored higher than what they started
            from.
    """

    name: str
    usage: Usage
    num_better: int

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "name": self.name,
            "calls": self.usage.calls,
            "num_better": self.num_better,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "usd": self.usage.usd,
            "saved_tokens": self.usage.saved_tokens,
            "seconds": round(self.usage.seconds, 3),
        }

    def line(self) -> str:
        """Returns it for people."""
        usage = self.usage
        return (
            f"{self.name}: {usage.calls} calls, {self.num_better} of them an "
            f"improvement, {tokens_text(usage)}"
        )


def tokens_text(usage: Usage) -> str:
    """Returns what calls cost in tokens and money, for people."""
    tokens = (
        f"{usage.prompt_tokens:,} tokens sent, {usage.completion_tokens:,} received"
    )
    if usage.usd is None:
        tokens += ", price not known"
    elif usage.usd:
        tokens += f", ${usage.usd:.4f}"
    if usage.saved_tokens:
        tokens += f"; {usage.saved_tokens:,} came from stored answers"
    return tokens


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """How a run ended.

    Attributes:
        dataset: The transitions that it used.
        proposer: Who made the programs.
        stopped_by: Why the search ended.
        exhausted: The budget that ended it, if one did.
        num_calls: Answers in the tree.
        num_repeated: Answers with a program that an earlier one had brought.
        limits: What was allowed.
        search: Name of the search.
        tree: Figures about the search tree.
        models: How each model did, and what it cost.
        candidates: What each call brought, in the order of the nodes.
        best: The best program, if one runs.
        residual: What came of learning a residual of the best program, if it was tried.
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
    exhausted: Resource | None
    num_calls: int
    num_repeated: int
    limits: Limits
    search: str
    tree: TreeStatistics
    models: tuple[ModelReport, ...]
    candidates: tuple[Candidate, ...]
    best: Candidate | None
    residual: ResidualReport | None = None
    rows: tuple[ScoreRow, ...]
    folder: Path
    world_model: Path
    seed: int
    next_commands: tuple[str, ...]
    seconds: float

    @property
    def usage(self) -> Usage:
        """What all calls cost together."""
        return sum((model.usage for model in self.models), start=Usage(calls=0))

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        usage = self.usage
        return {
            "environment": self.dataset.environment_id,
            "made_by": self.proposer,
            "seed": self.seed,
            "search": self.search,
            "stopped_by": self.stopped_by,
            "exhausted": self.exhausted,
            "num_calls": self.num_calls,
            "num_repeated": self.num_repeated,
            "call_budget": self.limits.calls,
            "token_budget": self.limits.tokens,
            "cost_budget": self.limits.usd,
            "time_budget": self.limits.seconds,
            "tree": self.tree.to_json(),
            "usage": {
                "calls": usage.calls,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "usd": usage.usd,
                "saved_tokens": usage.saved_tokens,
                "seconds": round(usage.seconds, 3),
            },
            "models": [model.to_json() for model in self.models],
            "num_transitions": dict(self.dataset.num_transitions),
            "is_stochastic": self.dataset.is_stochastic,
            "best": None if self.best is None else _best_json(self.best),
            "residual": None if self.residual is None else self.residual.to_json(),
            "rows": [row.to_json() for row in self.rows],
            "nodes": [_node_json(candidate) for candidate in self.candidates],
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
            f"calls: {self.num_calls} of {self.limits.calls}, in {self.seconds:.1f} s; "
            f"ended because {self._reason()}",
            *audit_lines([("", row.audit) for row in self.rows]),
            nodes_line(self.tree),
        ]
        usage = self.usage
        if usage.prompt_tokens or usage.completion_tokens or usage.saved_tokens:
            lines.append(f"spent: {tokens_text(usage)}")
        if self.num_repeated:
            lines.append(
                f"repeated: {self.num_repeated} answers brought a program that an "
                "earlier one had brought; it was not run again"
            )
        if len(self.models) > 1:
            lines += [f"  {model.line()}" for model in self.models]
        lines += libraries_line([one.evaluation for one in self.candidates])
        if self.best is not None:
            lines += tests_line(self.best.evaluation)
            lines += constants_lines(self.best.evaluation.fit)
            lines += residual_lines(self.residual)
        lines += draws_line(self.rows)
        lines += notes(self.rows)
        if self.best is not None:
            lines.append(f"program: {self.world_model}")
        lines.append("next:")
        lines += [f"  {command}" for command in self.next_commands]
        return lines

    def _reason(self) -> str:
        if self.exhausted is not None:
            return BUDGET_SENTENCES[self.exhausted]
        return STOP_SENTENCES[self.stopped_by]


def _node_json(candidate: Candidate) -> dict[str, Any]:
    evaluation, usage = candidate.evaluation, candidate.usage
    return {
        "node": candidate.node_id,
        "call": candidate.call_index,
        "kind": candidate.kind,
        "model": candidate.model,
        "outcome": evaluation.outcome_kind,
        "score": evaluation.score,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "usd": usage.usd,
        "saved_tokens": usage.saved_tokens,
        "seconds": round(usage.seconds, 3),
    }


def _best_json(best: Candidate) -> dict[str, Any]:
    evaluation = best.evaluation
    libraries = evaluation.isolation.get("capabilities")
    return {
        "call": best.call_index,
        "node": best.node_id,
        "kind": best.kind,
        "score": evaluation.score,
        "is_perfect": evaluation.is_perfect,
        "unit_tests": tests.to_json() if (tests := evaluation.unit_tests) else None,
        "num_lines": len(best.source.splitlines()),
        "fit": constants_json(evaluation.fit),
        **({"capabilities": libraries} if libraries else {}),
    }
