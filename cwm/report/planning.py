"""How planners did in the real environment: for people, and as plain data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cwm.evaluation.episodes import EpisodeResult
from cwm.evaluation.published import SOURCE, PublishedReturns
from cwm.evaluation.summary import Interval, SuccessRule, Summary

_FILE_WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class PlanningRow:
    """One world model with one planner.

    Attributes:
        model: What the model is called.
        planner: Name of the planner; empty for random actions.
        settings: Of the planner and of acting, as plain data.
        summary: The figures.
        episodes: All of them.
        normalised: Return between random actions and the oracle; `None` without these
            two rows, or where it means nothing.
        note: What a reader must know about this row; may be empty.
    """

    model: str
    planner: str
    settings: dict[str, Any]
    summary: Summary
    episodes: tuple[EpisodeResult, ...]
    normalised: Interval | None = None
    note: str = ""

    @property
    def title(self) -> str:
        """The model with its planner."""
        return f"{self.model}, {self.planner}" if self.planner else self.model

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain data."""
        return {
            "model": self.model,
            "planner": self.planner,
            "settings": self.settings,
            "summary": self.summary.to_json(),
            "normalised": None if self.normalised is None else asdict(self.normalised),
            "note": self.note,
            "episodes": [episode.to_json() for episode in self.episodes],
        }


@dataclass(frozen=True, kw_only=True)
class PlanningReport:
    """All rows, and what they have in common.

    Attributes:
        environment: Id of the environment.
        seed: Seed of all episodes.
        max_steps: Steps after which an episode is cut off.
        rule: When an episode is a success.
        tolerances_from: What set the tolerances of predictions.
        rows: The rows.
        published: Returns that others have published, where they are to be shown.
        files: What was written, as lines.
        made_with: Versions and machine.
    """

    environment: str
    seed: int
    max_steps: int
    rule: SuccessRule
    tolerances_from: str
    rows: tuple[PlanningRow, ...]
    published: PublishedReturns | None = None
    files: tuple[str, ...] = ()
    made_with: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        published = None
        if self.published is not None:
            published = {"source": SOURCE, "returns": asdict(self.published)}
        return {
            "environment": self.environment,
            "seed": self.seed,
            "max_steps": self.max_steps,
            "success": str(self.rule),
            "tolerances_from": self.tolerances_from,
            "rows": [row.to_json() for row in self.rows],
            "published": published,
            "made_with": self.made_with,
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        width = None if stream.isatty() else _FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        console.print(self._returns_table())
        deciding = [row for row in self.rows if row.summary.num_decisions]
        if deciding:
            console.print(_decisions_table(deciding))
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        lines = [
            f"seed {self.seed}; episodes are cut off after {self.max_steps:,} steps; "
            f"success: {self.rule}",
        ]
        if any(row.summary.num_predicted for row in self.rows):
            lines.append(
                "wrong: share of real steps of which the model, asked from what was "
                "really seen, gets any part beyond its strict tolerance (set by "
                f"{self.tolerances_from})"
            )
        lines += _reference_lines(self.rows)
        lines += _published_lines(self.published)
        lines += [f"{row.title}: {row.note}" for row in self.rows if row.note]
        for row in self.rows:
            lines += _failure_lines(row)
        return [*lines, *self.files]

    def _returns_table(self) -> Table:
        has_normalised = any(row.normalised is not None for row in self.rows)
        table = Table(title=f"{escape(self.environment)}: return", title_justify="left")
        for name in ("world model", "planner"):
            table.add_column(name, overflow="fold")
        columns = ["episodes", "return", "95 % interval", "steps", "success"]
        for name in columns + ["normalised"] * has_normalised:
            table.add_column(name, justify="right")
        for row in self.rows:
            summary = row.summary
            cells = [
                row.model,
                row.planner or "-",
                str(summary.num_episodes),
                _with_error(summary),
                f"{summary.returns.low:.5g} to {summary.returns.high:.5g}",
                f"{summary.mean_steps:.5g}",
                f"{summary.num_succeeded}/{summary.num_episodes}",
            ]
            if has_normalised:
                cells.append(_interval(row.normalised))
            table.add_row(*map(escape, cells))
        return table


def _decisions_table(rows: Sequence[PlanningRow]) -> Table:
    table = Table(title="decisions and predictions", title_justify="left")
    for name in ("world model", "planner"):
        table.add_column(name, overflow="fold")
    for name in (
        "ms p50/p95",
        "model steps/s",
        "wrong",
        "worst part",
        "replans",
        "failures",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        summary = row.summary
        cells = [
            row.model,
            row.planner,
            f"{_number(summary.decision_p50_ms)}/{_number(summary.decision_p95_ms)}",
            "-"
            if summary.model_steps_per_s is None
            else f"{summary.model_steps_per_s:,.0f}",
            _disagreement(summary),
            _worst_part(summary),
            f"{summary.num_replans:,}",
            f"{summary.num_failures:,}/{summary.num_decisions:,}",
        ]
        table.add_row(*map(escape, cells))
    return table


def _with_error(summary: Summary) -> str:
    value = f"{summary.returns.value:.5g}"
    if summary.return_error is None:
        return value
    return f"{value} ± {summary.return_error:.2g}"


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _disagreement(summary: Summary) -> str:
    share = summary.disagreement
    if share is None:
        return "-"
    # Rounded up: 0 means none at all.
    shown = max(share, 1e-4) if share else 0.0
    return f"{shown:.4f} of {summary.num_predicted:,}"


def _worst_part(summary: Summary) -> str:
    for part, count in summary.wrong_parts.items():
        return f"{part} ({count:,})"
    return "-"


def _reference_lines(rows: Sequence[PlanningRow]) -> list[str]:
    """Returns what the normalised returns are between."""
    if not any(row.normalised is not None for row in rows):
        return []
    random = [row for row in rows if row.model == "random"]
    parts = [f"random {_with_error(row.summary)}" for row in random]
    parts += [
        f"{row.planner} with the true environment {_with_error(row.summary)}"
        for row in rows
        if row.model == "true"
    ]
    return [f"normalised: (R - random) / (oracle - random); {', '.join(parts)}"]


def _published_lines(published: PublishedReturns | None) -> list[str]:
    if published is None:
        return []
    names = {
        "random": published.random,
        "offline Q-learning": published.offline_rl,
        "GIF-MCTS, Llama 3 70B": published.llama,
        "GIF-MCTS, GPT-4 Turbo": published.gpt_4,
        "oracle": published.oracle,
    }
    shown = "; ".join(
        f"{name} {'not reported' if value is None else f'{value:g}'}"
        for name, value in names.items()
    )
    return [f"published ({SOURCE}): {shown}"]


def _failure_lines(row: PlanningRow) -> list[str]:
    """Returns how often there was no plan, with the first reason."""
    summary = row.summary
    lines = []
    if summary.num_failures:
        reasons = [s.failure for e in row.episodes for s in e.steps if s.failure]
        lines.append(
            f"{row.title}: no plan in {summary.num_failures:,} of "
            f"{summary.num_decisions:,} decisions, a random action each time; first "
            f"reason: {reasons[0].partition(chr(10))[0]}"
        )
    if summary.num_model_failures:
        lines.append(
            f"{row.title}: the model had no answer {summary.num_model_failures:,} "
            "times while planning; such plans were left out"
        )
    return lines
