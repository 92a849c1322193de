"""Recorded texts of episodes, and the published test set of 168 transitions."""

from dataclasses import dataclass
from typing import Any

from envs.playground.env import Playground
from envs.playground.policies import Policy, ideal

TEST_SEED = 42
NUM_TEST_EPISODES = 9
MAX_STEPS = 30
"""Longest episode in steps, as published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """What was seen, done and told, in words.

    Attributes:
        observations: State texts, one more than actions.
        actions: Numbers of the actions.
        action_texts: The actions in words.
        changes: What came of each action, in words.
        transition_types: Names of the types of the transitions.
    """

    observations: tuple[str, ...]
    actions: tuple[int, ...]
    action_texts: tuple[str, ...]
    changes: tuple[str, ...]
    transition_types: tuple[str, ...]

    def to_json(self) -> dict[str, list[str]]:
        """Returns the episode in the published form."""
        return {
            "obs": list(self.observations),
            "act": list(self.action_texts),
            "diff": list(self.changes),
        }


def play(env: Playground, policy: Policy, *, max_steps: int = MAX_STEPS) -> Episode:
    """Returns an episode; the environment is reset first, without a seed.

    Args:
        env: In words; a time limit of its own is not needed.
        policy: Who acts.
        max_steps: Most actions; at least 1.

    Raises:
        ValueError: If `env` does not show words, or `max_steps` is below 1.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
    observation, _ = env.reset()
    if not isinstance(observation, str):
        raise ValueError(
            f"env must show texts to be recorded, got {type(env).__name__}."
        )
    observations = [observation]
    actions: list[int] = []
    told: list[dict[str, Any]] = []
    while len(actions) < max_steps and not env.is_over:
        action = policy.action(env.scene)
        if action is None:
            break
        observation, *_, info = env.step(action)
        observations.append(observation)
        actions.append(action)
        told.append(info)
    return Episode(
        observations=tuple(observations),
        actions=tuple(actions),
        action_texts=tuple(info["action"] for info in told),
        changes=tuple(info["change"] for info in told),
        transition_types=tuple(info["transition_type"] for info in told),
    )


def held_out_episodes(wording: str = "original") -> list[Episode]:
    """Returns the published test set: 9 episodes, 168 transitions.

    Three each of growing a small animal, growing both animals, and random actions.

    Args:
        wording: How changes are told.
    """
    env = Playground(seed=TEST_SEED, wording=wording)
    # The published environment is reset once more before the first episode.
    env.reset()
    policies = ideal(NUM_TEST_EPISODES, env.scenes.stream.randint)
    return [play(env, policy) for policy in policies]
