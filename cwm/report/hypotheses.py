"""How hypothesis induction ended: for people, and as plain data for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from cwm.providers.hypotheses.evaluation.acting import ActingRow
from cwm.providers.hypotheses.evaluation.likelihoods import Difference
from cwm.providers.hypotheses.evaluation.scores import (
    BEST,
    NO_HYPOTHESIS,
    SHUFFLED,
    WorldScores,
)
from cwm.providers.hypotheses.search.weighing import Weighed
from cwm.report.hypothesis_tables import (
    acting_table,
    found_table,
    likelihood_table,
    top_by_type_table,
    top_table,
)

FILE_WIDTH = 130
"""Columns of a table that goes into a file."""


@dataclass(frozen=True, kw_only=True)
class PhaseReport:
    """What came of one phase.

    Attributes:
        phase: Its number; 0 is the first collection, before any search.
        hypothesis: The best one at its end; `None` for none.
        num_proposed: Hypotheses that were proposed.
        num_accepted: Those of them that were accepted.
        counts: Type -> transitions of it that the experimenter brought.
        data: How well the hypothesis explains what the phase looked at.
        test: How well it explains the test set; `None` if that was not asked.
        effective_size: Of the importance weights of its proposals, from 1 to their
            number; `None` for chains.
    """

    phase: int
    hypothesis: str | None
    num_proposed: int
    num_accepted: int
    counts: Mapping[str, int]
    data: Weighed | None = None
    test: Weighed | None = None
    effective_size: float | None = None

    @property
    def acceptance(self) -> float | None:
        """Share of the proposals that were accepted; `None` without any."""
        return self.num_accepted / self.num_proposed if self.num_proposed else None

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {
            "phase": self.phase,
            "hypothesis": self.hypothesis,
            "num_proposed": self.num_proposed,
            "num_accepted": self.num_accepted,
            "acceptance": self.acceptance,
            "counts": dict(self.counts),
            "data": _weighed_json(self.data),
            "test": _weighed_json(self.test),
            "effective_size": self.effective_size,
        }


def _weighed_json(weighed: Weighed | None) -> dict[str, Any] | None:
    if weighed is None:
        return None
    return {"total": weighed.total, **weighed.to_json()}


@dataclass(frozen=True, kw_only=True)
class InductionReport:
    """How hypothesis induction ended.

    Attributes:
        statistician: Who weighed hypotheses.
        scientist: Who proposed them.
        experimenter: Who acted.
        stand_ins: Which of these roles were played by no language model, but by
            something in the place of one, such as `"statistician"`.
        seed: Of the run.
        phases: All of them, from phase 0.
        scores: On the test set, row by row.
        reworded: On the test set in other words; `None` if there is none.
        acting: Who reached goals; may be empty.
        files: What was written, as lines.
        next_commands: What can be run next.
        seconds: Wall-clock time.
        made_with: Versions and machine.
    """

    statistician: str
    scientist: str
    experimenter: str
    stand_ins: tuple[str, ...]
    seed: int
    phases: tuple[PhaseReport, ...]
    scores: WorldScores
    reworded: WorldScores | None = None
    acting: tuple[ActingRow, ...] = ()
    files: tuple[str, ...] = ()
    next_commands: tuple[str, ...] = ()
    seconds: float = 0.0
    made_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> str | None:
        """The hypothesis at the end; `None` for none."""
        found = self.scores.scores.get(BEST)
        return None if found is None else found.hypothesis

    @property
    def counts(self) -> dict[str, int]:
        """Type -> transitions of it in all phases."""
        counts = dict.fromkeys(self.scores.types, 0)
        for phase in self.phases:
            for name, number in phase.counts.items():
                counts[name] = counts.get(name, 0) + number
        return counts

    def first_phases(self) -> dict[str, int]:
        """Returns type -> number of the phase in which it was first found."""
        found: dict[str, int] = {}
        for phase in self.phases:
            for name, number in phase.counts.items():
                if number:
                    found.setdefault(name, phase.phase)
        return found

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "environment": self.scores.world,
            "statistician": self.statistician,
            "scientist": self.scientist,
            "experimenter": self.experimenter,
            "stand_ins": list(self.stand_ins),
            "seed": self.seed,
            "best": self.best,
            "counts": self.counts,
            "first_phases": self.first_phases(),
            "phases": [phase.to_json() for phase in self.phases],
            "scores": self.scores.to_json(),
            "reworded": None if self.reworded is None else self.reworded.to_json(),
            "acting": [row.to_json() for row in self.acting],
            "next": list(self.next_commands),
            "seconds": round(self.seconds, 3),
            "made_with": dict(self.made_with),
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        width = None if stream.isatty() else FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        for line in self.head():
            console.print(escape(line))
        show_scores(console, [self.scores, self.reworded])
        console.print(found_table(self.counts, self.first_phases()))
        if self.acting:
            console.print(acting_table(self.acting))
        for line in self.lines():
            console.print(escape(line))

    def head(self) -> list[str]:
        """Returns what is said above the tables."""
        lines = [
            f"{self.scores.world}, seed {self.seed}",
            f"statistician: {self.statistician}; scientist: {self.scientist}; "
            f"experimenter: {self.experimenter}",
            *stand_in_lines(self.stand_ins),
        ]
        if self.best is None:
            return [*lines, "no hypothesis was found"]
        text = self.best.strip() or "(blank)"
        return [*lines, "best hypothesis:", *(f"  {one}" for one in text.split("\n"))]

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        proposed = sum(phase.num_proposed for phase in self.phases)
        accepted = sum(phase.num_accepted for phase in self.phases)
        transitions = sum(self.counts.values())
        lines = [
            f"phases: {max(0, len(self.phases) - 1)}, with {proposed:,} proposals, "
            f"{accepted:,} of them accepted, and {transitions:,} transitions; in "
            f"{self.seconds:.1f} s"
        ]
        sizes = [p.effective_size for p in self.phases if p.effective_size is not None]
        if sizes:
            lines.append(
                f"importance sampling: effective sample size {min(sizes):.1f} to "
                f"{max(sizes):.1f} of {self.phases[-1].num_proposed} proposals a "
                "phase; accepted are those that were drawn again"
            )
        lines += _tie_lines([self.scores, self.reworded])
        lines += self.files
        if self.next_commands:
            lines += ["next:", *(f"  {command}" for command in self.next_commands)]
        return lines


def show_scores(console: Console, several: Sequence[WorldScores | None]) -> None:
    """Writes the tables of what was scored, in one world after the other."""
    for scores in filter(None, several):
        console.print(likelihood_table(scores))
        for line in difference_lines(scores):
            console.print(escape(line))
        if scores.chance is not None:
            console.print(top_table(scores))
            console.print(top_by_type_table(scores))


def stand_in_lines(roles: Sequence[str]) -> list[str]:
    """Returns what must be known of numbers that no language model gave.

    Args:
        roles: Such as `"statistician"`; none gives no line.
    """
    if not roles:
        return []
    if len(roles) == 1:
        who = f"The {roles[0]} is a stand-in"
    else:
        who = f"The {', the '.join(roles[:-1])} and the {roles[-1]} are stand-ins"
    return [
        f"{who}, no language model: the numbers show that everything works, and say "
        "nothing about a model."
    ]


def difference_lines(scores: WorldScores) -> list[str]:
    """Returns by how much transitions are likelier than with other rows."""
    controls = [name for name in scores.scores if name.startswith(SHUFFLED)]
    pairs = [(name, NO_HYPOTHESIS) for name in scores.scores if name != NO_HYPOTHESIS]
    pairs += [(BEST, name) for name in controls]
    lines = [
        f"  {one} against {other}: {show_difference(found)}"
        for one, other in pairs
        if (found := scores.difference(one, other)) is not None
    ]
    if not lines:
        return []
    return ["nats per transition (95 % interval of the paired mean):", *lines]


def show_difference(found: Difference) -> str:
    """Returns a difference with its interval, if it has one."""
    if found.low is None or found.high is None:
        return f"{found.mean:+.3f}"
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _tie_lines(several: Sequence[WorldScores | None]) -> list[str]:
    """Returns where ties decide, which the published ranks would hide."""
    lines = []
    for scores in filter(None, several):
        published = [
            f"{name} {ranking.published_top(1):.3f}"
            for name, score in scores.scores.items()
            if (ranking := score.ranking) is not None
            and ranking.published_top(1) != ranking.top(1)
        ]
        if published:
            lines.append(
                f"{scores.world}: candidates of the same score count as in random "
                "order; as published, in favour of the truth, top-1 would be "
                f"{', '.join(published)}"
            )
    return lines
