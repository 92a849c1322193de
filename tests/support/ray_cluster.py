"""A Ray cluster of several nodes on this machine, whose nodes can be killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.own_address import own_address

ROOT = Path(__file__).parents[2]

# Whether there is a token in the home of whoever runs the tests must not matter. This
# process is connected, too.
os.environ["RAY_AUTH_MODE"] = "disabled"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment() -> dict[str, str]:
    """What nodes and commands beside this process are started with."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return os.environ | {
        "PYTHONPATH": path,
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
        # A lost node is noticed in seconds.
        "RAY_health_check_initial_delay_ms": "1000",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_failure_threshold": "4",
    }


@dataclass
class RayCluster:
    """Nodes are processes that `ray start` has begun, each in a session of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{own_address()}:{self.port}"

    def start_head(self, num_cpus: int = 0) -> None:
        self._start(
            "--head",
            f"--port={self.port}",
            "--include-dashboard=false",
            f"--temp-dir={self.folder}",
            num_cpus=num_cpus,
        )

    def add_node(self, num_cpus: int = 1, *, python: str = sys.executable) -> None:
        """Starts a node."""
        words = (f"--address={self.address}",)
        self._start(*words, num_cpus=num_cpus, python=python)

    def kill(self, index: int) -> None:
        """Ends a node with all that runs on it, without a warning."""
        node = self.nodes[index]
        for pid in _session(node.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.kill()
        node.wait()

    def end(self) -> None:
        for index in reversed(range(len(self.nodes))):
            self.kill(index)

    def _start(self, *words: str, num_cpus: int, python: str = sys.executable) -> None:
        command = [
            python,
            "-c",
            "from ray.scripts.scripts import main; main()",
            "start",
            "--block",
            "--disable-usage-stats",
            f"--num-cpus={num_cpus}",
            "--object-store-memory=80000000",
            *words,
        ]
        path = self.folder.parent / f"{self.folder.name}-{len(self.nodes)}.log"
        with path.open("wb") as log:
            self.nodes.append(
                subprocess.Popen(
                    command,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
        # Two that start at a time take one name for their sockets.
        end = time.monotonic() + 90
        while b"Ray runtime started" not in path.read_bytes():
            assert time.monotonic() < end, path.read_text()
            time.sleep(0.1)


def _session(leader: int) -> list[int]:
    """Returns the processes of a session, and their children in others."""
    parents: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            rest = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)] = (int(rest[1]), int(rest[3]))
    found = {pid for pid, (_, session) in parents.items() if session == leader}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in parents.items() if parent in found}
        grown = not more <= found
        found |= more
    return sorted(found - {os.getpid()})


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Yields a cluster without nodes; all that were started are ended."""
    # Its sockets have names of at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="ry", dir="/tmp"))
    cluster = RayCluster(folder / "r")
    try:
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)
