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

        # Internal state: [theta, theta_dot]
        self.state = None
        self.last_u = None
        self.done = False

        self.reset()

    def reset(self):
        high = np.array([np.pi, 1.0])
        self.state = np.random.uniform(low=-high, high=high)
        self.last_u = None
        self.done = False
        return self._get_obs()

    def set_state(self, state):
        values = np.asarray(state, dtype=np.float64).flatten()
        x, y, theta_dot = values[0], values[1], values[2]
        theta = np.arctan2(y, x)
        self.state = np.array([theta, theta_dot], dtype=np.float64)
        self.last_u = None
        self.done = False

    def step(self, action):
        th, thdot = self.state

        u = float(np.asarray(action, dtype=np.float64).flatten()[0])
        u = float(np.clip(u, -self.max_torque, self.max_torque))
        self.last_u = u

        costs = self._angle_normalize(th) ** 2 + 0.1 * thdot**2 + 0.001 * (u**2)

        newthdot = (
            thdot
            + (
                3.0 * self.g / (2.0 * self.l) * np.sin(th)
                + 3.0 / (self.m * self.l**2) * u
            )
            * self.dt
        )
        newthdot = np.clip(newthdot, -self.max_speed, self.max_speed)
        newth = th + newthdot * self.dt

        self.state = np.array([newth, newthdot], dtype=np.float64)
        self.done = False

        return self._get_obs(), float(-costs), self.done

    def _get_obs(self):
        theta, theta_dot = self.state
        return np.array([np.cos(theta), np.sin(theta), theta_dot], dtype=np.float32)

    @staticmethod
    def _angle_normalize(x):
        return ((x + np.pi) % (2 * np.pi)) - np.pi
