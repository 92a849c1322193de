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
