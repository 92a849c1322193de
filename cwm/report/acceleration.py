"""What became of a program's fast forms, for people and as plain data."""

from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cwm.programs.acceleration.ways import SIZES, Acceleration, WayResult


@dataclass(frozen=True, kw_only=True)
class AccelerationReport:
    """How each way of making one program fast went.

    Attributes:
        name: The program, as the user named it.
        environment_id: What it is a model of.
        result: What was tried.
        file: Where the fastest form lies; empty if the original is the fastest.
    """

    name: str
    environment_id: str
    result: Acceleration
    file: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        result = self.result
        return {
            "program": self.name,
            "environment": self.environment_id,
            "best": result.best.name,
            "file": self.file,
            "num_samples": result.num_samples,
            "num_recorded": result.num_recorded,
            "num_failed": result.num_failed,
            "tolerance": result.tolerance,
            "ways": [_way_json(way) for way in (result.original, *result.ways)],
        }

    def show(self, file: TextIO) -> None:
        """Writes the report for people."""
        console = Console(file=file, width=100, highlight=False)
        console.print(self._table())
        result = self.result
        drawn = result.num_samples - result.num_recorded
        console.print(
            f"Compared on {result.num_recorded:,} recorded transitions and {drawn:,} "
            f"drawn ones; allowed: {result.tolerance:g}, relative to a number's size "
            "or to one, and one unit in the last place of numbers of 32 bits."
        )
        if result.num_failed:
            console.print(
                f"The program raises on {result.num_failed:,} of them; those are left "
                "out."
            )
        if self.file:
            console.print(f"Fast form: {escape(self.file)} ({result.best.name})")
        else:
            console.print("No way is faster than the program as it is.")

    def _table(self) -> Table:
        title = f"{escape(self.name)}: steps a second"
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("way")
        for size in SIZES:
            table.add_column(f"{size:,} at a time", justify="right")
        table.add_column("speed-up", justify="right")
        table.add_column("equal to the program", overflow="fold")
        base = self.result.original.speeds[-1]
        for way in (self.result.original, *self.result.ways):
            speeds = [f"{speed:,.0f}" for speed in way.speeds] or ["-"] * len(SIZES)
            ratio = f"{way.speeds[-1] / base:.1f}" if way.speeds and base else "-"
            table.add_row(way.name, *speeds, ratio, escape(_verdict(way)))
        return table


def _verdict(way: WayResult) -> str:
    if way.reason:
        return f"no: {way.reason}"
    if way.agreement is None:
        return "it is the program"
    if way.agreement.is_bitwise:
        return "to the last bit"
    inexact = (
        f"; {way.agreement.num_inexact} rows as inexact as the program"
        if way.agreement.num_inexact
        else ""
    )
    number, same = way.agreement.num_rows, way.agreement.num_identical
    return (
        f"within {way.agreement.largest:.1g}; {same:,} of {number:,} rows to the last "
        f"bit{inexact}"
    )


def _way_json(way: WayResult) -> dict[str, Any]:
    agreement = way.agreement
    return {
        "way": way.name,
        "accepted": not way.reason,
        "reason": way.reason,
        "steps_per_second": dict(zip(map(str, SIZES), way.speeds, strict=False)),
        "opening_s": way.opening_s,
        "agreement": None
        if agreement is None
        else {
            "num_rows": agreement.num_rows,
            "num_identical": agreement.num_identical,
            "num_inexact": agreement.num_inexact,
            "largest": agreement.largest if agreement.largest < 1e300 else None,
        },
    }
