"""The physics engine opens no door: attacks that go through it, and all the others."""

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.opt_in import CAPABILITIES
from sandbox.physics_engine import DENIED_ATTRIBUTES
from sandbox.policy import check_source
from tests.attacks.harness import SETTINGS, Result, Setting, run_attacks
from tests.attacks.snippets.physics import PHYSICS_ATTACKS, physics
from tests.attacks.suite import ATTACKS

pytestmark = [
    pytest.mark.mujoco,
    pytest.mark.skipif(sys.platform != "linux", reason="the filter needs Linux"),
]

THROUGH = {
    "height_field_file",
    "included_file",
    "library",
    "mesh_file",
    "model_of_gymnasium",
    "specification_of_gymnasium",
    "texture_file",
    "threads",
    "writes_archive",
    "writes_last_text",
    "writes_model",
    "writes_printed_data",
    "writes_printed_model",
    "writes_specification",
}
"""Attacks that succeed where nothing is locked."""


def setting(name: str) -> Setting:
    return replace(SETTINGS[name], capabilities=("physics",))


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    found = run_attacks(PHYSICS_ATTACKS, setting("full"))
    return {result.name: result for result in found}


@pytest.mark.parametrize("name", PHYSICS_ATTACKS)
def test_attack_through_the_engine_is_blocked(
    results: dict[str, Result], name: str
) -> None:
    result = results[name]
    assert result.gains == []
    assert result.is_as_expected, f"{result.kind}: {result.text}"


def test_attacks_succeed_where_nothing_stops_them() -> None:
    chosen = {
        f"{physics.name}: {name}": PHYSICS_ATTACKS[f"{physics.name}: {name}"]
        for name in THROUGH
    }
    found = run_attacks(chosen, setting("none"))
    assert {r.name for r in found if r.gains} == set(chosen)


@pytest.mark.slow
def test_other_attacks_are_blocked_with_the_engine_at_hand() -> None:
    found = run_attacks(ATTACKS, setting("full"))
    assert len(found) == len(ATTACKS)
    assert {r.name: r.gains for r in found if r.gains} == {}


def _names() -> Iterator[tuple[str, object]]:
    """Yields what a program could name: of the package, and of its classes."""
    engine = importlib.import_module("mujoco")
    for name in dir(engine):
        found = getattr(engine, name)
        yield name, found
        if inspect.isclass(found) and found.__module__.startswith("mujoco"):
            for attribute in dir(found):
                yield attribute, getattr(found, attribute, None)


def test_whatever_takes_the_name_of_a_file_is_refused() -> None:
    takes_a_file = {
        name
        for name, found in _names()
        if callable(found)
        and re.search(r"\b(filename|directory|path): ", found.__doc__ or "")
    }
    assert len(takes_a_file) > 10
    # Texts have a method of this name, too.
    assert takes_a_file - {"encode"} <= DENIED_ATTRIBUTES


def test_most_of_what_is_refused_exists() -> None:
    engine = importlib.import_module("mujoco")
    known = {name for name, _ in _names()}
    # The engine's optional parts are modules of the package.
    parts = {
        name
        for name in DENIED_ATTRIBUTES - known
        if importlib.util.find_spec(f"{engine.__name__}.{name}")
    }
    # The others are of later or earlier versions.
    assert len(DENIED_ATTRIBUTES - known - parts) <= len(DENIED_ATTRIBUTES) // 4


@pytest.mark.parametrize(
    "line",
    [
        "import mujoco.viewer",
        "from mujoco import rollout",
        "mujoco.MjModel.from_xml_path('/x')",
        "mujoco.MjSpec.from_file('/x')",
        "mujoco.mj_loadPluginLibrary('/x')",
        "mujoco.MjModel._from_model_ptr(1)",
        "mujoco.Renderer",
    ],
)
def test_the_policy_says_no_before_anything_runs(line: str) -> None:
    allowed = [CAPABILITIES["physics"]]
    assert check_source("import mujoco\n", capabilities=allowed) == ()
    (problem,) = check_source(f"import mujoco\n{line}\n", capabilities=allowed)
    assert problem.line == 2
