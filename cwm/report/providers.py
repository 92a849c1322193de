"""The results of the suite `providers`: one table for each environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from cwm.evaluation.cell_results import CellKey, CellResult
from cwm.evaluation.paired_tests import PairedTest, mean_interval, paired_test
from cwm.report.scores import show_share
from cwm.report.suite_rows import SuiteRow, make_rows
from cwm.report.suites import SuiteReport, TextTable, show_interval

REFERENCE = "true"
"""The row that returns of others are compared with."""

COLUMNS = (
    *("success", "return", "minus true (p)", "held-out strict"),
    *("s a decision", "frames", "games", "calls", "s to make"),
)

_SEED = 0


@dataclass(frozen=True, kw_only=True)
class ProvidersReport(SuiteReport):
    """What came of the suite.

    Attributes:
        roles: Row -> what its provider is used as.
    """

    roles: Mapping[str, str]

    def tables(self) -> list[TextTable]:
        """Returns a table for each environment."""
        tasks = dict.fromkeys(row.task for row in self.rows)
        return [self._of_task(task) for task in tasks]

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        total = sum(row.num_seeds for row in self.rows)
        counts = {
            "not made, for the reasons below": sum(r.num_not_made for r in self.rows),
            "failed": sum(len(row.failed) for row in self.rows),
            "not finished": sum(len(row.missing) for row in self.rows),
        }
        parts = [f"{number} {what}" for what, number in counts.items() if number]
        lines = [f"cells: {', '.join([str(total), *parts])}", *self.settings]
        lines += EXPLANATIONS
        return [*lines, *self._remarks(), f"results: {self.folder}"]

    def _of_task(self, task: str) -> TextTable:
        rows = [row for row in self.rows if row.task == task]
        reference = next((r for r in rows if r.search == REFERENCE), None)
        texts = [
            (
                row.search,
                self.roles.get(row.search, ""),
                _maker(row),
                *_figures(row, reference),
                row.status,
            )
            for row in rows
        ]
        columns = ("row", "role", "made by", *COLUMNS, "remarks")
        return TextTable(
            title=f"{self.suite}: {task}",
            columns=columns,
            rows=tuple(texts),
            num_names=3,
        )


EXPLANATIONS = (
    "success: a terminal state with a positive last reward; intervals are 95 %: of "
    "success Wilson's, of returns a bootstrap over all episodes. Episodes of one seed "
    "share what was made for it: of few seeds the intervals say nothing about other "
    "trainings and searches",
    "minus true: mean difference of the return to the row true, episode by episode; p: "
    "two-sided, of random signs",
    "held-out strict: share of held-out transitions of which the world model gets "
    "every part right; rules in words on those of the variant in words. What a guide "
    "is worth to a row stands in its return alone",
    "frames, games, calls, s to make: what was spent on all that the row needs; of "
    "several rows that share something, each shows it",
    "(stand-in): something took the place of a language model or a search; its numbers "
    "say nothing about one",
)


def _maker(row: SuiteRow) -> str:
    made = [cell for cell in row.cells if cell.made_by]
    mark = " (stand-in)" if any(cell.is_stand_in for cell in made) else ""
    names = dict.fromkeys(cell.made_by for cell in made)
    return f"{', '.join(names)}{mark}" if made else "-"


def _figures(row: SuiteRow, reference: SuiteRow | None) -> tuple[str, ...]:
    return (
        show_success([one for cell in row.cells for one in cell.successes]),
        show_return([one for cell in row.cells for one in cell.returns]),
        show_difference(difference(row, reference)),
        _share(row.mean("held_out_strict")),
        _number(row.mean("decision_s")),
        _number(row.mean("making_frames")),
        _number(row.mean("making_games")),
        _number(row.mean("calls")),
        _number(row.mean("making_s")),
    )


def show_success(successes: Sequence[bool]) -> str:
    """Returns the share of successes with Wilson's 95 % interval."""
    if not successes:
        return "-"
    number, count = len(successes), sum(successes)
    interval = binomtest(count, number).proportion_ci(method="wilson")
    return f"{count / number:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def show_return(returns: Sequence[float]) -> str:
    """Returns the mean return with its interval over episodes."""
    found = mean_interval([returns], seed=_SEED)
    return "-" if found is None else show_interval(found, digits=2)


def difference(row: SuiteRow, reference: SuiteRow | None) -> PairedTest | None:
    """Returns what the paired differences of returns show; `None` without pairs.

    Episodes are paired by seed and number, and all count alike.
    """
    if reference is None or reference.search == row.search:
        return None
    theirs = {cell.key.seed: cell.returns for cell in reference.cells}
    found: list[float] = []
    for cell in row.cells:
        pairs = zip(cell.returns, theirs.get(cell.key.seed, ()), strict=False)
        found += [mine - other for mine, other in pairs]
    return paired_test({row.task: found}, seed=_SEED)


def show_difference(found: PairedTest | None) -> str:
    """Returns a mean difference with its interval and p."""
    if found is None:
        return "-"
    mean = found.mean
    shown = f"{mean.value:+.2f}"
    if mean.low is not None and mean.high is not None:
        shown += f" ({mean.low:+.2f} to {mean.high:+.2f})"
    return f"{shown}, p {found.sign_flip_p:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else show_share(value)


def _number(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def make_providers_report(
    planned: Sequence[CellKey],
    results: Mapping[CellKey, CellResult],
    *,
    suite: str,
    roles: Mapping[str, str],
    settings: tuple[str, ...],
    folder: str,
) -> ProvidersReport:
    """Returns the report of the suite.

    Args:
        planned: All cells that there are to be.
        results: Those that have ended.
        suite: Its name.
        roles: Row -> what its provider is used as.
        settings: What the settings say that a reader must know.
        folder: Where the results are.
    """
    order = {name: number for number, name in enumerate(roles)}
    rows = make_rows(planned, results)
    tasks = list(dict.fromkeys(row.task for row in rows))
    ordered = sorted(rows, key=lambda r: (tasks.index(r.task), order[r.search]))
    return ProvidersReport(
        suite=suite,
        rows=tuple(ordered),
        means=(),
        is_of_problems=False,
        is_stand_in=any(cell.is_stand_in for row in rows for cell in row.cells),
        settings=settings,
        folder=folder,
        roles=roles,
    )
