"""The processes of a worker: they end together, and leave nothing behind."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox import namespaces
from sandbox.isolation import LAYERS, Layer
from sandbox.limits import Limits
from sandbox.pool import Sandbox

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
    worker = sandbox._idle[-1]
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
