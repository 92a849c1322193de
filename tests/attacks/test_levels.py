"""The attacks at every level of isolation, as this user and as an ordinary one.

All layers as this user are `test_attacks`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.pool import Sandbox
from tests.attacks.harness import SETTINGS
from tests.attacks.suite import ATTACKS
from tests.attacks.test_attacks import MOST, THROUGH
from tests.support import ordinary_user

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the filter needs Linux"),
]

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 600.0
USERS = ("this user", "ordinary user")
COMPILING = "compiling"
LOCKED = tuple(
    name
    for name, setting in SETTINGS.items()
    if setting.has_filter and name != COMPILING
)
CASES = [
    (setting, user)
    for setting in LOCKED
    for user in USERS
    if (setting, user) != ("full", "this user")
]
OPEN = tuple(name for name, setting in SETTINGS.items() if not setting.has_filter)

WITHOUT_THE_SYSTEM = {
    "endless work",
    "recursion",
    "looking for answers",
    "tampering",
    "objects",
    "protocol",
    "texts of errors",
    "parsing",
}
"""Categories that no layer is needed against: the process and the wire are enough."""

ENDLESS = "endless work"
"""Of these the slowest: each attack runs to its limit, whatever the layers are."""

WITH_ENDLESS = {("full", "ordinary user"), ("none", "this user")}
"""Where it is run all the same: everything locked, and nothing."""


@cache
def _no_ordinary_user() -> str:
    """Returns why there is none; empty if there is."""
    if os.geteuid() != 0:
        return "this user is an ordinary one already"
    probe = ordinary_user.run(["-c", "import numpy, pytest, sandbox"], timeout_s=60)
    if probe.returncode != 0:
        return f"an ordinary user cannot run Python: {probe.stderr.strip()[-200:]}"
    return ""


def _results(setting: str, user: str, *, policy: str = "off") -> list[dict[str, Any]]:
    """Returns the results of a run in a process of its own."""
    words = ["-m", "tests.attacks.run", "--setting", setting, "--policy", policy]
    if policy != "off" or (setting, user) not in WITH_ENDLESS:
        words += ["--without", ENDLESS]
    if user == "ordinary user":
        if _no_ordinary_user():
            pytest.skip(_no_ordinary_user())
        done = ordinary_user.run(words, timeout_s=TIMEOUT_S)
    else:
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=TIMEOUT_S,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    if SETTINGS[setting].has_filter:
        asked = {
            name
            for name, attack in ATTACKS.items()
            if "--without" not in words or attack.category != ENDLESS
        }
        assert asked <= {r["name"] for r in results}
    return results


@cache
def _is_available(setting: str) -> bool:
    chosen = SETTINGS[setting]
    try:
        Sandbox(drivers=[], layers=chosen.layers, require=chosen.require).close()
    except SandboxUnavailable:
        return False
    return True


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("setting", "user"), CASES)
def test_every_attack_is_blocked_where_the_filter_is(setting: str, user: str) -> None:
    results = _results(setting, user)
    assert {r["name"]: r["gains"] for r in results if r["gains"]} == {}
    assert {r["name"]: r["text"] for r in results if not r["is_as_expected"]} == {}


@pytest.mark.fast
def test_no_attack_succeeds_where_a_child_may_compile(user: str) -> None:
    """How they end is another matter: numba brings modules that some of them meet."""
    results = _results(COMPILING, user)
    assert {r["name"]: r["gains"] for r in results if r["gains"]} == {}


@pytest.mark.parametrize("setting", OPEN)
def test_only_known_attacks_succeed_without_the_filter(setting: str, user: str) -> None:
    if not _is_available(setting):
        pytest.skip(f"level {SETTINGS[setting].require!r} cannot be had here")
    results = _results(setting, user)
    succeeded = {r["name"]: r["gains"] for r in results if r["gains"]}
    surprises = {
        name: gains
        for name, gains in succeeded.items()
        if name not in THROUGH[setting]
        and (setting == "partial" or ATTACKS[name].category in WITHOUT_THE_SYSTEM)
    }
    assert surprises == {}
    known = set(THROUGH[setting])
    assert len(known & set(succeeded)) >= MOST * len(known), known - set(succeeded)


def test_the_policy_rejects_many_attacks_and_no_honest_program(
    record_property: Callable[[str, object], None],
) -> None:
    # Each attack is followed by an honest program that must be right.
    results = _results("full", "this user", policy="enforce")
    assert {r["name"]: r["gains"] for r in results if r["gains"]} == {}
    num_rejected = sum(r["kind"] == "rejected" for r in results)
    record_property("rejected", f"{num_rejected} of {len(results)}")
    assert num_rejected > 0
