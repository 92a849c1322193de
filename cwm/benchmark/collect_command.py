"""`python -m cwm.benchmark collect`: makes the data of a suite's tasks."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, TextIO

import tyro
from rich.console import Console
from rich.table import Table

from cwm.arguments import parse
from cwm.benchmark.plan import chosen
from cwm.benchmark.words import listed, seeds_in, suite_first
from cwm.cli import EXIT_DONE, EXIT_FAILED
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import ConfigError
from cwm.core.trajectories import SPLIT_TITLES, SPLITS, Split, Trajectory
from cwm.execution.isolated_jobs import Ended, Isolated, Note
from cwm.execution.options import shown_as
from cwm.execution.progress import Progress, Status
from cwm.report.live import make_progress
from cwm.suites.benchmark_task import BenchmarkTask, quick
from cwm.suites.data_hashes import (
    DataHash,
    decided_by,
    differences,
    read_hashes,
    write_hashes,
)
from cwm.suites.data_sets import (
    DataSummary,
    deciding_versions,
    summarise,
    task_data,
)
from cwm.suites.tasks import SUITES, tasks

DESCRIPTION = f"""\
Makes the data of a suite: training, validation, held-out and planner-visited
trajectories of each task, and a file of their digests beside them.

  python -m cwm.benchmark collect cwmb-r
  python -m cwm.benchmark collect cwmb-r --envs CartPole,Taxi --quick
  python -m cwm.benchmark collect cwmb-r --check cwm/suites/hashes/cwmb-r.json

Suites: {", ".join(SUITES)}. Data that are there are taken as they are. With --check,
digests are compared with those of a file. They are the same for the same seeds,
versions of packages (MuJoCo, NumPy) and arithmetic of the machine; the file has these.

Exit codes: 0 done, 1 some data could not be made or differ, 2 usage, 130 interrupted.
"""

NUM_WORKERS = 2
HASHES_FILE = "hashes.json"
FILE_WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        suite: Name of the suite; --suite NAME does as well.
        envs: Names of tasks, with commas between them; all if not given.
        seeds: Seeds, with commas between them. Of cwmb-s each seed draws constants of
            its own.
        out: Folder of the data; data/SUITE if not given.
        quick: Little data of each task: to try things out.
        workers: Data sets at a time, each in a process of its own.
        check: File of digests that the data must have.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    suite: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SUITE")] = (
        "cwmb-r"
    )
    envs: Annotated[str | None, shown_as("NAME,NAME,...")] = None
    seeds: Annotated[str, shown_as("INT,INT,...")] = "0"
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    quick: bool = False
    workers: int = NUM_WORKERS
    check: Annotated[Path | None, shown_as("FILE")] = None
    json: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataJob:
    """A data set to make.

    Attributes:
        suite: Name of the suite.
        task: Name of the task.
        seed: Seed of the data, and of the task's constants if it has any.
        quick: Whether little data are wanted.
        folder: Where it goes.
    """

    suite: str
    task: str
    seed: int
    quick: bool
    folder: Path

    def benchmark_task(self) -> BenchmarkTask:
        """Returns the task."""
        (task,) = [t for t in tasks(self.suite, self.seed) if t.name == self.task]
        return quick(task) if self.quick else task

    @property
    def messages(self) -> Path:
        """The file that what it prints goes to."""
        return (
            self.folder / "messages" / f"{self.benchmark_task().slug}-{self.seed}.txt"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeData:
    """A data set that was made, or was there.

    Attributes:
        path: The file.
        summary: What is in it.
        decided_by: What decides its digest beside its seed.
        seconds: How long it took.
    """

    path: Path
    summary: DataSummary
    decided_by: dict[str, str]
    seconds: float


def collect_suite(words: list[str]) -> int:
    """Makes the data, shows the table and returns the exit code.

    Raises:
        CwmError: If an option is wrong or a file cannot be read or written.
    """
    arguments = parse(
        Arguments,
        suite_first(words),
        command="benchmark collect",
        text=DESCRIPTION,
    )
    jobs = jobs_of(arguments)
    expected: tuple[DataHash, ...] = ()
    if arguments.check is not None:
        expected = read_hashes(arguments.check, arguments.suite)
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),
    ):
        ended = make_all(jobs, arguments.workers, progress)
    hashes = [_hash(one.job, one.result) for one in ended if one.result is not None]
    wrong: tuple[str, ...] = ()
    if arguments.check is not None:
        wrong = differences(hashes, expected)
    if arguments.json:
        sys.stdout.write(json.dumps(_to_json(ended, wrong), indent=2) + "\n")
    else:
        _show(arguments, ended, wrong, sys.stdout)
    is_whole = len(hashes) == len(jobs)
    return EXIT_DONE if is_whole and not wrong else EXIT_FAILED


def jobs_of(arguments: Arguments) -> list[DataJob]:
    """Returns the data sets that are asked for.

    Raises:
        ConfigError: If an option breaks its rule.
    """
    if arguments.workers < 1:
        raise ConfigError(f"workers must be at least 1, got {arguments.workers}.")
    known = tuple(task.name for task in tasks(arguments.suite, 0))
    words = () if arguments.envs is None else listed(arguments.envs, "--envs")
    names = chosen(known, words)
    folder = arguments.out or Path("data") / arguments.suite
    return [
        DataJob(
            suite=arguments.suite,
            task=name,
            seed=seed,
            quick=arguments.quick,
            folder=folder,
        )
        for name in names
        for seed in seeds_in(arguments.seeds)
    ]


def make_all(
    jobs: Sequence[DataJob], num_workers: int, progress: Progress
) -> list[Ended[DataJob, MadeData]]:
    """Returns how all data sets ended, in the order of the jobs.

    Their digests are written as they come.
    """
    isolated = Isolated(
        function=make,
        num_workers=num_workers,
        messages=lambda job: job.messages,
        on_note=lambda job, text: progress.phase(
            f"{job.task}, seed {job.seed}: {text}"
        ),
    )
    progress.phase(f"Making {len(jobs)} data sets")
    ended: dict[DataJob, Ended[DataJob, MadeData]] = {}
    for one in isolated.run(jobs):
        ended[one.job] = one
        if one.result is not None:
            new = _hash(one.job, one.result)
            write_hashes(one.job.folder / HASHES_FILE, one.job.suite, [new])
        what = one.failure if one.result is None else f"{one.result.seconds:.0f} s"
        progress.event(f"{one.job.task}, seed {one.job.seed}: {what}")
        progress.update(Status(completed=len(ended), total=len(jobs), unit="data sets"))
    return [ended[job] for job in jobs]


def make(job: DataJob, note: Note) -> MadeData:
    """Returns a data set, made now if it is not there.

    Args:
        job: Which one.
        note: Is told of each split that is begun.

    Raises:
        CwmError: If it cannot be made.
    """
    start = perf_counter()
    begun: set[Split] = set()

    def report(split: Split, trajectory: Trajectory) -> None:
        if split not in begun:
            begun.add(split)
            note(f"{SPLIT_TITLES[split]} trajectories")

    path = task_data(job.benchmark_task(), job.seed, job.folder, report)
    return MadeData(
        path=path,
        summary=summarise(path),
        decided_by=decided_by(deciding_versions(), load_dataset(path).collection),
        seconds=perf_counter() - start,
    )


def _hash(job: DataJob, made: MadeData) -> DataHash:
    return DataHash(
        task=job.task,
        seed=job.seed,
        quick=job.quick,
        digest=made.summary.digest,
        num_transitions=made.summary.num_transitions,
        decided_by=made.decided_by,
    )


def _to_json(
    ended: Sequence[Ended[DataJob, MadeData]], wrong: Sequence[str]
) -> dict[str, Any]:
    rows = []
    for one in ended:
        row: dict[str, Any] = {"task": one.job.task, "seed": one.job.seed}
        if one.result is None:
            rows.append(row | {"failure": one.failure})
        else:
            made = one.result
            rows.append(
                row
                | asdict(made.summary)
                | {"file": str(made.path), "seconds": round(made.seconds, 3)}
            )
    return {"data_sets": rows, "differences": list(wrong)}


def _show(
    arguments: Arguments,
    ended: Sequence[Ended[DataJob, MadeData]],
    wrong: Sequence[str],
    stream: TextIO,
) -> None:
    console = Console(file=stream, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    table = Table(title=f"{arguments.suite}: data", title_justify="left")
    table.add_column("task")
    names = [SPLIT_TITLES[split] for split in SPLITS]
    for name in ("seed", *names, "returns", "digest", "s"):
        table.add_column(name, justify="left" if name == "digest" else "right")
    for one in ended:
        table.add_row(one.job.task, str(one.job.seed), *_cells(one))
    console.print(table)
    console.print(
        f"Transitions by split; returns of training and validation. Written to "
        f"{ended[0].job.folder}"
    )
    for one in ended:
        if one.result is None:
            console.print(
                f"{one.job.task}, seed {one.job.seed}: {one.failure}", markup=False
            )
    if arguments.check is not None:
        for line in wrong:
            console.print(line, markup=False)
        number = sum(one.result is not None for one in ended)
        console.print(
            f"Compared with {arguments.check}: {number - len(wrong)} of {number} "
            "digests are the same."
        )


def _cells(one: Ended[DataJob, MadeData]) -> list[str]:
    if one.result is None:
        return ["-"] * len(SPLITS) + ["-", "failed", "-"]
    made = one.result.summary
    return [
        *(f"{made.num_transitions[split]:,}" for split in SPLITS),
        f"{made.lowest_return:.4g} .. {made.highest_return:.4g}",
        made.digest[:12],
        f"{one.result.seconds:.0f}",
    ]
