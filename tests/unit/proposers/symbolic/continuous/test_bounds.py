"""Clips that few rows show, or only the space."""

from dataclasses import replace

import numpy as np
import pytest

from cwm.core.spaces import BoxSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.proposers.symbolic.continuous.events import (
    adjustment_candidates,
    event_features,
    with_bounds,
)
from cwm.proposers.symbolic.continuous.laws import Adjustment, Blueprint, Law, Sum
from cwm.proposers.symbolic.continuous.rules import learn_rule
from cwm.proposers.symbolic.continuous.simulate import measure, raw_variables
from cwm.proposers.symbolic.continuous.terms import atom_term
from cwm.proposers.symbolic.continuous.view import View, make_view

PUSH = 0.1


def view_of(speeds: list[float], *, limit: float, bound: float) -> View:
    """Rows `speed' = clip(speed + PUSH * action, limit)` in a space with a bound."""
    rng = np.random.default_rng(0)
    space = BoxSpec((1,), "float32", (-bound,), (bound,))
    actions = BoxSpec((1,), "float32", (-1.0,), (1.0,))
    trajectories = []
    for speed in speeds:
        action = rng.uniform(0.9, 1.0, 1).astype(np.float32)
        now = np.array([speed], dtype=np.float32)
        following = np.clip(now + np.float32(PUSH) * action, -limit, limit)
        step = Transition(now, action, following.astype(np.float32), 0.0, False, False)
        trajectories.append(
            make_trajectory([step], observation_space=space, action_space=actions)
        )
    batch = batch_trajectories(trajectories, space, actions)
    return make_view(batch, use_angles=False)


def pushed(view: View) -> Blueprint:
    law = Law(base="s0", change=Sum((atom_term("a"),), (PUSH,)), family="linear")
    blueprint = Blueprint(use_angles=False, laws={"s0": law})
    return Blueprint(use_angles=False, laws={"s0": law}, fits=measure(blueprint, view))


def clips(view: View, blueprint: Blueprint) -> list[tuple[Adjustment, ...]]:
    return [
        changed.adjustments["s0"]
        for changed in adjustment_candidates(blueprint, view, "s0")
    ]


SLOW = [float(speed) for speed in np.linspace(-0.4, 0.3, 60)]


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        (0.45, [(Adjustment("clip", -np.inf, 0.45),)]),
        # An extreme that is no round number was reached, not set.
        (0.4481273, []),
    ],
)
def test_one_row_shows_a_limit_if_it_is_a_round_number(limit, found):
    view = view_of([*SLOW, 0.44], limit=limit, bound=9.0)
    assert clips(view, pushed(view)) == found


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (0.5, (Adjustment("clip", -0.5, 0.5),)),
        (5.0, ()),  # Nothing recorded comes near it.
        (0.3, ()),  # Recorded values lie beyond it: it is not to be believed.
    ],
)
def test_laws_stay_inside_bounds_that_recorded_values_come_near(bound, expected):
    view = view_of(SLOW, limit=9.0, bound=bound)
    bounded = with_bounds(pushed(view), view)
    assert bounded.adjustments.get("s0", ()) == expected


def test_bounds_wait_until_everything_is_right():
    view = view_of([*SLOW, 0.41, 0.42, 0.43], limit=0.45, bound=0.5)
    start = pushed(view)
    assert start.fits["s0"] < 1.0
    assert with_bounds(start, view) == start


def test_an_event_at_a_clip_has_the_clip_as_its_limit():
    view = view_of([*SLOW, 0.41, 0.42, 0.43], limit=0.45, bound=9.0)
    (clip,) = clips(view, pushed(view))
    blueprint = replace(pushed(view), adjustments={"s0": clip})
    variables = raw_variables(blueprint, view)
    (stopped,) = [
        feature
        for feature in event_features(blueprint, view, variables)
        if feature.left == Sum((atom_term("raw_s0"),), (1.0,))
    ]
    at_wall = stopped.values == 0.45
    assert at_wall.sum() == 3
    rule = learn_rule([stopped], at_wall, ~at_wall)
    assert rule is not None
    assert rule.alternatives[0][0].right == 0.45
