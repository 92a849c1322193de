"""Cells on the nodes of a Ray cluster, into a folder that all nodes share.

A cell writes its folder itself and goes on where it was, so that one whose node is
lost is begun again on another node and loses nothing that was paid for. That needs a
file system that all nodes have at the same place; a node without it is not used.
"""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cwm.benchmark.cells import run_cell
from cwm.benchmark.plan import Cell
from cwm.core.errors import ClusterError, CwmError
from cwm.core.files import write_atomically
from cwm.evaluation.cell_results import CellResult
from cwm.execution.crew import OnNote, Work, as_they_end
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.isolated_jobs import Ended
from cwm.execution.locks import locked
from cwm.execution.progress import Progress

PROBE = ".cluster"
"""File by which a node shows that it has the folder."""


@dataclass(frozen=True, kw_only=True)
class ClusterCells:
    """How cells are run on a cluster.

    Attributes:
        execution: Which cluster.
        folders: Folders that the cells write, absolute.
        num_workers: Cells at a time at most; `None` for one on each processor.
        max_seconds: After so many a cell is ended; `None` for never.
        on_note: Is told where a cell stands.
        nodes: File for what the nodes are like.
    """

    execution: ExecutorConfig
    folders: tuple[Path, ...]
    num_workers: int | None
    max_seconds: float | None
    on_note: Callable[[Cell, str], None]
    nodes: Path

    def run(
        self, cells: Sequence[Cell], progress: Progress
    ) -> Iterator[Ended[Cell, CellResult]]:
        """Yields the cells as they end.

        Raises:
            ClusterError: If the cluster is lost, or no node of it may be used.
            ConfigError: If there is no cluster.
            PrerequisiteError: If Ray is not installed.
        """
        if not cells:
            return
        # Only who asks for a cluster needs the package.
        from cwm.execution.ray.cluster import connected  # noqa: PLC0415
        from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415
        from cwm.execution.ray.workers import ray_crew  # noqa: PLC0415

        run = cells[0].config.run
        work: Work[None, Cell, bytes] = Work(
            open=open_cells, settings=None, is_fresh=True
        )
        with probe_files(self.folders) as shared:
            rules = NodeRules(
                require=run.isolation, capabilities=run.capabilities, shared=shared
            )
            with connected(
                self.execution.ray_address, rules, on_event=progress.event
            ) as cluster:
                crew = ray_crew(
                    cluster,
                    work,
                    max_workers=self.num_workers,
                    on_event=progress.event,
                )
                try:
                    for cell, future in as_they_end(
                        crew, cells, on_note=self.on_note, max_seconds=self.max_seconds
                    ):
                        if crew.error is not None:
                            raise crew.error
                        yield _ended(cell, future.exception(), future)
                finally:
                    crew.close()
                    found = [report.to_json() for report in cluster.reports]
                    write_atomically(self.nodes, json.dumps(found, indent=2) + "\n")


def _ended(cell: Cell, error: BaseException | None, future: Any) -> Any:
    if error is None:
        result = CellResult.from_json(json.loads(future.result()))
        return Ended(job=cell, result=result)
    if not isinstance(error, CwmError):
        raise error
    return Ended(job=cell, result=None, failure=str(error))


@contextmanager
def probe_files(folders: Sequence[Path]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yields files in folders, with their content; they are removed afterwards.

    Raises:
        ClusterError: If a folder cannot be written.
    """
    content = secrets.token_hex(8)
    paths = [folder / PROBE for folder in folders]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ClusterError(f"A shared folder cannot be written: {error}.") from error
    try:
        yield tuple((str(path), content) for path in paths)
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


@contextmanager
def open_cells(settings: None) -> Iterator[Callable[[Cell, OnNote], bytes]]:
    """Yields who runs cells; what a worker does with `Work`."""
    yield run_here


def run_here(cell: Cell, note: OnNote) -> bytes:
    """Returns what came of a cell, as JSON; what it prints goes to its folder."""
    cell.folder.mkdir(parents=True, exist_ok=True)
    # Whoever was lost with this cell may not have ended yet.
    with locked(cell.folder / ".cell.lock"), _written_to(cell.messages):
        return json.dumps(run_cell(cell, note).to_json()).encode()


@contextmanager
def _written_to(path: Path) -> Iterator[None]:
    """Sends standard output and error to a file, of libraries and programs, too."""
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("ab") as file:
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)
