"""InvertedPendulum, with the physics engine: a skeleton whose numbers are guesses.

WRITTEN BY HAND as a stand-in for what a search would find: parts, joints and rewards
are from the task's description; the numbers are to be fitted. The cart weighs 1 and
the pole is a thin rod: motions show no more than ratios.
"""

from typing import Any

import mujoco
import numpy as np

CONSTANTS = {
    "gravity": {"value": 10.0, "low": 1.0, "high": 30.0},
    "time_step": {"value": 0.01, "low": 0.002, "high": 0.05},
    "push": {"value": 1.0, "low": 0.1, "high": 100.0},
    "rail_damping": {"value": 0.01, "low": 0.0001, "high": 10.0},
    "hinge_damping": {"value": 0.01, "low": 0.0001, "high": 10.0},
    "pole_mass": {"value": 0.1, "low": 0.01, "high": 10.0},
    "pole_length": {"value": 1.0, "low": 0.1, "high": 4.0},
    "pole_lean": {"value": 0.0, "low": -0.05, "high": 0.05},
    "rail_end": {"value": 0.8, "low": 0.5, "high": 2.0},
}

NUM_SUBSTEPS = 2
MAX_ANGLE = 0.2


def build_model(
    *,
    gravity: float,
    time_step: float,
    push: float,
    rail_damping: float,
    hinge_damping: float,
    pole_mass: float,
    pole_length: float,
    pole_lean: float,
    rail_end: float,
) -> Any:
    """Returns the engine's model."""
    inertia = pole_mass * pole_length**2 / 12
    return mujoco.MjModel.from_xml_string(f"""
<mujoco>
  <option gravity="0 0 {-gravity!r}" timestep="{time_step!r}" integrator="RK4"/>
  <worldbody>
    <body>
      <joint name="rail" type="slide" axis="1 0 0" damping="{rail_damping!r}"
             limited="true" range="{-rail_end!r} {rail_end!r}"/>
      <inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>
      <body>
        <joint type="hinge" axis="0 1 0" damping="{hinge_damping!r}"/>
        <inertial pos="{pole_lean!r} 0 {pole_length / 2!r}" mass="{pole_mass!r}"
                  diaginertia="{inertia!r} {inertia!r} {inertia!r}"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="rail" gear="{push!r}" ctrllimited="true" ctrlrange="-3 3"/>
  </actuator>
</mujoco>
""")


MODEL = build_model(**{name: entry["value"] for name, entry in CONSTANTS.items()})


class Environment:
    """A cart on a rail; observations are positions and velocities."""

    def __init__(self) -> None:
        self.data = mujoco.MjData(MODEL)

    def set_state(self, observation: Any) -> None:
        """Goes on from an observation."""
        # Otherwise the engine would begin with the forces of the step before.
        mujoco.mj_resetData(MODEL, self.data)
        self.data.qpos[:] = observation[:2]
        self.data.qvel[:] = observation[2:]

    def step(self, action: Any) -> tuple[Any, float, bool]:
        """Returns the next observation, the reward and whether the pole has fallen."""
        self.data.ctrl[:] = action
        mujoco.mj_step(MODEL, self.data, NUM_SUBSTEPS)
        observation = np.concatenate([self.data.qpos, self.data.qvel])
        terminated = bool(abs(observation[1]) > MAX_ANGLE)
        return observation, float(not terminated), terminated
