"""Every attack must fail, and would succeed if nothing stopped it.

All layers, policy off: the kernel has to hold alone. `test_levels` has the other
levels and users.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.isolation import LAYERS
from tests.attacks.attack import HONEST, Attack
from tests.attacks.harness import SETTINGS, Lane, Result, run_attacks
from tests.attacks.scene import Scene
from tests.attacks.suite import ATTACKS, CATEGORIES

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

THROUGH: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("through.json").read_text()
)
"""Attacks that are known to succeed, by what they were run under."""

MOST = 0.8
"""Share of those that must succeed: single ones depend on kernel and user."""


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    found = run_attacks(ATTACKS, SETTINGS["full"])
    return {result.name: result for result in found}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_blocked_and_gets_its_verdict(
    results: dict[str, Result], name: str
) -> None:
    result = results[name]
    assert result.gains == []
    assert result.is_as_expected, f"{result.kind}: {result.text}"


def test_nothing_went_off_later(results: dict[str, Result]) -> None:
    assert "late" not in results


def test_suite_is_as_broad_as_it_says() -> None:
    assert len(CATEGORIES) == len({category.name for category in CATEGORIES}) >= 15
    assert len(ATTACKS) >= 140
    assert all(category.attacks for category in CATEGORIES)
    for names in THROUGH.values():
        assert set(names) <= set(ATTACKS)


def test_attacks_succeed_where_nothing_stops_them() -> None:
    names = THROUGH["none"]
    found = run_attacks({name: ATTACKS[name] for name in names}, SETTINGS["none"])
    succeeded = [result.name for result in found if result.gains]
    assert len(names) >= 100
    assert len(succeeded) >= MOST * len(names), sorted(set(names) - set(succeeded))


def test_forgeries_succeed_where_the_comparison_is_within_reach() -> None:
    names = THROUGH["naive"]
    with Scene("0" * 32) as scene:
        traps = scene.traps()
        todo = [
            (name, attack.source(traps), attack.second_source(traps))
            for name, attack in ATTACKS.items()
            if name in names
        ]
        done = subprocess.run(
            [sys.executable, "-m", "tests.attacks.naive"],
            input=json.dumps([("honest", HONEST, ""), *todo]),
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
    scores = json.loads(done.stdout)
    assert scores.pop("honest") == 1.0
    succeeded = [name for name, score in scores.items() if score >= 0.5]
    assert len(names) >= 30
    assert len(succeeded) >= MOST * len(names), sorted(set(names) - set(succeeded))


@pytest.fixture(scope="module")
def open_lane() -> Iterator[Lane]:
    """A lane where nothing is locked: what its checks must notice can happen."""
    lane = Lane(SETTINGS["none"], "off", "5" * 32)
    yield lane
    lane.close()


def _attack(text: str, form: str = "action", **rest: object) -> Attack:
    values = {
        "name": "made_up",
        "category": "",
        "kinds": frozenset({"completed"}),
        "errors": (),
        **rest,
    }
    return Attack(text=text, form=form, **values)  # type: ignore[arg-type]


NOTICED = {
    "mark": ("open(f'{DROP}/x', 'w')", "left a mark"),
    "spoilt file": ("open(CANARY, 'w')", "spoilt the canary"),
    "moved file": (
        "import os\n    os.rename(CANARY, CANARY + 'x')",
        "spoilt the canary",
    ),
    "connection": (
        "import socket\n    socket.create_connection(('127.0.0.1', TCP_PORT))",
        "reached the listener: tcp",
    ),
    "evidence": ("return 'proof'", "brought out evidence: PWNED: proof"),
    "secret": ("raise ValueError(open(SECRET_FILE).read())", "brought out the secret"),
}


@pytest.mark.parametrize("name", NOTICED)
def test_gain_is_noticed(open_lane: Lane, name: str) -> None:
    body, message = NOTICED[name]
    result = open_lane.run(name, _attack(f"def attack():\n    {body}\n"))
    assert any(gain.startswith(message) for gain in result.gains), result.gains
    assert open_lane.run("none", _attack("def attack(): pass")).gains == []


def test_score_of_a_forgery_is_noticed(open_lane: Lane) -> None:
    result = open_lane.run("honest", _attack(HONEST, "forgery"))
    assert result.gains == ["scored 1.00"]


def test_wrong_verdict_and_wrong_error_are_noticed(open_lane: Lane) -> None:
    raising = "def attack(): undefined"
    expected = {"kinds": frozenset({"raised"}), "errors": ("NameError",)}
    assert open_lane.run("a", _attack(raising, **expected)).is_as_expected
    assert not open_lane.run("b", _attack(raising)).is_as_expected
    expected["errors"] = ("PermissionError",)
    assert not open_lane.run("c", _attack(raising, **expected)).is_as_expected


def test_settings_take_away_what_they_say() -> None:
    assert SETTINGS["full"].layers == LAYERS
    assert set(SETTINGS["docker"].layers) < set(LAYERS)
    assert not SETTINGS["partial"].has_filter
    assert all(s.has_filter for s in SETTINGS.values() if s.require == "kernel")
