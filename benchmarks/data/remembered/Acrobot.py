import numpy as np
from numpy import cos, pi, sin


class Environment:
    def __init__(self):
        # Physical parameters
        self.dt = 0.2
        self.LINK_LENGTH_1 = 1.0  # [m]
        self.LINK_LENGTH_2 = 1.0  # [m]
        self.LINK_MASS_1 = 1.0  # [kg]
        self.LINK_MASS_2 = 1.0  # [kg]
        self.LINK_COM_POS_1 = 0.5  # [m]
        self.LINK_COM_POS_2 = 0.5  # [m]
        self.LINK_MOI = 1.0  # moment of inertia for both links
        self.GRAVITY = 9.8

        self.MAX_VEL_1 = 4 * pi
        self.MAX_VEL_2 = 9 * pi

        self.AVAIL_TORQUE = [-1.0, 0.0, 1.0]

        # Spaces
        self.action_space = (0, 1, 2)
        self.observation_high = np.array(
            [1.0, 1.0, 1.0, 1.0, self.MAX_VEL_1, self.MAX_VEL_2], dtype=np.float32
        )
        self.observation_low = -self.observation_high

        # Episode length limit
        self.max_episode_steps = 500

        # Internal state: [theta1, theta2, dtheta1, dtheta2]
        self.state = None
        self.steps = 0
        self.done = False

        self.reset()

    def reset(self):
        self.state = np.random.uniform(low=-0.1, high=0.1, size=(4,))
        self.steps = 0
        self.done = False
        return self._get_obs()

    def set_state(self, state):
        values = np.asarray(state, dtype=np.float64).flatten()
        theta1 = np.arctan2(values[1], values[0])
        theta2 = np.arctan2(values[3], values[2])
        self.state = np.array([theta1, theta2, values[4], values[5]], dtype=np.float64)
        self.steps = 0
        self.done = False

    def step(self, action):
        action = int(np.asarray(action).flatten()[0])
        if action not in self.action_space:
            raise ValueError("Invalid action: {}".format(action))

        torque = self.AVAIL_TORQUE[action]

        # Augment the state with the (constant) torque and integrate
        s_augmented = np.append(self.state, torque)
        ns = self._rk4(s_augmented, self.dt)[:4]

        ns[0] = self._wrap(ns[0], -pi, pi)
        ns[1] = self._wrap(ns[1], -pi, pi)
        ns[2] = min(max(ns[2], -self.MAX_VEL_1), self.MAX_VEL_1)
        ns[3] = min(max(ns[3], -self.MAX_VEL_2), self.MAX_VEL_2)
        self.state = ns
        self.steps += 1

        terminated = self._terminal()
        truncated = self.steps >= self.max_episode_steps
        reward = 0.0 if terminated else -1.0
        self.done = bool(terminated or truncated)

        return self._get_obs(), reward, self.done

    def _get_obs(self):
        s = self.state
        return np.array(
            [cos(s[0]), sin(s[0]), cos(s[1]), sin(s[1]), s[2], s[3]],
            dtype=np.float32,
        )

    def _terminal(self):
        s = self.state
        return bool(-cos(s[0]) - cos(s[1] + s[0]) > 1.0)

    def _dsdt(self, s_augmented):
        m1 = self.LINK_MASS_1
        m2 = self.LINK_MASS_2
        l1 = self.LINK_LENGTH_1
        lc1 = self.LINK_COM_POS_1
        lc2 = self.LINK_COM_POS_2
        I1 = self.LINK_MOI
        I2 = self.LINK_MOI
        g = self.GRAVITY

        theta1, theta2, dtheta1, dtheta2, a = s_augmented

        d1 = m1 * lc1**2 + m2 * (l1**2 + lc2**2 + 2 * l1 * lc2 * cos(theta2)) + I1 + I2
        d2 = m2 * (lc2**2 + l1 * lc2 * cos(theta2)) + I2
        phi2 = m2 * lc2 * g * cos(theta1 + theta2 - pi / 2.0)
        phi1 = (
            -m2 * l1 * lc2 * dtheta2**2 * sin(theta2)
            - 2 * m2 * l1 * lc2 * dtheta2 * dtheta1 * sin(theta2)
            + (m1 * lc1 + m2 * l1) * g * cos(theta1 - pi / 2.0)
            + phi2
        )
        # Dynamics from the "book" (Sutton & Barto) formulation
        ddtheta2 = (
            a + d2 / d1 * phi1 - m2 * l1 * lc2 * dtheta1**2 * sin(theta2) - phi2
        ) / (m2 * lc2**2 + I2 - d2**2 / d1)
        ddtheta1 = -(d2 * ddtheta2 + phi1) / d1

        return np.array([dtheta1, dtheta2, ddtheta1, ddtheta2, 0.0])

    def _rk4(self, y0, dt):
        dt2 = dt / 2.0
        k1 = self._dsdt(y0)
        k2 = self._dsdt(y0 + dt2 * k1)
        k3 = self._dsdt(y0 + dt2 * k2)
        k4 = self._dsdt(y0 + dt * k3)
        return y0 + dt / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)

    @staticmethod
    def _wrap(x, m, M):
        diff = M - m
        while x > M:
            x = x - diff
        while x < m:
            x = x + diff
        return x
