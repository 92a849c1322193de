"""Sessions: a candidate that is held and asked, again and again."""

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.interpretation import interpret_death
from sandbox.limits import Limits
from sandbox.outcome import (
    Answer,
    Completed,
    Crashed,
    MemoryExceeded,
    OutputExceeded,
    ProtocolBroken,
    Raised,
    Rejected,
    SessionEnded,
    TimedOut,
)
from sandbox.pool import Sandbox
from sandbox.wire import Report
from tests.support.asking import ASKING, ECHO, LIMITS, is_usable, open_session
from tests.support.echoing import HONEST, body

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(drivers=[ASKING, ECHO], limits=LIMITS, policy="off") as made:
        yield made


def ended_by(answer: Answer[Any]) -> str:
    assert isinstance(answer, SessionEnded)
    return "nobody" if answer.cause is None else answer.cause.kind


def test_requests_are_answered_one_by_one(sandbox: Sandbox) -> None:
    with open_session(sandbox, HONEST, "hello") as session:
        assert session.opening == Completed(messages=("hello",))
        for value in (None, 1, 2.5, "text", [1, [2]], {"a": b"b"}):
            assert session.ask(value) == Completed(messages=(value,))
        assert session.is_open
    assert not session.is_open
    assert is_usable(sandbox)


def test_requests_larger_than_a_socket_holds_are_answered(sandbox: Sandbox) -> None:
    large = "x" * (1 << 19)
    with open_session(sandbox, HONEST) as session:
        for _ in range(3):
            assert session.ask(large) == Completed(messages=(large,))


def test_session_remembers(sandbox: Sandbox) -> None:
    with open_session(
        sandbox, "seen = []\n" + body("seen.append(x)\nreturn seen")
    ) as s:
        assert s.ask(1) == Completed(messages=([1],))
        assert s.ask(2) == Completed(messages=([1, 2],))
    with open_session(
        sandbox, "seen = []\n" + body("seen.append(x)\nreturn seen")
    ) as s:
        assert s.ask(3) == Completed(messages=([3],))


def test_exception_ends_the_answer_and_not_the_session(sandbox: Sandbox) -> None:
    with open_session(sandbox, body("return 1 // x")) as session:
        assert session.ask(1) == Completed(messages=(1,))
        assert session.ask(0) == Raised(
            error_type="ZeroDivisionError",
            message="integer division or modulo by zero",
            line=2,
            source_line="return 1 // x",
            position=1,
        )
        assert session.ask(1) == Completed(messages=(1,))


def test_too_much_memory_ends_the_answer_and_not_the_session(sandbox: Sandbox) -> None:
    with open_session(sandbox, body("return len(bytes(x))")) as session:
        answer = session.ask(1 << 30)
        assert isinstance(answer, MemoryExceeded)
        assert (answer.limit_mib, answer.line) == (128, 2)
        assert session.ask(10) == Completed(messages=(10,))


@pytest.mark.parametrize(
    "text",
    [
        "if x: return x\nwhile True: pass",
        "if x: return x\nimport time\ntime.sleep(1000)",
        "if x: return x\nwhile True:\n    try:\n        while True: pass\n"
        "    except BaseException: pass",
    ],
)
def test_answer_that_does_not_come_ends_the_session(
    sandbox: Sandbox, text: str
) -> None:
    with open_session(sandbox, body(text)) as session:
        assert session.ask(1) == Completed(messages=(1,))
        answer = session.ask(0, deadline_s=0.1)
        assert answer == TimedOut(limit_s=0.1)
        assert answer.usage.wall_s >= 0.1
        assert not session.is_open
        again = session.ask(1)
        assert ended_by(again) == "timed_out"
        assert "did not finish within 0.1 s" in again.feedback()
    assert is_usable(sandbox)


def test_deadline_is_the_wall_limit_by_default(sandbox: Sandbox) -> None:
    with open_session(sandbox, body("while True: pass"), wall_s=0.2) as session:
        assert session.ask(1) == TimedOut(limit_s=0.2)


def test_request_that_nobody_reads_is_not_waited_for(sandbox: Sandbox) -> None:
    # The child stops reading: it looks for the request in another place.
    source = "import os, time\nos.read = lambda *_: time.sleep(1000)\n" + HONEST
    with open_session(sandbox, source) as session:
        assert session.ask(bytes(1 << 22), deadline_s=0.1) == TimedOut(limit_s=0.1)


@pytest.mark.parametrize("code", [0, 3])
def test_child_that_ends_itself_has_crashed(sandbox: Sandbox, code: int) -> None:
    with open_session(sandbox, body("import os\nos._exit(x)")) as session:
        assert session.ask(code) == Crashed(exit_code=code)
        assert ended_by(session.ask(code)) == "crashed"
    assert is_usable(sandbox)


def test_child_that_closes_its_socket_has_crashed(sandbox: Sandbox) -> None:
    source = body("import os, time\nos.close(3)\ntime.sleep(1000)")
    with open_session(sandbox, source) as session:
        assert session.ask(1) == Crashed(exit_code=-signal.SIGKILL)


def test_child_that_dies_between_requests_has_crashed(sandbox: Sandbox) -> None:
    # It answers first: the harness's own way out is what ends it.
    source = (
        "import os\nwrite = os.write\n"
        "def once(fd, data):\n    write(fd, data)\n    os._exit(4)\n"
        "def main(x):\n    os.write = once\n    return x"
    )
    with open_session(sandbox, source) as session:
        assert session.ask(1) == Completed(messages=(1,))
        assert session.ask(2) == Crashed(exit_code=4)


def test_too_large_an_answer_ends_the_session(sandbox: Sandbox) -> None:
    flood = (
        "import os\nwhile True:\n"
        "    os.write(3, b'\\x05\\x00\\x00\\x00\\x01\\xa3abc' * 999)"
    )
    with open_session(
        sandbox, body(flood), max_output_mib=1, max_frame_mib=1, max_messages=10**7
    ) as session:
        assert session.ask(1) == OutputExceeded(limit="1 MiB")
        assert ended_by(session.ask(1)) == "output_exceeded"
    with open_session(sandbox, body(flood), max_messages=10) as session:
        assert session.ask(1) == OutputExceeded(limit="10 messages")
    assert is_usable(sandbox)


def test_limits_on_output_hold_for_each_answer(sandbox: Sandbox) -> None:
    with open_session(
        sandbox,
        body("return bytes(900_000)"),
        max_output_mib=1,
        max_frame_mib=1,
        max_messages=1,
    ) as session:
        for _ in range(4):
            assert session.ask(1).kind == "completed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("os.write(3, b'\\xff' * 64)", "a frame must have"),
        # The end of an answer, with a nonce that is not the session's.
        ("os.write(3, b'\\x19\\x00\\x00\\x00\\x03' + bytes(24))", "of no known kind"),
        ("os.write(3, b'\\x01\\x00\\x00\\x00\\x00')", "must say ready"),
        ("return 'text'", "ValidationError"),
        ("return bytearray", "does not matter"),
    ],
)
def test_broken_protocol_ends_the_session(
    sandbox: Sandbox, text: str, reason: str
) -> None:
    with open_session(
        sandbox, body(f"import os\n{text}\nreturn 1"), 0, reply=int
    ) as session:
        answer = session.ask(1)
        if reason == "does not matter":
            # The harness refuses to send it: an error of the candidate's.
            assert isinstance(answer, Raised)
            return
        assert isinstance(answer, ProtocolBroken)
        assert reason in answer.reason
        assert ended_by(session.ask(1)) == "protocol_broken"
    assert is_usable(sandbox)


LATER = """
import os
write = os.write

def twice(fd, data):
    write(fd, data)
    return write(fd, data)

def main(x):
    os.write = twice
    return x
"""


def test_answer_that_nobody_asked_for_breaks_the_protocol(sandbox: Sandbox) -> None:
    with open_session(sandbox, LATER) as session:
        answers = [session.ask(1), session.ask(2)]
    # Seen with the answer, before the next request, or in place of the next answer.
    assert [a.kind for a in answers].count("protocol_broken") == 1


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("1 / 0", "raised"),
        ("def main(x", "raised"),
        ("while True: pass", "timed_out"),
        ("import os\nos._exit(0)", "crashed"),
        ("a = bytes(1 << 30)", "memory_exceeded"),
        ("import os\nos.write(3, b'\\xff' * 9)", "protocol_broken"),
    ],
)
def test_source_that_cannot_be_loaded_has_no_session(
    sandbox: Sandbox, source: str, kind: str
) -> None:
    with open_session(sandbox, source, wall_s=0.3) as session:
        assert session.opening.kind == kind
        assert not session.is_open
        assert ended_by(session.ask(1)) == kind
    assert is_usable(sandbox)


def test_refused_source_has_no_session() -> None:
    with Sandbox(drivers=[ASKING], limits=LIMITS) as made:
        with open_session(made, "import os") as session:
            assert isinstance(session.opening, Rejected)
            assert ended_by(session.ask(1)) == "rejected"
        made.policy = "warn"
        with open_session(made, f"import os\n{HONEST}") as session:
            assert "import of os" in session.opening.warnings[0]
            assert session.ask(1) == Completed(messages=(1,))


def test_session_has_a_wall_limit_of_its_own(sandbox: Sandbox) -> None:
    source = body("import time\ntime.sleep(x)\nreturn x")
    with open_session(sandbox, source, session_s=0.4) as session:
        assert session.ask(0.0) == Completed(messages=(0.0,))
        assert session.ask(1.5) == TimedOut(limit_s=0.4)


def test_deadline_is_no_later_than_the_end_of_the_session(sandbox: Sandbox) -> None:
    with open_session(
        sandbox, body("while True: pass"), session_s=0.3, wall_s=1e6
    ) as session:
        assert session.ask(1, deadline_s=float("inf")) == TimedOut(limit_s=0.3)


def test_session_has_a_limit_on_processor_time() -> None:
    limits = Limits(cpu_s=7)
    killed = [
        Report(exit_code=code, killed="", wall_s=9.0, cpu_s=cpu_s, max_rss_mib=1.0)
        for code, cpu_s in ((-signal.SIGXCPU, 7.0), (-9, 8.0), (-9, 1.0))
    ]
    assert [interpret_death(report, limits) for report in killed] == [
        TimedOut(limit_s=7),
        TimedOut(limit_s=7),
        Crashed(exit_code=-9),
    ]


def test_processor_time_is_counted_over_all_requests(sandbox: Sandbox) -> None:
    source = body(
        "import time\nend = time.process_time() + x\n"
        "while time.process_time() < end: pass\nreturn x"
    )
    with open_session(sandbox, source, cpu_s=1, wall_s=30.0) as session:
        assert session.ask(0.4) == Completed(messages=(0.4,))
        assert session.ask(30.0) == TimedOut(limit_s=1)


def test_requests_that_cannot_be_sent_are_the_callers_fault(sandbox: Sandbox) -> None:
    with open_session(sandbox, HONEST) as session:
        with pytest.raises(TypeError, match="Cannot send a value of type object"):
            session.ask(object())
        with pytest.raises(ValueError, match="deadline_s must be positive, got 0"):
            session.ask(1, deadline_s=0)
        assert session.ask(1) == Completed(messages=(1,))


def test_driver_must_be_of_the_right_kind(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"driver must be one of \['tests.support.ask"):
        sandbox.open_session(HONEST, driver=ECHO, reply=int)
    with pytest.raises(
        ValueError, match=r"driver must be one of \['tests.support.echo"
    ):
        sandbox.run(HONEST, [1], driver=ASKING, reply=int)


def test_driver_without_a_function_to_call_is_named() -> None:
    with pytest.raises(SandboxUnavailable, match="either a function 'run' or"):
        Sandbox(drivers=["tests.support.tasks"])
