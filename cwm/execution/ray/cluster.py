"""The connection to a Ray cluster: made, watched, and its nodes examined.

Covers: an address where nothing answers, nodes that come and go, a head that is gone.
Does not cover: Ray's client protocol (`ray://`): the command runs on a node.
"""

import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

from cwm.core.errors import ClusterError, ConfigError, PrerequisiteError
from cwm.execution.crew import ignore
from cwm.execution.ray.actors import Examiner
from cwm.execution.ray.nodes import NodeReport, NodeRules, own_versions

HEAD_S = 10.0
"""How long a head that does not answer is waited for."""

EXAMINE_S = 120.0
"""How long a node may take to say what it is like."""

CONNECT_S = 2.0
"""How long a port may take to answer."""

# Ray ends a process whose head is gone after a minute, with the answers that it waits
# for; ours notices by itself, keeps them, and ends. Ray's makers are told nothing.
_SETTINGS = {
    "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def import_ray() -> Any:
    """Returns the package.

    Raises:
        PrerequisiteError: If it is not installed.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # noqa: PLC0415
    except ImportError as error:
        raise PrerequisiteError(
            "--executor ray needs the package ray. Install it with: "
            "pip install 'code-world-models[ray]'"
        ) from error
    return ray


class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        is_lost: Whether its head is gone.
    """

    def __init__(
        self, ray: Any, rules: NodeRules, *, on_event: Callable[[str], None] = ignore
    ) -> None:
        """Takes over a connection.

        Args:
            ray: The package, connected.
            rules: What a node must have to be used.
            on_event: Is told what each node is like.
        """
        self.ray = ray
        self.is_lost = False
        self._rules = rules
        self._on_event = on_event
        self._reports: dict[str, NodeReport] = {}
        self._lock = threading.Lock()
        self._head = ray.get_runtime_context().gcs_address

    @property
    def reports(self) -> tuple[NodeReport, ...]:
        """What each node is like that was looked at, lost ones too."""
        return tuple(self._reports.values())

    def usable(self) -> dict[str, int]:
        """Returns the slots of each node that is alive and may be used.

        Nodes that were not seen before are examined.

        Raises:
            ClusterError: If the head does not answer.
        """
        with self._lock:
            alive = self.alive()
            self._examine([node for node in alive if node not in self._reports], alive)
            return {
                node: report.num_slots
                for node, report in self._reports.items()
                if node in alive and not report.refusal and report.num_slots
            }

    def alive(self) -> dict[str, int]:
        """Returns the nodes that are alive, each with its processors.

        Raises:
            ClusterError: If the head does not answer.
        """
        self.check_head()
        return {
            str(node["NodeID"]): int(node["Resources"].get("CPU", 0))
            for node in self.ray.nodes()
            if node["Alive"]
        }

    def check_head(self) -> None:
        """Waits for the head, if it does not answer at once.

        Raises:
            ClusterError: If it does not answer for `HEAD_S`.
        """
        end = monotonic() + HEAD_S
        while not _answers(self._head):
            if self.is_lost or monotonic() >= end:
                self.is_lost = True
                raise ClusterError(
                    f"The head of the Ray cluster, {self._head}, does not answer any "
                    "more. Start a cluster, and then the command again."
                )
            threading.Event().wait(0.5)

    def options(self, node: str, *, num_cpus: int) -> dict[str, Any]:
        """Returns how an actor is made on a node and nowhere else."""
        from ray.util.scheduling_strategies import (  # noqa: PLC0415
            NodeAffinitySchedulingStrategy,
        )

        where = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        return {
            "num_cpus": num_cpus,
            "scheduling_strategy": where,
            "max_restarts": 0,
            "max_task_retries": 0,
        }

    def _examine(self, nodes: list[str], alive: dict[str, int]) -> None:
        """Asks nodes at the same time what they are like."""
        make = self.ray.remote(Examiner)
        asked = []
        for node in nodes:
            actor = make.options(**self.options(node, num_cpus=0)).remote()
            asked.append((node, actor, actor.report.remote(self._rules)))
        for node, actor, answer in asked:
            report = self._report(node, alive[node], answer)
            self._reports[node] = report
            self._on_event(report.line())
            with suppress(Exception):
                self.ray.kill(actor)

    def _report(self, node: str, num_cpus: int, answer: Any) -> NodeReport:
        short = node[:8]
        try:
            level, versions, refusal = self.ray.get(answer, timeout=EXAMINE_S)
        except self.ray.exceptions.RayError as error:
            text = f"it cannot be examined: {_last_line(str(error))}"
            return NodeReport(node=short, num_slots=num_cpus, refusal=text)
        if not refusal and versions != own_versions():
            refusal = f"other versions there: {_differing(versions)}"
        if not refusal and num_cpus < 1:
            refusal = "it has no processors (ray start --num-cpus)"
        return NodeReport(
            node=short,
            num_slots=num_cpus,
            level=level,
            versions=versions,
            refusal=refusal,
        )


@contextmanager
def connected(
    address: str | None,
    rules: NodeRules,
    *,
    on_event: Callable[[str], None] = ignore,
) -> Iterator[Cluster]:
    """Yields a cluster, of which at least one node may be used.

    Args:
        address: Of its head, `host:port`; `auto` for the one that this machine is a
            node of; `None` for one of its own on this machine.
        rules: What a node must have to be used.
        on_event: Is told what each node is like, and which are lost.

    Raises:
        ClusterError: If no node may be used; it says why.
        ConfigError: If there is no cluster at the address.
        PrerequisiteError: If Ray is not installed.
    """
    ray = import_ray()
    is_ours = not ray.is_initialized()
    if is_ours:
        _connect(ray, address)
    try:
        cluster = Cluster(ray, rules, on_event=on_event)
        if not cluster.usable():
            lines = "\n".join(f"- {report.line()}" for report in cluster.reports)
            raise ClusterError(
                "At least one node of the Ray cluster must be as the run requires, "
                f"got none:\n{lines}\n`python -m sandbox doctor` there says what to do."
            )
        yield cluster
    finally:
        if is_ours:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    hint = "Start one with: ray start --head, or leave --ray-address out."
    plain = {"log_to_driver": False, "logging_level": "ERROR"}
    with warnings.catch_warnings():
        # Of its own future; whoever runs a search cannot change them.
        warnings.simplefilter("ignore")
        if address is None:
            num_cpus = len(os.sched_getaffinity(0))
            ray.init(
                address="local", num_cpus=num_cpus, include_dashboard=False, **plain
            )
            return
        if address != "auto" and not _answers(address):
            # Ray would wait for minutes.
            raise ConfigError(
                f"ray_address must be that of the head of a Ray cluster, and nothing "
                f"answers at {address!r}. {hint}"
            )
        try:
            ray.init(address=address, **plain)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"ray_address must be that of a Ray cluster of which this machine is "
                f"a node, got {address!r}: {reason_of(error)} {hint}"
            ) from error


def reason_of(error: Exception) -> str:
    """Returns why Ray does not connect, without what it says about its own options."""
    return _last_line(str(error)).partition("Please specify")[0].rstrip()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_S):
            return True
    except (OSError, ValueError):
        return False


def _differing(versions: tuple[tuple[str, str], ...]) -> str:
    ours = dict(own_versions())
    return ", ".join(
        f"{name} {value}, here {ours[name]}"
        for name, value in versions
        if ours.get(name) != value
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
