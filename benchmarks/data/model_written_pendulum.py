import numpy as np


class Environment:
    def __init__(self):
        # Physical parameters
        self.max_speed = 8.0
        self.max_torque = 2.0
        self.dt = 0.05
        self.g = 10.0
        self.m = 1.0
        self.l = 1.0

        # Spaces
        self.action_low = np.array([-self.max_torque], dtype=np.float32)
        self.action_high = np.array([self.max_torque], dtype=np.float32)
        self.observation_high = np.array([1.0, 1.0, self.max_speed], dtype=np.float32)
        self.observation_low = -self.observation_high

        # Internal state (kept in float64)
        self.theta = float(np.random.uniform(-np.pi, np.pi))
        self.theta_dot = float(np.random.uniform(-1.0, 1.0))
        self.done = False

    def set_state(self, state):
        values = np.asarray(state, dtype=np.float64).reshape(-1)
        self.theta = float(np.arctan2(values[1], values[0]))
        self.theta_dot = float(values[2])
        self.done = False

    def step(self, action):
        th = self.theta
        thdot = self.theta_dot

        u = float(np.asarray(action, dtype=np.float64).reshape(-1)[0])
        u = float(np.clip(u, -self.max_torque, self.max_torque))

        # Reward is computed on the state before the transition
        cost = self._angle_normalize(th) ** 2 + 0.1 * thdot**2 + 0.001 * (u**2)
        reward = -float(cost)

        # Semi-implicit Euler integration
        new_thdot = (
            thdot
            + (
                3.0 * self.g / (2.0 * self.l) * np.sin(th)
                + 3.0 / (self.m * self.l**2) * u
            )
            * self.dt
        )
        new_thdot = float(np.clip(new_thdot, -self.max_speed, self.max_speed))
        new_th = float(th + new_thdot * self.dt)

        self.theta = new_th
        self.theta_dot = new_thdot

        # The task has no terminal states
        self.done = False

        return self._get_obs(), reward, self.done

    def _get_obs(self):
        return np.array(
            [np.cos(self.theta), np.sin(self.theta), self.theta_dot],
            dtype=np.float32,
        )

    @staticmethod
    def _angle_normalize(x):
        return ((x + np.pi) % (2 * np.pi)) - np.pi
