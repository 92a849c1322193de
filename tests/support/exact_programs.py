"""Programs that do what an environment of Gymnasium does, written down anew."""

CARTPOLE = """
import math

import numpy as np


class Environment:
    def set_state(self, observation):
        self.state = observation.astype(np.float64).tolist()

    def step(self, action):
        x, v, angle, spin = self.state
        force = 10.0 if action == 1 else -10.0
        cos, sin = math.cos(angle), math.sin(angle)
        push = (force + 0.05 * spin * spin * sin) / 1.1
        turn = (GRAVITY * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos * cos / 1.1))
        speed_up = push - 0.05 * turn * cos / 1.1
        x, v = x + 0.02 * v, v + 0.02 * speed_up
        angle, spin = angle + 0.02 * spin, spin + 0.02 * turn
        ends = abs(x) > 2.4 or abs(angle) > 12 * math.pi / 180
        return np.array([x, v, angle, spin], dtype=np.float32), 1.0, ends
""".replace("GRAVITY", "9.8")

MOUNTAIN_CAR = """
import math

import numpy as np


class Environment:
    def set_state(self, observation):
        self.place, self.speed = observation.astype(np.float64).tolist()

    def step(self, action):
        speed = self.speed + (action - 1) * 0.001 - 0.0025 * math.cos(3 * self.place)
        speed = min(max(speed, -0.07), 0.07)
        place = min(max(self.place + speed, -1.2), 0.6)
        if place == -1.2 and speed < 0:
            speed = 0.0
        return np.array([place, speed], dtype=np.float32), -1.0, place >= 0.5
"""

TAXI = """
ROWS = ("|R: | : :G|", "| : | : : |", "| : : : : |", "| | : | : |", "|Y| : |B: |")
STOPS = ((0, 0), (0, 4), (4, 0), (4, 3))


class Environment:
    def set_state(self, observation):
        observation, self.goal = divmod(observation, 4)
        observation, self.rider = divmod(observation, 5)
        self.row, self.column = divmod(observation, 5)

    def step(self, action):
        row, column, rider = self.row, self.column, self.rider
        reward, ends = -1.0, False
        if action == 0:
            row = min(row + 1, 4)
        elif action == 1:
            row = max(row - 1, 0)
        elif action == 2 and ROWS[row][2 * column + 2] == ":":
            column = min(column + 1, 4)
        elif action == 3 and ROWS[row][2 * column] == ":":
            column = max(column - 1, 0)
        elif action == 4:
            if rider < 4 and STOPS[rider] == (row, column):
                rider = 4
            else:
                reward = -10.0
        elif action == 5:
            if rider == 4 and STOPS[self.goal] == (row, column):
                rider, reward, ends = self.goal, 20.0, True
            elif rider == 4 and (row, column) in STOPS:
                rider = STOPS.index((row, column))
            else:
                reward = -10.0
        return ((row * 5 + column) * 5 + rider) * 4 + self.goal, reward, ends
"""
