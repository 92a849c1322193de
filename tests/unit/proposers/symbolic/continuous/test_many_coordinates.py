"""Systems of many coordinates: likely inputs are tried, and simple laws found."""

import numpy as np
import pytest

from cwm.proposers.symbolic.continuous import families
from cwm.proposers.symbolic.continuous.families import (
    MANY,
    SIMPLE_FAMILIES,
    integrator_candidates,
    make_context,
)
from cwm.proposers.symbolic.continuous.improvements import improvements
from cwm.proposers.symbolic.continuous.inducer import _first
from cwm.proposers.symbolic.continuous.view import View, make_view
from tests.unit.proposers.symbolic.continuous.systems import record

NUM_MASSES = 8
SPRINGS = np.linspace(0.5, 2.0, NUM_MASSES)


def masses(state: np.ndarray, action: float) -> tuple[np.ndarray, float, bool]:
    """Masses on springs of their own, of which one is pushed."""
    place, speed = state[:NUM_MASSES], state[NUM_MASSES:]
    push = np.zeros(NUM_MASSES)
    push[3] = action
    speed = speed + 0.1 * (push - SPRINGS * place)
    return np.concatenate([place + 0.1 * speed, speed]), 1.0, False


@pytest.fixture(scope="module")
def view() -> View:
    batch = record(
        masses, lambda rng: rng.uniform(-1, 1, 2 * NUM_MASSES), size=2 * NUM_MASSES
    )
    return make_view(batch, use_angles=True)


def test_likely_inputs_are_tried_where_all_would_be_too_many(view: View) -> None:
    context = make_context(view, _first(view, use_angles=True), 0)
    assert context.is_large
    found = list(integrator_candidates(context, "s2"))
    # Of 31 inputs, itself left out, the one it is the integral of is among the 8.
    assert 1 <= len(found) <= 8
    assert any(fit.is_exact and "s10" in str(fit.law.change) for fit in found)


def test_a_small_system_is_given_everything(view: View) -> None:
    names = [f"x{index}" for index in range(31)]
    context = make_context(view, _first(view, use_angles=True), 0)
    assert len(families._likely(context, "s2", list(context.variables)[:31])) == 8

    class Small:
        is_large = False

    assert families._likely(Small(), "s2", names) == names  # type: ignore[arg-type]


def test_columns_are_kept_by_their_correlation() -> None:
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(500, 6))
    columns[:, 4] = 1.0
    columns[:, 2] = 0.1
    target = 3.0 * columns[:, 5] - columns[:, 1] + 0.01 * rng.normal(size=500)
    # The two that make the target, in their order; nothing that does not vary.
    assert families._correlated(columns, target, 2) == [1, 5]
    assert families._correlated(columns, target, 6) == [0, 1, 3, 5]


def test_elements_that_never_vary_keep_no_law_away() -> None:
    def padded(state: np.ndarray) -> np.ndarray:
        return np.concatenate([state, np.zeros(30), np.full(30, 0.1)])

    batch = record(
        masses,
        lambda rng: rng.uniform(-1, 1, 2 * NUM_MASSES),
        size=2 * NUM_MASSES + 60,
        observe=padded,
        num_steps=400,
    )
    view = make_view(batch, use_angles=True)
    context = make_context(view, _first(view, use_angles=True), 0)
    assert any(fit.is_exact for fit in integrator_candidates(context, "s2"))
    (linear,) = [family for family in SIMPLE_FAMILIES if family is not None][1:2]
    assert any(fit.is_exact for fit in linear(context, "s10"))


@pytest.mark.slow
def test_every_mass_gets_its_law(view: View) -> None:
    blueprint = _first(view, use_angles=True)
    assert len(view.coordinates) == 2 * NUM_MASSES > MANY
    for _ in range(2 * NUM_MASSES + 4):
        following = next(improvements(blueprint, view, seed=0), None)
        if following is None:
            break
        blueprint = following
    assert min(blueprint.fits.values()) == 1.0


def test_searches_that_grow_too_fast_are_left_out(view: View) -> None:
    context = make_context(view, _first(view, use_angles=True), 0)
    families_tried = {
        fit.law.family for family in SIMPLE_FAMILIES for fit in family(context, "s2")
    }
    assert families_tried <= {"integrator", "linear", "polynomial"}
