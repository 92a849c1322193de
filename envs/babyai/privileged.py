"""BabyAI's levels with all of it observed, as numbers; marked as privileged."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import error, spaces

from envs.babyai.env import check_num_actions, minigrid_action
from envs.babyai.levels import LevelSource
from envs.babyai.names import MIXED
from envs.babyai.state import (
    MOVABLE,
    State,
    Strictness,
    Taken,
    bounds,
    parts_of,
    read_state,
    strictness,
    write_state,
)

_PICK_UP, _DROP, _TOGGLE = 3, 4, 5
_MAX_SEED = 2**31


class PrivilegedBabyAI(gymnasium.Env[State, Any]):
    """Follow an instruction in rooms with keys, balls, boxes and doors; all observed.

    ## Description
    PRIVILEGED: the observation is the whole state, walls or not, for diagnosis and for
    world models. Results are not comparable with those of the level in words, of which
    the agent sees a part.

    The agent follows an instruction: go to an object (stand before it and face it,
    after whatever action), pick it up with empty hands, open a door, put an object next
    to another (left, right, above or below), or two of these, one after the other: the
    second counts from the step on that completes the first. It walks on empty cells and
    through open doors. One object can be carried.

    ## Action Space
    0: turn left, 1: turn right, 2: go forward, 3: pick up the object in front (key,
    ball or box), 4: drop what is carried into the cell in front, if it is empty, 5:
    toggle what is in front: open and close doors, unlock and open a locked door with
    a carried key of its colour, open boxes, which are empty and gone then. Further
    ones do nothing. All are legal, none after the end.

    ## Observation Space
    Integers. 18 of them, then three for each cell.

    - 0, 1: column and row of the agent, from 0 at the top left
    - 2: its direction: 0 right, 1 down, 2 left, 3 up
    - 3, 4: steps taken, most steps
    - 5, 6: type and colour of what is carried, 0 and 0 for nothing
    - 7: parts of the instruction that are done
    - 8 to 12: the first part: what to do (1 go to, 2 pick up, 3 open, 4 put next),
      type and colour of the object, type and colour of what it is to be put next to
    - 13 to 17: likewise the second part, zeros if there is none

    Cells row by row: type, colour, state. Types: 1 empty, 2 wall, 4 door, 5 key, 6
    ball, 7 box; in the instruction, 0 stands for any. Colours: 0 red, 1 green, 2 blue,
    3 purple, 4 yellow, 5 grey; in the instruction, 6 stands for any. States: 0, and for
    doors 0 open, 1 closed, 2 locked. State 3, only with an instruction of two parts:
    the cell is empty, but until the next drop, wherever that is, it counts for going to
    what was there, whose type and colour are told.

    ## Rewards
    1 - 0.9 * steps taken / most steps when the instruction has been followed, 0 for
    any other step.

    ## Episode End
    The episode terminates when the instruction has been followed, and is truncated
    when the most steps were taken.

    ## Arguments
    `level` is a level's name or id, `num_actions` 3, 6 or 9, `kind` the kind of
    instructions of a mixed level, `level_settings` are further arguments of the level.

    Attributes:
        state: The present observation; another one may be set.
        instruction: The mission in words, as the reset has drawn it.
        is_over: Whether the episode has ended.
    """

    def __init__(
        self,
        level: str = "GoToLocal",
        *,
        num_actions: int = 6,
        kind: str | None = None,
        level_settings: Mapping[str, Any] | None = None,
    ) -> None:
        check_num_actions(num_actions)
        source = LevelSource(level, kind=kind, settings=level_settings)
        if source.name in MIXED and kind is None:
            raise ValueError(
                f"kind must be given where all of {source.name} is observed: "
                "kinds have grids of different sizes."
            )
        source.seed(0)
        source.begin()
        self._simulation = _Simulation(source)
        self._num_actions = num_actions
        self.action_space = spaces.Discrete(num_actions)
        self.observation_space = spaces.MultiDiscrete(bounds(source.level))
        # Refuses at once what cannot be told in numbers.
        self.state: State = write_state(source.level, {})
        self.instruction = ""
        self.is_over = True
        source.is_seeded = False

    @property
    def level(self) -> Any:
        """Minigrid's environment."""
        return self._simulation.source.level

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """Starts an episode, the same as that of the level in words."""
        super().reset(seed=seed)
        source = self._simulation.source
        if seed is None and not source.is_seeded:
            seed = int(self.np_random.integers(_MAX_SEED))
        if seed is not None:
            source.seed(seed)
        source.begin()
        self.instruction = str(source.level.mission)
        self.is_over = False
        self.state = self._simulation.begin()
        return self.state.copy(), {}

    def step(self, action: Any) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Moves on from `state` as the level does.

        Raises:
            ResetNeeded: If the episode has ended.
        """
        if self.is_over:
            raise error.ResetNeeded("The episode has ended: reset the environment.")
        chosen = minigrid_action(int(action), self._num_actions)
        self.state, reward, terminated, truncated = self._simulation.step(
            self.state, chosen
        )
        self.is_over = terminated or truncated
        return self.state.copy(), reward, terminated, truncated, {}

    def legal_actions(self) -> tuple[int, ...]:
        """Returns all actions; none after the end."""
        return () if self.is_over else tuple(range(self._num_actions))


class _Simulation:
    """The level that steps are worked out with; no state that is not observed."""

    def __init__(self, source: LevelSource) -> None:
        self.source = source
        self._taken: Taken = {}
        self._present: State = np.empty(0, dtype=np.int64)
        self._strict = Strictness()

    def begin(self) -> State:
        """Returns the state of a level that was just reset."""
        level = self.source.level
        self._strict = strictness(level)
        self._taken = {}
        self._present = write_state(level, {})
        return self._present.copy()

    def step(self, state: State, action: int) -> tuple[State, float, bool, bool]:
        """Returns what follows, the reward, and whether the episode ends."""
        level = self.source.level
        if not np.array_equal(state, self._present):
            self._taken = read_state(level, state, strict=self._strict)
        column, row = level.front_pos
        front = (int(column), int(row))
        before = level.grid.get(*front)
        _, reward, terminated, truncated, _ = level.step(action)
        if action == _DROP:
            self._taken = {}
        elif action in (_PICK_UP, _TOGGLE) and len(parts_of(level)[0]) > 1:
            look = before.encode()[:2] if before else (0, 0)
            if look[0] in MOVABLE and level.grid.get(*front) is None:
                self._taken[front] = (int(look[0]), int(look[1]))
        self._present = write_state(level, self._taken)
        # Both at the last step: the instruction was followed.
        truncated = bool(truncated) and not terminated
        return self._present.copy(), float(reward), bool(terminated), truncated
