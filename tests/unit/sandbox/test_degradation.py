"""What is left where a kernel or a container refuses some of the locks."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import namespaces
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import IsolationReport
from sandbox.limits import Limits
from sandbox.linux import Kernel
from sandbox.outcome import Completed
from sandbox.pool import Sandbox
from tests.support import refusing_kernel
from tests.support.refusing_kernel import (
    APPARMOR,
    DOCKER,
    LANDLOCK_NOT_BOOTED,
    NO_LANDLOCK,
    NO_MAPPING,
    NO_PIDFD,
    NO_SECCOMP,
    Refusal,
)

DRIVER = "tests.support.echo_driver"
LIMITS = Limits(wall_s=1.0, memory_mib=128)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the locks are those of Linux"
)

ATTACKS = {
    "file": "open('/etc/passwd')",
    "socket": "import socket; socket.socket()",
    "fork": "import os; os.fork()",
    "thread": "import _thread; _thread.start_new_thread(print, ())",
    "parent": "import os; os.kill(os.getppid(), 9)",
}

Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Returns what makes a sandbox whose workers meet such a kernel."""

    @contextmanager
    def make(
        *refusals: Refusal, before: str = "", **settings: Any
    ) -> Iterator[Sandbox]:
        with monkeypatch.context() as patch:
            program = refusing_kernel.interpreter(tmp_path, refusals, before)
            patch.setattr(sys, "executable", program)
            made = Sandbox(
                drivers=[DRIVER],
                **{"limits": LIMITS, "policy": "off"} | settings,
            )
        with made:
            yield made

    return make


def outcome(sandbox: Sandbox, text: str) -> Any:
    source = f"def main(x):\n    {text}\n    return x"
    return sandbox.run(source, [1], driver=DRIVER, reply=Any)


def assert_holds(sandbox: Sandbox) -> None:
    for name, text in ATTACKS.items():
        assert outcome(sandbox, text).kind == "raised", name
    assert outcome(sandbox, "pass") == Completed(messages=(1,))


def assert_kernel(report: IsolationReport) -> None:
    assert report.level == "kernel"
    assert report.layers["seccomp"] == report.layers["rlimits"] == "verified"


def test_docker_leaves_the_filter_and_landlock(start: Start) -> None:
    with start(*DOCKER) as made:
        report = made.isolation
        assert_kernel(report)
        assert report.layers["namespaces"] == "absent: unshare: Operation not permitted"
        assert report.layers["empty_root"] == report.layers["namespaces"]
        assert report.layers["drop_caps"] in ("active", "verified")
        if report.landlock_version:
            assert report.layers["landlock"] == "verified"
        assert report.probes["see_processes"] == "allowed"
        assert_holds(made)


@pytest.mark.parametrize(
    ("refusals", "reason"),
    [(NO_LANDLOCK, errno.ENOSYS), (LANDLOCK_NOT_BOOTED, errno.EOPNOTSUPP)],
)
def test_kernel_without_landlock_is_level_kernel(
    start: Start, refusals: tuple[Refusal, ...], reason: int
) -> None:
    with start(*refusals) as made:
        report = made.isolation
        assert_kernel(report)
        assert report.layers["landlock"] == (
            f"absent: landlock_create_ruleset: {os.strerror(reason)}"
        )
        assert report.landlock_version == 0
        assert_holds(made)


def test_old_docker_has_the_filter_and_limits_only(start: Start) -> None:
    with start(*DOCKER, *NO_LANDLOCK) as made:
        assert_kernel(made.isolation)
        assert {"namespaces", "empty_root", "landlock"} <= set(made.isolation.missing)
        assert_holds(made)


def test_namespaces_without_rights_in_them_keep_the_files(start: Start) -> None:
    with start(*APPARMOR) as made:
        report = made.isolation
        if report.layers["namespaces"].startswith("absent: unshare"):
            pytest.skip("there are no user namespaces here")
        assert_kernel(report)
        assert report.layers["namespaces"] == "verified"
        assert report.layers["empty_root"] == "absent: mount: Permission denied"
        assert report.probes["find_files"] == "allowed"
        assert_holds(made)


def test_without_pidfd_the_clock_still_kills(start: Start) -> None:
    with start(*NO_PIDFD, *NO_LANDLOCK) as made:
        assert_kernel(made.isolation)
        assert outcome(made, "while True: pass").kind == "timed_out"
        assert outcome(made, "import os; os._exit(3)").kind == "crashed"
        assert_holds(made)


def test_without_a_filter_nothing_runs_unless_accepted(start: Start) -> None:
    with (
        pytest.raises(SandboxUnavailable, match="absent: refused by the kernel"),
        start(*NO_SECCOMP),
    ):
        pass
    with start(*NO_SECCOMP, require="partial") as made:
        assert made.isolation.level == "partial"
        assert made.isolation.missing == ("seccomp",)
        assert outcome(made, "pass") == Completed(messages=(1,))


def test_without_filter_namespaces_and_landlock_only_processes_are_left(
    start: Start,
) -> None:
    refusals = (*NO_SECCOMP, *DOCKER, *NO_LANDLOCK)
    with (
        pytest.raises(SandboxUnavailable, match="at least 'partial', got 'process'"),
        start(*refusals, require="partial"),
    ):
        pass
    with start(*refusals, require="process") as made:
        assert made.isolation.level == "process"


def test_limits_of_the_caller_that_are_lower_still_hold(start: Start) -> None:
    lower = "import resource as r; r.setrlimit(r.RLIMIT_STACK, (8 << 20, 8 << 20))"
    lower += (
        "; r.setrlimit(r.RLIMIT_CPU, (600, 600)); r.setrlimit(r.RLIMIT_CORE, (0, 0))"
    )
    with start(before=lower, limits=Limits(wall_s=900.0)) as made:
        assert_kernel(made.isolation)
        assert_holds(made)


def test_kernel_that_kills_instead_of_refusing_is_survived(start: Start) -> None:
    with start(Refusal("mount", "KILL")) as made:
        assert_kernel(made.isolation)
        assert made.isolation.layers["empty_root"] in (
            "absent: ended while trying",
            made.isolation.layers["namespaces"],
        )


def test_users_that_cannot_be_mapped_still_lose_the_network(start: Start) -> None:
    with start(*NO_MAPPING) as made:
        report = made.isolation
        if report.layers["namespaces"].startswith("absent: unshare"):
            pytest.skip("there are no user namespaces here")
        assert_kernel(report)
        assert report.layers["namespaces"] == "verified"
        assert report.layers["empty_root"].startswith("absent: ")
        assert report.uid == (os.geteuid() or 65534)
        assert_holds(made)
        # One after the other: the first must not be the last that can be forked.
        assert [outcome(made, "pass").kind for _ in range(3)] == ["completed"] * 3


def test_trial_that_dies_is_an_obstacle() -> None:
    def die() -> None:
        # No signal: the first process of a namespace does not end by its own.
        os._exit(1)

    obstacles = namespaces.find_obstacles(
        Kernel(), changes_user=os.geteuid() == 0, change_user=die
    )
    assert obstacles.namespaces == obstacles.empty_root == "ended while trying"


def test_message_names_what_is_missing_and_what_to_do(start: Start) -> None:
    with (
        pytest.raises(SandboxUnavailable) as caught,
        start(*NO_SECCOMP, *DOCKER, *NO_LANDLOCK),
    ):
        pass
    lines = str(caught.value).splitlines()
    assert lines[0] == ("Isolation must be at least 'kernel', got 'process'; missing:")
    assert lines[1].startswith(
        "- seccomp (absent: refused by the kernel): run on Linux"
    )
    assert [line.split()[1] for line in lines[2:5]] == [
        "namespaces",
        "empty_root",
        "landlock",
    ]
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in lines[2]
    assert "Docker 23" in lines[4]
    assert lines[5] == "Or accept what there is with require='process'."


def test_a_later_worker_with_less_than_was_reported_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(drivers=[DRIVER], limits=LIMITS, policy="off") as made:
        if "landlock" in made.isolation.missing:
            pytest.skip("there is no Landlock to take away here")
        assert outcome(made, "pass").kind == "completed"
        made.kill_workers()
        program = refusing_kernel.interpreter(tmp_path, NO_LANDLOCK, "")
        monkeypatch.setattr(sys, "executable", program)
        with pytest.raises(SandboxUnavailable) as caught:
            outcome(made, "pass")
        monkeypatch.undo()
        assert outcome(made, "pass").kind == "completed"
    assert "'kernel' with landlock; a later one lacks:" in str(caught.value)
    assert "\n- landlock (absent: landlock_create_ruleset: " in str(caught.value)
