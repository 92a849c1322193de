"""Whole fits, in the sandbox, of programs whose true constants are known."""

from collections.abc import Iterator

import numpy as np
import pytest

from cwm.core.constants import FittedConstant, undetermined_groups
from cwm.core.trajectories import TransitionBatch
from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.fit import Fit, FitReport
from cwm.programs.constants.fitting import ConstantFitter, fit
from cwm.programs.evaluation import open_sandbox
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from tests.support.known_systems import GUESS, TRUE, oscillator, recorded

CONFIG = FitConfig(num_rows=120, max_steps=80_000)
BATCH = recorded(oscillator(TRUE))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=Limits(wall_s=5.0)) as opened:
        yield opened


@pytest.fixture(scope="module")
def fitted(sandbox: Sandbox) -> Fit:
    return fit(oscillator(GUESS), BATCH, sandbox=sandbox, config=CONFIG)


def by_name(found: Fit) -> dict[str, FittedConstant]:
    return {constant.name: constant for constant in found.constants}


def test_forces_limits_and_ends_are_all_found(fitted: Fit) -> None:
    constants = by_name(fitted)
    found = {name: constants[name].after for name in ("stiffness", "friction", "push")}
    assert found == {"stiffness": 0.23, "friction": 0.04, "push": 0.35}
    assert constants["max_speed"].after == 1.2
    wall = constants["wall"]
    assert wall.low is not None
    assert wall.high is not None
    # The data say no more than the last that did not end and the first that did.
    assert wall.low <= 1.2 <= wall.high
    assert fitted.report.strict_before == 0.0
    assert fitted.report.strict_after == 1.0
    assert fitted.report.is_complete


def test_the_program_is_the_same_text_with_other_numbers(fitted: Fit) -> None:
    values = {c.name: c.after for c in fitted.constants}
    assert fitted.source == oscillator(values)


def test_intervals_hold_the_truth(fitted: Fit) -> None:
    for name, constant in by_name(fitted).items():
        if constant.low is not None and constant.high is not None:
            assert constant.low <= TRUE[name] <= constant.high, name


def test_equal_seeds_give_equal_fits(sandbox: Sandbox, fitted: Fit) -> None:
    again = fit(oscillator(GUESS), BATCH, sandbox=sandbox, config=CONFIG)
    assert again == fitted


def test_a_report_comes_back_from_json(fitted: Fit) -> None:
    assert FitReport.from_json(fitted.report.to_json()) == fitted.report


def test_an_exact_program_is_left_alone_after_one_look(sandbox: Sandbox) -> None:
    found = fit(oscillator(TRUE), BATCH, sandbox=sandbox, config=CONFIG)
    assert found.source == oscillator(TRUE)
    assert found.report.num_steps == 120
    assert not found.is_changed


def test_a_fit_is_remembered(sandbox: Sandbox) -> None:
    fitter = ConstantFitter(BATCH, sandbox=sandbox, config=CONFIG)
    assert fitter.fit(oscillator(TRUE)) is fitter.fit(oscillator(TRUE))


def test_outliers_do_not_move_what_the_rest_says(sandbox: Sandbox) -> None:
    moved = BATCH.next_observations[""].copy()
    rows = np.random.default_rng(0).choice(len(BATCH), len(BATCH) // 12, replace=False)
    moved[rows] += 1.5
    dirty = with_next(BATCH, moved)
    constants = by_name(fit(oscillator(GUESS), dirty, sandbox=sandbox, config=CONFIG))
    for name in ("stiffness", "friction", "push"):
        assert constants[name].after == pytest.approx(TRUE[name], rel=1e-4)


def with_next(batch: TransitionBatch, following: np.ndarray) -> TransitionBatch:
    return TransitionBatch(
        observation_space=batch.observation_space,
        action_space=batch.action_space,
        observations=batch.observations,
        actions=batch.actions,
        next_observations={"": following},
        rewards=batch.rewards,
        terminated=batch.terminated,
        truncated=batch.truncated,
        trajectory=batch.trajectory,
        time=batch.time,
    )


PRODUCT = """import numpy as np


class Environment:
    def __init__(self):
        self.mass = {mass}
        self.force = {force}
        self.rate = {rate}
        self.spare = 7.5

    def set_state(self, state):
        self.x, self.v = float(state[0]), float(state[1])

    def step(self, action):
        v = self.v + (action - 1) * self.force / self.mass
        x = self.x + self.rate * v
        return np.array([x, v], dtype=np.float32), 0.5, False
"""


def test_what_only_a_quotient_says_is_called_undetermined(sandbox: Sandbox) -> None:
    batch = recorded(PRODUCT.format(mass=2.0, force=3.0, rate=0.25))
    guess = PRODUCT.format(mass=2.0, force=2.0, rate=0.5)
    found = fit(guess, batch, sandbox=sandbox, config=CONFIG)
    constants = by_name(found)
    assert constants["mass"].verdict == "undetermined"
    assert constants["mass"].others == ("force",)
    assert constants["mass"].low is None
    quotient = constants["force"].after / constants["mass"].after
    assert quotient == pytest.approx(1.5, rel=1e-6)
    # One of the two is left as the program has it, and the other is round.
    assert 2.0 in (constants["mass"].after, constants["force"].after)
    assert constants["rate"].verdict == "fitted"
    assert constants["rate"].after == 0.25
    assert constants["spare"].verdict == "no effect"
    (group,) = undetermined_groups(found.constants)
    assert {c.name for c in group} == {"mass", "force"}


def test_declared_constants_stay_within_their_bounds(sandbox: Sandbox) -> None:
    source = (
        'CONSTANTS = {"rate": {"value": 0.5, "low": 0.4, "high": 0.8}}\n'
        + PRODUCT.format(mass=2.0, force=3.0, rate='CONSTANTS["rate"]["value"]')
    )
    batch = recorded(PRODUCT.format(mass=2.0, force=3.0, rate=0.25))
    config = FitConfig(mode="declared", num_rows=60)
    (rate,) = fit(source, batch, sandbox=sandbox, config=config).constants
    assert rate.kind == "declared"
    assert rate.after == pytest.approx(0.4)


NOT_SMOOTH = """import numpy as np

CONSTANTS = {{"cells": {{"value": {cells}, "low": 1, "high": 12}}}}


class Environment:
    def set_state(self, state):
        self.x = int(state[0])

    def step(self, action):
        x = (self.x + action) % CONSTANTS["cells"]["value"]
        return np.array([x, 0.0], dtype=np.float32), float(x == 0), False
"""


def test_whole_numbers_are_found_and_stay_whole(sandbox: Sandbox) -> None:
    def start(rng: np.random.Generator) -> np.ndarray:
        return np.array([float(rng.integers(7)), 0.0])

    batch = recorded(NOT_SMOOTH.format(cells=7), start=start)
    found = fit(NOT_SMOOTH.format(cells=4), batch, sandbox=sandbox, config=CONFIG)
    assert found.source == NOT_SMOOTH.format(cells=7)


def test_several_steps_tell_more_where_observations_are_noisy(
    sandbox: Sandbox,
) -> None:
    batch = recorded(oscillator(TRUE), noise=0.02, hidden=True, seed=5)
    widths = {}
    for horizon in (1, 6):
        config = FitConfig(num_rows=60, max_steps=30_000, horizon=horizon, num_starts=1)
        source = oscillator({**TRUE, "stiffness": 0.4, "push": 0.25})
        stiffness = by_name(fit(source, batch, sandbox=sandbox, config=config))[
            "stiffness"
        ]
        assert stiffness.low is not None
        assert stiffness.high is not None
        widths[horizon] = stiffness.high - stiffness.low
        assert abs(stiffness.after - 0.23) < widths[horizon]
    assert widths[6] < widths[1]


@pytest.mark.parametrize(
    "source",
    [
        "this is no program",
        "GRAVITY = 9.8\n",
        "GRAVITY = 9.8\nraise ValueError\n",
        "import os\nGRAVITY = os.getpid() * 1.5\n",
        "class Environment:\n    g = 9.8\n    def set_state(self, s): 1 / 0\n",
        "class Environment:\n    g = 9.8\n    def set_state(self, s): pass\n"
        "    def step(self, a): return 'x', None\n",
    ],
)
def test_a_program_that_does_not_run_comes_back_as_it_was(
    sandbox: Sandbox, source: str
) -> None:
    config = FitConfig(num_rows=20, max_steps=4_000)
    found = fit(source, BATCH, sandbox=sandbox, config=config)
    assert found.source == source
    assert not found.is_changed
    assert found.report.num_steps <= 20


def test_a_program_that_never_ends_is_waited_for_once() -> None:
    source = oscillator(GUESS).replace("v = self.v + force", "while True: v = force")
    config = FitConfig(num_rows=20)
    with open_sandbox(limits=Limits(wall_s=0.3)) as quick:
        found = fit(source, BATCH, sandbox=quick, config=config)
    assert (found.source, found.report.num_steps) == (source, 20)


def test_values_that_a_program_does_not_end_with_are_left_out() -> None:
    source = oscillator(GUESS).replace(
        "        force =", "        while self.push > 0.6: pass\n        force ="
    )
    config = FitConfig(num_rows=40, max_steps=8_000)
    with open_sandbox(limits=Limits(wall_s=0.3)) as quick:
        found = fit(source, BATCH, sandbox=quick, config=config)
    assert found.report.cost_after < found.report.cost_before


def test_a_budget_ends_a_fit_with_the_best_so_far(sandbox: Sandbox) -> None:
    config = FitConfig(num_rows=120, max_steps=6_000)
    found = fit(oscillator(GUESS), BATCH, sandbox=sandbox, config=config)
    assert found.report.num_steps <= 6_000
    assert not found.report.is_complete
    assert found.report.cost_after < found.report.cost_before


def test_one_worker_is_enough() -> None:
    config = FitConfig(num_rows=40, max_steps=10_000)
    with open_sandbox(num_workers=1) as small:
        found = fit(oscillator(GUESS), BATCH, sandbox=small, config=config)
    assert found.is_changed


def test_off_means_off(sandbox: Sandbox) -> None:
    config = FitConfig(mode="off")
    found = fit(oscillator(GUESS), BATCH, sandbox=sandbox, config=config)
    assert (found.source, found.constants) == (oscillator(GUESS), ())


MISSING_LAW = oscillator(TRUE).replace(
    "x = self.x + 0.1 * v", "x = self.x + 0.1 * v + 0.2 * (self.x > 0.8)"
)


def test_what_no_constant_explains_is_told_with_its_place(sandbox: Sandbox) -> None:
    batch = recorded(MISSING_LAW, seed=2)
    found = fit(oscillator(GUESS), batch, sandbox=sandbox, config=CONFIG)
    told = [s for s in found.report.remainder if s.startswith("`observation[0]`")]
    assert len(told) == 1
    assert "nearly always where observation[0] is at least 0.8" in told[0]
