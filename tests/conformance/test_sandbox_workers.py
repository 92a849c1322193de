"""What the sandbox must do with its workers: share, replace and end them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.outcome import AnyOutcome, Completed
from sandbox.pool import Sandbox
from tests.support.echoing import DRIVER, HONEST, LIMITS, call

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)


def test_worker_that_died_is_replaced_unnoticed() -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, num_workers=2) as made:
        made.kill_workers()
        assert call(made, HONEST, 1) == Completed(messages=(1,))
        made.kill_workers()
        assert call(made, HONEST, 2) == Completed(messages=(2,))


def test_dead_sandbox_is_not_a_wrong_program(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS) as made:
        made.kill_workers()
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(SandboxUnavailable, match="No candidate was scored"):
            call(made, HONEST, 1)


def test_driver_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(SandboxUnavailable, match="no_such_driver"):
        Sandbox(drivers=["no_such_driver"])


def test_many_threads_share_one_pool() -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, num_workers=2) as made:
        found: dict[int, AnyOutcome] = {}

        def work(number: int) -> None:
            found[number] = call(made, HONEST, number)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {i: Completed(messages=(i,)) for i in range(8)}


def call_all(sandbox: Sandbox, source: str, *requests: list[Any]) -> list[AnyOutcome]:
    limits = [None] * len(requests)
    return sandbox.run_all(source, requests, driver=DRIVER, reply=Any, limits=limits)


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_several_requests_are_answered_in_their_order(num_workers: int) -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, num_workers=num_workers) as made:
        outcomes = call_all(made, HONEST, [1, 2], [3], [4])
        assert outcomes == [
            Completed(messages=(1, 2)),
            Completed(messages=(3,)),
            Completed(messages=(4,)),
        ]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_several_requests_end_with_the_first_that_fails(num_workers: int) -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, num_workers=num_workers) as made:
        outcomes = call_all(made, "def main(x):\n    return 1 // x", [1], [0], [1])
        assert [outcome.kind for outcome in outcomes] == ["completed", "raised"]
        assert call(made, HONEST, 7) == Completed(messages=(7,))


def test_several_requests_share_no_process() -> None:
    source = "seen = []\ndef main(x):\n    seen.append(x)\n    return seen"
    with Sandbox(drivers=[DRIVER], limits=LIMITS, num_workers=2) as made:
        outcomes = call_all(made, source, [1], [2])
    assert outcomes == [Completed(messages=([1],)), Completed(messages=([2],))]


def test_run_beside_a_slow_one_is_not_kept_waiting_for_its_output() -> None:
    # Its output fills the socket; somebody must read it while the other one sleeps.
    source = "import time\ndef main(x):\n    time.sleep(x)\n    return bytes(1 << 19)"
    with Sandbox(drivers=[DRIVER], limits=LIMITS, num_workers=2) as made:
        slow, fast = call_all(made, source, [0.4], [0.0, 0.0])
    assert slow.kind == fast.kind == "completed"
    assert fast.usage.wall_s < slow.usage.wall_s / 2


def test_workers_that_died_between_several_requests_are_replaced() -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, num_workers=2) as made:
        assert len(call_all(made, HONEST, [1], [2])) == 2
        made.kill_workers()
        outcomes = call_all(made, HONEST, [1], [2])
    assert outcomes == [Completed(messages=(1,)), Completed(messages=(2,))]


def test_many_threads_with_several_requests_share_one_pool() -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, num_workers=2) as made:
        found: dict[int, list[AnyOutcome]] = {}

        def work(number: int) -> None:
            found[number] = call_all(made, HONEST, [number], [-number])

        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {
        i: [Completed(messages=(i,)), Completed(messages=(-i,))] for i in range(6)
    }


def test_nothing_is_left_when_a_sandbox_is_closed() -> None:
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with Sandbox(drivers=[DRIVER], limits=LIMITS) as made:
            assert call(made, HONEST, 1).kind == "completed"
    assert set(os.listdir("/proc/self/fd")) == before
    with pytest.raises(SandboxUnavailable, match="closed"):
        call(made, HONEST, 1)


def test_worker_ends_with_the_process_that_started_it() -> None:
    script = (
        "import sys, os; sys.path.insert(0, sys.argv[1])\n"
        "from sandbox.pool import Sandbox\n"
        "made = Sandbox(drivers=['tests.support.echo_driver'])\n"
        "print(made._workers.idle[-1].pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == -signal.SIGKILL
    path = Path(f"/proc/{int(done.stdout)}/stat")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not path.exists() or path.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        threading.Event().wait(0.01)
    pytest.fail("the worker outlived its caller")
