"""What every kind of job does with hostile candidates, at two levels of isolation."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sandbox.isolation import LAYERS
from sandbox.limits import Limits
from sandbox.outcome import AnyOutcome, Completed, Raised, SessionEnded
from sandbox.pool import Sandbox
from sandbox.programs import (
    DRIVERS,
    Call,
    CallRaised,
    ProgramOutput,
    Returned,
    run_calls,
    run_stdin_tests,
)

ASKING = "tests.support.asking_driver"
LIMITS = Limits(
    wall_s=10.0, memory_mib=128, stack_mib=64, max_output_mib=4, max_frame_mib=1
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)


@pytest.fixture(scope="module", params=["kernel", "process"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    is_full = request.param == "kernel"
    with Sandbox(
        drivers=[*DRIVERS, ASKING],
        policy="off",
        layers=LAYERS if is_full else ("drop_root", "rlimits"),
        require="kernel" if is_full else "none",
        use_pidfd=is_full,
    ) as made:
        yield made


def as_program(sandbox: Sandbox, text: str, limits: Limits = LIMITS) -> AnyOutcome:
    (outcome,) = run_stdin_tests(
        sandbox, text, ["1"], limits=limits, max_stdout_kib=1024
    )
    return outcome


def as_call(sandbox: Sandbox, text: str, limits: Limits = LIMITS) -> AnyOutcome:
    outcome = run_calls(
        sandbox, body(text), "main", [Call(arguments=[1])], limits=limits
    )
    if isinstance(outcome, Completed) and isinstance(outcome.messages[0], CallRaised):
        result = outcome.messages[0]
        # Of which a run of one call is no other than a run that raised.
        return Raised(error_type=result.error_type, message=result.message)
    return outcome


def as_request(sandbox: Sandbox, text: str, limits: Limits = LIMITS) -> AnyOutcome:
    with sandbox.open_session(
        body(text), driver=ASKING, reply=Any, limits=limits
    ) as session:
        assert session.opening.kind == "completed"
        answer = session.ask(1)
        assert not isinstance(answer, SessionEnded)
        is_over = answer.kind not in ("completed", "raised", "memory_exceeded")
        assert session.is_open != is_over
        return answer


KINDS: dict[str, Callable[[Sandbox, str, Limits], AnyOutcome]] = {
    "program": as_program,
    "call": as_call,
    "request": as_request,
}


def body(text: str) -> str:
    return "def main(x):\n" + "\n".join(f"    {line}" for line in text.split("\n"))


HOSTILE: dict[str, tuple[str, set[str]]] = {
    "infinite loop": ("while True: pass", {"timed_out"}),
    "sleeps": ("import time\ntime.sleep(1000)", {"timed_out"}),
    "swallows every exception": (
        "while True:\n    try:\n        while True: pass\n"
        "    except BaseException: pass",
        {"timed_out"},
    ),
    "memory": ("a = [0] * 10**9", {"memory_exceeded", "raised"}),
    "memory in small pieces": (
        "a = []\nwhile True: a.append(bytearray(1 << 20))",
        {"memory_exceeded", "raised"},
    ),
    "deep recursion": ("def f(n): return f(n + 1)\nf(0)", {"raised"}),
    "ends the process": ("import os\nos._exit(7)", {"crashed", "completed"}),
    "ends the process by the kernel": (
        "import os, signal\nsignal.raise_signal(9)",
        {"crashed", "raised"},
    ),
    "garbage on the wire": (
        "import os\nos.write(3, b'\\xff' * 64)",
        {"protocol_broken"},
    ),
    "flood on the wire": (
        "import os\nwhile True:\n"
        "    os.write(3, b'\\x05\\x00\\x00\\x00\\x01\\xa3abc' * 5000)",
        {"output_exceeded", "protocol_broken"},
    ),
    "forged end": (
        "import os\nos.write(3, b'\\x11\\x00\\x00\\x00\\x03' + bytes(16))",
        {"protocol_broken"},
    ),
    "closes the wire": ("import os\nos.close(3)", {"crashed"}),
    "exception whose text never ends": (
        "class E(Exception):\n    def __str__(self):\n        while True: pass\n"
        "raise E",
        {"timed_out"},
    ),
    "exception whose text raises": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        {"raised"},
    ),
    "starts a process": ("import os\nos.fork()", {"raised"}),
    "reads a file": ("import io\nio.FileIO('/etc/passwd').read()", {"raised"}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_candidate_gets_its_verdict(
    sandbox: Sandbox, kind: str, name: str
) -> None:
    text, expected = HOSTILE[name]
    # Half a second is enough for any that ends by itself.
    limits = replace(LIMITS, wall_s=0.5 if expected == {"timed_out"} else 10.0)
    assert KINDS[kind](sandbox, text, limits).kind in expected
    # And the next one is none the worse.
    assert as_program(sandbox, "print(input())") == Completed(
        messages=(ProgramOutput(stdout=b"1\n", stderr=b"", exit_code=0),)
    )
    assert as_call(sandbox, "return x") == Completed(messages=(Returned(value=1),))
    assert as_request(sandbox, "return x") == Completed(messages=(1,))
