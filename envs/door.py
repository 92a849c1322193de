"""A door that opens for some objects: one step in words, to find a rule from.

After the environment of the same name in the code of Levy et al., "WorldLLM", 2025
(https://arxiv.org/abs/2506.06725). See docs/playground.md.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import error, spaces

CLOSED, OPENED = "The door is closed.", "The door is opened."

COLOURS = ("red", "green", "blue")
SIZES = ("small", "medium", "large")
SHAPES = ("key", "card", "ball")


class Held(NamedTuple):
    """The object that is held before the door."""

    colour: str
    size: str
    shape: str

    @property
    def text(self) -> str:
        """The action in words."""
        return f"You are holding a {self.size} {self.colour} {self.shape}."


OBJECTS: tuple[Held, ...] = tuple(
    Held(*parts) for parts in product(COLOURS, SIZES, SHAPES)
)
"""What each action holds: by colour, then size, then shape."""

RULES: dict[str, Callable[[Held], bool]] = {
    "not_blue": lambda held: held.colour != "blue",
    "not_blue_key": lambda held: (held.colour, held.shape) != ("blue", "key"),
    "nor_green_large": lambda held: held.colour != "green" and held.size != "large",
    "all_true": lambda held: True,
    "all_false": lambda held: False,
}
"""Named rules: whether the door opens."""

_NUM_DRAWN = 2


class Door(gymnasium.Env[Any, Any]):
    """Find out which objects open a door.

    ## Description
    The agent stands before a closed door and holds up an object. The door opens for
    some objects and stays closed for the others. Which, depends on size, colour and
    shape alone, by a rule that does not change.

    ## Action Space
    27 objects. Of the action, the quotient by 9 is the colour (0 red, 1 green, 2 blue),
    the remainder by 9 is three times the size (0 small, 1 medium, 2 large) plus the
    shape (0 key, 1 card, 2 ball).

    ## Observation Space
    A text: "The door is closed." or "The door is opened."

    ## Rewards
    1 if the door opens, otherwise 0.

    ## Episode End
    The episode terminates with the first step.

    ## Arguments
    `rule` is the name of a rule, or a size, a colour and a shape (`None` where any
    does) which the object must all have; `None` draws two of the three from
    `rule_seed`.
    """

    def __init__(
        self,
        *,
        rule: str | Sequence[str | None] | None = "not_blue",
        rule_seed: int = 0,
    ) -> None:
        self.rule = _drawn_rule(rule_seed) if rule is None else rule
        self.opened_by = tuple(map(_read_rule(self.rule), OBJECTS))
        self.action_space = spaces.Discrete(len(OBJECTS))
        letters = frozenset(CLOSED + OPENED)
        self.observation_space = spaces.Text(len(CLOSED), charset=letters)
        self.is_over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Closes the door."""
        super().reset(seed=seed)
        self.is_over = False
        return CLOSED, {}

    def step(self, action: Any) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Holds up an object; `info` tells in words what was done and what came of it.

        Raises:
            ResetNeeded: If the episode has ended.
        """
        if self.is_over:
            raise error.ResetNeeded("The episode has ended: reset the environment.")
        self.is_over = True
        is_opened = self.opened_by[int(action)]
        text = OPENED if is_opened else CLOSED
        info = {
            "action": OBJECTS[int(action)].text,
            "change": text,
            "transition_type": "opened" if is_opened else "closed",
        }
        return text, float(is_opened), True, False, info

    def legal_actions(self) -> tuple[int, ...]:
        """Returns all actions; none after the end."""
        return () if self.is_over else tuple(range(len(OBJECTS)))


def _drawn_rule(seed: int) -> list[str | None]:
    """Returns a rule about two of size, colour and shape."""
    rng = np.random.default_rng(seed)
    values = (SIZES, COLOURS, SHAPES)
    kept = rng.choice(len(values), size=_NUM_DRAWN, replace=False)
    return [
        str(rng.choice(names)) if part in kept else None
        for part, names in enumerate(values)
    ]


def _read_rule(rule: str | Sequence[str | None]) -> Callable[[Held], bool]:
    if isinstance(rule, str):
        if rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.")
        return RULES[rule]
    names = (SIZES, COLOURS, SHAPES)
    if len(rule) != len(names) or any(
        part is not None and part not in known
        for part, known in zip(rule, names, strict=True)
    ):
        raise ValueError(
            "rule must be a size, a colour and a shape, each of them known or None, "
            f"got {list(rule)!r}."
        )
    size, colour, shape = rule
    return lambda held: (
        size in (None, held.size)
        and colour in (None, held.colour)
        and shape in (None, held.shape)
    )


def all_objects(env: Door) -> list[dict[str, list[str]]]:
    """Returns what comes of every object, as the published test set has it."""
    found = []
    for action in range(len(OBJECTS)):
        before, _ = env.reset()
        after, *_, info = env.step(action)
        found.append(
            {"obs": [before, after], "act": [info["action"]], "diff": [info["change"]]}
        )
    return found
