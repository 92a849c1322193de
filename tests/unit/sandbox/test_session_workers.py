"""Sessions and the workers that hold them: shared, lost, replaced, closed."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.outcome import Answer, Completed, SessionEnded, TimedOut
from sandbox.pool import Sandbox
from tests.support.asking import ASKING, ECHO, LIMITS, is_usable, open_session
from tests.support.echoing import HONEST, body

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(drivers=[ASKING, ECHO], limits=LIMITS, policy="off") as made:
        yield made


def test_sessions_of_one_thread_never_wait_for_each_other(sandbox: Sandbox) -> None:
    with open_session(sandbox, HONEST) as session:
        with pytest.raises(RuntimeError, match=r"hold all 1 workers\. Close one, or"):
            open_session(sandbox, HONEST)
        with pytest.raises(RuntimeError, match="hold all 1 workers"):
            is_usable(sandbox)
        assert session.ask(1) == Completed(messages=(1,))
    assert is_usable(sandbox)


def test_sessions_hold_a_worker_each() -> None:
    with Sandbox(drivers=[ASKING, ECHO], limits=LIMITS, num_workers=3) as made:
        first, second = open_session(made, HONEST), open_session(made, HONEST)
        for number in range(3):
            assert first.ask(number) == Completed(messages=(number,))
            assert second.ask(-number) == Completed(messages=(-number,))
        assert is_usable(made)
        first.close()
        second.close()
        assert is_usable(made)


def test_session_waits_for_one_of_another_thread(sandbox: Sandbox) -> None:
    answers: list[Answer[Any]] = []

    def work() -> None:
        with open_session(sandbox, HONEST) as session:
            answers.append(session.ask(2))

    with open_session(sandbox, HONEST) as session:
        thread = threading.Thread(target=work)
        thread.start()
        assert session.ask(1) == Completed(messages=(1,))
    thread.join()
    assert answers == [Completed(messages=(2,))]


def test_session_ends_with_its_sandbox() -> None:
    with Sandbox(drivers=[ASKING], limits=LIMITS) as made:
        session = open_session(made, HONEST)
        assert session.ask(1) == Completed(messages=(1,))
    answer = session.ask(1)
    assert answer == SessionEnded(reason="its sandbox was closed")
    assert answer.feedback() == "The session is over: its sandbox was closed."
    with pytest.raises(SandboxUnavailable, match="closed"):
        open_session(made, HONEST)


def test_sandbox_that_closes_does_not_wait_for_an_answer() -> None:
    made = Sandbox(drivers=[ASKING], limits=LIMITS)
    session = open_session(made, body("import time\ntime.sleep(1000)"))
    answers: list[Answer[Any]] = []
    thread = threading.Thread(
        target=lambda: answers.append(session.ask(1, deadline_s=900.0))
    )
    thread.start()
    time.sleep(0.05)
    made.close()
    thread.join()
    assert answers == [SessionEnded(reason="its sandbox was closed")]


def test_lost_worker_is_not_the_candidates_fault(sandbox: Sandbox) -> None:
    with open_session(sandbox, HONEST) as session:
        assert session._worker is not None
        os.kill(session._worker.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while (answer := session.ask(1)).kind == "completed":
            assert time.monotonic() < deadline
        assert answer == SessionEnded(reason="the worker that held it was lost")
    with open_session(sandbox, HONEST) as session:
        assert session.ask(1) == Completed(messages=(1,))
    assert is_usable(sandbox)


def test_worker_that_is_lost_during_a_request_ends_the_session(
    sandbox: Sandbox,
) -> None:
    session = open_session(sandbox, body("import time\ntime.sleep(1000)"))
    worker = session._worker
    assert worker is not None
    timer = threading.Timer(0.1, lambda: os.kill(worker.pid, signal.SIGKILL))
    timer.start()
    answer = session.ask(1, deadline_s=900.0)
    timer.join()
    assert answer == SessionEnded(reason="the worker that held it was lost")
    assert is_usable(sandbox)


def test_worker_that_hangs_is_replaced() -> None:
    # Without namespaces, a worker is one process.
    with Sandbox(
        drivers=[ASKING, ECHO],
        limits=LIMITS,
        layers=("drop_root", "no_new_privs", "rlimits", "seccomp"),
    ) as made:
        source = body("while x: pass\nreturn x")
        with open_session(made, source, grace_s=0.2) as session:
            assert session._worker is not None
            hanging = session._worker.pid
            os.kill(hanging, signal.SIGSTOP)
            assert session.ask(0) == Completed(messages=(0,))
            assert session.ask(1, deadline_s=0.1) == TimedOut(limit_s=0.1)
        assert is_usable(made)
        with open_session(made, source) as session:
            assert session._worker is not None
            assert session._worker.pid != hanging


def test_worker_that_died_before_a_session_is_replaced(sandbox: Sandbox) -> None:
    sandbox.kill_workers()
    with open_session(sandbox, HONEST, 1) as session:
        assert session.opening == Completed(messages=(1,))


def test_candidate_that_takes_every_worker_along_has_crashed() -> None:
    source = (
        "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\n"
        f"time.sleep(1000)\n{HONEST}"
    )
    with Sandbox(
        drivers=[ASKING, ECHO],
        limits=LIMITS,
        policy="off",
        layers=("rlimits",),
        require="none",
    ) as made:
        with open_session(made, source) as session:
            assert session.opening.kind == "crashed"
        assert is_usable(made)


def test_dead_sandbox_is_not_a_wrong_program(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(drivers=[ASKING], limits=LIMITS) as made:
        made.kill_workers()
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(SandboxUnavailable, match="No candidate was scored"):
            open_session(made, HONEST)


def test_interrupt_leaves_no_child(sandbox: Sandbox) -> None:
    main = threading.main_thread().ident
    assert main is not None
    session = open_session(sandbox, body("import time\ntime.sleep(1000)"))
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        session.ask(1, deadline_s=900.0)
    timer.join()
    assert session.ask(1) == SessionEnded(reason="a request was interrupted")
    # With one worker, this needs the one that the session held.
    assert is_usable(sandbox)


def test_nothing_is_left_when_sessions_are_closed(sandbox: Sandbox) -> None:
    assert is_usable(sandbox)
    before = set(os.listdir("/proc/self/fd"))
    for source in (HONEST, "1 / 0", body("import os\nos._exit(1)")):
        with open_session(sandbox, source) as session:
            session.ask(1)
        session.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert is_usable(sandbox)
