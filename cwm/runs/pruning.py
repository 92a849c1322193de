"""Which runs may go, and removing them: only what a command of ours has written."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from cwm.core.counts import counted
from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as
from cwm.runs.kinds import RunInUse, held, own_files
from cwm.runs.summaries import RunSummary

_LAST = ("config.json", "online-settings.json")
"""What makes a folder a run: removed last, so that half a removal can be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneConfig:
    """Which runs may go: those to which everything that is given applies.

    Attributes:
        older_than: Runs that began more than so many days ago.
        failed: Runs that cannot be read, were interrupted, or found no program.
        keep_newest: Of each kind and environment the newest so many stay.
        keep_best: Likewise those with the highest held-out accuracy, then score.
        paid: Also runs on which language models or coding agents (cwm.mcp) worked;
            they stay otherwise, as what was paid for.
    """

    older_than: Annotated[float | None, shown_as("DAYS")] = None
    failed: bool = False
    keep_newest: Annotated[int | None, shown_as("N")] = None
    keep_best: Annotated[int | None, shown_as("N")] = None
    paid: bool = False

    def __post_init__(self) -> None:
        if self.older_than is not None and not self.older_than >= 0:
            raise ConfigError(
                f"older_than must be at least 0, got {self.older_than!r} (days)."
            )
        for name in ("keep_newest", "keep_best"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value} (runs).")

    def check(self) -> None:
        """Refuses settings that do not say which runs may go.

        Raises:
            ConfigError: If nothing is given.
        """
        given = (self.older_than, self.keep_newest, self.keep_best)
        if not self.failed and all(value is None for value in given):
            raise ConfigError(
                "Which runs may go must be said, got nothing. Give --failed, "
                "--older-than DAYS, --keep-newest N or --keep-best N."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to become of a run.

    Attributes:
        run: Which one.
        goes: Whether it is removed.
        reason: Why it stays, or what is left of it.
    """

    run: RunSummary
    goes: bool
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns the decision as plain data."""
        return {
            "id": self.run.name,
            "path": str(self.run.run.path),
            "goes": self.goes,
            "reason": self.reason,
            "num_bytes": self.run.num_bytes,
        }


def decide(
    runs: Sequence[RunSummary], config: PruneConfig, *, now: datetime
) -> list[Decision]:
    """Returns what is to become of each run; nothing is removed.

    Args:
        runs: The runs.
        config: Which may go.
        now: From when ages are counted.
    """
    kept = _kept(runs, config)
    return [_decide(one, config, kept, now) for one in runs]


def _decide(
    one: RunSummary, config: PruneConfig, kept: dict[Path, str], now: datetime
) -> Decision:
    reason = ""
    if one.state == "running":
        reason = "it is running"
    elif one.run.kind is None:
        reason = f"nobody can tell whose it is: {one.problem}"
    elif one.is_paid and not config.paid:
        reason = "language models or agents worked on it (--paid removes it, too)"
    elif config.failed and not one.has_failed:
        reason = "it has not failed"
    elif config.older_than is not None and not _is_older(one, config.older_than, now):
        reason = f"it is not older than {config.older_than:g} days"
    else:
        reason = kept.get(one.run.path, "")
    return Decision(run=one, goes=not reason, reason=reason)


def _is_older(one: RunSummary, days: float, now: datetime) -> bool:
    return now - one.made_at > timedelta(days=days)


def _kept(runs: Sequence[RunSummary], config: PruneConfig) -> dict[Path, str]:
    """Returns why runs stay that are the newest or best of their kind."""
    groups: dict[tuple[str | None, str], list[RunSummary]] = defaultdict(list)
    for one in runs:
        if not one.problem:
            groups[one.run.kind, one.figures.environment].append(one)
    kept: dict[Path, str] = {}
    for group in groups.values():
        newest = sorted(group, key=lambda one: one.made_at, reverse=True)
        best = sorted(newest, key=_goodness, reverse=True)
        for one in newest[: config.keep_newest or 0]:
            kept[one.run.path] = f"it is among the {config.keep_newest} newest"
        for one in best[: config.keep_best or 0]:
            kept[one.run.path] = f"it is among the {config.keep_best} best"
    return kept


def _goodness(one: RunSummary) -> tuple[float, float]:
    found = one.figures
    return (
        -1.0 if found.held_out is None else found.held_out,
        -1.0 if found.score is None else found.score,
    )


def remove(one: RunSummary) -> Decision:
    """Removes the files of a run, and its folders as far as they are empty then.

    Files that no command of ours writes stay, and so does the folder with them.

    Raises:
        ConfigError: If a file cannot be removed.
    """
    try:
        with held(one.run):
            own, other = own_files(one.run)
            own.sort(key=lambda path: path.name in _LAST)
            for path in own:
                path.unlink()
    except RunInUse:
        return Decision(run=one, goes=False, reason="it is running")
    except OSError as error:
        raise ConfigError(f"{str(one.run.path)!r} cannot be removed: {error}.") from (
            error
        )
    if one.run.path.is_dir():
        _remove_empty(one.run.path)
    reason = ""
    if other:
        verb = "stays" if len(other) == 1 else "stay"
        reason = f"{counted(len(other), 'file')} {verb} that no command of ours writes"
    return Decision(run=one, goes=True, reason=reason)


def _remove_empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            _remove_empty(child)
    with suppress(OSError):
        folder.rmdir()
