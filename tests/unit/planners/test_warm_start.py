import numpy as np
import pytest

from cwm.core.protocols import Context
from planners.warm_start import WarmStart, begin_from, shifted

MEAN = np.arange(4.0).reshape(4, 1)


def memory(*, steps_left=None, num_done=None):
    return WarmStart(
        mean=MEAN, plans=MEAN[None] + 10, steps_left=steps_left, num_done=num_done
    )


def context(num_actions):
    return Context(observations=(0,) * (num_actions + 1), actions=(0,) * num_actions)


def test_steps_made_are_left_out_and_the_last_is_repeated():
    assert shifted(MEAN, by=1, horizon=4).ravel().tolist() == [1, 2, 3, 3]
    assert shifted(MEAN, by=2, horizon=1).ravel().tolist() == [2]
    assert shifted(MEAN[None], by=1, horizon=2).tolist() == [[[1], [2]]]


@pytest.mark.parametrize(
    ("before", "now", "first"),
    [
        (memory(), {}, 1),
        (memory(steps_left=9), {"steps_left": 7}, 2),
        (memory(num_done=3), {"context": context(6)}, 3),
        (memory(steps_left=9, num_done=3), {"steps_left": 7, "context": context(6)}, 2),
    ],
)
def test_how_many_is_known_from_what_is_left_or_done(before, now, first):
    begun = begin_from(
        before, horizon=4, size=1, **{"steps_left": None, "context": None, **now}
    )
    assert begun is not None
    assert begun[0][0, 0] == first
    assert begun[1][0, 0, 0] == first + 10


@pytest.mark.parametrize(
    ("before", "size", "steps_left"),
    [
        (None, 1, None),
        ("a tree of another planner", 1, None),
        (memory(), 2, None),
        (memory(steps_left=9), 1, 5),
        (memory(steps_left=9), 1, 9),
        (memory(steps_left=9), 1, 50),
    ],
)
def test_what_does_not_fit_is_dropped(before, size, steps_left):
    begun = begin_from(
        before, horizon=4, size=size, steps_left=steps_left, context=None
    )
    assert begun is None
