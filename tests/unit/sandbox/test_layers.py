"""Each lock alone stops an attack, and is missed when it alone is taken away."""

import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.isolation import LAYERS, PROOFS, IsolationReport, Layer
from sandbox.limits import Limits
from sandbox.outcome import Crashed
from sandbox.pool import Sandbox
from sandbox.seccomp import TABLES

DRIVER = "tests.support.echo_driver"
LIMITS = Limits(wall_s=5.0, memory_mib=64)
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
IS_LINUX = sys.platform == "linux"
ALREADY_UNPRIVILEGED = (
    IS_LINUX and "NoNewPrivs:\t1" in Path("/proc/self/status").read_text()
)

pytestmark = pytest.mark.skipif(not IS_LINUX, reason="the locks are those of Linux")


class Kept:
    """Sandboxes with some of the layers, each made once."""

    def __init__(self) -> None:
        self._made: dict[frozenset[str], Sandbox] = {}

    def get(self, layers: Sequence[Layer]) -> Sandbox:
        key = frozenset(layers)
        if key not in self._made:
            self._made[key] = Sandbox(
                drivers=[DRIVER],
                limits=LIMITS,
                policy="off",
                layers=layers,
                require="none",
            )
        return self._made[key]

    def close(self) -> None:
        for made in self._made.values():
            made.close()


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    made = Kept()
    yield made
    made.close()


@pytest.fixture(scope="module")
def full(kept: Kept) -> Sandbox:
    return kept.get(LAYERS)


@pytest.fixture(scope="module")
def report(full: Sandbox) -> IsolationReport:
    return full.isolation


def need(report: IsolationReport, layers: Sequence[str]) -> None:
    for layer in layers:
        state = report.layers[layer]
        assert state != "absent: a probe got through", layer
        if state.startswith("absent"):
            pytest.skip(f"{layer} cannot be had here: {state}")


@pytest.fixture(scope="module")
def scene() -> Iterator[dict[str, Any]]:
    """What attacks are after; it is their argument.

    Keys:
        pid: Of this process.
        port: Of a listening socket.
        name: Of a listening abstract socket.
        secret: A file that only its owner may read.
        folder: A folder that anybody may write to.
        program: `id`, set to run as its owner; empty if that cannot be.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        socket.socket() as inet,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        folder = Path(name)
        folder.chmod(0o777)
        secret = folder / "secret"
        secret.write_text("secret")
        secret.chmod(0o600)
        inet.bind(("127.0.0.1", 0))
        inet.listen()
        unix.bind(f"\0sandbox-test-{os.getpid()}")
        unix.listen()
        yield {
            "pid": os.getpid(),
            "port": inet.getsockname()[1],
            "name": unix.getsockname().decode(),
            "secret": str(secret),
            "folder": str(folder),
            "program": _set_user_id_program(folder),
        }


def _set_user_id_program(folder: Path) -> str:
    program = shutil.which("id")
    if program is None or os.statvfs(folder).f_flag & os.ST_NOSUID:
        return ""
    path = folder / "id"
    shutil.copy(program, path)
    path.chmod(0o755 | stat.S_ISUID)
    return str(path)


def attack(sandbox: Sandbox, text: str, argument: Any = None) -> Any:
    lines = "\n".join(f"    {line}" for line in text.strip().split("\n"))
    source = f"def main(x):\n{lines}\n    return 'through'"
    return sandbox.run(source, [argument], driver=DRIVER, reply=Any)


def got_through(outcome: Any) -> bool:
    return outcome.kind == "completed" and outcome.messages == ("through",)


@dataclass(frozen=True)
class Case:
    """An attack that one layer stops, with some others or none beside it.

    Attributes:
        name: Of the test.
        layer: What stops it.
        others: What is there in any case: the layer needs it, or it makes root's
            run like an ordinary user's.
        text: Body of a function of `x`, the scene; it raises if it is stopped.
        user: Who can show it: `"root"`, `"ordinary"` or anybody.
        landlock: Version of Landlock that it takes.
    """

    name: str
    layer: Layer
    others: tuple[Layer, ...]
    text: str
    user: str = ""
    landlock: int = 0


SPACES: tuple[Layer, ...] = ("drop_root", "namespaces")
UNPRIVILEGED: tuple[Layer, ...] = ("drop_root", "no_new_privs")

EXECUTABLE = """
import ctypes
mmap = ctypes.CDLL(None).mmap
mmap.restype = ctypes.c_long
assert mmap(None, ctypes.c_size_t(4096), 7, 0x22, -1, ctypes.c_long(0)) != -1
"""
SHARED_MEMORY = """
import ctypes
libc = ctypes.CDLL(None)
number = libc.shmget(0, ctypes.c_size_t(4096), 0o1600)
assert number >= 0
libc.shmctl(number, 0, None)
"""
CONNECT = "import socket; socket.create_connection(('127.0.0.1', x['port']), 2)"
READ = "open('/etc/passwd').read()"
SEE_PROCESS = """
import os
try:
    os.kill(x['pid'], 0)
except PermissionError:
    pass
"""
RUN_AS_ROOT = """
import os
end, other = os.pipe()
if os.fork() == 0:
    os.dup2(other, 1)
    os.execv(x['program'], ['id', '-u'])
assert os.read(end, 99) == b'0\\n'
"""
READ_STATUS = """
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
assert int(status['NoNewPrivs']) == 0
"""
FORK = "import os; os.fork() or os._exit(0)"
LOCK_MEMORY = """
import ctypes
libc, page = ctypes.CDLL(None), bytes(4096)
assert libc.mlock(page, ctypes.c_size_t(4096)) == 0
"""
MORE_NAMESPACES = """
import ctypes
assert ctypes.CDLL(None).unshare(0x10000000) == 0
"""
WRITE = "import os; os.mkdir(x['folder'] + '/new'); os.rmdir(x['folder'] + '/new')"
ABSTRACT = "import socket; socket.socket(socket.AF_UNIX).connect(x['name'])"

CASES = [
    Case("secret of root", "drop_root", (), "open(x['secret'])", user="root"),
    Case("network", "namespaces", ("drop_root",), CONNECT),
    Case("other processes", "namespaces", ("drop_root",), SEE_PROCESS),
    Case("files", "empty_root", SPACES, "import os; os.stat('/etc')"),
    Case("more namespaces", "empty_root", SPACES, MORE_NAMESPACES),
    # The host name is one of its own: nobody else has it.
    Case("name", "drop_caps", SPACES, "import socket; socket.sethostname('changed')"),
    Case("set user id", "no_new_privs", ("drop_root",), RUN_AS_ROOT, user="root"),
    Case("status", "no_new_privs", ("drop_root",), READ_STATUS),
    Case("reading", "landlock", UNPRIVILEGED, READ),
    Case("writing", "landlock", UNPRIVILEGED, WRITE),
    Case("connecting", "landlock", UNPRIVILEGED, CONNECT, landlock=4),
    Case("abstract socket", "landlock", UNPRIVILEGED, ABSTRACT, landlock=6),
    Case(
        "signal",
        "landlock",
        UNPRIVILEGED,
        "import os; os.kill(x['pid'], 0)",
        user="ordinary",
        landlock=6,
    ),
    Case("memory", "rlimits", ("drop_root",), "bytes(256 << 20)"),
    Case("descriptors", "rlimits", ("drop_root",), "import os; os.dup(0)"),
    Case("forking", "rlimits", ("drop_root",), FORK),
    Case("locked memory", "rlimits", ("drop_root",), LOCK_MEMORY),
    Case("executable memory", "seccomp", UNPRIVILEGED, EXECUTABLE),
    Case("shared memory", "seccomp", UNPRIVILEGED, SHARED_MEMORY),
    Case("reading", "seccomp", UNPRIVILEGED, READ),
    Case("socket", "seccomp", UNPRIVILEGED, "import socket; socket.socketpair()"),
    Case("forking", "seccomp", UNPRIVILEGED, FORK),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.layer}: {case.name}")
def test_layer_alone_stops_what_gets_through_without_it(
    kept: Kept, report: IsolationReport, scene: dict[str, Any], case: Case
) -> None:
    need(report, [case.layer, *case.others])
    if case.user and (case.user == "root") != IS_ROOT:
        pytest.skip(f"only {case.user} users can show it")
    if report.landlock_version < case.landlock:
        pytest.skip(f"Landlock is older than version {case.landlock} here")
    if case.layer == "no_new_privs" and ALREADY_UNPRIVILEGED:
        pytest.skip("the tests themselves run without new privileges")
    if case.text is RUN_AS_ROOT and not scene["program"]:
        pytest.skip("there is no place for a set-user-id program")
    locked = attack(kept.get([*case.others, case.layer]), case.text, scene)
    assert locked.kind in ("raised", "memory_exceeded", "crashed"), locked
    unlocked = attack(kept.get(case.others), case.text, scene)
    assert got_through(unlocked), unlocked


def test_there_is_a_case_for_every_layer() -> None:
    assert {case.layer for case in CASES} == set(LAYERS)


def test_empty_root_has_nothing_and_takes_nothing(
    kept: Kept, report: IsolationReport
) -> None:
    need(report, ["namespaces", "empty_root"])
    text = "import os\nassert os.listdir('/') == []\nos.mkdir('/x')"
    outcome = attack(kept.get([*SPACES, "empty_root"]), text)
    assert outcome.error_type == "OSError"
    assert "Read-only" in outcome.message


@pytest.mark.parametrize(
    "text", [EXECUTABLE, SHARED_MEMORY], ids=["executable memory", "shared memory"]
)
def test_filter_is_missed_when_it_alone_is_gone(
    kept: Kept, full: Sandbox, text: str
) -> None:
    need(full.isolation, ["seccomp"])
    assert attack(full, text).kind == "raised"
    rest = [name for name in LAYERS if name != "seccomp"]
    assert got_through(attack(kept.get(rest), text))


@pytest.mark.parametrize("call", ["ptrace", "unshare", "keyctl", "bpf", "chroot"])
def test_calls_that_are_deadly_end_the_candidate(full: Sandbox, call: str) -> None:
    need(full.isolation, ["seccomp"])
    number = TABLES[os.uname().machine].deadly[call]
    text = "import ctypes; ctypes.CDLL(None).syscall(x, 0, 0, 0, 0)"
    outcome = attack(full, text, number)
    assert isinstance(outcome, Crashed)
    assert outcome.exit_code == -signal.SIGSYS
    assert got_through(attack(full, "pass"))


@pytest.mark.parametrize("layer", sorted(PROOFS))
def test_probes_miss_the_layer_that_alone_is_gone(
    kept: Kept, report: IsolationReport, layer: Layer
) -> None:
    need(report, [layer])
    if layer == "drop_root" and not IS_ROOT:
        pytest.skip("an ordinary user has no root to drop")
    # The empty root cannot be had without namespaces.
    gone = {layer, "empty_root"} if layer == "namespaces" else {layer}
    found = kept.get([name for name in LAYERS if name not in gone]).isolation
    assert "allowed" in {found.probes[name] for name in PROOFS[layer]}
    assert "allowed" not in {report.probes[name] for name in PROOFS[layer]}
    for name in LAYERS:
        expected = "absent: switched off" if name in gone else report.layers[name]
        assert found.layers[name] == expected


@pytest.mark.parametrize(
    ("layer", "dependent"),
    [
        ("no_new_privs", "landlock"),
        ("no_new_privs", "seccomp"),
        ("namespaces", "empty_root"),
    ],
)
def test_layer_that_needs_another_one_says_so(
    kept: Kept, layer: Layer, dependent: str
) -> None:
    found = kept.get([name for name in LAYERS if name != layer]).isolation
    assert found.layers[dependent] == f"absent: needs {layer}"
