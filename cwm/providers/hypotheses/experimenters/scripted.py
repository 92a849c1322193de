"""Who acts without learning: random actions, the scripted oracles, every action once.

The scripts are the published ones (`envs.playground.policies`): O-Random, O-Hardest,
O-Curriculum and O-Ideal. What they collect depends on the assignment alone; in the
original, all randomness comes from one global generator.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, cast

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_rng, child_seed
from cwm.providers.hypotheses.config import InductionConfig
from cwm.providers.hypotheses.experimenters.curious import CuriousExperimenter
from cwm.providers.hypotheses.roles import Assignment, Experimenter
from cwm.providers.hypotheses.texts import TextTrajectory
from cwm.providers.hypotheses.worlds import (
    PlaygroundInWords,
    TextEnv,
    TextStep,
    TextWorld,
    one_step,
)
from envs.playground.policies import DrawNumber, Policy, curriculum, hardest, ideal

Choose: TypeAlias = Callable[[str, Sequence[tuple[int, str]]], int | None]
"""Maps what is seen and the legal actions, numbers and words, to the next action;
`None` for nothing more."""

PlanPolicies: TypeAlias = Callable[[Assignment, DrawNumber], Sequence[Policy]]
"""Returns a policy for each trajectory; takes the source of their randomness."""


def play(
    env: TextEnv, choose: Choose, *, max_steps: int, seed: int | None = None
) -> TextTrajectory:
    """Returns an episode, or the part of it up to where the chooser stops.

    It ends, too, where no action is legal.

    Args:
        env: Is reset first.
        choose: Who acts; always has an action to choose from.
        max_steps: Most actions; at least 1.
        seed: Of the reset; `None` lets the environment go on with its numbers.

    Raises:
        ValueError: If `max_steps` is below 1.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
    begin = state = env.reset(seed=seed)
    steps: list[TextStep] = []
    numbers: list[int] = []
    while len(steps) < max_steps and not (steps and steps[-1].is_over):
        actions = env.actions()
        action = choose(state, actions) if actions else None
        if action is None:
            break
        steps.append(env.step(action))
        numbers.append(action)
        state = steps[-1].state
    return TextTrajectory.from_steps(begin, steps, numbers)


def number_by_words(actions: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Returns the different words of some actions -> the first number of each."""
    numbers: dict[str, int] = {}
    for number, words in actions:
        numbers.setdefault(words, number)
    return numbers


def _scene_seeds(assignment: Assignment) -> list[int | None]:
    """Returns the seed of each trajectory's reset: of the first one only."""
    first = child_seed(assignment.seed, "scenes")
    return [first, *[None] * (assignment.num_trajectories - 1)]


class RandomExperimenter:
    """Draws from the list of legal actions, repeated ones included (O-Random)."""

    name = "random"

    def __init__(self, world: TextWorld) -> None:
        """Takes the environment to act in."""
        self._world = world

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        """Returns whole episodes."""
        env = self._world.open()
        rng = child_rng(assignment.seed, "random actions")

        def choose(state: str, actions: Sequence[tuple[int, str]]) -> int:
            return actions[int(rng.integers(len(actions)))][0]

        return tuple(
            play(env, choose, max_steps=self._world.max_steps, seed=seed)
            for seed in _scene_seeds(assignment)
        )


class ScriptedExperimenter:
    """Follows scripts of the Playground; an episode ends with its script."""

    def __init__(self, world: TextWorld, name: str, policies: PlanPolicies) -> None:
        """Takes the Playground to act in.

        Args:
            world: The Playground, in whatever words.
            name: As shown beside numbers.
            policies: Who acts in each trajectory.

        Raises:
            ConfigError: If `world` is not a Playground.
        """
        if not isinstance(world.open(), PlaygroundInWords):
            raise ConfigError(
                f"experimenter {name} must act in a playground, got {world.name}: its "
                "script is about things that grow."
            )
        self.name = name
        self._world = world
        self._policies = policies

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        """Returns one trajectory for each script."""
        env = cast(PlaygroundInWords, self._world.open())
        rng = child_rng(assignment.seed, "random actions")
        policies = self._policies(assignment, rng.integers)
        return tuple(
            _followed(env, policy, self._world.max_steps, seed)
            for policy, seed in zip(policies, _scene_seeds(assignment), strict=True)
        )


def _followed(
    env: PlaygroundInWords, policy: Policy, max_steps: int, seed: int | None
) -> TextTrajectory:
    return play(
        env,
        lambda state, actions: policy.action(env.env.scene),
        max_steps=max_steps,
        seed=seed,
    )


_SCRIPTS: dict[str, PlanPolicies] = {
    "hardest": lambda assignment, draw: hardest(assignment.num_trajectories),
    "curriculum": lambda assignment, draw: curriculum(
        assignment.num_trajectories, assignment.progress
    ),
    "ideal": lambda assignment, draw: ideal(assignment.num_trajectories, draw),
}


class EveryActionExperimenter:
    """Takes each action of a world of one step once, in order, whatever is asked for.

    At the door: holds up all 27 objects. How many trajectories the assignment wants is
    not looked at; `subset` should be as many as there are actions.
    """

    name = "all"

    def __init__(self, world: TextWorld) -> None:
        """Takes the environment to act in.

        Raises:
            ConfigError: If its episodes have more than one step.
        """
        if world.max_steps != 1:
            raise ConfigError(
                "experimenter all must act in a world whose episodes have one step, "
                f"got {world.name}, whose episodes have up to {world.max_steps}."
            )
        self._world = world

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        """Returns one trajectory for each action."""
        env = self._world.open()
        env.reset(seed=child_seed(assignment.seed, "scenes"))
        return tuple(one_step(env, number) for number, _ in env.actions())


def make_experimenter(
    config: InductionConfig,
    world: TextWorld,
    *,
    seed: int,
    language_model: Experimenter | None = None,
    agent: Experimenter | None = None,
) -> Experimenter:
    """Returns the experimenter that the settings name.

    Args:
        config: Whose `experimenter` and `curiosity` are looked at.
        world: Where it acts.
        seed: Of what a learned policy begins with; at least 0.
        language_model: The experimenter `llm`, which needs more than settings.
        agent: The experimenter `agent`, likewise.

    Raises:
        ConfigError: If the experimenter cannot act in this world.
        PrerequisiteError: If a package for it is missing.
    """
    name = config.experimenter
    if name == "random":
        return RandomExperimenter(world)
    if name in _SCRIPTS:
        return ScriptedExperimenter(world, name, _SCRIPTS[name])
    if name == "all":
        return EveryActionExperimenter(world)
    if name == "curious":
        return CuriousExperimenter(world, config.curiosity, seed=seed)
    given = agent if name == "agent" else language_model
    if given is None:
        what = "trained agent" if name == "agent" else "language model"
        raise ConfigError(f"experimenter {name} must be given a {what}, got none.")
    return given
