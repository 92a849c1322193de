"""Whose folder a run's is: each kind has a reader, or a command that shows it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from cwm.core.errors import ConfigError
from cwm.execution.run_folder import RunFolder
from cwm.pages.reading import Reader
from cwm.pages.runs import RunReader
from sandbox.isolation import Level

OTHER_RUNS = {
    "online.json": "a run of cwm.synthesize --online. Each of its rounds is a run of "
    "its own: python -m cwm.report {path}/round-1",
    "cells": "a run of a suite. Show it with: python -m cwm.benchmark report {path}",
}
"""Files that tell the folder of another command, and what to do with it."""


def _induction() -> Callable[..., Reader]:
    from cwm.pages.inductions import InductionReader  # noqa: PLC0415 - see below

    return InductionReader


def _policy() -> Callable[..., Reader]:
    from cwm.pages.policies import PolicyReader  # noqa: PLC0415 - see below

    return PolicyReader


def _knowledge() -> Callable[..., Reader]:
    from cwm.pages.knowledge import KnowledgeReader  # noqa: PLC0415 - see below

    return KnowledgeReader


_READERS: Mapping[str, Callable[[], Callable[..., Reader]]] = {
    "induction": _induction,
    "learner": _policy,
    "deciding": _knowledge,
}
"""A setting that only runs of a kind have, and who reads those. SciPy comes with them,
a second of which nobody else should wait for."""


def make_reader(
    path: Path,
    *,
    name: str,
    plans: tuple[Path, ...] = (),
    runs_program: bool = True,
    isolation: Level | None = None,
) -> Reader:
    """Returns who reads a run.

    Args:
        path: Its folder.
        name: What the page calls it.
        plans: Files and folders of `cwm.plan` besides what lies in the folder.
        runs_program: Whether the best program is run once more, if there is one.
        isolation: Weakest isolation that is acceptable for that; by default the run's.

    Raises:
        ConfigError: If there is no run, or one that no page can show.
    """
    if not path.is_dir():
        raise ConfigError(f"run must be the folder of a run, got {str(path)!r}.")
    folder = RunFolder(path)
    if folder.config.is_file() and not folder.dataset.is_file():
        settings = folder.read_json(folder.config)
        for key, reader in _READERS.items():
            if key in settings:
                return reader()(path=path, name=name, plans=plans)
        _refuse_others(path)
    elif not folder.config.is_file():
        _refuse_others(path)
    return RunReader(
        path=path,
        name=name,
        plans=plans,
        runs_program=runs_program,
        isolation=isolation,
    )


def _refuse_others(path: Path) -> None:
    """Refuses the folder of another command.

    Raises:
        ConfigError: If it is one.
    """
    for pattern, text in OTHER_RUNS.items():
        if any(path.glob(pattern)):
            raise ConfigError(f"{str(path)!r} is {text.format(path=path)}")
