"""Workers that die or stop in the middle of a job, and callers that share them."""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.limits import Limits
from sandbox.outcome import AnyOutcome, Completed, Crashed
from sandbox.pool import Sandbox
from sandbox.worker import Worker
from tests.support.processes import descendants, is_alive

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="reads what runs from /proc"
)

DRIVER = "tests.support.echo_driver"
LIMITS = Limits(wall_s=2.0, memory_mib=128, grace_s=1.0)
HONEST = "def main(x):\n    return x"
SLOW = "import time\ndef main(x):\n    time.sleep(0.3)\n    return x"
PATIENCE_S = 30.0


@contextlib.contextmanager
def opened(**settings: Any) -> Iterator[Sandbox]:
    values: dict[str, Any] = {"limits": LIMITS, "policy": "off", **settings}
    with Sandbox(drivers=[DRIVER], **values) as sandbox:
        yield sandbox


def call(sandbox: Sandbox, source: str, item: Any = 7) -> AnyOutcome:
    return sandbox.run(source, [item], driver=DRIVER, reply=Any)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Waits until something is so; fails if it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never happened: {what}")
        threading.Event().wait(0.005)


def idle_processes(sandbox: Sandbox) -> list[int]:
    """Returns the processes of the one idle worker, from the outermost inwards."""
    worker = sandbox._workers.idle[-1]
    assert worker is not None
    return sorted({worker.pid} | descendants(worker.pid))


class Striker:
    """Signals a worker each time that it has been given a job.

    Args:
        monkeypatch: To be told of jobs.
        num_processes: How many processes an idle worker has.
        number: The signal.
        times: How many jobs in a row are struck.
        at: Which of the worker's own processes; 0 is the outermost.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        num_processes: int,
        *,
        number: int,
        times: int,
        at: int,
    ) -> None:
        self.struck: list[int] = []
        self._num_processes = num_processes
        self._number, self._times, self._at = number, times, at
        self._started: queue.SimpleQueue[int] = queue.SimpleQueue()
        start, started = Worker.start, self._started

        def start_and_tell(worker: Worker, *arguments: Any, **rest: Any) -> Any:
            run = start(worker, *arguments, **rest)
            started.put(worker.pid)
            return run

        monkeypatch.setattr(Worker, "start", start_and_tell)
        self._thread = threading.Thread(target=self._strike)
        self._thread.start()

    def _strike(self) -> None:
        for _ in range(self._times):
            worker = self._started.get(timeout=PATIENCE_S)
            wait_for(
                lambda pid=worker: len(descendants(pid)) >= self._num_processes,  # type: ignore[misc]
                "a candidate in its process",
            )
            target = sorted({worker} | descendants(worker))[self._at]
            os.kill(target, self._number)
            self.struck.append(worker)

    def join(self) -> None:
        self._thread.join()


@pytest.mark.parametrize("at", ["outermost", "innermost"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_job_whose_worker_was_struck_is_run_once_more(
    monkeypatch: pytest.MonkeyPatch, number: int, at: str
) -> None:
    with opened() as sandbox:
        own = idle_processes(sandbox)
        striker = Striker(
            monkeypatch,
            len(own),
            number=number,
            times=1,
            at=0 if at == "outermost" else len(own) - 1,
        )
        outcome = call(sandbox, SLOW)
        striker.join()
        assert outcome == Completed(messages=(7,))
        assert call(sandbox, HONEST, 8) == Completed(messages=(8,))
    wait_for(lambda: not any(map(is_alive, own)), "the end of the first worker")
    assert descendants(os.getpid()) & set(striker.struck) == set()


def test_candidate_that_two_workers_died_of_has_crashed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened() as sandbox:
        number = len(idle_processes(sandbox))
        striker = Striker(monkeypatch, number, number=signal.SIGKILL, times=2, at=0)
        outcome = call(sandbox, SLOW)
        striker.join()
        assert outcome == Crashed(exit_code=None)
        assert len(set(striker.struck)) == 2
        assert call(sandbox, HONEST) == Completed(messages=(7,))


def test_sandbox_whose_canary_dies_too_gives_no_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened() as sandbox:
        number = len(idle_processes(sandbox))
        start, jobs = Worker.start, []

        def start_and_die(worker: Worker, *arguments: Any, **rest: Any) -> Any:
            jobs.append(worker.pid)
            worker.kill()
            return start(worker, *arguments, **rest)

        with monkeypatch.context() as patch:
            patch.setattr(Worker, "start", start_and_die)
            with pytest.raises(SandboxUnavailable, match="No candidate was scored"):
                call(sandbox, HONEST)
        assert len(set(jobs)) == 3
        assert call(sandbox, HONEST) == Completed(messages=(7,))
        assert len(idle_processes(sandbox)) == number


MIXED: dict[str, tuple[str, str]] = {
    "honest": (HONEST, "completed"),
    "endless": ("def main(x):\n    while True: pass", "timed_out"),
    "greedy": ("def main(x): return bytearray(1 << 30)", "memory_exceeded"),
    "raising": ("def main(x): raise ValueError(x)", "raised"),
    "leaving": ("import os\ndef main(x): os._exit(0)", "crashed"),
    "lying": ("import os\ndef main(x): os.write(3, b'x' * 99)", "protocol_broken"),
    "patching": ("import builtins\nbuiltins.len = None\ndef main(x): return x", ""),
}


def test_eight_threads_with_good_and_bad_candidates_share_one_pool() -> None:
    limits = Limits(wall_s=0.5, memory_mib=128, grace_s=2.0)
    wrong: list[str] = []

    def work(number: int, sandbox: Sandbox) -> None:
        for turn in range(14):
            name = list(MIXED)[(number + turn) % len(MIXED)]
            source, kind = MIXED[name]
            found = call(sandbox, source, number)
            if kind and found.kind != kind:
                wrong.append(f"{name}: {found}")
            # Each thread must get its own answers, and nobody else's.
            answer = call(sandbox, HONEST, [number, turn])
            if answer != Completed(messages=([number, turn],)):
                wrong.append(f"honest after {name}: {answer}")

    with opened(limits=limits, num_workers=2) as sandbox:
        threads = [
            threading.Thread(target=work, args=(number, sandbox)) for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_workers_killed_at_random_never_make_a_wrong_verdict() -> None:
    is_over = threading.Event()

    with opened(num_workers=2) as sandbox:

        def disturb() -> None:
            while not is_over.wait(0.15):
                sandbox.kill_workers()

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            found = [call(sandbox, HONEST, number) for number in range(60)]
        finally:
            is_over.set()
            thread.join()
    assert found == [Completed(messages=(number,)) for number in range(60)]
