"""Thousands of candidates in a row, a third of them hostile: nothing may be left.

The shortest run is part of the default tests, the second is slow; the last is long:
what grows by less than a hundredth of a MiB per candidate shows there alone.
"""

import gc
import os
import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cwm.programs.evaluation import Evaluation, ProgramEvaluator, open_sandbox
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from tests.attacks.attack import HONEST
from tests.attacks.harness import KNOWS_NOTHING, cart_pole_task, digest
from tests.attacks.scene import Scene
from tests.attacks.suite import ATTACKS
from tests.support.processes import descendants, resident_mib

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="reads what runs from /proc"
)

LIMITS = Limits(
    wall_s=0.2, memory_mib=128, max_output_mib=2, max_frame_mib=1, grace_s=5.0
)
NUM_WORKERS = 2
MAX_GROWTH_MIB = 48.0
MAX_STALLED = 0.01
"""Share of honest candidates that a busy machine may keep from ending in 0.2 s."""

RAISES = HONEST.replace("return np.array", "return undefined")
ORDINARY = {"honest": HONEST, "knows nothing": KNOWS_NOTHING, "raises": RAISES}


class Soak:
    """Runs candidates from two threads over one pool and keeps what went wrong."""

    def __init__(self, scene: Scene, sandbox: Sandbox, calm: Sandbox) -> None:
        self._traps = scene.traps()
        self._task = cart_pole_task()
        self._digest = digest(self._task)
        self._evaluator = ProgramEvaluator(self._task, sandbox=sandbox)
        self._calm = ProgramEvaluator(self._task, sandbox=calm)
        self._hostile = list(ATTACKS.values())
        self.wrong: list[str] = []
        self.num_stalled = 0

    def run(self, numbers: range) -> None:
        """Runs the candidates with these numbers, each once."""
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in numbers:
            waiting.put(number)

        def work(_: int) -> None:
            while True:
                try:
                    self._run_one(waiting.get_nowait())
                except queue.Empty:
                    return

        with ThreadPoolExecutor(NUM_WORKERS) as pool:
            list(pool.map(work, range(NUM_WORKERS)))
        if digest(self._task) != self._digest:
            self.wrong.append("the caller's data were changed")

    def _run_one(self, number: int) -> None:
        if number % 3 == 1:
            self._run_hostile(number // 3)
            return
        name = (
            list(ORDINARY)[number % 9 % len(ORDINARY)] if number % 9 > 2 else "honest"
        )
        found = self._evaluator.evaluate(ORDINARY[name])
        if found.outcome_kind == "timed_out":
            # The machine's fault, if it goes well when there is time.
            self.num_stalled += 1
            found = self._calm.evaluate(ORDINARY[name])
        if not _is_right(name, found):
            self.wrong.append(f"{number}, {name}: {found.outcome_kind} {found.score}")

    def _run_hostile(self, turn: int) -> None:
        attack = self._hostile[turn * 7 % len(self._hostile)]
        found = self._evaluator.evaluate(attack.source(self._traps))
        if found.outcome_kind not in attack.kinds | {"timed_out"}:
            self.wrong.append(f"{attack.name}: {found.outcome_kind} {found.feedback}")
        if "PWNED" in found.feedback:
            self.wrong.append(f"{attack.name}: {found.feedback}")


def _is_right(name: str, found: Evaluation) -> bool:
    if name == "honest":
        return found.score == 1.0
    if name == "raises":
        return found.outcome_kind == "raised" and "NameError" in found.feedback
    return found.train is not None and found.train.strict == 0.0


def _left_outside(worker_user: int) -> set[str]:
    """Returns files of the candidates' user where anybody may write."""
    found: set[str] = set()
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        for path in Path(folder).glob("*") if os.path.isdir(folder) else ():
            try:
                # Other tests, at the same time, make folders of their own.
                is_ours = path.name.startswith(("pytest-of-", "attacks-"))
                if path.lstat().st_uid == worker_user and not is_ours:
                    found.add(str(path))
            except FileNotFoundError:
                continue
    return found


def _shared_memory() -> list[str]:
    found = []
    for name in ("shm", "sem", "msg"):
        path = Path(f"/proc/sysvipc/{name}")
        if path.exists():
            found += [line.split()[1] for line in path.read_text().splitlines()[1:]]
    return found


def _settle() -> None:
    gc.collect()
    # Orphans of a replaced worker are reaped by others, a moment later.
    threading.Event().wait(0.3)


@pytest.mark.parametrize(
    "number",
    [
        300,
        pytest.param(1_000, marks=pytest.mark.slow),
        pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.long]),
    ],
)
def test_nothing_is_left_and_no_verdict_is_wrong(number: int) -> None:
    # As root, workers drop to a user who owns nothing here.
    user = 65534 if os.geteuid() == 0 else os.geteuid()
    files, shared = _left_outside(user), _shared_memory()
    calm_limits = Limits(wall_s=20.0)
    with (
        Scene("0" * 32) as scene,
        open_sandbox(limits=calm_limits, num_workers=1, policy="off") as calm,
        open_sandbox(limits=LIMITS, num_workers=NUM_WORKERS, policy="off") as sandbox,
    ):
        soak = Soak(scene, sandbox, calm)
        num_warm = max(number // 10, 50)
        soak.run(range(num_warm))
        _settle()
        processes = len(descendants(os.getpid()))
        descriptors = len(os.listdir("/proc/self/fd"))
        resident = resident_mib(os.getpid())
        largest = max(map(resident_mib, descendants(os.getpid())))

        soak.run(range(num_warm, number))
        _settle()
        assert soak.wrong == []
        assert soak.num_stalled <= MAX_STALLED * number
        assert scene.sprung() == []
        assert len(descendants(os.getpid())) == processes
        assert len(os.listdir("/proc/self/fd")) == descriptors
        assert resident_mib(os.getpid()) - resident < MAX_GROWTH_MIB
        workers = max(map(resident_mib, descendants(os.getpid())))
        assert workers - largest < MAX_GROWTH_MIB
    assert _left_outside(user) - files == set()
    assert _shared_memory() == shared
