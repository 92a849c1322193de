"""Attacks on the other kinds of jobs: programs by input, calls by name, sessions."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.programs.model_session import SESSION_DRIVER, ModelSession
from sandbox.limits import Limits
from sandbox.outcome import Completed
from sandbox.pool import Sandbox
from sandbox.programs import (
    DRIVERS,
    Call,
    ProgramOutput,
    Returned,
    run_calls,
    run_stdin_tests,
)
from tests.attacks.attack import HONEST
from tests.attacks.harness import cart_pole_task
from tests.attacks.scene import Scene

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

LIMITS = Limits(
    wall_s=1.0, memory_mib=128, max_output_mib=2, max_frame_mib=1, grace_s=1.5
)
SECRET = "5ec2e7" * 6
FIND_NONCE = """
import os, sys
from sandbox import wire
frame = sys._getframe()
while 'job' not in frame.f_locals: frame = frame.f_back
NONCE = frame.f_locals['job'].nonce
"""


@dataclass(frozen=True)
class Place:
    """Where attacks happen, and what they may reach for."""

    scene: Scene
    sandbox: Sandbox


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with (
        Scene(SECRET) as scene,
        Sandbox(
            drivers=(*DRIVERS, SESSION_DRIVER), limits=LIMITS, policy="off"
        ) as sandbox,
    ):
        yield Place(scene, sandbox)


# What a program must not get done, and how it may end.
PROGRAMS: dict[str, tuple[str, set[str]]] = {
    "reads a file": ("print(open(SECRET_FILE).read())", {"raised"}),
    "writes a file": ("open(f'{DROP}/x', 'w').write('x')", {"raised"}),
    "reads a file by descriptor": (
        "import os\nprint(os.read(os.open(SECRET_FILE, 0), 99))",
        {"raised"},
    ),
    "reads by the real open": (
        "import _io\nprint(_io.open(SECRET_FILE).read())",
        {"raised"},
    ),
    "reads a file as its input": (
        "import sys\nsys.stdin = open('/proc/self/environ')\nprint(input())",
        {"raised"},
    ),
    "floods its output": ("while True: print('x' * 10_000)", {"output_exceeded"}),
    "floods in one piece": ("print('x' * (8 << 20))", {"output_exceeded"}),
    "floods and swallows": (
        "while True:\n    try: print('x' * 10_000)\n    except BaseException: pass",
        {"output_exceeded"},
    ),
    "floods its errors": (
        "import sys\nwhile True: sys.stderr.write('x' * 10_000)",
        {"timed_out"},
    ),
    "floods the real descriptor": (
        "import posix\nwhile True: posix.write(1, b'x' * 10_000)",
        {"timed_out"},
    ),
    "floods the job": (
        "import posix\nwhile True: posix.write(3, b'x' * 10_000)",
        {"protocol_broken"},
    ),
    "never reads and never ends": ("while True: pass", {"timed_out"}),
    "waits for more input": (
        "import sys\nwhile True: sys.stdin.readline()",
        {"timed_out"},
    ),
    "waits for the real input": (
        "import posix\nwhile True: posix.read(3, 1)",
        {"timed_out"},
    ),
    "never ends at its exit": (
        "import atexit\n@atexit.register\ndef f():\n    while True: pass",
        {"timed_out"},
    ),
    "never ends in a destructor": (
        "class A:\n    def __del__(self):\n        while True: pass\na = A()",
        {"completed"},
    ),
    "takes all memory": (
        "x = []\nwhile True: x.append('y' * 10**6)",
        {"memory_exceeded"},
    ),
    "recurses": ("def f(): f()\nf()", {"raised"}),
    "forks": ("import os\nprint(os.fork())", {"raised"}),
    "starts a program": ("import os\nos.execv('/bin/sh', ['sh'])", {"raised"}),
    "connects": (
        "import socket\nsocket.create_connection(('127.0.0.1', TCP_PORT))",
        {"raised"},
    ),
    "closes everything": ("import os\nos.closerange(0, 100)", {"crashed"}),
    "closes its streams": (
        "import sys\nsys.stdout.close()\nsys.stdin.close()",
        {"completed", "raised"},
    ),
    "has no streams": (
        "import sys\nsys.stdout = sys.stderr = sys.stdin = None",
        {"completed"},
    ),
    "has endless streams": (
        "import sys\nclass S:\n    closed = False\n    def flush(self):\n"
        "        while True: pass\nsys.stdout = S()",
        {"timed_out"},
    ),
    "exits with a lie": ("import sys\nsys.exit('score: 1.0')", {"completed"}),
    "exits with a giant": ("import sys\nsys.exit(1 << 100)", {"completed"}),
    "exits at once": ("import posix\nposix._exit(0)", {"crashed"}),
    "ends early by itself": (
        FIND_NONCE + "os.write(3, wire.frame(wire.DONE, NONCE))\n"
        "import posix; posix._exit(0)",
        {"protocol_broken"},
    ),
    "sends a part without an end": (
        FIND_NONCE + "os.write(3, wire.frame(wire.VALUE, wire.encode([b'x'])))\n"
        "os.write(3, wire.frame(wire.DONE, NONCE))\nimport posix; posix._exit(0)",
        {"protocol_broken"},
    ),
}


def program_output(place: Place, text: str, value: bytes = b"1 2\n") -> str:
    (outcome,) = run_stdin_tests(
        place.sandbox, text, [value], limits=LIMITS, max_stdout_kib=256
    )
    assert SECRET not in repr(outcome)
    if isinstance(outcome, Completed):
        assert isinstance(outcome.messages[0], ProgramOutput)
    return outcome.kind


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_gets_nothing_done_but_its_output(place: Place, name: str) -> None:
    text, kinds = PROGRAMS[name]
    assert program_output(place, place.scene.traps() + text) in kinds
    assert place.scene.sprung() == []
    honest = "a, b = map(int, input().split())\nprint(a + b)"
    (outcome,) = run_stdin_tests(place.sandbox, honest, ["1 2\n"])
    assert isinstance(outcome, Completed)
    assert outcome.messages[0].stdout == b"3\n"


def test_programs_share_nothing_from_one_input_to_the_next(place: Place) -> None:
    text = "import sys\nsys.seen = getattr(sys, 'seen', 0) + 1\nprint(sys.seen)"
    outcomes = run_stdin_tests(place.sandbox, text, ["", "", ""])
    found = [o.messages[0].stdout for o in outcomes if isinstance(o, Completed)]
    assert found == [b"1\n"] * 3


# What a function returns, where another value is due.
RETURNED: dict[str, tuple[str, set[str]]] = {
    "always equal": (
        "class E:\n    def __eq__(s, o): return True\ndef f(x): return E()",
        {"completed"},
    ),
    "an integer that lies": (
        "class I(int):\n    def __eq__(s, o): return True\n    __hash__ = None\n"
        "    def __repr__(s): return '7'\ndef f(x): return I(5)",
        {"completed"},
    ),
    "a text that lies": (
        "class S(str):\n    def __eq__(s, o): return True\n    __hash__ = None\n"
        "def f(x): return S('no')",
        {"completed"},
    ),
    "a list without an end": (
        "class L(list):\n    def __iter__(s):\n        while True: yield 1\n"
        "def f(x): return L()",
        {"completed", "timed_out", "memory_exceeded"},
    ),
    "a circle": ("def f(x):\n    a = []\n    a.append(a)\n    return a", {"completed"}),
    "too deep": (
        "def f(x):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a",
        {"completed"},
    ),
    "too wide": ("def f(x): return [0] * 10**7", {"completed", "memory_exceeded"}),
    "not a number": ("def f(x): return float('nan')", {"completed"}),
    "a tag of the wire": ("def f(x): return {'$tuple': 5}", {"completed"}),
    "a giant integer": ("def f(x): return 10**5000", {"completed"}),
    "an exit": ("import sys\ndef f(x): sys.exit(0)", {"completed"}),
    "an exit at once": ("import os\ndef f(x): os._exit(0)", {"crashed"}),
    "a loop": ("def f(x):\n    while True: pass", {"timed_out"}),
    "a function that is not there": ("f = 3", {"completed"}),
    "an endless lookup": (
        "class M(type):\n    def __call__(c, *a):\n        while True: pass\n"
        "class f(metaclass=M): pass",
        {"timed_out"},
    ),
    "forged replies": (
        FIND_NONCE + "os.write(3, wire.frame(wire.VALUE, wire.encode(['7', None])) * 9)"
        "\ndef f(x): return 7",
        {"output_exceeded", "protocol_broken"},
    ),
    "a reply that is no value": (
        FIND_NONCE + "os.write(3, wire.frame(wire.VALUE, wire.encode(['[', None])))\n"
        "os.write(3, wire.frame(wire.DONE, NONCE))\nos._exit(0)",
        {"protocol_broken"},
    ),
}


@pytest.mark.parametrize("name", RETURNED)
def test_call_returns_plain_data_or_nothing(place: Place, name: str) -> None:
    text, kinds = RETURNED[name]
    outcome = run_calls(place.sandbox, text, "f", [Call(arguments=[3])], limits=LIMITS)
    assert outcome.kind in kinds
    if isinstance(outcome, Completed):
        (result,) = outcome.messages
        assert not isinstance(result, Returned) or result.value != 7
        if isinstance(result, Returned):
            assert type(result.value) in (int, float, str, list, dict, tuple)
    right = run_calls(
        place.sandbox, "def f(x): return x + 4", "f", [Call(arguments=[3])]
    )
    assert right == Completed(messages=(Returned(value=7),))


# What the model of a session does in its steps.
MODELS: dict[str, tuple[str, set[str]]] = {
    "never answers": ("while True: pass", {"timed_out"}),
    "leaves": ("import os; os._exit(0)", {"crashed"}),
    "raises": ("raise SystemExit(0)", {"raised"}),
    "takes all memory": ("x = bytearray(1 << 30)", {"memory_exceeded"}),
    "reads a file": ("open(SECRET_FILE).read()", {"raised"}),
    "forks": ("import os; os.fork()", {"raised"}),
    "sends garbage": ("import os; os.write(3, b'x' * 99)", {"protocol_broken"}),
    "closes the job": ("import os; os.close(3)", {"crashed"}),
    "answers twice": (
        "import os, sys\n"
        "        from sandbox import wire\n"
        "        frame = sys._getframe()\n"
        "        while 'job' not in frame.f_locals: frame = frame.f_back\n"
        "        token = wire.answer_token(frame.f_locals['job'].nonce, 1)\n"
        "        os.write(3, wire.frame(wire.DONE, token))",
        {"protocol_broken"},
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_session_ends_or_goes_on_with_a_clear_outcome(place: Place, name: str) -> None:
    text, kinds = MODELS[name]
    task = cart_pole_task(1, 2)
    transition = task.train.transition(0)
    program = place.scene.traps() + (
        "class Environment:\n    def set_state(self, observation): pass\n"
        f"    def step(self, action):\n        {text}\n"
    )

    def step(source: str) -> object:
        with ModelSession(
            place.sandbox,
            source,
            observation_space=BoxSpec((4,), "float32"),
            action_space=DiscreteSpec(2),
        ) as session:
            assert session.opening.kind == "completed"
            return session.step(transition.observation, transition.action)

    answer = step(program)
    outcome = answer[0] if isinstance(answer, tuple) else answer
    assert getattr(outcome, "kind", outcome) in kinds
    assert place.scene.sprung() == []
    right = step(HONEST)
    outcome = right[0] if isinstance(right, tuple) else right
    assert getattr(outcome, "kind", outcome) == "completed"
