"""BabyAI's levels as Gymnasium environments in words."""

from collections.abc import Mapping
from string import ascii_letters, digits
from typing import Any

import gymnasium
import numpy as np
from gymnasium import error, spaces
from numpy.typing import NDArray

from envs.babyai.describing import describe, join_sentences
from envs.babyai.levels import LevelSource
from envs.babyai.snapshots import LevelSnapshots
from envs.babyai.view import view
from envs.babyai.wordings import WORDINGS, Wording
from envs.spec import Env

NUM_ACTIONS = (3, 6, 9)
"""How many actions there can be; the paper's three sets."""

_NOTHING = 6
"""Minigrid's action that does nothing."""

_LETTERS = frozenset(ascii_letters + digits + " .àâäçèéêîïôöùûü'-")
_MAX_TEXT_LENGTH = 4_000
_MAX_SEED = 2**31


def read_wording(name: str) -> Wording:
    """Returns a named wording.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in WORDINGS:
        names = ", ".join(WORDINGS)
        raise ValueError(f"wording must be one of {names}, got {name!r}.")
    return WORDINGS[name]


def check_num_actions(num_actions: int) -> None:
    """Refuses other numbers of actions than those of the paper.

    Raises:
        ValueError: If there is no such set of actions.
    """
    if num_actions not in NUM_ACTIONS:
        raise ValueError(f"num_actions must be 3, 6 or 9, got {num_actions}.")


def minigrid_action(action: int, num_actions: int) -> int:
    """Returns minigrid's action for one of ours.

    Raises:
        ValueError: If there is no such action.
    """
    if not 0 <= action < num_actions:
        raise ValueError(f"action must be from 0 to {num_actions - 1}, got {action}.")
    return min(action, _NOTHING)


class BabyAIText(gymnasium.Env[str, Any]):
    """Follow an instruction in rooms with keys, balls, boxes and doors; told in words.

    ## Description
    The agent is in a room, or in several with doors between them, and follows an
    instruction: go to an object (stand before it and face it), pick it up, open a door,
    put an object next to another, or several of these in order. It sees the cells in a
    square of seven by seven before it, not through walls and closed doors. A locked
    door opens for a key of its colour. One object can be carried. A box that is
    toggled is gone, and what was in it is in its place.

    ## Action Space
    0: turn left, 1: turn right, 2: go forward, 3: pick up the object in front, 4: drop
    the object in front, 5: toggle what is in front: open and close doors, open boxes.
    Further ones do nothing. All are legal, none after the end.

    ## Observation Space
    A text such as "You carry a grey key. You see a wall 3 steps right. You see a
    purple box 3 steps left and 1 step forward." First what is carried; then the wall
    ahead, left and right, each if nothing is before it; then all other objects that
    are seen. Empty if there is nothing.

    ## Rewards
    1 - 0.9 * steps taken / most steps when the instruction has been followed, 0 for
    any other step.

    ## Episode End
    The episode terminates when the instruction has been followed, and is truncated
    after the most steps, which depend on the level and the instruction.

    ## Arguments
    `level` is a level's name or id, `wording` one of `envs.babyai.wordings.WORDINGS`,
    `num_actions` 3, 6 or 9. `kind` and `kind_per_instance` are for mixed levels:
    the one kind of instructions, and whether a drawn kind stays for good.
    `level_settings` are further arguments of the level.

    Attributes:
        source: Where episodes come from.
        wording: In which words they are told.
        action_names: The actions in these words.
        instruction: The mission in these words.
        descriptions: The sentences of the present observation.
        is_over: Whether the episode has ended.
    """

    metadata = {  # noqa: RUF012 - Gymnasium declares it as the instance's
        "render_modes": ["human", "rgb_array"],
        "render_fps": 10,
    }

    def __init__(
        self,
        level: str = "GoToLocal",
        *,
        wording: str = "english",
        num_actions: int = 6,
        kind: str | None = None,
        kind_per_instance: bool = False,
        level_settings: Mapping[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_num_actions(num_actions)
        self.wording = read_wording(wording)
        settings = dict(level_settings or {})
        if render_mode:
            settings["render_mode"] = render_mode
        self.source = LevelSource(
            level, kind=kind, kind_per_instance=kind_per_instance, settings=settings
        )
        self.render_mode = render_mode
        self.action_names = self.wording.actions[:num_actions]
        self.action_space = spaces.Discrete(num_actions)
        self.observation_space = spaces.Text(
            _MAX_TEXT_LENGTH, min_length=0, charset=_LETTERS
        )
        self.instruction = ""
        self.descriptions: list[str] = []
        self.is_over = True
        self._start: dict[str, Any] = {}
        self._actions: list[int] = []

    @property
    def level(self) -> Any:
        """Minigrid's environment of the present episode."""
        return self.source.level

    @property
    def image(self) -> NDArray[np.uint8]:
        """What is seen, as minigrid shows it: type, colour and state, `[7, 7, 3]`."""
        return np.array(view(self.level), dtype=np.uint8)

    @property
    def mission(self) -> str:
        """The mission in BabyAI's own words."""
        return str(self.level.mission)

    @property
    def max_steps(self) -> int:
        """Most steps of the present episode."""
        return int(self.level.max_steps)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode; a seed gives the layout that it gives in minigrid."""
        super().reset(seed=seed)
        if seed is None and not self.source.is_seeded:
            seed = int(self.np_random.integers(_MAX_SEED))
        if seed is not None:
            self.source.seed(seed)
        self._start, self._actions = self.source.random_state(), []
        self.source.begin()
        self.instruction = self.wording.tell_mission(self.mission)
        self.is_over = False
        return self._show(), self._info()

    def step(self, action: Any) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Takes an action; `info` has the sentences one by one.

        Raises:
            ResetNeeded: If the episode has ended.
        """
        if self.is_over:
            raise error.ResetNeeded("The episode has ended: reset the environment.")
        action = int(action)
        chosen = minigrid_action(action, len(self.action_names))
        self._actions.append(action)
        _, reward, terminated, truncated, _ = self.level.step(chosen)
        truncated = truncated and not terminated
        self.is_over = terminated or truncated
        text = self._show()
        info = self._info() | {"action": self.action_names[action]}
        return text, float(reward), bool(terminated), bool(truncated), info

    def legal_actions(self) -> tuple[int, ...]:
        """Returns all actions; none after the end."""
        return () if self.is_over else tuple(range(len(self.action_names)))

    def progress(self) -> dict[str, Any]:
        """Returns the present episode as plain data, for `resume`.

        It can be written as JSON: from which random state the episode was drawn, and
        the actions since.
        """
        return {"start": self._start, "actions": list(self._actions)}

    def resume(self, progress: Mapping[str, Any]) -> str:
        """Goes back to where `progress` was asked for; returns the observation."""
        self.source.set_random_state(progress["start"])
        text, _ = self.reset()
        for action in progress["actions"]:
            text, *_ = self.step(action)
        return text

    def snapshot_adapter(self, env: Env) -> LevelSnapshots:
        """Returns how `env`, this environment in its wrappers, is saved."""
        return LevelSnapshots(env, self.source)

    def render(self) -> Any:
        """Draws the level from above, what the agent sees highlighted."""
        return self.level.render()

    def close(self) -> None:
        """Closes the level's window."""
        self.level.close()

    def _show(self) -> str:
        self.descriptions = describe(view(self.level), self.wording)
        return join_sentences(self.descriptions)

    def _info(self) -> dict[str, Any]:
        return {
            "descriptions": self.descriptions,
            "mission": self.instruction,
            "step": int(self.level.step_count),
            "max_steps": self.max_steps,
        }
