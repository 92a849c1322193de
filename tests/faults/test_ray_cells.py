"""Cells of a suite on a Ray cluster: their node is killed, another one goes on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cwm.benchmark.plan import ResultsFolder, SuiteConfig
from cwm.benchmark.suite import SuiteRun
from cwm.core.journal import comparable, read_journal
from cwm.evaluation.cell_results import ResultsFile
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.progress import SilentProgress, Status
from tests.support.ray_cluster import RayCluster, ray_cluster

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TASK = "CliffWalking-v1"


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Lets this process connect: a node has the address of its machine."""


class Moving(SilentProgress):
    """Gives the cluster another node, and takes the first, when a search is on."""

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster = cluster
        self._has_moved = False
        self.lines: list[str] = []

    def event(self, line: str) -> None:
        self.lines.append(line)

    def update(self, status: Status) -> None:
        if " calls" in status.activity and not self._has_moved:
            self._has_moved = True
            self._cluster.add_node(num_cpus=1)
            self._cluster.kill(1)


def the_suite(folder: Path) -> SuiteRun:
    return SuiteRun(
        config=SuiteConfig(suite="cwmb-r", is_quick=True),
        tasks=(TASK,),
        searches=("gif-mcts",),
        seeds=(0,),
        folder=ResultsFolder(folder),
    )


def journal(folder: Path) -> Any:
    path = folder / "cells" / TASK / "gif-mcts-0" / "journal.jsonl"
    return comparable(read_journal(path).records)


def test_a_cell_goes_on_where_it_was_on_a_node_that_joined_later(
    tmp_path: Path,
) -> None:
    here, there = the_suite(tmp_path / "here"), the_suite(tmp_path / "there")
    assert here.run(SilentProgress())
    with ray_cluster() as started:
        started.start_head()
        started.add_node(num_cpus=1)
        execution = ExecutorConfig(executor="ray", ray_address=started.address)
        progress = Moving(started)

        assert replace(there, execution=execution).run(progress), progress.lines

    assert any("is gone" in line for line in progress.lines), progress.lines
    first, second = (
        next(iter(ResultsFile(one.folder.results).read().values()))
        for one in (here, there)
    )
    assert (second.status, second.data) == (first.status, first.data)
    for name in ("held_out_strict", "calls"):
        assert second.figure(name) == first.figure(name)
    # The data are the same, but not where they lie.
    assert journal(there.folder.path)[1:] == journal(here.folder.path)[1:]
    nodes = json.loads(there.folder.nodes.read_text())
    assert [node["level"] for node in nodes if not node["refusal"]] == ["kernel"] * 2
    assert not list(there.folder.path.rglob(".cluster"))
