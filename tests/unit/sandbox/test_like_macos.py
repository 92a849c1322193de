"""What macOS lacks, taken away from a worker: processes with limits are left."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.isolation import Layer
from sandbox.limits import Limits
from sandbox.outcome import Completed, MemoryExceeded
from sandbox.pool import Sandbox

DRIVER = "tests.support.like_macos_driver"
LIMITS = Limits(wall_s=5.0, memory_mib=64)
LAYERS: tuple[Layer, ...] = ("drop_root", "rlimits")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="it plays another system on Linux"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(
        drivers=[DRIVER],
        limits=LIMITS,
        policy="off",
        layers=LAYERS,
        require="process",
    ) as made:
        yield made


def run(sandbox: Sandbox, text: str) -> Any:
    lines = "\n".join(f"    {line}" for line in text.strip().split("\n"))
    return sandbox.run(f"def main(x):\n{lines}", [1], driver=DRIVER, reply=Any)


def test_level_is_process_and_the_limits_are_not_called_verified(
    sandbox: Sandbox,
) -> None:
    assert sandbox.isolation.level == "process"
    assert sandbox.isolation.layers["rlimits"] == "active"
    assert sandbox.isolation.probes["allocate_too_much"] == "watched"


def test_more_is_refused_where_more_is_required() -> None:
    with pytest.raises(SandboxUnavailable, match="at least 'kernel', got 'process'"):
        Sandbox(drivers=[DRIVER], layers=LAYERS)


def test_memory_is_watched_by_the_worker(sandbox: Sandbox) -> None:
    text = "import time\nkept = bytearray(b'x') * (256 << 20)\ntime.sleep(60)"
    outcome = run(sandbox, text)
    assert isinstance(outcome, MemoryExceeded)
    assert outcome.limit_mib == 64


def test_memory_within_the_limit_is_left_alone(sandbox: Sandbox) -> None:
    text = "import time\nkept = bytearray(b'x') * (16 << 20)\ntime.sleep(0.2)\nreturn 2"
    assert run(sandbox, text) == Completed(messages=(2,))


def test_ends_are_seen_without_waitid(sandbox: Sandbox) -> None:
    assert run(sandbox, "return 3") == Completed(messages=(3,))
    assert run(sandbox, "import os\nos._exit(5)").exit_code == 5
    assert run(sandbox, "import time\ntime.sleep(60)").kind == "timed_out"
    assert run(sandbox, "return 4") == Completed(messages=(4,))
