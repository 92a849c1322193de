"""Whole programs and named functions, run in the sandbox."""

import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from sandbox.drivers.calls import CallReply
from sandbox.drivers.stdin import ProgramPart
from sandbox.limits import Limits
from sandbox.outcome import (
    AnyOutcome,
    Completed,
    MemoryExceeded,
    OutputExceeded,
    ProtocolBroken,
    Raised,
    Rejected,
    TimedOut,
)
from sandbox.pool import Sandbox
from sandbox.programs import (
    CALLS_LIMITS,
    DRIVERS,
    STDIN_LIMITS,
    Call,
    CallRaised,
    ProgramOutput,
    Returned,
    run_calls,
    run_stdin_tests,
)

LIMITS = Limits(wall_s=2.0, memory_mib=128, stack_mib=64)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(drivers=DRIVERS, num_workers=2) as made:
        yield made


@pytest.fixture(scope="module")
def unwatched() -> Iterator[Sandbox]:
    with Sandbox(drivers=DRIVERS, policy="off") as made:
        yield made


def run(sandbox: Sandbox, source: str, text: str = "", **options: Any) -> AnyOutcome:
    (outcome,) = run_stdin_tests(
        sandbox, source, [text], **{"limits": LIMITS, **options}
    )
    return outcome


def wrote(stdout: str, exit_code: int = 0, stderr: str = "") -> AnyOutcome:
    output = ProgramOutput(
        stdout=stdout.encode(), stderr=stderr.encode(), exit_code=exit_code
    )
    return Completed(messages=(output,))


TEMPLATE = """
import os, sys
from io import BytesIO, IOBase

class FastIO(IOBase):
    newlines = 0
    def __init__(self, file):
        self._fd = file.fileno()
        self.buffer = BytesIO()
        self.writable = "x" in file.mode or "r" not in file.mode
        self.write = self.buffer.write if self.writable else None
    def read(self):
        while True:
            b = os.read(self._fd, max(os.fstat(self._fd).st_size, 8192))
            if not b:
                break
            ptr = self.buffer.tell()
            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(ptr)
        return self.buffer.read()
    def flush(self):
        if self.writable:
            os.write(self._fd, self.buffer.getvalue())
            self.buffer.truncate(0), self.buffer.seek(0)

class IOWrapper(IOBase):
    def __init__(self, file):
        self.buffer = FastIO(file)
        self.flush = self.buffer.flush
        self.writable = self.buffer.writable
        self.write = lambda s: self.buffer.write(s.encode("ascii"))
        self.read = lambda: self.buffer.read().decode("ascii")

sys.stdin, sys.stdout = IOWrapper(sys.stdin), IOWrapper(sys.stdout)
print(sum(map(int, sys.stdin.read().split())))
"""

PROGRAMS = {
    "input": "a, b = map(int, input().split())\nprint(a + b)\nprint(input())",
    "sys.stdin": "import sys\nfor l in sys.stdin: print(sum(map(int, l.split())))",
    "readline": "import sys\ninput = sys.stdin.readline\nprint(input().strip())",
    "buffer": (
        "import sys\nd = sys.stdin.buffer.read().split()\n"
        "sys.stdout.buffer.write(b'%d\\n' % sum(map(int, d)))"
    ),
    "open(0)": "print(open(0).read().split())",
    "open(0) of lines": "for line in open(0, 'rb'): print(len(line))",
    "main guard": (
        "import sys\ndef main():\n    print(input(), file=sys.stdout)\n"
        "if __name__ == '__main__':\n    main()"
    ),
    "thread with a deep stack": (
        "import sys, threading\nsys.setrecursionlimit(10**6)\n"
        "threading.stack_size(1 << 26)\n"
        "def deep(n): return 0 if n == 0 else 1 + deep(n - 1)\n"
        "def main():\n    print(deep(20_000))\n    sys.exit()\n"
        "t = threading.Thread(target=main)\nt.start()\nt.join()\nprint('end')"
    ),
    "atexit": (
        "import atexit, io, os, sys\nbuffer = io.BytesIO()\n"
        "sys.stdout.write = lambda s: buffer.write(s.encode())\n"
        "atexit.register(lambda: os.write(1, buffer.getvalue()))\n"
        "print(input())"
    ),
    "wrapped streams": (
        "import io, sys\n"
        "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')\n"
        "sys.stdin = io.TextIOWrapper(sys.stdin.buffer)\nprint(input())"
    ),
    "end of file": (
        "n = 0\ntry:\n    while True:\n        input()\n        n += 1\n"
        "except EOFError:\n    print(n)"
    ),
    "not Latin": "print('é', '汉')",
    "template": TEMPLATE,
    "exit": "print(1)\nexit()\nprint(2)",
    "sys.exit with a number": "import sys\nprint(1)\nsys.exit(3)",
    "sys.exit with text": "import sys\nprint(1)\nsys.exit('bad input')",
    "os._exit": "import os, sys\nprint(1)\nsys.stdout.flush()\nos._exit(0)",
    "nothing": "",
    "files that are not there": (
        "import os, sys\nif os.path.exists('input.txt'):\n"
        "    sys.stdin = open('input.txt')\nprint(input())"
    ),
    "standard error": "import sys\nprint('why', file=sys.stderr)\nprint(1)",
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n"
        "print(P(int(input().split()[0])))"
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_does_what_it_does_outside(name: str, sandbox: Sandbox) -> None:
    text = "1 2\n3 4\n"
    outside = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", PROGRAMS[name]],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    expected = ProgramOutput(
        stdout=outside.stdout, stderr=outside.stderr, exit_code=outside.returncode
    )
    assert run(sandbox, PROGRAMS[name], text) == Completed(messages=(expected,))


def test_each_input_has_a_process_of_its_own(sandbox: Sandbox) -> None:
    source = "seen = []\nseen.append(input())\nprint(seen)"
    outcomes = run_stdin_tests(sandbox, source, ["a", b"b", "c"], limits=LIMITS)
    assert outcomes == [wrote("['a']\n"), wrote("['b']\n"), wrote("['c']\n")]


def test_input_after_a_failure_is_run_all_the_same(sandbox: Sandbox) -> None:
    inputs = ["1", "0", "2", "0", "0", "4"]
    outcomes = run_stdin_tests(
        sandbox, "print(4 // int(input()))", inputs, limits=LIMITS
    )
    assert [outcome.kind for outcome in outcomes] == [
        "completed",
        "raised",
        "completed",
        "raised",
        "raised",
        "completed",
    ]
    assert outcomes[1] == Raised(
        error_type="ZeroDivisionError",
        message="integer division or modulo by zero",
        line=1,
        source_line="print(4 // int(input()))",
    )


def test_program_without_end_is_stopped(sandbox: Sandbox) -> None:
    limits = Limits(wall_s=0.3, stack_mib=64)
    assert run(sandbox, "while True: pass", limits=limits) == TimedOut(limit_s=0.3)


def test_program_with_too_much_memory_is_stopped(sandbox: Sandbox) -> None:
    outcome = run(sandbox, "a = [0] * 10**9")
    assert isinstance(outcome, MemoryExceeded)


@pytest.mark.parametrize(
    "source",
    [
        "while True: print('x' * 100)",
        "import sys\nwhile True: sys.stdout.buffer.write(b'x' * 100)",
        "import os\nwhile True: os.write(1, b'x' * 100)",
        "print('x' * (1 << 20))",
        "while True:\n    try:\n        while True: print('x' * 100)\n"
        "    except BaseException: pass",
    ],
)
def test_program_that_writes_too_much_is_stopped(source: str, sandbox: Sandbox) -> None:
    outcome = run(sandbox, source, max_stdout_kib=64)
    assert outcome == OutputExceeded(limit="64 KiB of standard output")


def test_output_is_kept_up_to_its_limit(sandbox: Sandbox) -> None:
    for length in (1 << 16, 1 << 18, (1 << 18) + 1, 5 << 20):
        source = f"import sys\nsys.stdout.write('x' * {length})"
        kib = -(-length >> 10)
        assert run(sandbox, source, max_stdout_kib=kib) == wrote("x" * length)


def test_standard_error_is_cut_and_stops_nobody(sandbox: Sandbox) -> None:
    source = (
        "import sys\nfor _ in range(9999): sys.stderr.write('0123456789')\nprint(1)"
    )
    assert run(sandbox, source) == wrote("1\n", stderr="0123456789" * 409 + "012345")


def test_programs_have_a_policy_of_their_own(sandbox: Sandbox) -> None:
    refused = {
        "import subprocess": "import of subprocess is not allowed",
        "import os\nos.system('id')": "Line 2: os.system is not allowed",
        "from os import fork": "os.fork is not allowed",
        "eval('1')": "eval is not allowed",
        "import sys\nsys.modules": "the attribute modules is not allowed",
    }
    for source, reason in refused.items():
        outcomes = run_stdin_tests(sandbox, source, ["", ""], limits=LIMITS)
        assert len(outcomes) == 2
        for outcome in outcomes:
            assert isinstance(outcome, Rejected)
            assert reason in outcome.feedback()


def test_all_inputs_together_have_a_limit(sandbox: Sandbox) -> None:
    source = "import time\ntime.sleep(0.15)\nprint(1)"
    outcomes = run_stdin_tests(
        sandbox, source, [""] * 6, limits=LIMITS, total_wall_s=0.2
    )
    assert outcomes[:2] == [wrote("1\n")] * 2
    assert outcomes[2:] == [TimedOut(limit_s=0.2)] * 4


def test_limit_on_output_must_fit_the_other_one(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"max_stdout_kib must be 1 to 16384, got 0"):
        run_stdin_tests(sandbox, "", [""], max_stdout_kib=0)
    assert STDIN_LIMITS.max_output_mib == 16


def forging(*parts: Any) -> str:
    """Returns a program that sends parts of its own before the driver's."""
    frames = [b"\x01" + msgspec.msgpack.encode(part) for part in parts]
    data = b"".join(len(frame).to_bytes(4, "little") + frame for frame in frames)
    return f"import os\nos.write(3, {data!r})\nprint(1)"


@pytest.mark.parametrize(
    "parts",
    [
        [ProgramPart(b"a", exit_code=0)],
        [ProgramPart(b"a", exit_code=0), ProgramPart(b"b", exit_code=0)],
        ["text"],
        [[b"a", b"", "0", False]],
    ],
)
def test_forged_parts_break_the_protocol(parts: list[Any], unwatched: Sandbox) -> None:
    assert isinstance(run(unwatched, forging(*parts)), ProtocolBroken)
    assert run(unwatched, forging(ProgramPart(b"a"))) == wrote("a1\n")


def calls(
    sandbox: Sandbox, source: str, *arguments: tuple[Any, ...], name: str = "main"
) -> AnyOutcome:
    listed = [Call(arguments=one) for one in arguments]
    return run_calls(sandbox, source, name, listed, limits=LIMITS)


def returned(*values: Any) -> AnyOutcome:
    return Completed(messages=tuple(Returned(value=value) for value in values))


def test_calls_are_answered_in_their_order(sandbox: Sandbox) -> None:
    source = "def main(a, b=1): return [a, b]"
    assert calls(sandbox, source, (1,), ("x", None)) == returned([1, 1], ["x", None])
    call = Call(arguments=[1], keywords={"b": (2, {3})})
    assert run_calls(sandbox, source, "main", [call]) == returned([1, (2, {3})])
    assert run_calls(sandbox, source, "main", []) == returned()


def test_exception_is_the_result_of_its_call(sandbox: Sandbox) -> None:
    source = "def main(x):\n    if x == 2: raise SystemExit\n    return 6 // x"
    outcome = calls(sandbox, source, (1,), (0,), (2,), (3,))
    assert outcome == Completed(
        messages=(
            Returned(value=6),
            CallRaised(
                error_type="ZeroDivisionError",
                message="integer division or modulo by zero",
                line=3,
                source_line="return 6 // x",
            ),
            CallRaised(
                error_type="SystemExit",
                message="",
                line=2,
                source_line="if x == 2: raise SystemExit",
            ),
            Returned(value=2),
        )
    )


def test_numbers_of_numpy_come_as_plain_ones(sandbox: Sandbox) -> None:
    source = (
        "import numpy as np\ndef main(x):\n"
        "    return {'a': np.arange(x), 'b': np.float32(0.5), 'c': float('nan')}"
    )
    outcome = calls(sandbox, source, (2,))
    assert isinstance(outcome, Completed)
    value = outcome.messages[0].value
    assert math.isnan(value.pop("c"))
    assert value == {"a": [0, 1], "b": 0.5}


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("object()", "a value of type object is not plain data"),
        ("'x' * (1 << 21)", "at most 1048576 characters"),
        ("[0] * 300_000", "at most 200000 parts"),
        ("10 ** 5000", "Exceeds the limit"),
    ],
)
def test_result_that_is_not_plain_is_an_error_of_its_call(
    expression: str, reason: str, sandbox: Sandbox
) -> None:
    outcome = calls(
        sandbox, f"def main(x): return {expression} if x else 1", (1,), (0,)
    )
    assert isinstance(outcome, Completed)
    first, second = outcome.messages
    assert isinstance(first, CallRaised)
    assert reason in first.message
    assert second == Returned(value=1)


def test_result_is_taken_at_once(sandbox: Sandbox) -> None:
    source = "seen = []\ndef main(x):\n    seen.append(x)\n    return seen"
    assert calls(sandbox, source, (1,), (2,)) == returned([1], [1, 2])


def test_method_gets_an_instance_of_its_own(sandbox: Sandbox) -> None:
    source = (
        "class Solution:\n    def __init__(self): self.seen = []\n"
        "    def add(self, x):\n        self.seen.append(x)\n        return self.seen"
    )
    outcome = calls(sandbox, source, (1,), (2,), name="Solution.add")
    assert outcome == returned([1], [2])


def test_function_that_is_not_there_is_named(sandbox: Sandbox) -> None:
    outcome = calls(sandbox, "x = 1", (1,))
    assert isinstance(outcome, Raised)
    assert outcome.message == "The program must define 'main'."
    with pytest.raises(ValueError, match=r"function must be a name or Class\.method"):
        calls(sandbox, "x = 1", (1,), name="main()")


def test_call_without_end_ends_them_all(sandbox: Sandbox) -> None:
    source = "def main(x):\n    while x: pass\n    return x"
    listed = [Call(arguments=[x]) for x in (0, 1, 0)]
    outcome = run_calls(sandbox, source, "main", listed, limits=Limits(wall_s=0.3))
    assert outcome == TimedOut(limit_s=0.3)
    assert CALLS_LIMITS.max_output_mib == 8


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (CallReply('{"$call": 1}', None), "unknown tag"),
        (CallReply("1", None), "2 messages|1 results are due"),
        (CallReply("[" * 5000, None), "plain value"),
    ],
)
def test_forged_replies_break_the_protocol(
    reply: CallReply, reason: str, unwatched: Sandbox
) -> None:
    frame = b"\x01" + msgspec.msgpack.encode(reply)
    data = len(frame).to_bytes(4, "little") + frame
    # In place of the driver's own reply, or before it.
    ending = "0" if "results" in reason else "1"
    source = (
        f"import os\nwrite = os.write\ndef main(x):\n    write(3, {data!r})\n"
        f"    if {ending}: os.write = lambda fd, data: write(fd, data[-21:])\n"
        "    return 1"
    )
    outcome = calls(unwatched, source, (1,))
    assert outcome.kind in ("protocol_broken", "output_exceeded")
