"""The processes of a worker: they end together, and leave nothing behind."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox import namespaces
from sandbox.isolation import LAYERS, Layer
from sandbox.job import Job
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from sandbox.worker import finish

DRIVER = "tests.support.echo_driver"
LIMITS = Limits(wall_s=5.0, memory_mib=64)
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="namespaces are those of Linux"
)


def make(layers: Sequence[Layer]) -> Sandbox:
    made = Sandbox(
        drivers=[DRIVER], limits=LIMITS, policy="off", layers=layers, require="none"
    )
    state = made.isolation.layers["namespaces"]
    if state.startswith("absent"):
        made.close()
        assert state != "absent: a probe got through"
        pytest.skip(f"namespaces cannot be had here: {state}")
    return made


def run(sandbox: Sandbox, text: str) -> Any:
    lines = "\n".join(f"    {line}" for line in text.strip().split("\n"))
    return sandbox.run(f"def main(x):\n{lines}", [1], driver=DRIVER, reply=Any)


def processes_of(sandbox: Sandbox) -> list[int]:
    """Returns the idle worker's processes: outside of the namespaces, inside, ..."""
    worker = sandbox._workers.idle[-1]
    assert worker is not None
    found = [worker.pid]
    for pid in found:
        path = Path(f"/proc/{pid}/task/{pid}/children")
        found += [int(word) for word in path.read_text().split()]
    return found


def wait_until_gone(pid: int) -> None:
    for _ in range(1_000):
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return
        if text.rsplit(")", 1)[1].split()[0] in "ZX":
            return
        threading.Event().wait(0.01)
    pytest.fail(f"process {pid} lives on")


@pytest.mark.parametrize("killed", [0, 1], ids=["outside", "inside"])
def test_neither_process_of_a_worker_outlives_the_other(killed: int) -> None:
    with make(LAYERS) as made:
        pids = processes_of(made)
        assert len(pids) == 2
        os.kill(pids[killed], signal.SIGKILL)
        for pid in pids:
            wait_until_gone(pid)
        assert run(made, "return 1").messages == (1,)


def test_closing_leaves_no_orphan_for_others_to_bury() -> None:
    with make(LAYERS) as made:
        pids = processes_of(made)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_daemons_end_with_their_job() -> None:
    text = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
os.wait()
return os.getppid()
"""
    with make(["drop_root", "namespaces"]) as made:
        before = processes_of(made)
        assert run(made, text).messages == (1,)
        assert processes_of(made) == before


def test_candidate_cannot_end_the_first_process() -> None:
    text = "import os\nos.kill(os.getppid(), 9)\nreturn os.getppid()"
    with make(["drop_root", "namespaces"]) as made:
        before = processes_of(made)
        assert run(made, text).messages == (1,)
        assert processes_of(made) == before


def test_only_the_first_process_kills_the_others() -> None:
    with pytest.raises(RuntimeError, match="only the first process"):
        namespaces.kill_all_others()


def test_memory_of_a_worker_belongs_to_root_alone() -> None:
    with make(LAYERS) as made:
        last = processes_of(made)[-1]
        assert Path(f"/proc/{last}/mem").stat().st_uid == 0
        if not IS_ROOT:
            with pytest.raises(PermissionError):
                os.listdir(f"/proc/{last}/fd")


class Late:
    """A clock that leaps by an hour once, while everything else goes on."""

    def __init__(self, reads_before: int) -> None:
        self.reads_left = reads_before

    def monotonic(self) -> float:
        self.reads_left -= 1
        if self.reads_left == 0:
            time.sleep(0.5)
        return time.monotonic() + (3_600 if self.reads_left <= 0 else 0)


@pytest.mark.parametrize("reads_before", range(1, 6))
def test_caller_that_slept_past_the_deadline_takes_what_has_come(
    reads_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, policy="off") as sandbox:
        worker = sandbox._workers.idle[-1]
        assert worker is not None
        one = Job.of(DRIVER, "def main(x):\n    return x", [1], LIMITS).start(worker)
        monkeypatch.setattr("sandbox.worker.time", Late(reads_before))
        finish([one])
        assert one.lost is None
        assert one.result.is_done
