"""How the training of an agent ended, and how agents did: for people, and as data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cwm.providers.policies.evaluation import SuccessRate
from cwm.providers.policies.learning.training import RECENT
from cwm.report.policy_published import AGENTS, PUBLISHED, SOURCE, published_json

FILE_WIDTH = 130
"""Columns of a table that goes into a file."""

NEW_TO = "to an agent trained in MixedTrainLocal, in English"
"""For whom what is new in a test is new."""

NUM_ROWS = 10
"""Rows of the table of a training."""


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """How a training ended.

    Attributes:
        policy: What was trained.
        environment: Where.
        seed: Of the run.
        log: What was known after each update, as `UpdateRecord.to_json` gives it, as
            far as the learner knows it; `update`, `num_frames`, `num_episodes` and
            `seconds` are always there.
        notes: What else there is to say, as lines.
        files: What was written, as lines.
        next_commands: What can be run next.
        made_with: Versions and machine.
    """

    policy: str
    environment: str
    seed: int
    log: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    next_commands: tuple[str, ...] = ()
    made_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> Mapping[str, Any]:
        """What was known after the last update; empty before the first."""
        return self.log[-1] if self.log else {}

    @property
    def best(self) -> Mapping[str, Any] | None:
        """The update with the highest success rate over `RECENT` episodes, the first.

        `None` before so many have ended: a share of few is high by chance.
        """
        known = [
            one for one in self.log if "ended" in one and one["num_episodes"] >= RECENT
        ]
        return max(known, key=lambda one: float(one["success_rate"]), default=None)

    @property
    def sample_efficiency(self) -> float | None:
        """Mean over updates of the share of successes among the episodes that ended.

        The area under the learning curve, as in GLAM's paper (section 5.1); updates in
        which none ended are left out. `None` without any.
        """
        ended = [one for one in self.log if one.get("ended")]
        rates = [one["succeeded"] / one["ended"] for one in ended]
        return sum(rates) / len(rates) if rates else None

    @property
    def frames_per_s(self) -> float | None:
        """Steps learned from in a second; `None` before the first update."""
        seconds = self.last.get("seconds")
        return self.last["num_frames"] / seconds if seconds else None

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data, without the whole log."""
        last, best = dict(self.last), self.best
        return {
            "policy": self.policy,
            "environment": self.environment,
            "seed": self.seed,
            "num_updates": last.get("update", 0),
            "num_frames": last.get("num_frames", 0),
            "num_episodes": last.get("num_episodes", 0),
            "seconds": round(last.get("seconds", 0.0), 3),
            "frames_per_s": self.frames_per_s,
            "success_rate": last.get("success_rate"),
            "best": best and {key: best[key] for key in ("num_frames", "success_rate")},
            "sample_efficiency": self.sample_efficiency,
            "last": last,
            "notes": list(self.notes),
            "next": list(self.next_commands),
            "made_with": dict(self.made_with),
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        console = _console(stream)
        console.print(escape(f"{self.policy} in {self.environment}, seed {self.seed}"))
        if self.log:
            console.print(training_table(self.log))
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> list[str]:
        """Returns what is said below the table."""
        last = self.last
        if not last:
            return ["no update was made", *self.files]
        lines = [
            f"updates: {last['update']:,}, with {last['num_frames']:,} frames and "
            f"{last['num_episodes']:,} episodes; in {last['seconds']:.1f} s, "
            f"{self.frames_per_s or 0.0:,.0f} frames/s"
        ]
        if self.best is not None:
            lines.append(
                f"best success over {RECENT} episodes: "
                f"{self.best['success_rate']:.3f}, after "
                f"{self.best['num_frames']:,} frames"
            )
        if self.sample_efficiency is not None:
            lines.append(
                f"sample efficiency: {self.sample_efficiency:.3f} (mean over updates "
                "of the success rate of the episodes that ended)"
            )
        lines += [*self.notes, *self.files]
        if self.next_commands:
            lines += ["next:", *(f"  {command}" for command in self.next_commands)]
        return lines


def training_table(log: Sequence[Mapping[str, Any]]) -> Table:
    """Returns some ten rows of a training, the last update among them."""
    table = Table(title_justify="left")
    if "ended" in log[-1]:
        table.title = f"success and length: last {RECENT} episodes at most"
    rows = [log[index] for index in spread(len(log), NUM_ROWS)]
    for name in ("frames", "episodes"):
        table.add_column(name, justify="right")
    known = [one for one in _FIGURES if any(one[0] in row for row in rows)]
    for _, title, _ in known:
        table.add_column(title, justify="right")
    for row in rows:
        cells = [_number(row.get(name), places) for name, _, places in known]
        table.add_row(f"{row['num_frames']:,}", f"{row['num_episodes']:,}", *cells)
    return table


_FIGURES = (
    ("success_rate", "success", 3),
    ("mean_length", "length", 1),
    ("entropy", "entropy", 3),
    ("explained_variance", "explained", 2),
    ("kl", "KL", 4),
    ("loss", "loss", 4),
)
"""Figure of the log, its title, and decimal places."""


def spread(length: int, number: int) -> list[int]:
    """Returns at most `number` indices, evenly over `length` and up to the last."""
    if length <= number:
        return list(range(length))
    return [(length * place) // number - 1 for place in range(1, number + 1)]


@dataclass(frozen=True, kw_only=True)
class EvaluationRow:
    """How an agent did in a test.

    Attributes:
        agent: Who.
        test: Name of the test; empty for an environment that is none.
        environment: Where it was played.
        env_kwargs: Arguments of its constructor.
        what: What is new in it; empty where nothing is tested.
        rate: How often the agent succeeded.
    """

    agent: str
    test: str
    environment: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    what: str = ""
    rate: SuccessRate

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain data."""
        return asdict(self) | {"env_kwargs": dict(self.env_kwargs)}

    def line(self) -> str:
        """Returns the row in a line."""
        rate = self.rate
        return (
            f"{self.agent}, {self.test or self.environment}: {rate.rate:.3f} "
            f"({rate.low:.3f} to {rate.high:.3f})"
        )


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """How agents did.

    Attributes:
        rows: Agents and tests.
        seed: Of the episodes.
        trained: Agent -> what it is and learned from, in words.
        notes: What else must be known.
        files: What was written, as lines.
        made_with: Versions and machine.
    """

    rows: tuple[EvaluationRow, ...]
    seed: int
    trained: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    made_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """The tests for which there are published numbers, in their order."""
        return tuple(dict.fromkeys(r.test for r in self.rows if r.test in PUBLISHED))

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data; what is published stands apart."""
        return {
            "seed": self.seed,
            "trained": dict(self.trained),
            "rows": [row.to_json() for row in self.rows],
            "published": published_json(self.published),
            "notes": list(self.notes),
            "made_with": dict(self.made_with),
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        console = _console(stream)
        console.print(evaluation_table(self.rows))
        if self.published:
            console.print(published_table(self.published))
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        lines = [f"{agent}: {what}" for agent, what in self.trained.items()]
        if any(row.what for row in self.rows):
            lines.append(f"what is new: {NEW_TO}")
        if any(row.agent == "bot" for row in self.rows):
            lines.append("bot: looks at the true grid, what no agent can do")
        return [*lines, *self.notes, *self.files]


def evaluation_table(rows: Sequence[EvaluationRow]) -> Table:
    """Returns a row for each agent in each test; a test is told once."""
    table = Table(title="success, with 95 % interval (Wilson)", title_justify="left")
    for name in ("test", "environment", "what is new", "agent"):
        table.add_column(name, overflow="fold")
    for name in ("success", "interval", "length", "episodes"):
        table.add_column(name, justify="right")
    told: tuple[str, str, str] | None = None
    for row in rows:
        rate = row.rate
        level = row.environment.removeprefix("cwm/BabyAI-").removesuffix("-v0")
        place = (row.test or "-", level, row.what or "-")
        cells = [
            *(("", "", "") if place == told else place),
            row.agent,
            f"{rate.rate:.3f}",
            f"{rate.low:.3f} to {rate.high:.3f}",
            f"{rate.mean_length:.1f}",
            f"{rate.num_episodes:,}",
        ]
        told = place
        table.add_row(*map(escape, cells))
    return table


def published_table(tests: Sequence[str]) -> Table:
    """Returns what is published of tests, with whom it is of."""
    table = Table(title=f"published: {SOURCE}", title_justify="left")
    table.add_column("test")
    for agent in AGENTS:
        table.add_column(f"{agent}, published", justify="right")
    for test in tests:
        numbers = [PUBLISHED[test][agent] for agent in AGENTS]
        table.add_row(test, *(f"{number:.2f}" for number in numbers))
    return table


def _number(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else FILE_WIDTH
    return Console(file=stream, highlight=False, soft_wrap=True, width=width)
