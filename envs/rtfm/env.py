"""The game as Gymnasium environments.

The state is what is shown: board, inventory, manual and goal are attributes, each
step is worked out from them, and an episode goes on from whatever they are set to.
"""

from itertools import product
from string import ascii_letters
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import error, spaces

from envs.rtfm.manual import named_group, read_manual, write_goal, write_manual
from envs.rtfm.rules import (
    CELL_PLACES,
    MOVES,
    Board,
    Scene,
    draw_moves,
    legal_moves,
    read,
    show,
    take_turn,
)
from envs.rtfm.scenario import check_options, draw_goal, draw_lore, draw_scene
from envs.rtfm.words import AGENT, ELEMENTS, EMPTY, ITEMS, MODIFIERS, MONSTERS, WALL
from envs.spaces import NestedText

Observation: TypeAlias = dict[str, Any]
"""`"board"`, `"inventory"`, `"manual"` and `"goal"`."""

MONSTER_NAMES = tuple(f"{e} {name}" for e, name in product(ELEMENTS, MONSTERS))
ITEM_NAMES = tuple(f"{m} {name}" for m, name in product(MODIFIERS, ITEMS))

_LONGEST_MANUAL = 1_000
_LONGEST_GOAL = 100
_LETTERS = ascii_letters + " ,.:"


class RTFM(gymnasium.Env[Observation, Any]):
    """Read to fight monsters: defeat the right monster with the right item.

    ## Description
    An agent walks through a room. In it are monsters, which stand still, and items.
    A monster is called by its element and its kind, such as "cold dragon", an item by
    its modifier and its kind, such as "blessed axe". The manual tells which modifiers
    beat which element, and which kinds of monsters belong to which group. The goal
    tells which group to defeat.

    An agent that steps on an item takes it. It carries one item at most: what it
    had before is lost. An agent that steps on a monster fights it at once. It wins if
    the modifier of its item beats the monster's element, and the monster is gone;
    otherwise, or without an item, the agent dies and is gone. Monsters do not take
    items; a monster and an item can be in one cell, and then the agent takes the item
    before it fights.

    ## Action Space
    0: stay, 1: up, 2: down, 3: left, 4: right. A move into a wall changes nothing.
    Legal are all moves that do not lead into a wall; none after the end.

    ## Observation Space
    A dictionary.

    - "board": a list of rows, from top to bottom, of cells, from left to right, each a
      list of two words: what is in the cell, then "empty". The outer cells are
      "wall". The agent is "you". Whoever is alive comes before an item.
    - "inventory": the item that the agent has, or "empty".
    - "manual": sentences in English. It stays the same for the whole episode.
    - "goal": a sentence in English. Likewise.

    ## Rewards
    +1 if the agent defeats a monster of the goal's group, -1 if it defeats another
    one or dies, 0 for any other step.

    ## Episode End
    The episode terminates with the first fight.

    ## Arguments
    `size` is the number of rows and columns inside the walls. `num_distractors` is how
    many monsters of other groups there are, each with an item that beats it. All
    episodes have the same manual and goal if there is a `manual_seed`; otherwise each
    draws its own. Monsters, items and their places are drawn for every episode, so
    that it can be won.
    """

    is_moving = False

    def __init__(
        self,
        size: int = 4,
        num_distractors: int = 1,
        manual_seed: int | None = None,
    ) -> None:
        check_options(size, num_distractors)
        self.size = size
        self.num_distractors = num_distractors
        self.manual_seed = manual_seed
        words = (EMPTY, WALL, AGENT, *MONSTER_NAMES, *ITEM_NAMES)
        self.observation_space = spaces.Dict(
            {
                "board": NestedText((size + 2, size + 2, CELL_PLACES), words),
                "inventory": spaces.Text(30, charset=_LETTERS),
                "manual": spaces.Text(_LONGEST_MANUAL, charset=_LETTERS),
                "goal": spaces.Text(_LONGEST_GOAL, charset=_LETTERS),
            }
        )
        self.action_space = spaces.Discrete(len(MOVES))
        self.board: Board = []
        self.inventory = EMPTY
        self.manual = ""
        self.goal = ""
        self.is_over = True

    @property
    def instruction(self) -> str:
        """What the agent is told: the manual, then the goal."""
        return f"{self.manual} {self.goal}"

    @property
    def scene(self) -> Scene:
        """Who and what is where."""
        return read(self.board, self.inventory)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode in a random room."""
        super().reset(seed=seed)
        telling = self.np_random
        if self.manual_seed is not None:
            telling = np.random.default_rng(self.manual_seed)
        lore, target = draw_lore(telling), draw_goal(telling)
        self.manual = write_manual(lore, telling)
        self.goal = write_goal(target, telling)
        scene = draw_scene(
            lore,
            target,
            self.np_random,
            size=self.size,
            num_distractors=self.num_distractors,
        )
        self.is_over = False
        return self._show(scene), {}

    def step(
        self, action: Any
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Moves the agent, then the monsters, if they move.

        Raises:
            ResetNeeded: If the episode has ended.
        """
        if self.is_over:
            raise error.ResetNeeded("The episode has ended: reset the environment.")
        scene = self.scene
        turn = take_turn(
            scene,
            int(action),
            lore=read_manual(self.manual),
            target=named_group(self.goal) or "",
            monster_moves=draw_moves(scene, self.np_random) if self.is_moving else (),
        )
        self.is_over = turn.terminated
        return self._show(turn.scene), turn.reward, turn.terminated, False, {}

    def legal_actions(self) -> tuple[int, ...]:
        """Returns the moves that do not lead into a wall; none after the end."""
        return () if self.is_over else legal_moves(self.scene)

    def _show(self, scene: Scene) -> Observation:
        self.board, self.inventory = show(scene), scene.inventory
        return {
            "board": show(scene),
            "inventory": self.inventory,
            "manual": self.manual,
            "goal": self.goal,
        }


class MovingRTFM(RTFM):
    """Read to fight monsters that move: defeat the right one with the right item.

    ## Description
    An agent walks through a room. In it are monsters, which walk, too, and items.
    A monster is called by its element and its kind, such as "cold dragon", an item by
    its modifier and its kind, such as "blessed axe". The manual tells which modifiers
    beat which element, and which kinds of monsters belong to which group. The goal
    tells which group to defeat.

    An agent that steps on an item takes it. It carries one item at most: what it
    had before is lost. An agent that steps on a monster fights it at once, and so does
    an agent on which a monster steps. The agent wins if the modifier of its item
    beats the monster's element, and the monster is gone; otherwise, or without an
    item, the agent dies and is gone. Monsters do not take items; a monster and an item
    can be in one cell, and then the agent takes the item before it fights.

    The agent moves first, then the monsters, one after the other in random order.
    Each has chosen its move before the agent moved: with probability 0.6, and if the
    agent was at most 5 cells away as the crow flies, one of the moves that would
    have brought it nearer, at random; otherwise any move that does not lead into a
    wall, or staying, at random. A monster does not step on another one: it stays.

    ## Action Space
    0: stay, 1: up, 2: down, 3: left, 4: right. A move into a wall changes nothing.
    Legal are all moves that do not lead into a wall; none after the end.

    ## Observation Space
    A dictionary.

    - "board": a list of rows, from top to bottom, of cells, from left to right, each a
      list of two words: what is in the cell, then "empty". The outer cells are
      "wall". The agent is "you". Whoever is alive comes before an item.
    - "inventory": the item that the agent has, or "empty".
    - "manual": sentences in English. It stays the same for the whole episode.
    - "goal": a sentence in English. Likewise.

    ## Rewards
    +1 if the agent defeats a monster of the goal's group, -1 if it defeats another
    one or dies, 0 for any other step.

    ## Episode End
    The episode terminates with the first fight.

    ## Arguments
    As in `RTFM`.
    """

    is_moving = True
