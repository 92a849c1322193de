"""The locks once more, by a user who has no rights to begin with."""

import os
import sys

import pytest

from tests.support import ordinary_user

FILES = ["test_layers.py", "test_degradation.py", "test_worker_processes.py"]


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="only root can become another user; others are ordinary already",
)
def test_locks_hold_for_an_ordinary_user() -> None:
    probe = ordinary_user.run(["-c", "import numpy, pytest, sandbox"], timeout_s=60)
    if probe.returncode != 0:
        pytest.skip(f"the user cannot run Python: {probe.stderr.strip()[-200:]}")
    paths = [f"tests/unit/sandbox/{name}" for name in FILES]
    done = ordinary_user.run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", *paths], timeout_s=300
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
