import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec, TextSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.proposers.symbolic.continuous.view import make_view
from tests.unit.proposers.symbolic.continuous.systems import pendulum, record


def _circle(state):
    return np.array([np.cos(state[0]), np.sin(state[0]), state[1]])


def test_a_cosine_and_a_sine_become_one_angle():
    start = lambda rng: rng.uniform(-2, 2, 2)  # noqa: E731
    view = make_view(record(pendulum, start, size=3, observe=_circle))
    assert [c.name for c in view.coordinates] == ["angle_0", "s2"]
    assert view.coordinate("angle_0").elements == (0, 1)
    assert np.abs(view.change("angle_0")).max() < np.pi


def test_without_angles_every_element_is_a_coordinate():
    start = lambda rng: rng.uniform(-2, 2, 2)  # noqa: E731
    batch = record(pendulum, start, size=3, observe=_circle)
    view = make_view(batch, use_angles=False)
    assert [c.name for c in view.coordinates] == ["s0", "s1", "s2"]


def test_the_tolerance_is_a_share_of_the_spread_of_changes():
    observations = np.array([[0.0], [1.0], [3.0], [6.0], [10.0]], dtype=np.float32)
    steps = [
        Transition(observations[i], 0, observations[i + 1], 0.0, False, False)
        for i in range(4)
    ]
    spaces = BoxSpec((1,), "float32"), DiscreteSpec(2)
    trajectory = make_trajectory(
        steps, observation_space=spaces[0], action_space=spaces[1]
    )
    view = make_view(batch_trajectories([trajectory], *spaces))
    # Changes 1, 2, 3, 4: standard deviation sqrt(1.25).
    assert view.tolerances["s0"] == pytest.approx(1e-4 * np.sqrt(1.25))


def test_text_is_refused():
    trajectory = make_trajectory(
        [Transition("a", 0, "b", 0.0, False, False)],
        observation_space=TextSpec(),
        action_space=DiscreteSpec(2),
    )
    batch = batch_trajectories([trajectory], TextSpec(), DiscreteSpec(2))
    with pytest.raises(ValueError, match="must be numeric"):
        make_view(batch)
