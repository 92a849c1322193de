"""Runs beside each other: settings that differ, and what came of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cwm.core.errors import ConfigError
from cwm.runs.figures import read_result
from cwm.runs.summaries import RunSummary

_ABSENT = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several runs of one kind.

    Attributes:
        names: The runs, in the order of the columns.
        settings: Settings that are not the same in all of them, by dotted name.
        results: Figures, by dotted name, that at least one has.
        data: Digest of the transitions of each; empty where there are none.
        has_other_data: Whether these are not the same everywhere.
    """

    names: tuple[str, ...]
    settings: Mapping[str, tuple[Any, ...]]
    results: Mapping[str, tuple[Any, ...]]
    data: tuple[str, ...]
    has_other_data: bool

    def to_json(self) -> dict[str, Any]:
        """Returns the comparison as plain data."""
        return {
            "runs": list(self.names),
            "data": list(self.data),
            "has_other_data": self.has_other_data,
            "settings": {name: list(row) for name, row in self.settings.items()},
            "results": {name: list(row) for name, row in self.results.items()},
        }


def compare_runs(
    summaries: Sequence[RunSummary], *, allows_other_data: bool
) -> Comparison:
    """Returns what differs between runs, and what came of each.

    Args:
        summaries: The runs; at least 2, each once.
        allows_other_data: Whether runs on other transitions, or in other
            environments, may stand beside each other.

    Raises:
        ConfigError: If they are of different kinds, cannot be read, or have other
            data and that was not allowed.
        DataError: If a result cannot be read.
    """
    _check(summaries)
    has_other_data = len({_world(one) for one in summaries}) > 1
    if has_other_data and not allows_other_data:
        told = ", ".join(f"{one.name} {_show_data(one)}" for one in summaries)
        raise ConfigError(
            f"Runs on different data cannot be compared, got {told}. Give "
            "--allow-other-data to see them beside each other all the same."
        )
    settings = [flatten(one.run.config) for one in summaries]
    figures = [
        {**_summary_figures(one), **_numbers(read_result(one.run))} for one in summaries
    ]
    return Comparison(
        names=_column_names(summaries),
        settings={n: row for n, row in beside(settings).items() if _differ(row)},
        results=beside(figures, absent=None),
        data=tuple(one.data for one in summaries),
        has_other_data=has_other_data,
    )


def _check(summaries: Sequence[RunSummary]) -> None:
    paths = [one.run.path.resolve() for one in summaries]
    if len(set(paths)) < len(paths) or len(paths) < 2:
        raise ConfigError(
            "compare needs at least two runs, each once, got "
            f"{' '.join(str(one.run.path) for one in summaries)}."
        )
    for one in summaries:
        if one.problem:
            raise ConfigError(f"{str(one.run.path)!r} cannot be read: {one.problem}.")
    kinds = list(dict.fromkeys(str(one.run.kind) for one in summaries))
    if len(kinds) > 1:
        raise ConfigError(f"Runs must be of one kind, got {', '.join(kinds)}.")
    if kinds == ["benchmark"]:
        words = " ".join(str(one.run.path) for one in summaries[:2])
        raise ConfigError(
            "Folders of suites are compared cell by cell. Run: "
            f"python -m cwm.benchmark compare {words}"
        )


def _world(one: RunSummary) -> tuple[str, str]:
    """Returns what must be the same for figures to mean the same."""
    return one.figures.environment, one.data


def _show_data(one: RunSummary) -> str:
    digest = f", data {one.data[:12]}" if one.data else ""
    return f"({one.figures.environment}{digest})"


def _column_names(summaries: Sequence[RunSummary]) -> tuple[str, ...]:
    """Returns the names of the runs; whole paths where two are alike."""
    names = [one.name for one in summaries]
    if len(set(names)) < len(names):
        return tuple(str(one.run.path) for one in summaries)
    return tuple(names)


def _summary_figures(one: RunSummary) -> dict[str, Any]:
    found = one.figures
    return {
        "state": one.state,
        "made by": f"{found.made_by}{' (stand-in)' if found.is_stand_in else ''}",
        "calls": found.num_calls,
        "score": found.score,
        "held-out strict": found.held_out,
        "tokens": found.tokens,
        "US dollars": found.usd,
    }


def _numbers(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the numbers that stand directly in a result, and its rows' scores."""
    found = {
        name: value
        for name, value in result.items()
        if isinstance(value, int | float | str)
        and not isinstance(value, bool)
        and name not in ("environment", "made_by", "folder", "world_model", "num_calls")
    }
    for row in result.get("rows", []):
        if not isinstance(row, Mapping) or not isinstance(row.get("scores"), Mapping):
            continue
        for split, score in row["scores"].items():
            if isinstance(score, Mapping):
                found[f"{row['name']}, {split} strict"] = score["strict"]
    return found


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings by dotted name."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Mapping):
            found |= flatten(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def beside(
    columns: Sequence[Mapping[str, Any]], *, absent: Any = _ABSENT
) -> dict[str, tuple[Any, ...]]:
    """Returns rows of several columns, in the order in which names turn up."""
    names = list(dict.fromkeys(name for column in columns for name in column))
    return {
        name: tuple(column.get(name, absent) for column in columns) for name in names
    }


def _differ(row: Sequence[Any]) -> bool:
    return any(value != row[0] for value in row)
