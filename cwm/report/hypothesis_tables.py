"""Tables of what hypotheses are worth."""

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from cwm.providers.hypotheses.evaluation.acting import ActingRow
from cwm.providers.hypotheses.evaluation.ranking import TOP, Ranking
from cwm.providers.hypotheses.evaluation.scores import WorldScores

CHANCE = "random order"
"""Name of the row of candidates in random order."""

BY_TYPE_TOP = 3
"""The number of best candidates in the table by type, as published."""


def likelihood_table(scores: WorldScores) -> Table:
    """Returns sums and means of log-probabilities, by the type of the transition."""
    table = _table(f"{scores.world}: test log-likelihood, nats", "hypothesis")
    for name in ("total", "mean", *scores.types):
        table.add_column(name, justify="right")
    for name, score in scores.scores.items():
        found = score.likelihood
        by_type = [found.by_type.get(one) for one in scores.types]
        means = [_number(value, 3) for value in (found.mean, *by_type)]
        table.add_row(escape(name), f"{found.total:,.1f}", *means)
    return table


def top_table(scores: WorldScores) -> Table:
    """Returns how often the truth is among the best candidates."""
    table = _table(
        f"{scores.world}: share of states with the truth among the best candidates",
        "hypothesis",
    )
    for k in TOP:
        table.add_column(f"top-{k}", justify="right")
    for k in TOP[:2]:
        table.add_column(f"top-{k}, mean of types", justify="right")
    for name, ranking in _rankings(scores):
        values = [*map(ranking.top, TOP), *map(ranking.mean_over_types, TOP[:2])]
        table.add_row(escape(name), *(_number(value, 3) for value in values))
    return table


def top_by_type_table(scores: WorldScores, k: int = BY_TYPE_TOP) -> Table:
    """Returns the share for each type of transition, and how many there are."""
    table = _table(f"{scores.world}: top-{k} by type", "hypothesis")
    rankings = _rankings(scores)
    for name in scores.types:
        number = rankings[0][1].types.count(name) if rankings else 0
        table.add_column(f"{name} ({number})", justify="right")
    for name, ranking in rankings:
        by_type = ranking.top_by_type(k)
        cells = [_number(by_type.get(one), 3) for one in scores.types]
        table.add_row(escape(name), *cells)
    return table


def found_table(counts: Mapping[str, int], first_phases: Mapping[str, int]) -> Table:
    """Returns how many transitions of each type the experimenter brought.

    Args:
        counts: Type -> transitions.
        first_phases: Type -> the phase in which it was first found.
    """
    table = _table("transitions that were found", "type")
    for name in ("number", "share", "first in phase"):
        table.add_column(name, justify="right")
    total = sum(counts.values())
    for name, number in counts.items():
        share = _number(number / total if total else None, 4)
        first = first_phases.get(name)
        table.add_row(
            escape(name), f"{number:,}", share, "-" if first is None else str(first)
        )
    return table


def acting_table(rows: Sequence[ActingRow]) -> Table:
    """Returns who reached which goal, how often and how fast."""
    table = _table("goals that were reached", "goal")
    for name in ("policy", "hypothesis"):
        table.add_column(name, overflow="fold")
    for name in ("reached", "share (95 % interval)", "steps", "steps to the goal"):
        table.add_column(name, justify="right")
    goal = None
    for row in rows:
        if goal not in (None, row.goal):
            table.add_section()
        goal = row.goal
        low, high = row.interval
        cells = [
            row.goal,
            row.policy,
            row.hypothesis or "-",
            f"{row.num_reached}/{len(row.reached)}",
            f"{row.success_rate:.2f} ({low:.2f} to {high:.2f})",
            f"{row.mean_steps:.1f}",
            _number(row.mean_steps_to_goal, 1),
        ]
        table.add_row(*map(escape, cells))
    return table


def _rankings(scores: WorldScores) -> list[tuple[str, Ranking]]:
    """Returns the rows that have a ranking, and that of random order behind them."""
    rows = [
        (name, score.ranking)
        for name, score in scores.scores.items()
        if score.ranking is not None
    ]
    return rows if scores.chance is None else [*rows, (CHANCE, scores.chance)]


def _table(title: str, first: str) -> Table:
    table = Table(title=escape(title), title_justify="left", title_style="bold")
    table.add_column(first, overflow="fold")
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
