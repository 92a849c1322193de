"""Trying the ways in the sandbox: what is accepted, what wins."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cwm.core.spaces import SpaceSpec
from cwm.programs.acceleration import ways as module
from cwm.programs.acceleration.samples import samples
from cwm.programs.acceleration.vectorised import vectorised
from cwm.programs.acceleration.ways import DRIVERS, Acceleration, Trials, WayResult
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from tests.support.fast_programs import (
    CART,
    LINE,
    MOVES,
    PLACES,
    PUSH,
    program,
    traced,
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

WALK = program("s = (self.s + action) % 12\nreturn s, float(s == 3), s == 0")
GOOD_FORM = """
class Fast(Environment):
    def step_batch(self, states, actions):
        s = (states + actions) % 12
        return s, (s == 3).astype(np.float64), s == 0
"""


@pytest.fixture(scope="module")
def usual() -> Iterator[Sandbox]:
    with Sandbox(drivers=DRIVERS) as made:
        yield made


@pytest.fixture(scope="module")
def compiling() -> Iterator[Sandbox]:
    with Sandbox(drivers=DRIVERS, capabilities=["numba"]) as made:
        yield made


def tried(
    source: str,
    observations: SpaceSpec,
    actions: SpaceSpec,
    sandbox: Sandbox,
    *,
    compiling: Sandbox | None = None,
    others: dict[str, str] | None = None,
    number: int = 300,
) -> Acceleration:
    chosen = samples(observations, actions, recorded=None, number=number, seed=0)
    trials = Trials(
        source,
        observation_space=observations,
        action_space=actions,
        samples=chosen,
        sandbox=sandbox,
        compiling=compiling,
        seconds=0.01,
    )
    return trials.run(others)


def by_name(found: Acceleration) -> dict[str, WayResult]:
    return {way.name: way for way in found.ways}


def test_the_array_form_is_accepted_and_wins(usual: Sandbox) -> None:
    found = tried(CART, LINE, PUSH, usual)
    way = by_name(found)["vectorised"]
    assert way.reason == ""
    assert way.agreement is not None
    assert way.agreement.num_rows == 300
    assert len(way.speeds) == 3
    assert found.best is way
    assert way.source.startswith(CART)
    assert "numba is not installed" in by_name(found)["numba"].reason


@pytest.mark.fast
def test_the_compiled_form_is_accepted(usual: Sandbox, compiling: Sandbox) -> None:
    way = by_name(tried(CART, LINE, PUSH, usual, compiling=compiling))["numba"]
    assert way.reason == ""
    assert way.opening_s > 0.0


def test_finitely_many_pairs_have_a_table(usual: Sandbox) -> None:
    way = by_name(tried(WALK, PLACES, MOVES, usual))["table"]
    assert way.reason == ""
    assert way.agreement is not None
    assert way.agreement.is_bitwise
    assert way.agreement.num_rows == 300 + 36


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("% 12", "% 11"), "differs: next observation of"),
        (("== 3", "== 4"), "differs: reward of"),
        (("s == 0\n", "s == 1\n"), "differs: terminated of"),
        ((".astype(np.float64)", ""), "got booleans"),
        (("(states + actions) % 12", "np.zeros(3, np.int64)"), "step_batch"),
        (("class Fast(Environment)", "class Other(Environment)"), "NameError"),
        (("return s,", "raise KeyError(1)\n        return s,"), "KeyError"),
    ],
)
def test_a_form_of_somebody_else_must_equal_the_program(
    usual: Sandbox, change: tuple[str, str], reason: str
) -> None:
    """Broken twins of a form that is accepted."""
    others = {"good": GOOD_FORM, "changed": GOOD_FORM.replace(*change)}
    ways = by_name(tried(WALK, PLACES, MOVES, usual, others=others))
    assert ways["good"].reason == ""
    assert reason in ways["changed"].reason


def test_a_form_that_is_right_only_where_it_was_recorded_is_refused(
    usual: Sandbox,
) -> None:
    form = """
class Fast(Environment):
    def step_batch(self, states, actions):
        return states, np.zeros(len(states)), np.zeros(len(states), np.bool_)
"""
    stay = program(
        "x = self.s if abs(self.s[0]) < 2 else 0 * self.s\nreturn x, 0.0, False"
    )
    recorded = np.random.default_rng(0).uniform(-1, 1, (50, 2)), np.zeros((50, 1))
    trials = Trials(
        stay,
        observation_space=LINE,
        action_space=PUSH,
        samples=samples(LINE, PUSH, recorded=recorded, number=300, seed=0),
        sandbox=usual,
        compiling=None,
        seconds=0.01,
    )
    found = trials.run({"near": form})
    assert found.num_recorded == 50
    assert "differs" in by_name(found)["near"].reason


def test_rows_on_which_the_program_raises_are_left_out(usual: Sandbox) -> None:
    picky = program(
        "if self.s == 5:\n    raise ValueError('not here')\nreturn self.s, 0.0, False"
    )
    found = tried(picky, PLACES, MOVES, usual)
    assert found.num_failed >= 3
    assert by_name(found)["vectorised"].reason == ""
    assert by_name(found)["table"].reason == "the program raises on some pairs"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (program("return self.s + np.random.normal(), 0.0, False"), "at random"),
        (program("raise ValueError('never')"), "raises on every state"),
        (program("return self.s * np.nan, 0.0, False"), "no finite numbers"),
        (program("return self.s, float('inf'), False"), "no finite numbers"),
        ("class Other: pass", "it does not run"),
    ],
)
def test_some_programs_have_no_fast_form_at_all(
    usual: Sandbox, source: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        tried(source, LINE, PUSH, usual)


def test_a_program_that_hangs_is_ended_by_the_limits_of_its_first_steps(
    usual: Sandbox,
) -> None:
    trials = Trials(
        program("while True:\n    pass"),
        observation_space=LINE,
        action_space=PUSH,
        samples=samples(LINE, PUSH, recorded=None, number=50, seed=0),
        sandbox=usual,
        compiling=None,
        limits=Limits(wall_s=0.5),
    )
    told = "it does not run: TimeLimit: the program did not finish within 0.5 s"
    with pytest.raises(ValueError, match=told):
        trials.run()


def test_what_has_no_form_says_why(usual: Sandbox) -> None:
    sort = program("return np.sort(self.s), 0.0, False")
    found = tried(sort, LINE, PUSH, usual)
    assert "sort" in by_name(found)["vectorised"].reason
    assert found.best is found.original


def test_a_text_that_is_too_long_is_refused(
    usual: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SOURCE_KIB", 1)
    way = by_name(tried(CART, LINE, PUSH, usual))["vectorised"]
    assert way.reason.startswith("too long: ")


def test_limits_of_a_planner_are_only_widened() -> None:
    wide: Any = module.fast_limits(Limits(max_source_kib=1000, memory_mib=4000))
    assert (wide.max_source_kib, wide.memory_mib) == (1000, 4000)
    usual_limits = module.fast_limits(Limits())
    assert usual_limits.max_source_kib == module.MAX_SOURCE_KIB


STIFF = program("""
x, v = self.s
if v > 0.5:
    for _ in range(14):
        x = 4.0 * x * (1.0 - x)
return np.array([x, v]), 0.0, False""")
"""Where `v` is large, a step makes of a state's last bit thousands of them."""

STIFF_FORM = """
class Fast(Environment):
    def step_batch(self, states, actions):
        x = states[:, 0]
        for _ in range(14):
            x = np.where(states[:, 1] > 0.5, 4.0 * x - 4.0 * x * x, x)
        rows = np.stack([x, states[:, 1]], axis=1)
        return rows, np.zeros(len(x)), np.zeros(len(x), np.bool_)
"""


def test_a_form_may_round_where_the_program_is_no_more_exact(usual: Sandbox) -> None:
    """And a form that errs there by more may not."""
    wrong = STIFF_FORM.replace("4.0 * x - 4.0", "(4.0 + 1e-8) * x - 4.0")
    recorded = np.random.default_rng(0).uniform(0, 1, (400, 2)), np.zeros((400, 1))
    recorded[0][:, 1] = np.arange(400) < 9
    trials = Trials(
        STIFF,
        observation_space=LINE,
        action_space=PUSH,
        samples=samples(LINE, PUSH, recorded=recorded, number=0, seed=0),
        sandbox=usual,
        compiling=None,
        tolerance=1e-13,
        seconds=0.01,
    )
    ways = by_name(trials.run({"rounded": STIFF_FORM, "wrong": wrong}))
    assert ways["rounded"].reason == ""
    assert ways["rounded"].agreement is not None
    assert ways["rounded"].agreement.num_inexact > 0
    assert ways["wrong"].reason.startswith("differs")


def test_a_form_that_errs_in_one_kind_of_row_is_refused(usual: Sandbox) -> None:
    """A broken twin: of the rows that are collected, one has another weight."""
    source = program("""
x, v = self.s
rows = []
for place in range(3):
    if x > place - 1.5:
        rows.append(np.array([x, v * place]))
if rows:
    x, v = np.array(rows).sum(axis=0)
return np.array([x, v]), 0.0, False""")
    good = vectorised(traced(source, LINE, PUSH))
    twin = good.replace("> 0.5", "> 0.501")
    assert twin != good
    ways = by_name(tried(source, LINE, PUSH, usual, others={"twin": twin}, number=3000))
    assert ways["vectorised"].reason == ""
    assert ways["twin"].reason.startswith("differs")
