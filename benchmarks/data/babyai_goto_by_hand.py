"""BabyAI's one-room levels with "go to" missions, all of it observed.

WRITTEN BY HAND as a stand-in for what a search would find, so that planning in a code
world model can be shown where none was found. Exact for one room without doors, six
actions, and missions of one part that say "go to"; anything else raises.
"""

import math
from typing import Any

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE = range(6)
EMPTY, BOX = 1, 7
MOVABLE = (5, 6, 7)
GO_TO = 1
ANY_TYPE, ANY_COLOUR = 0, 6
HEAD = 18
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))


class Environment:
    """A room; its state is the observation."""

    state: Any
    size: int

    def set_state(self, observation: Any) -> None:
        """Goes on from an observation."""
        self.state = observation.copy()
        # A room is a square.
        self.size = math.isqrt((len(observation) - HEAD) // 3)

    def step(self, action: int) -> tuple[Any, float, bool]:
        """Returns the next observation, the reward and whether the mission is done."""
        state = self.state
        if state[8] != GO_TO or state[13] != 0:
            raise ValueError("Only missions of one part that say go to are known.")
        state[3] += 1
        if action in (LEFT, RIGHT):
            state[2] = (state[2] + (1 if action == RIGHT else 3)) % 4
        elif action == FORWARD:
            self._go_forward()
        cell = self._front()
        # Of what is taken away now, it counts that it was there.
        is_done = self._is_meant(cell)
        if action == PICK_UP:
            self._pick_up(cell)
        elif action == DROP:
            self._drop(cell)
        elif action == TOGGLE and state[cell] == BOX:
            state[cell : cell + 3] = (EMPTY, 0, 0)
        reward = 1.0 - 0.9 * float(state[3] / state[4]) if is_done else 0.0
        return state.copy(), reward, is_done

    def legal_actions(self) -> list[int]:
        """Returns all actions; none when the most steps were taken."""
        return list(range(6)) if self.state[3] < self.state[4] else []

    def _front(self) -> int:
        """Returns where the three numbers of the cell before the agent begin."""
        column, row, direction = (int(number) for number in self.state[:3])
        right, down = AHEAD[direction]
        return HEAD + 3 * ((row + down) * self.size + column + right)

    def _is_meant(self, cell: int) -> bool:
        kind, colour = self.state[cell : cell + 2]
        meant, its_colour = self.state[9:11]
        return bool(
            kind != EMPTY
            and meant in (ANY_TYPE, kind)
            and its_colour in (ANY_COLOUR, colour)
        )

    def _go_forward(self) -> None:
        if self.state[self._front()] == EMPTY:
            right, down = AHEAD[int(self.state[2])]
            self.state[0] += right
            self.state[1] += down

    def _pick_up(self, cell: int) -> None:
        state = self.state
        if state[cell] in MOVABLE and state[5] == 0:
            state[5:7] = state[cell : cell + 2]
            state[cell : cell + 3] = (EMPTY, 0, 0)

    def _drop(self, cell: int) -> None:
        state = self.state
        if state[cell] == EMPTY and state[5] != 0:
            state[cell : cell + 2] = state[5:7]
            state[5:7] = 0
