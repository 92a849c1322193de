import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.errors import InternalError
from cwm.suites.constants import Constant, draw_constants, times
from cwm.suites.constants import settings as settings_of

GRAVITY = Constant(name="gravity", low=5.0, high=15.0, original=10.0)
ROWS = Constant(name="rows", low=3, high=5, original=4, distribution="integer")
REWARD = Constant(
    name="reward", low=-2.0, high=-0.5, original=-1.0, distribution="uniform"
)


@given(st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_draws_keep_to_range_and_margin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gravity, rows, reward = (c.draw(rng) for c in (GRAVITY, ROWS, REWARD))
    assert 5.0 <= gravity <= 15.0
    assert abs(gravity - 10.0) >= 1.5
    assert float(f"{gravity:.3g}") == gravity
    assert rows in (3, 5)
    assert isinstance(rows, int)
    assert -2.0 <= reward <= -0.5
    assert abs(reward + 1.0) >= 0.15


def test_all_of_a_range_is_drawn() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([GRAVITY.draw(rng) for _ in range(2_000)])
    assert drawn.min() < 5.1
    assert drawn.max() > 14.8
    # Of the logarithm: as much from 5 to 7.07 as from 7.07 to 10 and the margin.
    below = drawn[drawn < 10]
    expected = np.log(np.sqrt(50) / 5) / np.log(8.5 / 5)
    assert np.mean(below < np.sqrt(50)) == pytest.approx(expected, abs=0.05)


def test_a_range_within_the_margin_is_a_bug() -> None:
    constant = Constant(name="g", low=9.9, high=10.1, original=10.0)
    with pytest.raises(InternalError, match="The range of g lies within its margin"):
        constant.draw(np.random.default_rng(0))


def test_constants_are_drawn_until_they_go_together() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = draw_constants(
            (GRAVITY, REWARD), rng, is_solvable=lambda d: d["gravity"] > 13
        )
        assert drawn["gravity"] > 13
    with pytest.raises(InternalError, match="No draw of gravity, reward can be"):
        draw_constants((GRAVITY, REWARD), rng, is_solvable=lambda d: False)


def test_constants_become_changes_and_arguments() -> None:
    constants = (
        GRAVITY,
        Constant(
            name="mass",
            low=1,
            high=2,
            original=None,
            paths=("model.body_mass", "model.body_inertia"),
            form=times,
        ),
        Constant(name="weight", low=1, high=2, original=None, target="argument"),
    )
    drawn = {"gravity": 7.0, "mass": 1.5, "weight": 1.2}
    assert settings_of(constants, drawn, "change") == {
        "gravity": 7.0,
        "model.body_mass": {"times": 1.5},
        "model.body_inertia": {"times": 1.5},
    }
    assert settings_of(constants, drawn, "argument") == {"weight": 1.2}
