"""What the words of an environment mean to a planner: actions, next texts, rewards.

Covers: what can be read off a state text and a change sentence. Does not cover: the
rules, which are for the statistician and its hypothesis to know.
"""

from typing import Literal, NamedTuple, Protocol, TypeAlias, get_args

from cwm.core.errors import ConfigError
from envs.door import CLOSED, OBJECTS, OPENED
from envs.playground.applying import (
    apply_change,
    read_change,
    say_action,
    shown_actions,
)
from envs.playground.rules import (
    GOES_TO,
    GRASP,
    GREW_PLANT,
    HOLDING1,
    HOLDING2,
    NOTHING,
    STANDING,
)
from envs.playground.scenes import DEFAULT_GOAL, read_goal
from envs.playground.texts import (
    NO_ACTION,
    WORDINGS,
    candidate_changes,
    change_between,
    read,
)
from envs.playground.things import NAMES, THINGS

RewardRule: TypeAlias = Literal["goal", "growth"]
"""What is rewarded in the Playground: see `envs.playground.env.Playground`."""


class WordsState(NamedTuple):
    """What a model in words continues from.

    Attributes:
        text: What is seen.
        reached: Which parts of the goal have been reached.
    """

    text: str
    reached: tuple[bool, ...] = ()


class Consequence(NamedTuple):
    """What a change leads to.

    Attributes:
        state: The next state.
        reward: The step's reward.
        terminated: Whether the episode is over.
    """

    state: WordsState
    reward: float
    terminated: bool


class Reading(Protocol):
    """What the words of one environment mean."""

    def begin(self, text: str) -> WordsState:
        """Returns the state in which a text is seen."""
        ...

    def actions(self, text: str) -> tuple[int, ...]:
        """Returns the actions that a state text allows, in ascending order."""
        ...

    def say_action(self, text: str, action: int) -> str:
        """Returns an action in words."""
        ...

    def candidates(self, text: str) -> tuple[str, ...]:
        """Returns all changes that could follow, whatever is done; each once."""
        ...

    def is_consistent(self, text: str, action: int, change: str) -> bool:
        """Returns whether a change is of the kind that comes of such an action."""
        ...

    def follow(self, state: WordsState, action: int, change: str) -> Consequence:
        """Returns what a change leads to; one that cannot be made changes nothing."""
        ...

    def change_between(self, before: str, action: int, after: str) -> str:
        """Returns the change between two texts.

        Raises:
            ValueError: If the action cannot lead from one to the other.
        """
        ...


class PlaygroundReading:
    """What the words of the Playground mean.

    Args:
        wording: How changes are told; see `envs.playground.texts.WORDINGS`.
        reward: goal: 1 when all parts of the goal have been reached; growth: 1 for
            each object that grows.
        goal: What ends the episode; see `envs.playground.env.Playground`.

    Raises:
        ConfigError: If there is no such wording, reward or goal.
    """

    def __init__(
        self,
        *,
        wording: str = "original",
        reward: RewardRule = "goal",
        goal: str = DEFAULT_GOAL,
    ) -> None:
        if wording not in WORDINGS:
            names = ", ".join(WORDINGS)
            raise ConfigError(f"wording must be one of {names}, got {wording!r}.")
        if reward not in get_args(RewardRule):
            names = ", ".join(get_args(RewardRule))
            raise ConfigError(f"reward must be one of {names}, got {reward!r}.")
        try:
            self._goal = read_goal(goal)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self.reward = reward
        self.wording = WORDINGS[wording]

    def begin(self, text: str) -> WordsState:
        """Returns the state; what has grown and is there counts as reached.

        A plant that has been used up since is not there; animals stay.
        """
        shown = read(text)
        reached = (False,) * len(self._goal.wanted)
        for name in (*shown.visible, *shown.items):
            if THINGS[name] & 1:
                reached = self._also(reached, name)
        return WordsState(text, reached)

    def _also(self, reached: tuple[bool, ...], name: str) -> tuple[bool, ...]:
        new = self._goal.reached_by(THINGS[name])
        return tuple(a or b for a, b in zip(reached, new, strict=True))

    def actions(self, text: str) -> tuple[int, ...]:
        """Returns the actions; see `envs.playground.applying.shown_actions`."""
        return shown_actions(text)

    def say_action(self, text: str, action: int) -> str:
        """Returns an action in words."""
        return say_action(text, action)

    def candidates(self, text: str) -> tuple[str, ...]:
        """Returns the published candidates, and that nothing happens."""
        return (*candidate_changes(text, self.wording), self.wording.nothing)

    def is_consistent(self, text: str, action: int, change: str) -> bool:
        """Returns whether a change is of the kind that comes of such an action.

        Going leads to standing on what was named; picking up to holding what was under
        the agent as well; giving to something that grows, or to nothing.
        """
        kind, names = read_change(change, self.wording)
        if say_action(text, action) == NO_ACTION:
            return kind == NOTHING
        if action in GOES_TO:
            return kind == STANDING and names == (NAMES[GOES_TO[action]],)
        shown = read(text)
        if action == GRASP:
            held = (*shown.items, shown.under)
            return kind in (HOLDING1, HOLDING2) and names == held
        if kind < GREW_PLANT:
            return kind == NOTHING
        return self._can(text, action, change)

    def _can(self, text: str, action: int, change: str) -> bool:
        try:
            apply_change(text, action, change, self.wording)
        except ValueError:
            return False
        return True

    def follow(self, state: WordsState, action: int, change: str) -> Consequence:
        """Returns what a change leads to; one that cannot be made changes nothing."""
        try:
            text = apply_change(state.text, action, change, self.wording)
        except ValueError:
            return Consequence(state, 0.0, False)
        kind, names = read_change(change, self.wording)
        has_grown = kind >= GREW_PLANT
        reached = self._also(state.reached, names[0]) if has_grown else state.reached
        terminated = has_grown and all(reached)
        reward = has_grown if self.reward == "growth" else terminated
        return Consequence(WordsState(text, reached), float(reward), terminated)

    def change_between(self, before: str, action: int, after: str) -> str:
        """Returns the change between two texts."""
        return change_between(before, action, after, self.wording)


class DoorReading:
    """What the words of the Door mean."""

    def begin(self, text: str) -> WordsState:
        """Returns the state in which a text is seen."""
        return WordsState(text)

    def actions(self, text: str) -> tuple[int, ...]:
        """Returns all objects that can be held up."""
        return tuple(range(len(OBJECTS)))

    def say_action(self, text: str, action: int) -> str:
        """Returns what is held up."""
        return OBJECTS[action].text

    def candidates(self, text: str) -> tuple[str, ...]:
        """Returns that the door is closed, or opened."""
        return (CLOSED, OPENED)

    def is_consistent(self, text: str, action: int, change: str) -> bool:
        """Returns that everything is possible."""
        return True

    def follow(self, state: WordsState, action: int, change: str) -> Consequence:
        """Returns the end of the episode: 1 if the door has opened."""
        return Consequence(WordsState(change), float(change == OPENED), True)

    def change_between(self, before: str, action: int, after: str) -> str:
        """Returns the text itself: it says what came of the action."""
        if after not in (CLOSED, OPENED):
            raise ValueError(f"A text of the door must be of two, got {after!r}.")
        return after


def reading_of(
    world: str, *, reward: RewardRule = "goal", goal: str = DEFAULT_GOAL
) -> Reading:
    """Returns what the words of an environment mean.

    Args:
        world: Its name among `cwm.providers.hypotheses.worlds.WORLDS`.
        reward: As in `PlaygroundReading`; the door has one of its own.
        goal: Likewise.

    Raises:
        ConfigError: If a setting is wrong, or nothing is known of the environment.
    """
    if world == "door":
        return DoorReading()
    wordings = {"playground": "original", "playground-reworded": "reworded"}
    if world not in wordings:
        names = ", ".join(("door", *wordings))
        raise ConfigError(f"world must be one of {names}, got {world!r}.")
    return PlaygroundReading(wording=wordings[world], reward=reward, goal=goal)
