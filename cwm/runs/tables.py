"""Runs as tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cwm.report.scores import show_share
from cwm.runs.comparing import Comparison
from cwm.runs.summaries import RunSummary

FILE_WIDTH = 180
"""Width where the output is no terminal."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_MAX_VALUE_CHARS = 60


def console_for(stream: TextIO) -> Console:
    """Returns what writes tables to a stream."""
    width = None if stream.isatty() else FILE_WIDTH
    return Console(file=stream, highlight=False, soft_wrap=True, width=width)


def show_size(num_bytes: float) -> str:
    """Returns a size with its unit: `12.3 MiB`."""
    for unit in _UNITS[:-1]:
        if num_bytes < 1024:
            return f"{num_bytes:.0f} B" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.1f} {_UNITS[-1]}"


def runs_table(summaries: Sequence[RunSummary]) -> Table:
    """Returns the table of runs: a line each."""
    table = Table(title_justify="left")
    for name in ("run", "kind", "environment", "seed", "made by"):
        table.add_column(name, overflow="fold")
    for name in ("calls", "score", "held-out", "cost"):
        table.add_column(name, justify="right")
    for name in ("state", "date", "size"):
        table.add_column(name, no_wrap=True)
    for one in summaries:
        found = one.figures
        cells = (
            one.name,
            one.run.kind or "?",
            found.environment,
            found.seed,
            f"{found.made_by} (stand-in)" if found.is_stand_in else found.made_by,
            "-" if found.num_calls is None else str(found.num_calls),
            show_share(found.score),
            show_share(found.held_out) if found.held_out is not None else found.figure,
            show_cost(one),
            one.state,
            f"{one.made_at.astimezone():%Y-%m-%d %H:%M}",
            show_size(one.num_bytes),
        )
        table.add_row(*map(escape, cells))
    return table


def show_cost(one: RunSummary) -> str:
    """Returns what a run cost: dollars, or tokens where their price is not known."""
    found = one.figures
    if one.problem:
        return "?"
    if found.usd is None:
        return f"{found.tokens:,} tokens" if found.tokens else "not known"
    return f"${found.usd:.4f}" if found.usd else "-"


def problem_lines(summaries: Sequence[RunSummary]) -> list[str]:
    """Returns why runs cannot be read."""
    return [f"{one.name}: {one.problem}" for one in summaries if one.problem]


def comparison_tables(comparison: Comparison) -> list[Table]:
    """Returns what differs between runs, and what came of each."""
    settings = Table(title="settings that differ", title_justify="left")
    results = Table(title="results", title_justify="left")
    for table, first, rows in (
        (settings, "setting", comparison.settings),
        (results, "figure", comparison.results),
    ):
        table.add_column(first, overflow="fold")
        for name in comparison.names:
            table.add_column(escape(name), overflow="fold")
        _add_rows(table, rows)
    return [settings, results] if comparison.settings else [results]


def _add_rows(table: Table, rows: Mapping[str, Sequence[Any]]) -> None:
    for name, values in rows.items():
        table.add_row(escape(name), *(escape(show_value(value)) for value in values))


def show_value(value: object) -> str:
    """Returns a setting or figure as a short text."""
    if value is None:
        return "-"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    if len(text) > _MAX_VALUE_CHARS:
        return f"{text[: _MAX_VALUE_CHARS - 3]}..."
    return text
