"""Trajectories in words: how they are put together, and means over their types."""

import numpy as np
import pytest

from cwm.providers.hypotheses.texts import TextTrajectory, means_by_type, types_of
from cwm.providers.hypotheses.worlds import TextStep

STEPS = [
    TextStep("s1", "a1", "c1", "walked", False),
    TextStep("s2", "a2", "c2", "stood", True),
]


def test_a_trajectory_is_what_was_told_from_a_reset_on() -> None:
    found = TextTrajectory.from_steps("s0", STEPS, [4, 7])
    assert found == TextTrajectory(
        states=("s0", "s1", "s2"),
        actions=("a1", "a2"),
        changes=("c1", "c2"),
        types=("walked", "stood"),
        action_ids=(4, 7),
    )
    assert len(TextTrajectory.from_steps("s0", [], [])) == 0
    with pytest.raises(ValueError, match="2 changes, 2 types, 1 numbers"):
        TextTrajectory.from_steps("s0", STEPS, [4])


def test_means_are_those_of_each_type_in_the_order_of_the_types() -> None:
    one = TextTrajectory.from_steps("s0", STEPS, [4, 7])
    types = types_of([one, one.first(1)])
    assert types == ["walked", "stood", "walked"]
    found = means_by_type(np.array([-1.0, -2.0, -4.0]), types)
    assert list(found.items()) == [("walked", -2.5), ("stood", -2.0)]
    assert means_by_type(np.zeros(0), []) == {}
