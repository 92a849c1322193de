"""The cells of a suite as rows: one for each task and search, over its seeds."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from cwm.evaluation.cell_results import CellKey, CellResult, by_task
from cwm.evaluation.paired_tests import Estimate, mean_interval

BOOTSTRAP_SEED = 0

WORLD_MEANS = (
    "held_out_strict",
    "planner_strict",
    "held_out_reference",
    "normalised_return",
)
PROBLEM_MEANS = ("strict", "accuracy", "hidden_accuracy")
"""Figures of which means over all tasks are shown."""

BASELINES = ("do_nothing", "nearest", "simulator")
BASELINE_MEANS = {
    f"{baseline}_{figure}": figure
    for figure in ("held_out_strict", "planner_strict")
    for baseline in BASELINES
}
"""Likewise, with the figure of searches that each stands beside; they are the same
whatever the search."""

NO_SEARCH = "-"

Pair: TypeAlias = tuple[str, int]
"""A task and a seed."""


@dataclass(frozen=True, kw_only=True)
class SuiteRow:
    """A task with a search.

    Attributes:
        task: Name of the task.
        search: Name of the search.
        cells: What is known of its cells that have ended and did not fail, by seed.
        failed: Those that failed.
        missing: Those that have not ended.
    """

    task: str
    search: str
    cells: tuple[CellResult, ...]
    failed: tuple[CellResult, ...] = ()
    missing: tuple[CellKey, ...] = ()

    @property
    def num_seeds(self) -> int:
        """How many cells there are to be."""
        return len(self.cells) + len(self.failed) + len(self.missing)

    @property
    def made_by(self) -> str:
        """Who wrote the programs."""
        return ", ".join(sorted({cell.made_by for cell in self.cells}))

    def values(self, name: str) -> list[float]:
        """Returns the known values of a figure."""
        found = [cell.figure(name) for cell in self.cells]
        return [value for value in found if value is not None]

    def mean(self, name: str) -> float | None:
        """Returns the mean of a figure over the seeds; `None` if none is known."""
        values = self.values(name)
        return sum(values) / len(values) if values else None

    @property
    def normalised(self) -> Estimate | None:
        """The normalised return: over seeds, or over episodes of a single one."""
        known = [cell.normalised for cell in self.cells if cell.normalised is not None]
        if len(known) == 1:
            (one,) = known
            # Episodes that are all the same say nothing about others.
            if one.low == one.high:
                return Estimate(value=one.value)
            return Estimate(value=one.value, low=one.low, high=one.high)
        return mean_interval([[one.value for one in known]], seed=BOOTSTRAP_SEED)

    @property
    def num_without_program(self) -> int:
        """How many cells ended without a program that runs."""
        return sum(cell.status == "no program" for cell in self.cells)

    @property
    def num_not_made(self) -> int:
        """How many cells lack something that is not here."""
        return sum(cell.status == "not made" for cell in self.cells)

    @property
    def status(self) -> str:
        """What is not as it should be, in a few words; empty if all is."""
        parts = []
        for number, what in (
            (self.num_without_program, "no program"),
            (self.num_not_made, "not made"),
            (len(self.failed), "failed"),
            (len(self.missing), "not finished"),
        ):
            if number:
                parts.append(
                    what
                    if number == self.num_seeds
                    else f"{what} {number}/{self.num_seeds}"
                )
        return ", ".join(parts)

    def reasons(self) -> list[str]:
        """Returns why cells failed, are missing or have no program, as lines."""
        lines = [f"{one.key}: failed: {one.reason}" for one in self.failed]
        lines += [f"{key}: not finished" for key in self.missing]
        return lines + [f"{one.key}: {one.reason}" for one in self.cells if one.reason]

    def notes(self) -> list[str]:
        """Returns what to know of the cells, each thing once."""
        return list(dict.fromkeys(note for one in self.cells for note in one.notes))

    def to_json(self, figures: Iterable[str]) -> dict[str, Any]:
        """Returns the row as plain data."""
        normalised = self.normalised
        return {
            "task": self.task,
            "search": self.search,
            "made_by": self.made_by,
            "num_seeds": self.num_seeds,
            "status": self.status,
            "figures": {name: self.mean(name) for name in figures},
            "by_seed": {
                name: {str(one.key.seed): one.figure(name) for one in self.cells}
                for name in figures
            },
            "normalised": None if normalised is None else asdict(normalised),
            "reasons": self.reasons(),
            "notes": self.notes(),
        }


def make_rows(
    planned: Sequence[CellKey], results: Mapping[CellKey, CellResult]
) -> tuple[SuiteRow, ...]:
    """Returns a row for each task and search that is planned; none is left out."""
    grouped: dict[tuple[str, str], list[CellKey]] = {}
    for key in planned:
        grouped.setdefault((key.task, key.search), []).append(key)
    rows = []
    for (task, search), keys in grouped.items():
        known = [results[key] for key in keys if key in results]
        rows.append(
            SuiteRow(
                task=task,
                search=search,
                cells=tuple(one for one in known if one.status != "failed"),
                failed=tuple(one for one in known if one.status == "failed"),
                missing=tuple(key for key in keys if key not in results),
            )
        )
    order = {task: i for i, task in enumerate(dict.fromkeys(k.task for k in planned))}
    return tuple(sorted(rows, key=lambda row: order[row.task]))


@dataclass(frozen=True, kw_only=True)
class SuiteMean:
    """The mean of a figure over the tasks of a search.

    Attributes:
        search: Name of the search.
        figure: Name of the figure.
        interval: The mean with its interval over tasks and seeds.
        num_tasks: Tasks that it is of.
        num_planned: Tasks that there are to be.
        num_cells: Tasks and seeds that it is of.
    """

    search: str
    figure: str
    interval: Estimate
    num_tasks: int
    num_planned: int
    num_cells: int


def make_means(
    rows: Sequence[SuiteRow], figures: Sequence[str]
) -> tuple[SuiteMean, ...]:
    """Returns the means of each search, and those of baselines once.

    All means of a figure, baselines' too, are over the same tasks and seeds: those of
    which each search has it. A search that fails on what is hard would gain by it
    otherwise. Searches that have it of nothing have no mean and do not count.
    """
    searches = list(dict.fromkeys(row.search for row in rows))
    shared = {name: shared_pairs(rows, name) for name in figures}
    found = [
        _mean(
            rows,
            name,
            search,
            _only(_by_pair([row for row in rows if row.search == search], name), pairs),
        )
        for search in searches
        for name, pairs in shared.items()
    ]
    for name, beside in BASELINE_MEANS.items():
        values = _by_pair(rows, name)
        if _by_pair(rows, beside):
            values = _only(values, shared_pairs(rows, beside))
        found.append(_mean(rows, name, NO_SEARCH, values))
    return tuple(mean for mean in found if mean is not None)


def shared_pairs(rows: Sequence[SuiteRow], name: str) -> Set[Pair]:
    """Returns the tasks and seeds of which each search has a figure.

    Searches that have it of nothing are not asked.
    """
    by_search: dict[str, set[Pair]] = {}
    for row in rows:
        if pairs := _by_pair([row], name):
            by_search.setdefault(row.search, set()).update(pairs)
    return set.intersection(*by_search.values()) if by_search else set()


def baseline_values(rows: Sequence[SuiteRow], name: str) -> dict[str, list[float]]:
    """Returns a figure that is the same whatever the search, by task; once a seed."""
    return _values(_by_pair(rows, name), name)


def _by_pair(rows: Sequence[SuiteRow], name: str) -> dict[Pair, CellResult]:
    """Returns the cells that have a figure; of several searches one."""
    return {
        (cell.key.task, cell.key.seed): cell
        for row in rows
        for cell in row.cells
        if cell.figure(name) is not None
    }


def _only(cells: Mapping[Pair, CellResult], pairs: Set[Pair]) -> dict[Pair, CellResult]:
    return {pair: cell for pair, cell in cells.items() if pair in pairs}


def _values(cells: Mapping[Pair, CellResult], name: str) -> dict[str, list[float]]:
    return by_task(cells.values(), lambda cell: cell.figure(name))


def _mean(
    rows: Sequence[SuiteRow],
    name: str,
    search: str,
    cells: Mapping[Pair, CellResult],
) -> SuiteMean | None:
    groups = _values(cells, name)
    interval = mean_interval(list(groups.values()), seed=BOOTSTRAP_SEED)
    if interval is None:
        return None
    return SuiteMean(
        search=search,
        figure=name,
        interval=interval,
        num_tasks=len(groups),
        num_planned=len({row.task for row in rows}),
        num_cells=len(cells),
    )
