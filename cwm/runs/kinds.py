"""Which command a folder is of, which files are its own, and whether it is in use."""

import fcntl
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cwm.core.errors import DataError
from cwm.execution.run_folder import RunFolder

RunKind: TypeAlias = Literal[
    "synthesize", "problem", "online", "induce", "ppo", "knowledge", "benchmark", "plan"
]
"""The command that made it; `problem` is a program with unit tests, `plan` one file."""

CONFIG, RESULT, JOURNAL, LOCK = "config.json", "result.json", "journal.jsonl", ".lock"
ONLINE_SETTINGS, ONLINE_RESULT = "online-settings.json", "online.json"

MARKERS = (CONFIG, JOURNAL, RESULT, ONLINE_SETTINGS, ONLINE_RESULT)
"""A folder with one of these is a run of ours, or what is left of one."""

_KEYS: Mapping[RunKind, str] = {
    "benchmark": "cells",
    "induce": "induction",
    "knowledge": "deciding",
    "ppo": "learner",
    "synthesize": "synthesis",
}
"""A setting that only runs of this kind have."""

_EVERY = ("config.json", "environment.json", "result.json", ".lock")
_SEARCH = ("journal.jsonl", "tree.json", "tree.graphml", "start.py", "tests.py")
_PROGRAM = ("world_model.py", "fast_model.py", "fast_model.json", "dataset.npz")
_CELL = ("metrics.json", "episodes.jsonl", "messages.txt")
_WORDS = (
    *("journal.jsonl", "hypotheses.json", "trajectories/*.json.gz"),
    *("policies/*.npz", "finetuned/*"),
)
_PAGE = "report.html"
AGENT_LOG = "mcp/log.jsonl"
"""What coding agents tried in a run (`cwm.mcp`)."""

_AGENT = (AGENT_LOG, "mcp/best.py", "mcp/messages.txt", "mcp/.lock")

FILES: Mapping[RunKind, tuple[str, ...]] = {
    "synthesize": (*_EVERY, *_SEARCH, *_PROGRAM, *_CELL, *_AGENT, _PAGE),
    "problem": (*_EVERY, *_SEARCH, *_CELL, "problem.json", "program.py"),
    "induce": (*_EVERY, *_WORDS, *_CELL, _PAGE),
    "ppo": (
        *(*_EVERY, _PAGE),
        *("checkpoint.safetensors", "log.jsonl", "probabilities.jsonl"),
    ),
    "knowledge": (
        *(*_EVERY, _PAGE, "experts.jsonl", "experts-*.jsonl"),
        *("seed-*/steps.json", "seed-*/*.jsonl", "seed-*/training/*.jsonl"),
        *("seed-*/models/**", "seed-*/base/**", "seed-*/played/*.jsonl"),
    ),
    "online": (
        *("online.json", "online-settings.json", "world_model.py", "data-*.npz"),
        *("fast_model.py", "fast_model.json", "round-*/played.npz"),
        *(f"round-*/{name}" for name in (*_EVERY, *_SEARCH, *_PROGRAM, *_AGENT, _PAGE)),
    ),
    "benchmark": (
        *(*_EVERY, "results.jsonl", "versions.json", "nodes.json"),
        *("cells/**", "data/**", "references/**"),
    ),
    "plan": (),
}
"""What a run of each kind writes, as patterns; `**` is whatever lies below."""


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run on the disk.

    Attributes:
        path: Its folder; of kind `plan`, its file.
        kind: Its kind; `None` if that cannot be told.
        config: Its settings as they were read; empty where there are none.
        problem: Why it cannot be read; empty if it can.
    """

    path: Path
    kind: RunKind | None
    config: Mapping[str, Any]
    problem: str = ""

    @property
    def lock_files(self) -> tuple[Path, ...]:
        """Files that a process which writes the run holds a lock on."""
        if self.kind == "plan":
            return ()
        found = [self.path / JOURNAL, self.path / LOCK]
        if self.kind in ("online", None):
            found += sorted(self.path.glob(f"round-*/{JOURNAL}"))
        return tuple(file for file in found if file.is_file())


def find_run(path: Path) -> FoundRun | None:
    """Returns the run in a folder, or in a file of `cwm.plan`; `None` if none is there.

    A folder with files of ours that cannot be read is a run with a problem.
    """
    if path.is_file():
        return _find_plan(path)
    if not any((path / name).is_file() for name in MARKERS):
        return None
    if (path / ONLINE_SETTINGS).is_file():
        return _read(path, ONLINE_SETTINGS, "online")
    if not (path / CONFIG).is_file():
        return FoundRun(path, None, {}, problem=f"it has no {CONFIG}")
    kind: RunKind | None = "problem" if (path / "problem.json").is_file() else None
    return _read(path, CONFIG, kind)


def _read(path: Path, name: str, kind: RunKind | None) -> FoundRun:
    try:
        config = RunFolder(path).read_json(path / name)
    except DataError as error:
        return FoundRun(path, kind, {}, problem=str(error).rstrip("."))
    if kind is None:
        kind = next((k for k, key in _KEYS.items() if key in config), None)
    problem = "" if kind else f"{name} is of no command that is known"
    return FoundRun(path, kind, config, problem=problem)


def _find_plan(path: Path) -> FoundRun | None:
    if path.suffix != ".json":
        return None
    try:
        data = RunFolder(path.parent).read_json(path)
    except DataError:
        return None
    if not {"environment", "rows", "tolerances_from", "success"} <= set(data):
        return None
    return FoundRun(path, "plan", {})


def find_runs(folder: Path) -> Iterator[FoundRun]:
    """Yields the runs that lie in a folder, by name; the folder itself if it is one.

    Links are not followed: what they point to is listed where it lies.

    Raises:
        DataError: If there is no such folder, or it cannot be read.
    """
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{str(folder)!r} cannot be read: {error}.") from error
    own = find_run(folder)
    if own is not None:
        yield own
        return
    for child in children:
        found = None if child.is_symlink() else find_run(child)
        if found is not None:
            yield found


def is_running(run: FoundRun) -> bool:
    """Returns whether a process holds the run."""
    try:
        with held(run):
            return False
    except RunInUse:
        return True


class RunInUse(Exception):  # noqa: N818 - an event, not a fault
    """Another process holds a run."""


@contextmanager
def held(run: FoundRun) -> Iterator[None]:
    """Keeps other processes from the run meanwhile.

    Raises:
        RunInUse: If one has it.
    """
    with ExitStack() as stack:
        for path in run.lock_files:
            file = stack.enter_context(path.open("rb"))
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunInUse(str(path)) from error
        yield


def own_files(run: FoundRun) -> tuple[list[Path], list[Path]]:
    """Returns the files that the run wrote, and those that lie beside them.

    Links count as files, and what they point to is not looked at.
    """
    if run.kind == "plan":
        return [run.path], []
    patterns = [_regex(pattern) for pattern in FILES[run.kind]] if run.kind else []
    own: list[Path] = []
    other: list[Path] = []
    for path in _files_below(run.path):
        name = path.relative_to(run.path).as_posix()
        is_own = any(pattern.fullmatch(name) for pattern in patterns)
        (own if is_own else other).append(path)
    return own, other


def _files_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _files_below(path)
        else:
            yield path


def _regex(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*\*", ".+").replace(r"\*", "[^/]*")
    return re.compile(text)
