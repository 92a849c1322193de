"""What can be switched on in a sandbox, and what it must not open."""

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import opt_in
from sandbox.errors import SandboxUnavailable
from sandbox.opt_in import Capability, refuse_missing
from sandbox.outcome import Completed, Rejected
from sandbox.policy import check_source
from sandbox.pool import Sandbox
from sandbox.seccomp import TABLES, filter_program
from tests.support import compiling_driver

DRIVER = "tests.support.compiling_driver"
ATTACK = f"""
import ctypes
import errno

{inspect.getsource(compiling_driver.map_executable)}
{inspect.getsource(compiling_driver.install_another_filter)}

def attack():
    return [map_executable(), install_another_filter()]
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="the filter needs Linux")
fast = pytest.mark.fast


@pytest.fixture(scope="module")
def compiling() -> Iterator[Sandbox]:
    with Sandbox(drivers=[DRIVER], capabilities=["numba"], policy="off") as made:
        yield made


def messages(sandbox: Sandbox) -> tuple[Any, ...]:
    outcome = sandbox.run(ATTACK, None, driver=DRIVER, reply=list)
    assert isinstance(outcome, Completed), outcome
    return outcome.messages


@linux
@fast
def test_a_driver_compiles_in_a_locked_child(compiling: Sandbox) -> None:
    assert messages(compiling)[0] == [0.0, 1.0, 4.0, 9.0]


@linux
@fast
def test_the_candidate_has_no_executable_memory_and_no_way_to_change_the_filter(
    compiling: Sandbox,
) -> None:
    _, before, after = messages(compiling)
    # The twin: the same calls by the driver, before the second filter.
    assert before == ["allowed", "EFAULT"]
    assert after == ["EPERM", "EPERM"]


@linux
@fast
def test_the_level_is_proved_for_children_as_candidates_find_them(
    compiling: Sandbox,
) -> None:
    report = compiling.isolation
    assert report.level == "kernel"
    assert report.probes["executable_memory"] == "PermissionError 1"
    assert report.capabilities == ("numba",)
    assert report.to_json()["capabilities"] == ["numba"]


@linux
@fast
def test_the_packages_are_part_of_what_results_are_kept_under(
    compiling: Sandbox,
) -> None:
    with Sandbox(drivers=[DRIVER]) as usual:
        assert usual.isolation.preload_hash != compiling.isolation.preload_hash
        assert "capabilities" not in usual.isolation.to_json()


@pytest.mark.parametrize("machine", sorted(TABLES))
def test_the_usual_filter_knows_nothing_of_compiling(machine: str) -> None:
    usual, opened = filter_program(machine), filter_program(machine, may_compile=True)
    assert len(opened) - len(usual) == 3 * 8
    assert TABLES[machine].prctl not in TABLES[machine].allowed.values()


def test_what_a_capability_offers_is_allowed_and_the_rest_is_not() -> None:
    source = "import engine\nengine.load('file')\nengine.make('text')\n"
    capability = Capability(
        preload=("engine",),
        modules=frozenset({"engine"}),
        denied_attributes=frozenset({"load"}),
        extra="engine",
    )
    (refused,) = check_source(source)
    assert refused.line == 1
    (denied,) = check_source(source, capabilities=[capability])
    assert denied.line == 2
    assert "load" in denied.reason


@linux
@fast
def test_candidates_may_not_import_the_compiler_themselves() -> None:
    with Sandbox(drivers=[DRIVER], capabilities=["numba"]) as sandbox:
        outcome = sandbox.run("import numba", None, driver=DRIVER, reply=list)
    assert isinstance(outcome, Rejected)


def test_an_unknown_capability_is_refused() -> None:
    with pytest.raises(ValueError, match=r"capabilities must be among .*'numbo'"):
        refuse_missing(["numbo"])


def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capability = Capability(preload=("no_such_package",), extra="fast")
    monkeypatch.setitem(opt_in.CAPABILITIES, "numba", capability)
    with pytest.raises(SandboxUnavailable, match=r"no_such_package.*\[fast\]"):
        refuse_missing(["numba"])
