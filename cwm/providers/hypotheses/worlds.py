"""Environments that tell in words what is seen, done, and comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cwm.core.errors import ConfigError
from cwm.providers.hypotheses.texts import TextTrajectory
from envs.door import CLOSED, OBJECTS, OPENED, Door
from envs.playground.env import Playground
from envs.playground.episodes import MAX_STEPS, Episode, held_out_episodes
from envs.playground.rules import TRANSITION_TYPES
from envs.playground.texts import WORDINGS, action_text, candidate_changes


class TextStep(NamedTuple):
    """One step.

    Attributes:
        state: What is seen after it.
        action: What was done, in words.
        change: What came of it, one sentence.
        type: Name of the transition's type.
        is_over: Whether the episode ends with it.
    """

    state: str
    action: str
    change: str
    type: str
    is_over: bool


class TextEnv(Protocol):
    """An environment that is acted in, in words."""

    def reset(self, seed: int | None = None) -> str:
        """Begins an episode and returns what is seen."""
        ...

    def actions(self) -> list[tuple[int, str]]:
        """Returns the legal actions: numbers and words; some may occur repeatedly.

        A uniform draw from the list is the published random policy.
        """
        ...

    def step(self, action: int) -> TextStep:
        """Takes a legal action."""
        ...


@dataclass(frozen=True, kw_only=True)
class TextWorld:
    """What hypothesis induction knows of an environment.

    Attributes:
        name: As on the command line.
        environment_id: Its Gymnasium id.
        prompts: Folder of the templates in which it is described.
        types: Names of the types of transitions, the usual ones first.
        max_steps: Most steps of an episode.
        candidates: All changes that could follow a state text and an action's words, as
            far as one can tell without knowing the rules; sorted, each once.
        open: Makes the environment.
        test_set: Makes the published test trajectories.
        goal: What an agent is to do, in words; empty for nothing.
    """

    name: str
    environment_id: str
    prompts: str
    types: tuple[str, ...]
    max_steps: int
    candidates: Callable[[str], list[str]]
    open: Callable[[], TextEnv]
    test_set: Callable[[], tuple[TextTrajectory, ...]]
    goal: str = ""


class PlaygroundInWords:
    """The Playground as a `TextEnv`."""

    def __init__(self, wording: str = "original") -> None:
        """Makes the environment; see `envs.playground.texts.WORDINGS`."""
        self.env = Playground(wording=wording)
        self._num_steps = 0

    def reset(self, seed: int | None = None) -> str:
        """Begins an episode."""
        self._num_steps = 0
        state, _ = self.env.reset(seed=seed)
        return str(state)

    def actions(self) -> list[tuple[int, str]]:
        """Returns the published list of actions, repeated ones included."""
        scene = self.env.scene
        return [(one, action_text(one, scene)) for one in self.env.listed_actions()]

    def step(self, action: int) -> TextStep:
        """Takes an action."""
        state, _, is_over, _, info = self.env.step(action)
        self._num_steps += 1
        return TextStep(
            state=str(state),
            action=info["action"],
            change=info["change"],
            type=info["transition_type"],
            is_over=is_over or self._num_steps >= MAX_STEPS,
        )


class DoorInWords:
    """The Door as a `TextEnv`."""

    def __init__(self, rule: str | Sequence[str | None] | None = "not_blue") -> None:
        """Makes the environment; see `envs.door.Door`."""
        self.env = Door(rule=rule)

    def reset(self, seed: int | None = None) -> str:
        """Closes the door."""
        return self.env.reset(seed=seed)[0]

    def actions(self) -> list[tuple[int, str]]:
        """Returns all objects that can be held up."""
        return [(number, held.text) for number, held in enumerate(OBJECTS)]

    def step(self, action: int) -> TextStep:
        """Holds up an object."""
        state, _, is_over, _, info = self.env.step(action)
        return TextStep(
            state=state,
            action=info["action"],
            change=info["change"],
            type=info["transition_type"],
            is_over=is_over,
        )


def _playground(name: str, wording: str, environment_id: str) -> TextWorld:
    return TextWorld(
        name=name,
        environment_id=environment_id,
        prompts=name.replace("-", "_"),
        types=TRANSITION_TYPES[1:],
        max_steps=MAX_STEPS,
        candidates=lambda state: candidate_changes(state, WORDINGS[wording]),
        open=lambda: PlaygroundInWords(wording),
        test_set=lambda: tuple(map(_from_episode, held_out_episodes(wording))),
        goal=Playground().instruction,
    )


def _from_episode(episode: Episode) -> TextTrajectory:
    return TextTrajectory(
        states=episode.observations,
        actions=episode.action_texts,
        changes=episode.changes,
        types=episode.transition_types,
        action_ids=episode.actions,
    )


def _all_objects() -> tuple[TextTrajectory, ...]:
    env = DoorInWords()
    return tuple(one_step(env, number) for number in range(len(OBJECTS)))


def one_step(env: TextEnv, action: int) -> TextTrajectory:
    """Returns the trajectory of a reset and one action."""
    before = env.reset()
    step = env.step(action)
    return TextTrajectory(
        states=(before, step.state),
        actions=(step.action,),
        changes=(step.change,),
        types=(step.type,),
        action_ids=(action,),
    )


WORLDS: Mapping[str, TextWorld] = {
    "playground": _playground("playground", "original", "cwm/Playground-v0"),
    "playground-reworded": _playground(
        "playground-reworded", "reworded", "cwm/PlaygroundReworded-v0"
    ),
    "door": TextWorld(
        name="door",
        environment_id="cwm/Door-v0",
        prompts="door",
        types=("opened", "closed"),
        max_steps=1,
        candidates=lambda state: sorted((CLOSED, OPENED)),
        open=DoorInWords,
        test_set=_all_objects,
        goal="open the door",
    ),
}
"""The environments by name."""

REWORDED: Mapping[str, str] = {"playground": "playground-reworded"}
"""World -> the same in other words, to see what hypotheses are worth there."""


def find_world(name: str) -> TextWorld:
    """Returns the environment of a name, or of a Gymnasium id.

    Raises:
        ConfigError: If there is none.
    """
    for world in WORLDS.values():
        if name in (world.name, world.environment_id):
            return world
    raise ConfigError(
        f"env must be one of {', '.join(WORLDS)}, got {name!r}: hypotheses are found "
        "in environments that tell what happens in words."
    )
