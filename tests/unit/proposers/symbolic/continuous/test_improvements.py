"""Changes that one part alone would not ask for."""

from dataclasses import replace

import numpy as np

from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import TransitionBatch
from cwm.proposers.symbolic.continuous.improvements import improvements
from cwm.proposers.symbolic.continuous.laws import (
    Blueprint,
    Condition,
    Event,
    Law,
    Rule,
    Sum,
)
from cwm.proposers.symbolic.continuous.render import render
from cwm.proposers.symbolic.continuous.simulate import measure
from cwm.proposers.symbolic.continuous.terms import CONSTANT, atom_term
from cwm.proposers.symbolic.continuous.view import View, make_view
from tests.unit.proposers.symbolic.continuous.systems import (
    Step,
    record,
    task_of,
)

LIMIT = 0.25


def governed(state: np.ndarray, action: float) -> tuple[np.ndarray, float, bool]:
    """A car whose speed is limited before it moves the car."""
    speed = float(np.clip(state[1] + 0.1 * (action - 1.0), -LIMIT, LIMIT))
    return np.array([state[0] + speed, speed]), 0.0, False


def recorded(step: Step) -> TransitionBatch:
    return record(
        step,
        lambda rng: rng.uniform(-0.2, 0.2, 2),
        size=2,
        action_space=DiscreteSpec(3),
        num_steps=400,
    )


def view_of(step: Step) -> View:
    return make_view(recorded(step), use_angles=False)


def with_events_for_the_limit(view: View) -> Blueprint:
    """The right laws, and the speed limit as events, which the position misses."""
    raw = atom_term("raw_s1")
    events = tuple(
        Event(
            Rule(((Condition(Sum((raw,), (sign,)), ">=", LIMIT),),)),
            Sum((CONSTANT,), (sign * LIMIT,)),
        )
        for sign in (1.0, -1.0)
    )
    speed = Sum((CONSTANT, atom_term("a")), (-0.1, 0.1))
    blueprint = Blueprint(
        use_angles=False,
        laws={
            "s0": Law(base="s0", change=Sum((raw,), (1.0,)), family="integrator"),
            "s1": Law(base="s1", change=speed, family="linear"),
        },
        events={"s1": events},
    )
    return replace(blueprint, fits=measure(blueprint, view))


def test_a_right_coordinate_is_clipped_for_those_that_read_its_law() -> None:
    view = view_of(governed)
    start = with_events_for_the_limit(view)
    assert start.fits["s1"] == 1.0
    assert start.fits["s0"] < 1.0
    first = next(improvements(start, view, seed=0))
    assert first.fits["s0"] == first.fits["s1"] == 1.0
    (clip,) = first.adjustments["s1"]
    assert (clip.kind, clip.low, clip.high) == ("clip", -LIMIT, LIMIT)
    # What the clip does now, no event does a second time.
    assert not first.events["s1"]


def braked(state: np.ndarray, action: float) -> tuple[np.ndarray, float, bool]:
    """A car that moves by its new speed, which is limited only afterwards."""
    speed = state[1] + 0.1 * (action - 1.0)
    limited = float(np.clip(speed, -LIMIT, LIMIT))
    return np.array([state[0] + speed, limited]), 0.0, False


def test_a_limit_that_comes_after_others_have_read_the_value_is_late() -> None:
    view = view_of(braked)
    start = replace(with_events_for_the_limit(view), events={})
    start = replace(start, fits=measure(start, view))
    assert start.fits["s0"] == 1.0
    assert start.fits["s1"] < 1.0
    first = next(improvements(start, view, seed=0))
    assert first.fits["s0"] == first.fits["s1"] == 1.0
    (clip,) = first.adjustments["s1"]
    assert (clip.kind, clip.is_late) == ("clip", True)


def test_a_late_limit_survives_the_journal_and_the_program() -> None:
    view = view_of(braked)
    start = replace(with_events_for_the_limit(view), events={})
    late = next(improvements(replace(start, fits=measure(start, view)), view, seed=0))
    again = Blueprint.from_json(late.to_json())
    assert again == late
    task = task_of(recorded(braked))
    lines = render(again, view, task).splitlines()
    moved, limited = (
        next(i for i, line in enumerate(lines) if line.strip().startswith(start))
        for start in ("raw_s0 = ", "raw_s1 = min(")
    )
    assert moved < limited
