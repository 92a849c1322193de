"""What the audit of a program says, for people and as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from cwm.core.trajectories import SPLIT_TITLES
from cwm.programs.audit import Audit, Verdict

TableVerdict: TypeAlias = Verdict | Literal["memorised"]


@dataclass(frozen=True, kw_only=True)
class ProgramAudit:
    """The audits of a program on the splits of a table.

    Attributes:
        splits: By name of the split; that of `"train"` has the validation
            transitions, too.
        memorised: What shows that training transitions were memorised, as clauses.
    """

    splits: dict[str, Audit] = field(default_factory=dict)
    memorised: tuple[str, ...] = ()

    @property
    def verdict(self) -> TableVerdict:
        """The worst that was found."""
        for audit in self.splits.values():
            if not audit.is_consistent:
                return audit.verdict
        return "memorised" if self.memorised else "consistent"

    @property
    def is_consistent(self) -> bool:
        """Whether every prediction was the same again."""
        return all(audit.is_consistent for audit in self.splits.values())

    def to_json(self) -> dict[str, Any]:
        """Returns plain data."""
        return {
            "verdict": self.verdict,
            "splits": {name: audit.to_json() for name, audit in self.splits.items()},
            "memorised": list(self.memorised),
        }

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        failed = [s for s in self.splits.items() if not s[1].is_consistent]
        if not failed:
            lines = [f"audit: consistent{self._checks()}"]
        for split, audit in failed[:1]:
            # That of the training transitions has the validation transitions, too.
            where = "training" if split == "train" else SPLIT_TITLES.get(split, split)
            lines = [f"audit: {audit.verdict} on {where} transitions{self._checks()}"]
            if audit.verdict == "inconsistent":
                lines.append(
                    "warning: what it predicts is not a function of observation and "
                    "action, so that it has no score"
                )
        if self.memorised:
            lines.append(
                "warning: training transitions may be memorised: "
                + "; ".join(self.memorised)
            )
        return lines

    def _checks(self) -> str:
        """Counts what was run again, of the audits that came to their end."""
        audits = [a for a in self.splits.values() if a.verdict != "timed_out"]
        if not audits:
            return ""
        alone = sum(a.num_alone for a in audits)
        permuted = sum(a.num_permuted for a in audits)
        texts = [f"{alone:,} run alone", f"{permuted:,} in another order"]
        different = [
            sum(a.num_alone_different for a in audits),
            sum(a.num_permuted_different for a in audits),
        ]
        parts = [
            f"{text}, {number:,} different" if number else text
            for text, number in zip(texts, different, strict=True)
        ]
        return f" ({'; '.join(parts)})"


def audit_lines(audits: Sequence[tuple[str, ProgramAudit | None]]) -> list[str]:
    """Returns the lines of several audits.

    Args:
        audits: What each line begins with, and the audit; `None` has no lines.
    """
    return [
        f"{start}{line}"
        for start, audit in audits
        if audit is not None
        for line in audit.lines()
    ]
