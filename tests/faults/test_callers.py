"""Callers in trouble: no descriptors, no disk, Ctrl-C, sudden death, forks."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.processes import descendants, is_alive

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="reads what runs from /proc"
)

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

HEAD = """
import os, resource, socket, sys, threading, time
from typing import Any
from sandbox.errors import SandboxUnavailable
from sandbox.limits import Limits
from sandbox.pool import Sandbox

DRIVER = "tests.support.echo_driver"
HONEST = "def main(x):\\n    return x"

def make(**settings):
    limits = Limits(wall_s=30.0, memory_mib=128)
    return Sandbox(drivers=[DRIVER], limits=limits, policy="off", **settings)

def call(sandbox, source, item=7):
    return sandbox.run(source, [item], driver=DRIVER, reply=Any)
"""
ENDLESS = "import time\ndef main(x):\n    while True: time.sleep(0.01)"


def python(script: str) -> list[str]:
    return [sys.executable, "-c", HEAD + script]


def output_of(command: Sequence[str]) -> list[str]:
    """Returns the lines that a command prints; it must succeed."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Waits until something is so; fails if it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never happened: {what}")
        threading.Event().wait(0.01)


def test_caller_without_descriptors_gets_an_error_and_no_verdict() -> None:
    script = """
with make(num_workers=2) as sandbox:
    assert call(sandbox, HONEST).kind == "completed"
    before = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    kept = []
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for spare in (0, 1, 2, 3):
        for fd in kept[:spare]:
            os.close(fd)
        try:
            print("verdict", call(sandbox, HONEST))
        except (OSError, SandboxUnavailable) as error:
            print("error", type(error).__name__)
        kept = kept[spare:]
    for fd in kept:
        os.close(fd)
    print("after", call(sandbox, HONEST).kind)
    print("left", len(os.listdir("/proc/self/fd")) - before)
"""
    lines = output_of(python(script))
    *tried, after, left = lines
    assert len(tried) == 4
    for line in tried:
        assert line.startswith("error") or "Completed(" in line
    assert tried[0].startswith("error")
    assert after == "after completed"
    # Workers that were lost are started again when they are needed.
    assert int(left.split()[1]) <= 0


def test_candidate_of_a_caller_with_200_open_descriptors_has_four() -> None:
    script = """
kept = []
for _ in range(100):
    kept += socket.socketpair()
for one in kept[::2]:
    os.set_inheritable(one.fileno(), True)
source = '''
import os
def main(x):
    found = []
    for fd in range(1000):
        try:
            os.lseek(fd, 0, 1)
            found.append(fd)
        except OSError as error:
            if error.errno != 9: found.append(fd)
    return found
'''
with make() as sandbox:
    late = [socket.socket() for _ in range(20)]
    print(call(sandbox, source).messages[0])
"""
    assert output_of(python(script)) == ["[0, 1, 2, 3]"]


MOUNTS = {
    "full": (
        "mount -t tmpfs -o size=4k none /tmp; "
        "dd if=/dev/zero of=/tmp/filler bs=4k count=1 2>/dev/null || true; "
    ),
    "read-only": "mount -t tmpfs -o ro none /tmp; ",
}


@pytest.mark.parametrize("state", MOUNTS)
def test_nothing_is_needed_of_a_temporary_folder_that_is(state: str) -> None:
    if not shutil.which("unshare"):
        pytest.skip("needs unshare to put another /tmp in place")
    if Path("/tmp") in ROOT.parents or Path("/tmp") in Path(sys.prefix).parents:
        pytest.skip("the code lies in /tmp, which this test covers")
    users = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    enter = ["unshare", *users, "--mount", "sh", "-c"]
    probe = subprocess.run(
        [*enter, f"set -e; {MOUNTS[state]}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode != 0:
        pytest.skip(f"/tmp cannot be covered here: {probe.stderr.strip()[-200:]}")
    script = """
for name in ("/tmp/x", "/tmp/y"):
    try:
        with open(name, "w") as file:
            file.write("x" * 10_000)
    except OSError:
        continue
    raise SystemExit("the folder is not as it should be")
before = sorted(os.listdir("/tmp"))
with make(num_workers=2) as sandbox:
    for number in range(5):
        print(call(sandbox, HONEST, number).messages[0])
    sandbox.kill_workers()
    print(call(sandbox, HONEST, 5).messages[0])
assert sorted(os.listdir("/tmp")) == before
"""
    command = [*enter, f'set -e; {MOUNTS[state]}exec "$@"', "sh", *python(script)]
    assert output_of(command) == ["0", "1", "2", "3", "4", "5"]


class Started:
    """A script with a process group of its own; says when it is ready."""

    def __init__(self, command: Sequence[str], num_busy: int) -> None:
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )
        self.family: set[int] = set()
        wait_for(lambda: self._has_started(num_busy), "workers that are busy")

    def _has_started(self, number: int) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"ended early: {self.process.communicate()[1][-2000:]}")
        self.family = descendants(self.process.pid)
        return len(self.family) >= number

    def is_gone(self) -> bool:
        return not any(map(is_alive, self.family))

    def end(self) -> str:
        """Waits for the end and returns what was said about it."""
        try:
            return self.process.communicate(timeout=PATIENCE_S)[1]
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            pytest.fail("did not end")


BUSY = f"""
with make(num_workers=2) as sandbox:
    idle = threading.Event()
    def work():
        try:
            print(call(sandbox, {ENDLESS!r}).kind)
        except SandboxUnavailable:
            pass
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    call(sandbox, {ENDLESS!r})
"""


def num_processes_of_a_busy_worker() -> int:
    """Returns how many processes a worker has while it runs a candidate."""
    script = """
from tests.support.processes import descendants
with make() as sandbox:
    print(len(descendants(os.getpid())) + 1)
"""
    return int(output_of(python(script))[0])


def test_ctrl_c_leaves_no_process() -> None:
    started = Started(python(BUSY), 2 * num_processes_of_a_busy_worker())
    os.killpg(started.process.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in started.end()
    wait_for(started.is_gone, "the end of workers and candidates")


def test_caller_that_is_killed_leaves_no_process() -> None:
    started = Started(python(BUSY), 2 * num_processes_of_a_busy_worker())
    started.process.kill()
    started.end()
    wait_for(started.is_gone, "the end of workers and candidates")


@pytest.mark.slow
def test_ctrl_c_during_a_synthesis_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cwm.synthesize", "--env", "CartPole-v1"]
    command += ["--out", str(tmp_path / "run")]
    started = Started(command, num_processes_of_a_busy_worker())
    os.killpg(started.process.pid, signal.SIGINT)
    started.end()
    assert started.process.returncode in (0, 130)
    wait_for(started.is_gone, "the end of workers and candidates")


def test_pool_outlives_a_fork_of_its_caller() -> None:
    script = """
with make() as sandbox:
    print(call(sandbox, HONEST, 1).messages[0])
    for leave in (lambda: os._exit(0), lambda: sys.exit(0)):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            leave()
        os.waitpid(pid, 0)
        print(call(sandbox, HONEST, 2).messages[0])
"""
    lines = output_of(python(script))
    assert [line for line in lines if line] == ["1", "2", "2"]


def test_fork_of_a_caller_is_told_to_make_a_pool_of_its_own() -> None:
    script = """
with make() as sandbox:
    sys.stdout.flush()
    if os.fork() == 0:
        try:
            call(sandbox, HONEST, 1)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(0)
    os.wait()
"""
    (line,) = [one for one in output_of(python(script)) if one]
    assert line.startswith("SandboxUnavailable: A forked process must make")


def test_worker_ends_with_its_caller_though_a_fork_of_that_lives_on() -> None:
    script = """
made = make()
pid = os.fork()
if pid == 0:
    time.sleep(60)
    os._exit(0)
print(pid, flush=True)
time.sleep(60)
"""
    caller = subprocess.Popen(
        python(script), stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert caller.stdout is not None
    forked = int(caller.stdout.readline())
    workers = descendants(caller.pid) - {forked}
    caller.kill()
    caller.wait()
    caller.stdout.close()
    assert workers
    assert is_alive(forked)
    try:
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline and any(map(is_alive, workers)):
            threading.Event().wait(0.01)
        assert not any(map(is_alive, workers))
    finally:
        os.kill(forked, signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, workers)), "the end of the worker")
