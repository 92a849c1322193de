from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from envs.registry import find


def unwrapped(env_id: str, **changes: Any) -> Any:
    return find(env_id, changes=changes).make().unwrapped


def test_derived_attributes_follow() -> None:
    env = unwrapped("CartPole-v1", masspole=0.5, length=2.0)
    assert env.total_mass == 1.5
    assert env.polemass_length == 1.0


def test_a_derived_attribute_given_by_hand_is_kept() -> None:
    assert unwrapped("CartPole-v1", masscart=2.0, total_mass=9.0).total_mass == 9.0


def test_one_step_with_another_gravity_is_as_computed_by_hand() -> None:
    env = find("Pendulum-v1", changes={"g": 2.0}).make()
    env.reset(seed=0)
    inner: Any = env.unwrapped
    inner.state = np.array([np.pi / 2, 0.0])
    env.step(np.array([0.0], dtype=np.float32))
    # Angular velocity after one step: 3 g / (2 l) sin(theta) dt = 3 * 0.05.
    assert inner.state[1] == pytest.approx(0.15)


def test_class_attributes_can_be_changed_for_one_instance() -> None:
    changed = unwrapped("Acrobot-v1", LINK_LENGTH_1=2.0)
    assert changed.LINK_LENGTH_1 == 2.0
    assert unwrapped("Acrobot-v1").LINK_LENGTH_1 == 1.0


def test_a_changed_actuator_limit_moves_the_action_space() -> None:
    spec = find("Pendulum-v1", changes={"max_torque": 5.0})
    assert spec.action_space.bounds()[1].tolist() == [5.0]  # type: ignore[union-attr]


def test_an_unknown_attribute_gets_the_list() -> None:
    with pytest.raises(ConfigError, match=r"got 'gravty'. CartPoleEnv has: .*gravity"):
        find("CartPole-v1", changes={"gravty": 1.0})


def test_a_value_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="gravity must be a number, got 'low'"):
        find("CartPole-v1", changes={"gravity": "low"})
    with pytest.raises(ConfigError, match="kinematics_integrator must be a str"):
        find("CartPole-v1", changes={"kinematics_integrator": 3})


def test_the_description_says_what_is_changed_but_not_to_what() -> None:
    text = find("CartPole-v1", changes={"gravity": 3.7131}).description
    assert "these of its constants differ from the original's: gravity." in text
    assert "3.7131" not in text


@pytest.mark.mujoco
def test_a_dotted_name_reaches_into_the_simulator() -> None:
    pytest.importorskip("mujoco")
    env = unwrapped("InvertedPendulum-v5", **{"model.opt.gravity": [0.0, 0.0, -3.0]})
    assert env.model.opt.gravity.tolist() == [0.0, 0.0, -3.0]


def test_factors_multiply_the_originals_value() -> None:
    assert unwrapped("CartPole-v1", gravity={"times": 0.5}).gravity == 4.9
    with pytest.raises(ConfigError, match=r'or {"times": factor} of numbers, got'):
        find("CartPole-v1", changes={"gravity": {"plus": 0.5}})
    with pytest.raises(ConfigError, match=r'or {"times": factor} of numbers, got'):
        find("CartPole-v1", changes={"kinematics_integrator": {"times": 2}})
    with pytest.raises(ConfigError, match="factors of gravity must fit its shape"):
        find("CartPole-v1", changes={"gravity": {"times": [1.0, 2.0]}})
    with pytest.raises(ConfigError, match="factors of gravity must fit its shape"):
        find("CartPole-v1", changes={"gravity": {"times": "twice"}})


def test_a_changed_limit_no_longer_bounds_the_observation() -> None:
    def bounds(env_id: str, **changes: float) -> tuple[list[float], list[float]]:
        space: Any = find(env_id, changes=changes).observation_space
        low, high = space.bounds()
        return low.tolist(), high.tolist()

    inf = float("inf")
    low, high = bounds("MountainCar-v0", max_speed=0.05)
    assert low == [pytest.approx(-1.2), -inf]
    assert high == [pytest.approx(0.6), inf]
    assert bounds("MountainCar-v0", force=0.002) == bounds("MountainCar-v0")
    assert bounds("Pendulum-v1", max_speed=5.0) == ([-1, -1, -inf], [1, 1, inf])
    assert bounds("CartPole-v1", x_threshold=1.0)[1][0] == inf
    assert bounds("CartPole-v1", x_threshold=1.0)[1][2] < 1
    assert bounds("CartPole-v1", theta_threshold_radians=0.1)[1][2] == inf


@pytest.mark.mujoco
def test_factors_of_arrays_are_for_all_or_for_each_row() -> None:
    pytest.importorskip("mujoco")
    original = unwrapped("InvertedPendulum-v5").model
    factors = {"times": [1.0, 1.0, 2.0]}
    changes = {
        "model.body_mass": factors,
        "model.body_inertia": factors,
        "model.opt.gravity": {"times": 0.5},
        "model.opt.timestep": {"times": 1.5},
    }
    model = unwrapped("InvertedPendulum-v5", **changes).model
    ratio = model.body_inertia[1:] / original.body_inertia[1:]
    assert ratio.tolist() == [[1.0] * 3, [2.0] * 3]
    assert (model.body_mass[1:] / original.body_mass[1:]).tolist() == [1.0, 2.0]
    assert model.opt.gravity[2] == original.opt.gravity[2] / 2
    assert model.opt.timestep == original.opt.timestep * 1.5
    with pytest.raises(ConfigError, match="must fit its shape"):
        unwrapped("InvertedPendulum-v5", **{"model.body_mass": {"times": [1.0, 2.0]}})


@pytest.mark.mujoco
def test_what_mujoco_derives_from_masses_is_derived_anew() -> None:
    pytest.importorskip("mujoco")
    original = unwrapped("Hopper-v5").model
    model = unwrapped("Hopper-v5", **{"model.body_mass": {"times": 2.0}}).model
    ratio = model.body_subtreemass / original.body_subtreemass
    assert ratio == pytest.approx(np.full(len(ratio), 2.0))


@pytest.mark.mujoco
@pytest.mark.parametrize("env_id", ["Ant-v5", "HalfCheetah-v5", "Humanoid-v5"])
def test_deriving_mujocos_constants_anew_changes_nothing_by_itself(env_id: str) -> None:
    pytest.importorskip("mujoco")
    original = unwrapped(env_id).model
    same = unwrapped(env_id, **{"model.body_mass": {"times": 1.0}}).model
    for name in ("body_mass", "body_subtreemass", "dof_invweight0", "dof_M0", "qpos0"):
        assert np.array_equal(getattr(original, name), getattr(same, name)), name
