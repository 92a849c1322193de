"""The Playground as Gymnasium environments: in words, in slots, in features.

Covers: goals, rewards, the end. Does not cover: the time limit of 30 steps, which the
registry sets and which truncates.
"""

from typing import Any, Literal, TypeAlias, get_args

import gymnasium
import numpy as np
from gymnasium import error, spaces
from numpy.typing import NDArray

from envs.playground.encoding import NUM_FEATURES, action_mask, encode
from envs.playground.rules import (
    GONE,
    GREW_PLANT,
    NOTHING,
    NUM_ACTIONS,
    NUM_SLOTS,
    TRANSITION_TYPES,
    Outcome,
    Scene,
    legal_actions,
    listed_actions,
    take,
)
from envs.playground.scenes import DEFAULT_GOAL, SceneSource, read_goal
from envs.playground.texts import (
    WORDINGS,
    describe,
    tell_action,
    tell_change,
)
from envs.playground.things import TYPES

Reward: TypeAlias = Literal["goal", "growth", "transition_type"]
"""What is rewarded: see `Playground`."""

_MAX_TEXT_LENGTH = 400
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzYI ,.")
_PLACES = 4
_MAX_SEED = 2**32


class Playground(gymnasium.Env[Any, Any]):
    """Let objects grow by giving them what they need; told in words.

    ## Description
    There are eight objects: water, seeds of plants (carrot, potato, beet, berry, pea),
    small baby animals (pig, cow, sheep) and big ones (elephant, giraffe, rhinoceros).
    The agent walks from object to object, picks objects up, at most two at a time,
    and gives one that it holds to the one under it, or the other way round.

    A seed and water become the plant. A small baby animal and a grown plant become
    the grown animal. A big baby animal and two grown plants, together, become the grown
    animal. What has grown lies under the agent, even if the seed or the animal was
    held; water and plants that were used are gone. Any object can be picked up, and
    none can be put down but by giving it where it makes something grow.

    ## Action Space
    - 1 to 11: go to an object that has not grown: baby elephant, baby giraffe, baby
      rhinoceros, baby pig, baby cow, baby sheep, carrot seed, potato seed, beet seed,
      berry seed, pea seed.
    - 14 to 24: go to a grown one, in the same order (elephant, ..., pea); 25: go to
      water. The first of this name in the list is gone to; a plant's name also stands
      for its seed, if that comes first.
    - 26: pick up the object under the agent.
    - 27, 28: give the first or second of the objects held, in alphabetical order.
    - 29: give all objects held.

    0, 12 and 13 stand for nothing. An action that is not legal changes nothing.
    Legal are: going to what lies about, picking up with at most one object held, giving
    what makes something grow. Of two objects of the same name, the first is given.

    ## Observation Space
    A text such as "You see the baby pig, the water, the pea seed. You are next to the
    water. In your inventory, there are the pea and the beet." Objects that are held
    or gone are not in the list; it keeps its order, and an object that comes out
    of the inventory takes its old place in it. The second sentence is there only if an
    object is under the agent. Objects in the inventory are in the order of the list.

    ## Rewards
    1 when the goal is reached, which is that one of each of the kinds named in it has
    grown, in any order; 0 for any other step. With `reward` "growth": 1 for each object
    that grows. With "transition_type": 1 for going somewhere, 2 and 3 for picking
    up a first and a second object, 4, 5 and 6 for a plant, a small and a big
    animal that grows.

    ## Episode End
    The episode terminates when the goal is reached.

    ## Arguments
    `goal` is "grow any X" or several of these joined by " then ", where X is a type
    or "plant", "small_herbivorous", "big_herbivorous"; `None` draws one for each
    episode. `wording`, "original" or "reworded", tells how changes are told in `info`.
    `seed` is that of the scenes until a reset has its own.

    Attributes:
        state: All that decides what follows, the time limit aside; episodes go on from
            whatever it is set to. Type (from 1), grown or not, and place of each of
            the eight objects, then 0 or 1 for each part of the goal.
        goal: The present goal.
        is_over: Whether the episode has ended.
        num_steps: Steps since the reset.
    """

    def __init__(
        self,
        *,
        goal: str | None = DEFAULT_GOAL,
        reward: Reward = "goal",
        wording: str = "original",
        seed: int | None = None,
    ) -> None:
        if reward not in get_args(Reward):
            names = ", ".join(get_args(Reward))
            raise ValueError(f"reward must be one of {names}, got {reward!r}.")
        if wording not in WORDINGS:
            names = ", ".join(WORDINGS)
            raise ValueError(f"wording must be one of {names}, got {wording!r}.")
        self.is_goal_drawn = goal is None
        self.reward = reward
        self.wording = wording
        self.action_space = spaces.Discrete(NUM_ACTIONS)
        self._scenes: SceneSource | None = None
        if seed is not None:
            self._scenes = SceneSource(seed)
            self._scenes.draw_unseen()
        self.goal = goal or DEFAULT_GOAL
        self.state = [1, 0, GONE] * NUM_SLOTS + [0] * len(read_goal(self.goal).wanted)
        self.num_steps = 0
        self.is_over = True
        self.observation_space = self._space()

    @property
    def instruction(self) -> str:
        """What the agent is told to do."""
        return self.goal

    @property
    def scene(self) -> Scene:
        """What there is, and where."""
        slots = self.state[: 3 * NUM_SLOTS]
        types, grown, places = slots[::3], slots[1::3], slots[2::3]
        things = [2 * t - 2 + g for t, g in zip(types, grown, strict=True)]
        return Scene(tuple(things), tuple(places))

    @property
    def reached(self) -> tuple[bool, ...]:
        """Which parts of the goal have been reached."""
        return tuple(map(bool, self.state[3 * NUM_SLOTS :]))

    @property
    def scenes(self) -> SceneSource:
        """Where scenes come from, and the numbers of the published random policy."""
        if self._scenes is None:
            self._scenes = SceneSource(int(self.np_random.integers(_MAX_SEED)))
        return self._scenes

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode in a random scene."""
        super().reset(seed=seed)
        if seed is not None:
            self._scenes = SceneSource(seed % _MAX_SEED)
        if self.is_goal_drawn:
            self.goal = self.scenes.draw_goal()
        goal = read_goal(self.goal)
        self._keep(self.scenes.draw(goal), (False,) * len(goal.wanted))
        self.num_steps = 0
        self.is_over = False
        return self._show(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Takes an action; `info` tells in words what was done and what came of it.

        Raises:
            ResetNeeded: If the episode has ended.
        """
        if self.is_over:
            raise error.ResetNeeded("The episode has ended: reset the environment.")
        action = int(action)
        before, reached = self.scene, self.reached
        outcome = take(before, action)
        if outcome.transition_type >= GREW_PLANT:
            grown = read_goal(self.goal).reached_by(outcome.things[0])
            pairs = zip(reached, grown, strict=True)
            reached = tuple(old or new for old, new in pairs)
        self._keep(outcome.scene, reached)
        self.is_over = all(reached)
        self.num_steps += 1
        info = {
            "step": self.num_steps,
            "action": tell_action(outcome, action, before),
            "change": tell_change(outcome, WORDINGS[self.wording]),
            "transition_type": TRANSITION_TYPES[outcome.transition_type],
            "is_legal": outcome.transition_type != NOTHING,
        }
        return self._show(), self._rewarded(outcome), self.is_over, False, info

    def legal_actions(self) -> tuple[int, ...]:
        """Returns the legal actions in ascending order; none after the end."""
        return () if self.is_over else legal_actions(self.scene)

    def listed_actions(self) -> list[int]:
        """Returns the legal actions as the published environment lists them.

        An action is listed once for each object that it could mean.
        """
        return [] if self.is_over else listed_actions(self.scene)

    def action_masks(self) -> NDArray[np.bool_]:
        """Returns which actions are legal, `[30]`; named as sb3-contrib has it."""
        return action_mask(self.legal_actions())

    def _rewarded(self, outcome: Outcome) -> float:
        if self.reward == "transition_type":
            return float(outcome.transition_type)
        if self.reward == "growth":
            return float(outcome.transition_type >= GREW_PLANT)
        return float(self.is_over)

    def _keep(self, scene: Scene, reached: tuple[bool, ...]) -> None:
        self.state = [
            number
            for one, place in zip(*scene, strict=True)
            for number in (1 + (one >> 1), one & 1, place)
        ]
        self.state += map(int, reached)

    def _space(self) -> spaces.Space[Any]:
        return spaces.Text(_MAX_TEXT_LENGTH, charset=_LETTERS)

    def _show(self) -> Any:
        return describe(self.scene)


class SymbolicPlayground(Playground):
    """Let objects grow by giving them what they need; all of it observed, as numbers.

    ## Description
    There are eight objects: water, seeds of plants (carrot, potato, beet, berry, pea),
    small baby animals (pig, cow, sheep) and big ones (elephant, giraffe, rhinoceros).
    The agent walks from object to object, picks objects up, at most two at a time,
    and gives one that it holds to the one under it, or the other way round.

    A seed and water become the plant. A small baby animal and a grown plant become
    the grown animal. A big baby animal and two grown plants, together, become the grown
    animal. What has grown lies under the agent, even if the seed or the animal was
    held; water and plants that were used are gone. Any object can be picked up, and
    none can be put down but by giving it where it makes something grow.

    ## Action Space
    - 1 to 11: go to an object of this type that has not grown.
    - 14 to 25: go to a grown object of the type that is less by 13; water is always
      grown. The first that lies about is gone to; a plant's number also stands for its
      seed, if that comes first, but it is legal only if the plant itself is there.
    - 26: pick up the object under the agent.
    - 27, 28: give the first or second of the objects held, in alphabetical order of
      their names: "baby" before an animal that has not grown, "seed" behind a plant
      that has not grown.
    - 29: give all objects held.

    0, 12 and 13 stand for nothing. An action that is not legal changes nothing.
    Legal are: going to what lies about, picking up with at most one object held, giving
    what makes something grow. Of two objects of the same name, the first is given.

    ## Observation Space
    26 numbers. For each of the eight objects, one after the other: its type (1
    elephant, 2 giraffe, 3 rhinoceros, 4 pig, 5 cow, 6 sheep, 7 carrot, 8 potato,
    9 beet, 10 berry, 11 pea, 12 water), whether it is grown (0 or 1), and its place
    (0 gone, 1 lying about, 2 under the agent, 3 held). Then, for each part of the
    goal, whether it has been reached: a small animal has grown, a big one has grown.

    ## Rewards
    1 when the goal is reached, which is that one of each of the kinds named in it has
    grown, in any order; 0 for any other step. With `reward` "growth": 1 for each object
    that grows. With "transition_type": 1 for going somewhere, 2 and 3 for picking
    up a first and a second object, 4, 5 and 6 for a plant, a small and a big
    animal that grows.

    ## Episode End
    The episode terminates when the goal is reached.

    ## Arguments
    As in `Playground`, but for a drawn goal: a part of it would not be observed.
    """

    def __init__(self, **settings: Any) -> None:
        if settings.get("goal", DEFAULT_GOAL) is None:
            raise ValueError("goal must be given where all is observed, got None.")
        super().__init__(**settings)

    def _space(self) -> spaces.Space[Any]:
        slots = [len(TYPES) + 1, 2, _PLACES] * NUM_SLOTS
        return spaces.MultiDiscrete([*slots, *[2] * len(self.reached)])

    def _show(self) -> Any:
        return np.array(self.state, dtype=np.int64)


class EncodedPlayground(Playground):
    """Let objects grow by giving them what they need; as features of what is seen.

    ## Description
    A seed and water become the plant; a small baby animal and a grown plant become
    the grown animal; a big baby animal and two grown plants become the grown animal.
    The agent goes to objects, picks them up, and gives what it holds to what is
    under it.

    ## Action Space
    1 to 25: go to an object (1 to 11 not grown, 14 to 25 grown), 26: pick up the object
    under the agent, 27, 28: give the first or second of the objects held, 29: give
    all. An action that is not legal changes nothing.

    ## Observation Space
    416 numbers, an array of 4 roles, 13 types, 2 (grown or not) and 4 categories (big
    animal, plant, small animal, supply), flattened. In the first role, how many such
    objects lie about; in the second, 1 for the object under the agent; in the third and
    fourth, 1 for the objects held, in alphabetical order.

    ## Rewards
    1 for going somewhere, 2 and 3 for picking up a first and a second object, 4, 5
    and 6 for a plant, a small and a big animal that grows.

    ## Episode End
    The episode terminates when the goal is reached: a small animal and a big one have
    grown.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"reward": "transition_type"} | settings)

    def _space(self) -> spaces.Space[Any]:
        return spaces.Box(0, NUM_SLOTS, (NUM_FEATURES,), np.int8)

    def _show(self) -> Any:
        return encode(self.scene)
