"""Nodes and heads of a Ray cluster that are killed, and nodes that may not be used."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cwm import opening as sessions
from cwm.config import RunConfig, SourceConfig
from cwm.core.dataset_file import save_dataset
from cwm.core.errors import ClusterError, ConfigError
from cwm.core.journal import comparable, read_journal
from cwm.core.proposals import Completion, ProposalRequest
from cwm.execution.crew import Work
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.progress import SilentProgress
from cwm.execution.ray import cluster as clusters
from cwm.opening import new_session, reopened_session
from cwm.proposers.config import LanguageModelConfig
from cwm.synthesis.config import BudgetConfig
from tests.support.corridor import WalkingProposer, corridor_dataset
from tests.support.counted_work import Counting, open_counting
from tests.support.ray_cluster import RayCluster, ray_cluster
from tests.support.refusing_kernel import NO_SECCOMP, interpreter

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CALLS = 10


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Lets this process connect: a node has the address of its machine."""


class Watching(SilentProgress):
    """Does something when a call of a number has been told."""

    def __init__(self, number: int, react: Callable[[], None]) -> None:
        self._start = f"call {number:>3} "
        self._react = react
        self.lines: list[str] = []

    def event(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith(self._start):
            self._react()


class Counted(WalkingProposer):
    """Keeps which calls were answered."""

    def __init__(self) -> None:
        super().__init__(patience=100)
        self.calls: list[int] = []

    def propose(self, request: ProposalRequest) -> Completion:
        self.calls.append(request.call_index)
        return super().propose(request)


@pytest.fixture
def proposer(monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted()
    monkeypatch.setattr(sessions, "make_proposer", lambda config: found)
    return found


def settings(folder: Path) -> RunConfig:
    save_dataset(corridor_dataset(), folder / "corridor.npz")
    return RunConfig(
        source=SourceConfig(data=str(folder / "corridor.npz")),
        # Nobody is asked: the proposer is the tests' own.
        models=LanguageModelConfig(llm=("scripted:walk",)),
        budget=BudgetConfig(call_budget=CALLS),
    )


def undisturbed(folder: Path) -> Path:
    """Returns the run on this machine that all others must equal."""
    path = folder / "undisturbed"
    new_session(settings(folder), out=path, progress=SilentProgress()).run(
        SilentProgress()
    )
    return path


def same(one: Path, other: Path) -> None:
    """Asserts that two runs are one, times aside."""
    assert (one / "tree.json").read_text() == (other / "tree.json").read_text()
    first, second = (
        comparable(read_journal(path / "journal.jsonl").records)
        for path in (one, other)
    )
    assert first == second


def test_a_search_whose_node_is_killed_ends_as_if_nothing_had_been(
    tmp_path: Path, proposer: Counted
) -> None:
    expected = undisturbed(tmp_path)
    proposer.calls.clear()
    with ray_cluster() as started:
        started.start_head()
        started.add_node(num_cpus=1)
        started.add_node(num_cpus=1)
        execution = ExecutorConfig(executor="ray", ray_address=started.address)
        out = tmp_path / "run"
        watch = Watching(4, lambda: started.kill(1))
        new_session(
            settings(tmp_path),
            out=out,
            progress=SilentProgress(),
            execution=execution,
        ).run(watch)

        same(out, expected)
        assert proposer.calls == list(range(CALLS))
        assert any("is gone" in line for line in watch.lines), watch.lines
        environment = json.loads((out / "environment.json").read_text())
        assert environment["executor"] == "ray"
        # The head has no processors for workers, and says so.
        used = [node for node in environment["nodes"] if not node["refusal"]]
        assert [node["level"] for node in used] == ["kernel", "kernel"]


def test_a_search_whose_cluster_is_killed_resumes_on_another_one(
    tmp_path: Path, proposer: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "HEAD_S", 2.0)
    expected = undisturbed(tmp_path)
    proposer.calls.clear()
    config, out = settings(tmp_path), tmp_path / "run"
    with ray_cluster() as started:
        started.start_head(num_cpus=1)
        execution = ExecutorConfig(executor="ray", ray_address=started.address)
        run = new_session(
            config, out=out, progress=SilentProgress(), execution=execution
        )
        with pytest.raises(ClusterError, match="does not answer any more"):
            run.run(Watching(4, started.end))
    answered = list(proposer.calls)
    assert not (out / "result.json").exists()

    # Here, on a cluster of its own.
    reopened_session(config, out, execution=ExecutorConfig(executor="ray")).run(
        SilentProgress()
    )

    same(out, expected)
    # No answer that was there was asked for again.
    assert proposer.calls == list(range(CALLS))
    assert answered == proposer.calls[: len(answered)]


@pytest.fixture(scope="module")
def weak_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A cluster of a strong node and one whose kernel has no seccomp filters."""
    folder = tmp_path_factory.mktemp("weak")
    with ray_cluster() as started:
        started.start_head()
        started.add_node(num_cpus=1)
        python = str(interpreter(folder, NO_SECCOMP, ""))
        started.add_node(num_cpus=1, python=python)
        yield started


def test_a_node_below_the_level_is_not_used_and_says_why(
    weak_cluster: RayCluster,
) -> None:
    from cwm.execution.ray.cluster import connected  # noqa: PLC0415
    from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415

    lines: list[str] = []
    with connected(
        weak_cluster.address, NodeRules(require="kernel"), on_event=lines.append
    ) as cluster:
        assert list(cluster.usable().values()) == [1]
        weak = [one for one in cluster.reports if one.level == "partial"]

    assert len(weak) == 1
    assert weak[0].refusal.startswith("Isolation must be at least 'kernel', got ")
    assert "seccomp" in weak[0].refusal
    assert weak[0].line() in lines


def test_with_a_lower_level_all_nodes_are_used(weak_cluster: RayCluster) -> None:
    from cwm.execution.ray.cluster import connected  # noqa: PLC0415
    from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415

    rules = NodeRules(require="partial")
    with connected(weak_cluster.address, rules) as cluster:
        assert list(cluster.usable().values()) == [1, 1]


def test_nodes_without_the_shared_folder_are_no_nodes_for_cells(
    weak_cluster: RayCluster, tmp_path: Path
) -> None:
    from cwm.execution.ray.cluster import connected  # noqa: PLC0415
    from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415

    rules = NodeRules(
        require="none", shared=((str(tmp_path / "elsewhere" / "probe"), "1"),)
    )
    with (
        pytest.raises(ClusterError, match="is not the same folder there"),
        connected(weak_cluster.address, rules),
    ):
        pass


def test_a_piece_on_a_node_that_is_lost_is_done_on_another(
    weak_cluster: RayCluster, tmp_path: Path
) -> None:
    from cwm.execution.ray.cluster import connected  # noqa: PLC0415
    from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415
    from cwm.execution.ray.workers import ray_crew  # noqa: PLC0415

    work: Work[Counting, str, Any] = Work(
        open=open_counting, settings=Counting(folder=str(tmp_path))
    )
    events: list[str] = []
    with connected(weak_cluster.address, NodeRules(require="none")) as cluster:
        crew = ray_crew(cluster, work, on_event=events.append)
        try:
            futures = [crew.submit(f"wait {name}") for name in "ab"]
            _until(lambda: len(list(tmp_path.glob("begun-*"))) == 2)
            # The last test of this cluster.
            weak_cluster.kill(2)
            (tmp_path / "go").touch()
            assert [future.result() for future in futures] == ["a", "b"]
        finally:
            crew.close()
    assert len(list(tmp_path.glob("begun-*"))) == 3
    assert any("is gone" in event for event in events), events


def test_an_address_where_nothing_is_is_refused_at_once() -> None:
    from cwm.execution.ray.cluster import connected  # noqa: PLC0415
    from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415

    with (
        pytest.raises(ConfigError, match="nothing answers at "),
        connected("127.0.0.1:9", NodeRules()),
    ):
        pass


def _until(is_so: Callable[[], bool]) -> None:
    import time  # noqa: PLC0415

    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
