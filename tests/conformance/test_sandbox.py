"""What the sandbox must do with hostile candidates, at each level of isolation."""

import contextlib
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.isolation import LAYERS
from sandbox.outcome import Completed
from sandbox.pool import Sandbox
from tests.support.echoing import DRIVER, HONEST, LIMITS, body, call

KERNEL = LAYERS
PROCESS = ("drop_root", "rlimits")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, policy="off") as made:
        yield made


@pytest.fixture(scope="module")
def enforcing() -> Iterator[Sandbox]:
    with Sandbox(drivers=[DRIVER], limits=LIMITS) as made:
        yield made


@pytest.fixture(scope="module")
def process_level() -> Iterator[Sandbox]:
    with Sandbox(
        drivers=[DRIVER],
        limits=LIMITS,
        policy="off",
        layers=PROCESS,
        require="none",
        use_pidfd=False,
    ) as made:
        yield made


HOSTILE: dict[str, tuple[str, set[str]]] = {
    "infinite loop": (body("while True: pass"), {"timed_out"}),
    "sleeps forever": (body("import time\ntime.sleep(1000)"), {"timed_out"}),
    "swallows every exception": (
        body(
            "while True:\n    try:\n        while True: pass\n"
            "    except BaseException:\n        pass"
        ),
        {"timed_out"},
    ),
    "memory": (body("return len([0] * 10**9)"), {"memory_exceeded"}),
    "memory in small pieces": (
        body("a = []\nwhile True: a.append(bytearray(1 << 20))"),
        {"memory_exceeded"},
    ),
    "output flood": (body("return 'x' * (1 << 21)"), {"raised", "output_exceeded"}),
    "raw output flood": (
        body(
            "import os\nwhile True:\n"
            "    os.write(3, b'\\x05\\x00\\x00\\x00\\x01\\xa3abc' * 5000)"
        ),
        {"output_exceeded", "protocol_broken"},
    ),
    "garbage on the wire": (
        body("import os\nos.write(3, b'\\xff' * 64)\nreturn 1"),
        {"protocol_broken"},
    ),
    "forged end": (
        body(
            "import os\n"
            "os.write(3, b'\\x11\\x00\\x00\\x00\\x03' + bytes(16))\nos._exit(0)"
        ),
        {"protocol_broken"},
    ),
    "reads standard input": (body("return input()"), {"raised"}),
    "sys.exit": (body("import sys\nsys.exit(0)"), {"raised"}),
    "os._exit": (body("import os\nos._exit(0)"), {"crashed"}),
    "BaseException": (body("raise KeyboardInterrupt"), {"raised"}),
    "deep recursion": (body("return main(x)"), {"raised"}),
    "very deep recursion": (
        body(
            "import sys\nsys.setrecursionlimit(10**9)\na = ()\n"
            "for _ in range(10**6): a = (a,)\nreturn hash(a)"
        ),
        {"crashed", "raised", "memory_exceeded"},
    ),
    "unserialisable value": (body("return object()"), {"raised"}),
    "kills itself": (
        body("import os, signal\nos.kill(os.getpid(), 9)\nreturn 1"),
        {"crashed", "raised"},
    ),
    "exception whose text never ends": (
        "class E(Exception):\n    def __str__(self):\n        while True: pass\n"
        "def main(x): raise E",
        {"timed_out"},
    ),
    "exception whose text raises": (
        "class E(Exception):\n    def __str__(self): raise ValueError\n"
        "def main(x): raise E",
        {"raised"},
    ),
}

SYSTEM = {
    "fork": body("import os\npid = os.fork()\nif pid == 0: os._exit(0)\nreturn pid"),
    "thread": body(
        "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()"
    ),
    "open": body("return open('/etc/passwd').read()"),
    "close and open": body(
        "import os\nos.close(0)\nreturn os.read(os.open('/etc/passwd', 0), 9)"
    ),
    "list": body("import os\nreturn os.listdir('/')"),
    "socket": body("import _socket\nreturn _socket.socket().fileno()"),
    "kill the worker": body("import os\nos.kill(os.getppid(), 9)\nreturn 1"),
    "own memory": body("return open('/proc/self/mem', 'rb').read(1)"),
    "parent's environment": body(
        "import os\nreturn open(f'/proc/{os.getppid()}/environ').read()"
    ),
    "shell": body("import os\nreturn os.posix_spawn('/bin/true', ['true'], {})"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_candidate_gets_its_verdict_from_the_kernel_alone(
    sandbox: Sandbox, name: str
) -> None:
    source, kinds = HOSTILE[name]
    assert call(sandbox, source).kind in kinds
    assert call(sandbox, HONEST, 7) == Completed(messages=(7,))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_candidate_gets_a_verdict_without_the_filter(
    process_level: Sandbox, name: str
) -> None:
    source, kinds = HOSTILE[name]
    assert call(process_level, source).kind in kinds
    assert call(process_level, HONEST, 7) == Completed(messages=(7,))


@pytest.mark.parametrize(
    "name", [name for name, (_, kinds) in HOSTILE.items() if "timed_out" not in kinds]
)
def test_hostile_candidate_never_completes_under_the_policy(
    enforcing: Sandbox, name: str
) -> None:
    source, kinds = HOSTILE[name]
    assert call(enforcing, source).kind in kinds | {"rejected"}


@pytest.mark.parametrize("name", SYSTEM)
def test_system_call_beyond_the_allowed_ones_raises_in_the_candidate(
    sandbox: Sandbox, name: str
) -> None:
    outcome = call(sandbox, SYSTEM[name])
    assert outcome.kind == "raised"
    assert call(sandbox, HONEST, 7) == Completed(messages=(7,))


def test_without_the_filter_the_same_open_succeeds(process_level: Sandbox) -> None:
    # A broken twin: the test above would be worthless if nothing ever got through.
    source = SYSTEM["close and open"]
    assert call(process_level, source).kind == "completed"


def test_candidate_finds_no_environment_variable(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    with Sandbox(drivers=[DRIVER], limits=LIMITS, policy="off") as fresh:
        outcome = call(fresh, body("import os\nreturn dict(os.environ)"))
    assert outcome == Completed(messages=({},))


def test_candidate_finds_no_open_descriptor_but_its_own() -> None:
    # `lseek` is allowed, and tells an open socket (ESPIPE) from nothing (EBADF).
    source = body(
        "import os\nfound = []\nfor fd in range(300):\n    try:\n"
        "        os.lseek(fd, 0, 1)\n        found.append(fd)\n"
        "    except OSError as error:\n"
        "        if error.errno != 9: found.append(fd)\nreturn found"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(tempfile.TemporaryFile())
        with Sandbox(drivers=[DRIVER], limits=LIMITS, policy="off") as fresh:
            assert call(fresh, source) == Completed(messages=([0, 1, 2, 3],))


def test_many_messages_together_reach_the_output_limit(sandbox: Sandbox) -> None:
    source = body("return bytes(1 << 18)")
    assert call(sandbox, source, *range(7)).kind == "completed"
    outcome = call(sandbox, source, *range(9))
    assert outcome.kind == "output_exceeded"
    assert "larger than 2 MiB" in outcome.feedback()


def test_more_messages_than_the_caller_allows_reach_the_output_limit(
    sandbox: Sandbox,
) -> None:
    assert call(sandbox, HONEST, 1, 2, max_messages=2).kind == "completed"
    outcome = call(sandbox, HONEST, 1, 2, 3, max_messages=2)
    assert outcome.kind == "output_exceeded"
    assert "larger than 2 messages" in outcome.feedback()


def test_nothing_is_written_outside(process_level: Sandbox, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    path = tmp_path / "mark"
    call(
        process_level,
        body(f"import os\nos.close(0)\nopen({str(path)!r}, 'w').write('x')"),
    )
    assert not path.exists() or path.stat().st_size == 0


def test_network_is_out_of_reach(sandbox: Sandbox) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.05)
        port = listener.getsockname()[1]
        source = body(
            f"import _socket\ns = _socket.socket()\ns.connect(('127.0.0.1', {port}))"
        )
        assert call(sandbox, source).kind == "raised"
        with pytest.raises(TimeoutError):
            listener.accept()


def test_leftover_grandchild_is_killed_where_no_filter_stops_it(tmp_path: Path) -> None:
    # As an ordinary user with rlimits, forking fails; so take those away, too.
    source = body(
        "import os, time\npid = os.fork()\nif pid:\n    return pid\n"
        "os.setsid()\ntime.sleep(60)"
    )
    with Sandbox(
        drivers=[DRIVER], limits=LIMITS, policy="off", layers=(), require="none"
    ) as bare:
        outcome = call(bare, source)
        assert isinstance(outcome, Completed)
        assert not Path(f"/proc/{outcome.messages[0]}").exists()


def test_candidates_do_not_see_what_earlier_ones_changed(sandbox: Sandbox) -> None:
    patch = body("import numpy, math\nnumpy.pi = 3\nmath.pi = 3\nreturn 1")
    assert call(sandbox, patch).kind == "completed"
    look = body("import numpy, math\nreturn [numpy.pi, math.pi]")
    assert call(sandbox, look) == Completed(
        messages=([3.141592653589793, 3.141592653589793],)
    )


def test_unseeded_randomness_is_alike_in_every_child_and_worker(
    sandbox: Sandbox, enforcing: Sandbox
) -> None:
    source = (
        "import random\nimport numpy as np\n"
        "def main(x): return [random.random(), float(np.random.random()), hash('a')]"
    )
    first = call(sandbox, source)
    assert first.kind == "completed"
    assert call(sandbox, source) == first
    assert call(enforcing, source) == first


def test_nan_arrives_as_nan(sandbox: Sandbox) -> None:
    outcome = call(sandbox, body("return float('nan')"), reply=float)
    assert isinstance(outcome, Completed)
    assert outcome.messages[0] != outcome.messages[0]


def test_message_of_another_type_is_a_broken_protocol(sandbox: Sandbox) -> None:
    assert call(sandbox, HONEST, "text", reply=int).kind == "protocol_broken"


def test_printing_goes_nowhere_and_harms_nobody(sandbox: Sandbox) -> None:
    source = body("print('\\ud800' + 'x' * 100_000)\nreturn 1")
    assert call(sandbox, source) == Completed(messages=(1,))


def test_raised_says_where(sandbox: Sandbox) -> None:
    outcome = call(sandbox, "def main(x):\n    return 1 / x", 2, 1, 0)
    assert outcome.kind == "raised"
    assert (outcome.line, outcome.source_line, outcome.position) == (
        2,
        "return 1 / x",
        2,
    )
    assert outcome.feedback() == (
        "ZeroDivisionError: division by zero\nLine 2: return 1 / x"
    )


def test_time_limit_is_kept(sandbox: Sandbox) -> None:
    outcome = call(sandbox, body("while True: pass"), wall_s=0.2)
    assert outcome.kind == "timed_out"
    # The kernel's count of the child's own time, not of this machine's load.
    assert outcome.usage.cpu_s < 1.0


def test_promised_modules_can_be_imported_and_used(sandbox: Sandbox) -> None:
    source = """
import numpy as np
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple
import collections, copy, datetime, decimal, fractions, functools, heapq, itertools
import json, math, operator, random, re, statistics, string, textwrap, time, warnings

@dataclass(frozen=True)
class Point:
    x: float = 0.0

class Colour(Enum):
    RED = 1

def main(x):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20, 20))
    np.linalg.solve(a, a); np.linalg.eig(a); np.linalg.svd(a); np.fft.fft(a)
    np.polynomial.Polynomial([1, 2])(3); np.ma.masked_array([1], [True])
    np.einsum("ij,jk", a, a); np.sort(a); np.unique(a); np.histogram(a)
    decimal.Decimal(1) / 3; fractions.Fraction(1, 3); statistics.mean([1, 2])
    datetime.datetime.now(); json.dumps({"a": 1.5}); re.sub("a", "b", "aaa")
    random.random(); copy.deepcopy(Point()); "x".encode("ascii"); f"{a.mean():.3f}"
    warnings.warn("nobody hears this"); sorted([3, 1]); time.perf_counter()
    try:
        [][1]
    except IndexError as error:
        repr(error)
    return Colour.RED.name
"""
    assert call(sandbox, source, wall_s=20.0) == Completed(messages=("RED",))


def test_policy_that_only_warns_says_what_it_would_have_refused() -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, policy="warn") as made:
        outcome = call(made, "import sys\n" + HONEST, 1)
        assert call(made, HONEST, 1).warnings == ()
    assert outcome.kind == "completed"
    assert "Line 1: import of sys is not allowed" in outcome.warnings[0]


def test_source_beyond_the_size_limit_is_rejected_unread(sandbox: Sandbox) -> None:
    outcome = call(sandbox, "#" * (64 * 1024 + 1))
    assert outcome.kind == "rejected"
    assert "at most 64 KiB" in outcome.feedback()


def test_source_with_nul_or_surrogates_is_rejected(sandbox: Sandbox) -> None:
    assert call(sandbox, "x = '\0'").kind == "rejected"
    assert call(sandbox, "x = '\ud800'").kind == "rejected"


def test_unknown_driver_is_the_callers_mistake(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="driver must be one of"):
        sandbox.run("", None, driver="os", reply=int)


def test_candidate_that_takes_every_worker_along_has_crashed() -> None:
    # Without the filter a candidate can kill its worker; the canary then clears it.
    with Sandbox(
        drivers=[DRIVER], limits=LIMITS, policy="off", layers=PROCESS, require="none"
    ) as made:
        outcome = call(made, SYSTEM["kill the worker"])
        assert outcome.kind == "crashed"
        assert call(made, HONEST, 3) == Completed(messages=(3,))


def test_missing_isolation_is_refused_by_name() -> None:
    with pytest.raises(SandboxUnavailable, match=r"seccomp \(absent: switched off\)"):
        Sandbox(drivers=[DRIVER], layers=("rlimits", "drop_root"))


def test_filter_that_the_kernel_refuses_is_reported_and_fails_closed() -> None:
    refusing = "tests.support.no_seccomp_driver"
    with pytest.raises(SandboxUnavailable, match="absent: refused by the kernel"):
        Sandbox(drivers=[refusing])
    with Sandbox(drivers=[refusing], limits=LIMITS, require="process") as made:
        assert made.isolation.level in ("partial", "process")
        outcome = made.run(HONEST, [4], driver=refusing, reply=int)
    assert outcome == Completed(messages=(4,))


@pytest.mark.parametrize(
    ("layer", "level"), [("seccomp", "partial"), ("rlimits", "none")]
)
def test_report_notices_the_layer_that_is_gone(layer: str, level: str) -> None:
    layers = tuple(name for name in LAYERS if name != layer)
    with Sandbox(drivers=[DRIVER], layers=layers, require="none") as made:
        report = made.isolation
    depth = {report.layers["namespaces"], report.layers["landlock"]}
    if level == "partial" and not depth & {"active", "verified"}:
        level = "process"
    assert report.level == level
    assert report.layers[layer] == "absent: switched off"


def test_report_of_a_full_worker_is_verified(sandbox: Sandbox) -> None:
    report = sandbox.isolation
    assert report.level == "kernel"
    assert report.layers["seccomp"] == report.layers["rlimits"] == "verified"
    assert "allowed" not in report.probes.values()
    assert report.to_json()["limits"]["wall_s"] == LIMITS.wall_s


def test_probe_that_gets_through_leaves_no_file() -> None:
    with Sandbox(drivers=[DRIVER], layers=(), require="none") as made:
        assert made.isolation.probes["write_file"] == "allowed"
    assert list(Path("/tmp").glob(".probe-*")) == []
