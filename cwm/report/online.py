"""How an online run went, round by round: for people, and as plain data."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_FILE_WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class RoundRow:
    """One round of an online run.

    Attributes:
        number: From 1.
        num_calls: Calls of its search.
        num_train: Transitions that it trained on.
        num_known_steps: Real steps among them and those that validate.
        num_new_steps: Real steps that it made by acting.
        mean_return: Of its episodes.
        held_out_strict: Strict accuracy of its program on held-out transitions, which
            are the same in every round; `None` without a program.
        num_wrong: New steps that its program had predicted wrong.
        num_uncertain: Those that it predicted right and a rival otherwise.
        num_kept: New steps that the next round trains on or validates with.
        has_program: Whether its search found a program that runs.
        is_stochastic: Whether outcomes vary, so that no single step is wrong.
    """

    number: int
    num_calls: int
    num_train: int
    num_known_steps: int
    num_new_steps: int
    mean_return: float
    held_out_strict: float | None
    num_wrong: int
    num_uncertain: int
    num_kept: int
    has_program: bool
    is_stochastic: bool

    @property
    def visited_strict(self) -> float:
        """Strict accuracy of its program on the steps that it led to."""
        return 1.0 - self.num_wrong / self.num_new_steps

    @property
    def was_right(self) -> bool:
        """Whether its program predicted every step of the round."""
        return self.has_program and not self.num_wrong and not self.is_stochastic

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain data."""
        return {**asdict(self), "visited_strict": self.visited_strict}

    def line(self) -> str:
        """Returns the row for people, on one line."""
        return (
            f"round {self.number}: return {self.mean_return:.5g}, "
            f"{self.num_wrong:,} of {self.num_new_steps:,} steps predicted wrong"
        )


@dataclass(frozen=True, kw_only=True)
class OnlineReport:
    """All rounds.

    Attributes:
        environment: Its id.
        seed: The run's seed.
        rows: The rounds so far; at least 1.
        folder: Where the rounds are.
        world_model: The program of the last round that found one.
        num_rounds: Rounds that were allowed.
    """

    environment: str
    seed: int
    rows: tuple[RoundRow, ...]
    folder: Path
    world_model: Path
    num_rounds: int

    @property
    def has_program(self) -> bool:
        """Whether a round found a program that runs."""
        return any(row.has_program for row in self.rows)

    @property
    def num_real_steps(self) -> int:
        """Real steps used: those of the first round's data, and all that were acted."""
        first = self.rows[0].num_known_steps
        return first + sum(row.num_new_steps for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "environment": self.environment,
            "seed": self.seed,
            "rounds": [row.to_json() for row in self.rows],
            "num_real_steps": self.num_real_steps,
            "stopped_by": "right" if self.rows[-1].was_right else "rounds",
            "folder": str(self.folder),
            "world_model": str(self.world_model),
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        width = None if stream.isatty() else _FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        title = f"{self.environment}, seed {self.seed}: learning while acting"
        table = Table(title=escape(title), title_justify="left")
        for name in (
            "round",
            "trained on",
            "calls",
            "held-out strict",
            "acted",
            "return",
            "strict there",
            "wrong",
            "uncertain",
        ):
            table.add_column(name, justify="right")
        for row in self.rows:
            strict = row.held_out_strict
            table.add_row(
                str(row.number),
                f"{row.num_train:,}",
                str(row.num_calls),
                "no program" if strict is None else f"{strict:.4f}",
                f"{row.num_new_steps:,}",
                f"{row.mean_return:.5g}",
                f"{row.visited_strict:.4f}" if row.has_program else "",
                f"{row.num_wrong:,}",
                f"{row.num_uncertain:,}",
            )
        console.print(table)
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> list[str]:
        """Returns what is said below the table."""
        last = self.rows[-1]
        if last.was_right:
            reason = "its program predicted every step of a round"
        else:
            reason = f"{self.num_rounds} rounds are made (--online)"
        return [
            f"real steps used: {self.num_real_steps:,}, without those held out; ended "
            f"because {reason}",
            f"program: {self.world_model}",
            f"rounds: {self.folder}",
        ]
