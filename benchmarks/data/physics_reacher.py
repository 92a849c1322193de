"""Reacher, with the physics engine: a skeleton whose numbers are guesses.

WRITTEN BY HAND as a stand-in for what a search would find: parts, joints and rewards
are from the task's description; the numbers are to be fitted. A joint's own inertia
counts as 1: motions show no more than ratios. Exact unless the elbow is beyond half
a turn, which observations do not show.
"""

from typing import Any

import mujoco
import numpy as np

CONSTANTS = {
    "time_step": {"value": 0.02, "low": 0.002, "high": 0.05},
    "motor": {"value": 50.0, "low": 1.0, "high": 1000.0},
    "damping": {"value": 0.1, "low": 0.0001, "high": 10.0},
    "upper_length": {"value": 0.2, "low": 0.02, "high": 0.5},
    "upper_inertia": {"value": 0.01, "low": 0.00001, "high": 1.0},
    "fore_length": {"value": 0.2, "low": 0.02, "high": 0.5},
    "fore_mass": {"value": 0.1, "low": 0.001, "high": 10.0},
    "fore_inertia": {"value": 0.01, "low": 0.00001, "high": 1.0},
    "elbow_stop": {"value": 2.8, "low": 1.0, "high": 3.14},
    "distance_weight": {"value": 0.5, "low": 0.1, "high": 10.0},
    "control_weight": {"value": 0.5, "low": 0.01, "high": 10.0},
}

NUM_SUBSTEPS = 2


def inertial(centre: float, mass: float, inertia: float) -> str:
    """Returns a link whose mass lies at `centre`."""
    return f"""<inertial pos="{centre!r} 0 0" mass="{mass!r}"
                  diaginertia="{inertia!r} {inertia!r} {inertia!r}"/>"""


def build_model(
    *,
    time_step: float,
    motor: float,
    damping: float,
    upper_length: float,
    upper_inertia: float,
    fore_length: float,
    fore_mass: float,
    fore_inertia: float,
    elbow_stop: float,
) -> Any:
    """Returns the engine's model."""
    return mujoco.MjModel.from_xml_string(f"""
<mujoco>
  <compiler angle="radian"/>
  <option timestep="{time_step!r}" integrator="RK4"/>
  <default><joint axis="0 0 1" armature="1" damping="{damping!r}"/></default>
  <worldbody>
    <body>
      <joint name="shoulder" limited="false"/>
      {inertial(0.0, 1.0, upper_inertia)}
      <body pos="{upper_length!r} 0 0">
        <joint name="elbow" limited="true" range="{-elbow_stop!r} {elbow_stop!r}"/>
        {inertial(fore_length / 2, fore_mass, fore_inertia)}
        <site name="fingertip" pos="{fore_length!r} 0 0"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="shoulder" gear="{motor!r}" ctrllimited="true" ctrlrange="-1 1"/>
    <motor joint="elbow" gear="{motor!r}" ctrllimited="true" ctrlrange="-1 1"/>
  </actuator>
</mujoco>
""")


VALUES = {name: entry["value"] for name, entry in CONSTANTS.items()}
DISTANCE_WEIGHT = VALUES.pop("distance_weight")
CONTROL_WEIGHT = VALUES.pop("control_weight")
MODEL = build_model(**VALUES)
FINGERTIP = MODEL.site("fingertip").id


class Environment:
    """An arm of two links and a target; angles are observed by sine and cosine."""

    def __init__(self) -> None:
        self.data = mujoco.MjData(MODEL)
        self.target = np.zeros(2)

    def set_state(self, observation: Any) -> None:
        """Goes on from an observation."""
        # Otherwise the engine would begin with the forces of the step before.
        mujoco.mj_resetData(MODEL, self.data)
        self.data.qpos[:] = np.arctan2(observation[2:4], observation[:2])
        self.data.qvel[:] = observation[6:8]
        self.target = observation[4:6].copy()

    def step(self, action: Any) -> tuple[Any, float, bool]:
        """Returns the next observation, the reward and that the episode goes on."""
        self.data.ctrl[:] = action
        mujoco.mj_step(MODEL, self.data, NUM_SUBSTEPS)
        angles = self.data.qpos
        # Places lag a little behind the angles, here as in the environment.
        distance = self.data.site_xpos[FINGERTIP, :2] - self.target
        observation = np.concatenate(
            [np.cos(angles), np.sin(angles), self.target, self.data.qvel, distance]
        )
        reward = -DISTANCE_WEIGHT * np.linalg.norm(distance)
        reward -= CONTROL_WEIGHT * np.square(action).sum()
        return observation, float(reward), False
