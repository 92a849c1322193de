import math
import numpy as np


class Environment:
    def __init__(self):
        # Physical parameters
        self.gravity = 9.8
        self.masscart = 1.0
        self.masspole = 0.1
        self.total_mass = self.masspole + self.masscart
        self.length = 0.5  # half of the pole's length
        self.polemass_length = self.masspole * self.length
        self.force_mag = 10.0
        self.tau = 0.02  # seconds between state updates
        self.kinematics_integrator = "euler"

        # Termination thresholds
        self.theta_threshold_radians = 12 * 2 * math.pi / 360
        self.x_threshold = 2.4

        # Episode length limit
        self.max_episode_steps = 500

        # Spaces
        self.action_space = (0, 1)
        self.observation_high = np.array(
            [
                self.x_threshold * 2,
                np.finfo(np.float32).max,
                self.theta_threshold_radians * 2,
                np.finfo(np.float32).max,
            ],
            dtype=np.float32,
        )
        self.observation_low = -self.observation_high

        # Internal state
        self.state = None
        self.steps = 0
        self.done = False
        self.steps_beyond_terminated = None

        self.reset()

    def reset(self):
        self.state = tuple(np.random.uniform(low=-0.05, high=0.05, size=(4,)))
        self.steps = 0
        self.done = False
        self.steps_beyond_terminated = None
        return np.array(self.state, dtype=np.float32)

    def set_state(self, state):
        values = np.asarray(state, dtype=np.float64).flatten()
        self.state = tuple(float(v) for v in values[:4])
        self.steps = 0
        self.done = False
        self.steps_beyond_terminated = None

    def step(self, action):
        action = int(np.asarray(action).flatten()[0])
        if action not in self.action_space:
            raise ValueError("Invalid action: {}".format(action))

        x, x_dot, theta, theta_dot = self.state
        force = self.force_mag if action == 1 else -self.force_mag
        costheta = math.cos(theta)
        sintheta = math.sin(theta)

        temp = (
            force + self.polemass_length * theta_dot**2 * sintheta
        ) / self.total_mass
        thetaacc = (self.gravity * sintheta - costheta * temp) / (
            self.length * (4.0 / 3.0 - self.masspole * costheta**2 / self.total_mass)
        )
        xacc = temp - self.polemass_length * thetaacc * costheta / self.total_mass

        if self.kinematics_integrator == "euler":
            x = x + self.tau * x_dot
            x_dot = x_dot + self.tau * xacc
            theta = theta + self.tau * theta_dot
            theta_dot = theta_dot + self.tau * thetaacc
        else:  # semi-implicit euler
            x_dot = x_dot + self.tau * xacc
            x = x + self.tau * x_dot
            theta_dot = theta_dot + self.tau * thetaacc
            theta = theta + self.tau * theta_dot

        self.state = (x, x_dot, theta, theta_dot)
        self.steps += 1

        terminated = bool(
            x < -self.x_threshold
            or x > self.x_threshold
            or theta < -self.theta_threshold_radians
            or theta > self.theta_threshold_radians
        )
        truncated = self.steps >= self.max_episode_steps

        if not terminated:
            reward = 1.0
        elif self.steps_beyond_terminated is None:
            # The pole just fell: the termination step is still rewarded
            self.steps_beyond_terminated = 0
            reward = 1.0
        else:
            self.steps_beyond_terminated += 1
            reward = 0.0

        self.done = bool(terminated or truncated)

        return np.array(self.state, dtype=np.float32), reward, self.done
