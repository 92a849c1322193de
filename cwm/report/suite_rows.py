"""The cells of a suite as rows: one for each task and search, over its seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cwm.evaluation.cell_results import CellKey, CellResult, by_task
from cwm.evaluation.paired_tests import mean_interval
from cwm.evaluation.summary import Interval

BOOTSTRAP_SEED = 0

WORLD_MEANS = (
    "held_out_strict",
    "planner_strict",
    "held_out_reference",
    "normalised_return",
)
PROBLEM_MEANS = ("strict", "accuracy", "hidden_accuracy")
"""Figures of which means over all tasks are shown."""

BASELINE_MEANS = (
    "do_nothing_held_out_strict",
    "nearest_held_out_strict",
    "simulator_held_out_strict",
)
"""Likewise; they are the same whatever the search."""

NO_SEARCH = "-"


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
    def normalised(self) -> Interval | None:
        """The normalised return: over seeds, or over episodes of a single one."""
        known = [cell.normalised for cell in self.cells if cell.normalised is not None]
        if len(known) == 1:
            return known[0]
        return mean_interval([[one.value for one in known]], seed=BOOTSTRAP_SEED)

    @property
    def num_without_program(self) -> int:
        """How many cells ended without a program that runs."""
        return sum(cell.status == "no program" for cell in self.cells)

    @property
    def status(self) -> str:
        """What is not as it should be, in a few words; empty if all is."""
        parts = []
        for number, what in (
            (self.num_without_program, "no program"),
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
        num_tasks: Tasks of which the figure is known.
        num_planned: Tasks that there are to be.
    """

    search: str
    figure: str
    interval: Interval
    num_tasks: int
    num_planned: int


def make_means(
    rows: Sequence[SuiteRow], figures: Sequence[str]
) -> tuple[SuiteMean, ...]:
    """Returns the means of each search, and those of baselines once.

    Of figures that nobody has there are none.
    """
    found = [
        _mean([row for row in rows if row.search == search], name, search)
        for search in dict.fromkeys(row.search for row in rows)
        for name in figures
    ]
    found += [_mean(rows, name, NO_SEARCH) for name in BASELINE_MEANS]
    return tuple(mean for mean in found if mean is not None)


def _mean(rows: Sequence[SuiteRow], name: str, search: str) -> SuiteMean | None:
    cells = [cell for row in rows for cell in row.cells]
    groups = by_task(cells, lambda cell: cell.figure(name))
    interval = mean_interval(list(groups.values()), seed=BOOTSTRAP_SEED)
    if interval is None:
        return None
    return SuiteMean(
        search=search,
        figure=name,
        interval=interval,
        num_tasks=len(groups),
        num_planned=len({row.task for row in rows}),
    )
