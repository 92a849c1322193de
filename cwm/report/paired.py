"""Two sets of results beside each other, cell by cell."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from cwm.core.errors import ConfigError, DataError
from cwm.evaluation.cell_results import FIGURES, RETURNS, CellKey, CellResult
from cwm.evaluation.paired_tests import MIN_UNITS, PairedTest, paired_test
from cwm.report.suites import STAND_IN, TextTable, show_interval

_FILE_WIDTH = 120

TEST_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One side of a comparison.

    Attributes:
        name: As the user named it.
        results: Its cells, all of one search.
    """

    name: str
    results: Mapping[CellKey, CellResult]

    def by_pair(self) -> dict[tuple[str, int], CellResult]:
        """Returns the cells by task and seed."""
        return {(key.task, key.seed): one for key, one in self.results.items()}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A task and a seed on both sides.

    Attributes:
        task: Name of the task.
        seed: The seed.
        first: The figure of the first side.
        second: Of the second side.
    """

    task: str
    seed: int
    first: float
    second: float

    @property
    def difference(self) -> float:
        """First minus second."""
        return self.first - self.second


@dataclass(frozen=True, kw_only=True)
class PairedReport:
    """What comes of comparing two sets of results.

    Attributes:
        metric: Name of the figure.
        names: Of the two sides.
        pairs: What both have.
        left_out: What could not be paired, and why, as lines.
        test: Of all pairs.
        by_task: Of the means of tasks over their seeds; `None` if that is the same.
        is_stand_in: Whether a side was made by a file of answers.
    """

    metric: str
    names: tuple[str, str]
    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]
    test: PairedTest
    by_task: PairedTest | None
    is_stand_in: bool

    def tables(self) -> list[TextTable]:
        """Returns the pairs, and what they show."""
        title = FIGURES[self.metric].title
        pairs = TextTable(
            title=f"{title}: {self.names[0]} (A) and {self.names[1]} (B)",
            columns=("task", "seed", "A", "B", "A - B"),
            rows=tuple(
                (
                    pair.task,
                    str(pair.seed),
                    f"{pair.first:.6g}",
                    f"{pair.second:.6g}",
                    f"{pair.difference:+.6g}",
                )
                for pair in self.pairs
            ),
        )
        tests = {"pairs": self.test}
        if self.by_task is not None:
            tests["tasks, means over seeds"] = self.by_task
        shown = TextTable(
            title="paired differences",
            columns=(
                "unit",
                "n",
                "mean A - B (95 % interval)",
                "A higher/ties/B higher",
                "Wilcoxon p",
                "sign-flip p",
            ),
            rows=tuple(_test_cells(name, test) for name, test in tests.items()),
            num_names=1,
        )
        return [pairs, shown]

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        figure = FIGURES[self.metric]
        better = "lower" if figure.is_cost else "higher"
        lines = [f"of {figure.title}, {better} is better", *self.left_out]
        lines.append(
            "interval: bootstrap over tasks, and seeds within them, none of fewer than "
            f"{MIN_UNITS} tasks (or seeds, of one task); p two-sided, ties left out, "
            "not corrected for comparing more than once"
        )
        if self.by_task is not None:
            lines.append(
                "seeds of one task are not independent evidence: the row of tasks is "
                "the careful one"
            )
        careful = self.by_task or self.test
        if careful.smallest_p > 0.05:
            lines.append(
                f"so few differences cannot show more: the smallest p possible is "
                f"{careful.smallest_p:.3g}"
            )
        return lines + ([STAND_IN] if self.is_stand_in else [])

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "metric": self.metric,
            "first": self.names[0],
            "second": self.names[1],
            "num_pairs": self.test.num_pairs,
            "pairs": [
                {**asdict(pair), "difference": pair.difference} for pair in self.pairs
            ],
            "test": self.test.to_json(),
            "by_task": None if self.by_task is None else self.by_task.to_json(),
            "left_out": list(self.left_out),
            "is_stand_in": self.is_stand_in,
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        width = None if stream.isatty() else _FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        for table in self.tables():
            table.show(console)
        for line in self.lines():
            console.print(escape(line))


def _test_cells(name: str, test: PairedTest) -> tuple[str, ...]:
    return (
        name,
        str(test.num_pairs),
        show_interval(test.mean),
        f"{test.num_wins}/{test.num_ties}/{test.num_losses}",
        "-" if test.wilcoxon_p is None else f"{test.wilcoxon_p:.3g}",
        f"{test.sign_flip_p:.3g}",
    )


def compare_results(first: Contender, second: Contender, metric: str) -> PairedReport:
    """Returns what comes of comparing two sets of results.

    Args:
        first: One side.
        second: The other side.
        metric: Name of a figure.

    Raises:
        ConfigError: If there is no such figure, or nothing can be paired.
        DataError: If a task has other transitions, or other tests, on the two sides.
    """
    if metric not in FIGURES:
        raise ConfigError(
            f"metric must be one of {', '.join(FIGURES)}, got {metric!r}."
        )
    ours, theirs = first.by_pair(), second.by_pair()
    pairs: list[Pair] = []
    left_out: list[str] = []
    for task, seed in dict.fromkeys([*ours, *theirs]):
        sides = (ours.get((task, seed)), theirs.get((task, seed)))
        values = [None if one is None else _value(one, metric) for one in sides]
        whys = [_why(one, metric) for one in sides]
        if None in values:
            reasons = [
                f"{name}: {why}" for name, why in zip("AB", whys, strict=True) if why
            ]
            left_out.append(f"left out: {task}, seed {seed}: {'; '.join(reasons)}")
            continue
        _check_same_data(sides, (first.name, second.name), metric)
        assert values[0] is not None
        assert values[1] is not None
        pairs.append(Pair(task=task, seed=seed, first=values[0], second=values[1]))
    if not pairs:
        raise ConfigError(
            f"Nothing can be paired: no task and seed has {metric} in both "
            f"{first.name!r} and {second.name!r}."
            + "".join(f"\n{line}" for line in left_out[:20])
        )
    test, by_task = _tests(pairs)
    return PairedReport(
        metric=metric,
        names=(first.name, second.name),
        pairs=tuple(pairs),
        left_out=tuple(left_out),
        test=test,
        by_task=by_task,
        is_stand_in=any(
            one.is_stand_in for side in (ours, theirs) for one in side.values()
        ),
    )


def _value(result: CellResult, metric: str) -> float | None:
    return None if result.status == "failed" else result.figure(metric)


def _why(result: CellResult | None, metric: str) -> str:
    """Returns why a cell has no such figure; empty if it has."""
    if result is None:
        return "not there"
    if result.status == "failed":
        return f"failed: {result.reason}"
    return "" if result.figure(metric) is not None else f"no {FIGURES[metric].title}"


def _check_same_data(
    sides: Sequence[CellResult | None], names: tuple[str, str], metric: str
) -> None:
    first, second = sides
    assert first is not None
    assert second is not None
    if first.data != second.data:
        raise DataError(
            f"{names[0]!r} and {names[1]!r} cannot be compared: of {first.key.task}, "
            f"seed {first.key.seed}, they have other data ({first.data[:8]} and "
            f"{second.data[:8]})."
        )
    differing = first.played_otherwise(second.playing)
    if metric in RETURNS and differing:
        raise DataError(
            f"Returns of {names[0]!r} and {names[1]!r} cannot be compared: episodes of "
            f"{first.key.task}, seed {first.key.seed}, were played with other settings "
            f"({'; '.join(differing)})."
        )


def _tests(pairs: Sequence[Pair]) -> tuple[PairedTest, PairedTest | None]:
    by_task: dict[str, list[float]] = {}
    for pair in pairs:
        by_task.setdefault(pair.task, []).append(pair.difference)
    test = paired_test(by_task, seed=TEST_SEED)
    assert test is not None, "there are pairs"
    # Of one task, seeds are all the evidence there is.
    if len(by_task) == len(pairs) or len(by_task) == 1:
        return test, None
    means = {task: [sum(found) / len(found)] for task, found in by_task.items()}
    return test, paired_test(means, seed=TEST_SEED)
