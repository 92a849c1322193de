"""Runs that are begun, gone on with, or taken from their folder if they are there."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from cwm.config import RunConfig, config_to_json, load_config
from cwm.core.dataset_file import load_dataset, save_dataset
from cwm.core.errors import ConfigError
from cwm.core.proposals import Proposer
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.progress import Progress
from cwm.execution.provenance import environment_report
from cwm.execution.run_folder import RunFolder, create_run_folder, open_run_folder
from cwm.programs.residual.writing import law_of
from cwm.programs.unit_tests import load_unit_tests
from cwm.proposers.starting import StartingFrom
from cwm.report.quotes import Quote
from cwm.scoring import make_task
from cwm.session import Session, check_spaces, make_proposer
from cwm.sources import Source, environment_of, obtain, read_text

RUNS = Path("runs")
"""Where runs go that are given no folder."""


def make_quote(config: RunConfig, *, progress: Progress) -> Quote:
    """Returns what a run would cost; nothing is asked, and no folder is made.

    Raises:
        ConfigError: If a setting is wrong.
        DataError: If a file cannot be read.
        PrerequisiteError: If a package that is needed is missing.
    """
    config.source.check()
    proposer = make_proposer(config)
    source = obtain(config.source, seed=config.seed, progress=progress)
    check_spaces(config, source.dataset)
    task = make_task(source.dataset, config.capabilities)
    expected, highest = proposer.expected_usage(task)
    return Quote(
        proposer=proposer.name,
        limits=config.budget.limits(),
        expected=expected,
        highest=highest,
    )


def new_session(
    config: RunConfig,
    *,
    out: Path | None,
    progress: Progress,
    execution: ExecutorConfig | None = None,
) -> Session:
    """Returns a run that has not begun: its folder with settings and transitions.

    Args:
        config: Its settings.
        out: Its folder; `None` for a new one.
        progress: Is told of the collecting.
        execution: Where its programs are run; on this machine if not given.

    Raises:
        ConfigError: If a setting is wrong or the folder cannot be written.
        DataError: If a file cannot be read.
        PrerequisiteError: If a package that is needed is missing.
    """
    start = perf_counter()
    config.source.check()
    # What can be wrong with the settings is said before the work, not after it.
    tests = None
    if config.tests is not None:
        load_unit_tests(config.tests)
        tests = read_text(config.tests)
    start_program = None
    if config.start_from is not None:
        start_program = read_text(config.start_from)
        if config.correcting.mode == "sparse":
            # The law is what is improved; its residual is learned anew.
            start_program = law_of(start_program)
    proposer = _begun(make_proposer(config), start_program)
    name = config.source.env or Path(str(config.source.data)).stem
    had_folder = out is not None and out.exists()
    folder = create_run_folder(
        name, out=out, runs=RUNS, today=datetime.now().astimezone().date()
    )
    try:
        source = obtain(config.source, seed=config.seed, progress=progress)
        check_spaces(config, source.dataset)
    except BaseException:
        if not had_folder:
            folder.path.rmdir()  # A run that never began leaves nothing behind.
        raise
    save_dataset(source.dataset, folder.dataset)
    if tests is not None:
        folder.write_text(folder.tests, tests)
    if start_program is not None:
        folder.write_text(folder.start, start_program)
    folder.write_json(folder.environment, environment_report())
    folder.write_json(folder.config, config_to_json(config))
    return Session(
        folder=folder,
        config=config,
        source=source,
        proposer=proposer,
        tests=tests,
        start=start,
        execution=execution or ExecutorConfig(),
    )


def _begun(proposer: Proposer, source: str | None) -> Proposer:
    return proposer if source is None else StartingFrom(proposer, source)


def reopened_session(
    config: RunConfig, path: Path, *, execution: ExecutorConfig | None = None
) -> Session:
    """Returns a run that has begun.

    Args:
        config: The run's settings, with the call budget that it now has.
        path: The run's folder.
        execution: Where its programs are run; on this machine if not given.

    Raises:
        ConfigError: If there is no run in `path`.
        DataError: If its files cannot be read.
    """
    start = perf_counter()
    folder = open_run_folder(path)
    dataset = load_dataset(folder.dataset)
    tests = read_text(folder.tests) if folder.tests.exists() else None
    start_program = read_text(folder.start) if folder.start.exists() else None
    source = Source(dataset=dataset, spec=environment_of(dataset))
    return Session(
        folder=folder,
        config=config,
        source=source,
        proposer=_begun(make_proposer(config), start_program),
        tests=tests,
        start=start,
        execution=execution or ExecutorConfig(),
    )


def result_in(path: Path, config: RunConfig, progress: Progress) -> dict[str, Any]:
    """Returns the result of the run in a folder, made or continued if need be.

    Raises:
        ConfigError: If the folder holds a run with other settings, or one is wrong.
        CwmError: If the run failed; called again, it goes on.
    """
    folder = RunFolder(path)
    if folder.config.exists():
        if not _is_same(folder.read_json(folder.config), config_to_json(config)):
            raise ConfigError(
                "out must hold runs with the settings given now, got "
                f"{str(path)!r} with others. Name another folder, or remove that run."
            )
        if folder.result.exists():
            return folder.read_json(folder.result)
        # The folder may have been moved since; its journal names the old place.
        known = load_config(folder.config, RunConfig()).source
        session = reopened_session(replace(config, source=known), path)
    else:
        session = new_session(config, out=path, progress=progress)
    return session.run(progress).to_json()


def _is_same(recorded: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether settings are equal, wherever the file of transitions lies."""
    for settings in (recorded, given):
        source = settings["source"]
        source["data"] = source["data"] and Path(source["data"]).name
    return recorded == given
