"""What a run came to, in the same few figures for every kind of run."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cwm.core.counts import counted
from cwm.core.errors import CwmError
from cwm.report.scores import show_share
from cwm.runs.figures import READERS, Figures
from cwm.runs.kinds import AGENT_LOG, CONFIG, JOURNAL, FoundRun, is_running

RunState: TypeAlias = Literal["running", "finished", "interrupted", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run in a line.

    Attributes:
        run: The run.
        state: Whether it is being written, has come to its end, or stopped before.
        figures: What came of it; those of a run that cannot be read are empty.
        made_at: When it began, as far as its files say.
        num_bytes: Size of its files.
        data: Digest of its transitions; empty if it has none of its own.
        problem: Why it cannot be read; empty if it can.
    """

    run: FoundRun
    state: RunState
    figures: Figures
    made_at: datetime
    num_bytes: int
    data: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.run.path.resolve().name

    def unfinished_line(self, shown: str) -> str:
        """Returns that a search has not come to its end; empty if it has.

        Args:
            shown: How its folder is called.
        """
        if self.state not in ("running", "interrupted"):
            return ""
        found = self.figures
        after = f"after {counted(found.num_calls or 0, 'call')}"
        budget = self.run.config.get("budget", {}).get("call_budget")
        if budget is not None:
            after = f"after {found.num_calls or 0} of {counted(budget, 'call')}"
        told = f"{after}, best score {show_share(found.score)}"
        if self.state == "running":
            return f"The run goes on: this is its program {told}."
        return (
            f"The run was interrupted {told}; go on with: "
            f"python -m cwm.synthesize --resume {shown}"
        )

    @property
    def is_paid(self) -> bool:
        """Whether language models or coding agents worked on it, or may have."""
        if self.problem and (self.run.path / JOURNAL).is_file():
            return True  # Nobody can tell what would be lost.
        path = self.run.path
        logs = (path / AGENT_LOG, *path.glob(f"round-*/{AGENT_LOG}"))
        return self.figures.is_paid or any(log.is_file() for log in logs)

    @property
    def has_failed(self) -> bool:
        """Whether it is over and nothing came of it, or it cannot be read."""
        if self.state != "finished":
            return self.state != "running"
        has_programs = self.run.kind in ("synthesize", "problem", "online")
        return has_programs and self.figures.score is None

    def to_json(self) -> dict[str, Any]:
        """Returns the summary as plain data."""
        figures = asdict(self.figures)
        del figures["is_finished"]
        return {
            "id": self.name,
            "path": str(self.run.path),
            "kind": self.run.kind,
            "state": self.state,
            **figures,
            "is_paid": self.is_paid,
            "made_at": self.made_at.isoformat(timespec="seconds"),
            "num_bytes": self.num_bytes,
            "data": self.data,
            "problem": self.problem,
        }


def summarise(run: FoundRun) -> RunSummary:
    """Returns what a run came to; one that cannot be read says so."""
    found, problem = Figures(), run.problem
    if not problem:
        assert run.kind is not None, "a run of no known kind has a problem"
        try:
            found = READERS[run.kind](run)
        except (CwmError, KeyError, TypeError, ValueError, AttributeError) as error:
            # Whatever a damaged file holds: one run must not hide the others.
            told = str(error) if isinstance(error, CwmError) else repr(error)
            problem = f"its files cannot be read: {told}".rstrip(".")
    return RunSummary(
        run=run,
        state=_state(run, found, problem),
        figures=found,
        made_at=_made_at(run),
        num_bytes=size_of(run.path),
        data=data_digest(run.path),
        problem=problem,
    )


def _state(run: FoundRun, found: Figures, problem: str) -> RunState:
    if is_running(run):
        return "running"
    if problem:
        return "broken"
    return "finished" if found.is_finished else "interrupted"


def size_of(path: Path) -> int:
    """Returns how many bytes the files in a folder have; links count as links."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(size_of(child) for child in path.iterdir())


def data_digest(folder: Path) -> str:
    """Returns the SHA-256 of a run's transitions; empty if it has none."""
    path = folder / "dataset.npz"
    if not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _made_at(run: FoundRun) -> datetime:
    path = run.path
    for name in ("environment.json", CONFIG, JOURNAL):
        if (run.path / name).is_file():
            path = run.path / name
            break
    # Written when the run begins, and not again.
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
