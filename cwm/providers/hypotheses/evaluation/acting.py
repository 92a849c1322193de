"""Who reaches goals: a policy with hypotheses and without, random actions, an oracle.

The published evaluation of the language model as a policy (Levy et al., 2025, script
`worldmodel_as_policy`): goals times hypotheses, 50 episodes each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any, Protocol, Self, TypeAlias

import numpy as np

from cwm.core.errors import DataError
from cwm.core.seeding import child_rng, child_seed
from cwm.providers.hypotheses.evaluation.goals import GOALS, GoalEnv
from cwm.providers.hypotheses.evaluation.likelihoods import CONFIDENCE
from cwm.providers.hypotheses.evaluation.text_oracle import TextOracle

NUM_EPISODES = 50
"""As published."""

RANDOM, ORACLE = "random actions", "oracle"
"""Names of the policies that others are beside."""


class ActingPolicy(Protocol):
    """Chooses the actions of an episode."""

    def __call__(
        self,
        state: str,
        actions: Sequence[tuple[int, str]],
        rng: np.random.Generator,
    ) -> int | None:
        """Returns the number of a listed action; `None` to give up.

        Args:
            state: What is seen.
            actions: Numbers and words of the legal actions; some may be repeated.
            rng: Source of all randomness; advanced by the call.

        Raises:
            CwmError: If it has no answer.
        """
        ...


PolicyFor: TypeAlias = Callable[[str, str | None], ActingPolicy]
"""Makes the policy of an episode, for a goal and a hypothesis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingRow:
    """How often a policy reached a goal.

    Attributes:
        policy: Who acted.
        goal: What was to be done.
        hypothesis: Name of the hypothesis; empty for policies that take none.
        num_steps: Steps of each episode, `[E]`.
        reached: Whether the goal was reached in it, `[E]`.
    """

    policy: str
    goal: str
    hypothesis: str
    num_steps: tuple[int, ...]
    reached: tuple[bool, ...]

    @property
    def num_reached(self) -> int:
        """Episodes in which the goal was reached."""
        return sum(self.reached)

    @property
    def success_rate(self) -> float:
        """Share of the episodes in which the goal was reached."""
        return self.num_reached / len(self.reached)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the success rate."""
        return wilson_interval(self.num_reached, len(self.reached))

    @property
    def mean_steps(self) -> float:
        """Mean length of all episodes."""
        return sum(self.num_steps) / len(self.num_steps)

    @property
    def mean_steps_to_goal(self) -> float | None:
        """Mean length of those in which the goal was reached; `None` without any."""
        found = [
            steps
            for steps, is_reached in zip(self.num_steps, self.reached, strict=True)
            if is_reached
        ]
        return sum(found) / len(found) if found else None

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data, figures for readers included."""
        return {
            "policy": self.policy,
            "goal": self.goal,
            "hypothesis": self.hypothesis,
            "success_rate": self.success_rate,
            "interval": list(self.interval),
            "mean_steps": self.mean_steps,
            "mean_steps_to_goal": self.mean_steps_to_goal,
            "num_steps": list(self.num_steps),
            "reached": list(self.reached),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Returns what `to_json` wrote.

        Raises:
            DataError: If the data are of another form.
        """
        try:
            return cls(
                policy=str(data["policy"]),
                goal=str(data["goal"]),
                hypothesis=str(data["hypothesis"]),
                num_steps=tuple(map(int, data["num_steps"])),
                reached=tuple(map(bool, data["reached"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"Episodes cannot be read: {error!r}.") from error


def wilson_interval(num_successes: int, number: int) -> tuple[float, float]:
    """Returns the 95 % interval of a success rate.

    Wilson's score interval (E. B. Wilson, Journal of the American Statistical
    Association 22, 1927), which has a length at rates of 0 and 1, too.

    Args:
        num_successes: From 0 to `number`.
        number: Of trials; at least 1.
    """
    if not 0 <= num_successes <= number or number < 1:
        raise ValueError(
            "num_successes must be from 0 to the number of trials, which must be at "
            f"least 1, got {num_successes} of {number}."
        )
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    rate, weight = num_successes / number, z**2 / number
    centre = (rate + weight / 2) / (1 + weight)
    spread = rate * (1 - rate) / number + weight / (4 * number)
    reach = z * spread**0.5 / (1 + weight)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def random_policy(
    state: str, actions: Sequence[tuple[int, str]], rng: np.random.Generator
) -> int:
    """Returns a uniform draw from the list, repeated actions included, as published."""
    return actions[int(rng.integers(len(actions)))][0]


def _random() -> ActingPolicy:
    return random_policy


def evaluate_acting(
    policy_for: PolicyFor,
    *,
    name: str,
    open_env: Callable[[str], GoalEnv],
    hypotheses: Mapping[str, str | None],
    goals: Sequence[str] = GOALS,
    num_episodes: int = NUM_EPISODES,
    seed: int = 0,
    on_row: Callable[[ActingRow], None] | None = None,
) -> tuple[ActingRow, ...]:
    """Returns how often goals are reached, with random actions and an oracle beside.

    Episodes of the same number begin alike for everybody, and everybody gets the same
    random numbers, so that rows of a goal can be compared.

    Args:
        policy_for: Makes the policy of an episode.
        name: What the policy is called.
        open_env: Makes the environment for a goal of the Playground; see `goal_env`.
        hypotheses: By name; `None` is no hypothesis.
        goals: What is to be done.
        num_episodes: For each row; at least 1.
        seed: Of scenes and policies.
        on_row: Told of every row.

    Raises:
        ValueError: If a policy chooses an action that is not listed.
        CwmError: If it has no answer.
    """
    if num_episodes < 1:
        raise ValueError(f"num_episodes must be at least 1, got {num_episodes}.")
    rows = []
    for goal in goals:
        makers: list[tuple[str, str, Callable[[], ActingPolicy]]] = [
            (RANDOM, "", _random),
            (ORACLE, "", partial(TextOracle, goal)),
            *(
                (name, title, partial(policy_for, goal, text))
                for title, text in hypotheses.items()
            ),
        ]
        env = open_env(goal)
        for policy, title, make in makers:
            episodes = [
                _play(env, make(), goal, number, seed) for number in range(num_episodes)
            ]
            rows.append(
                ActingRow(
                    policy=policy,
                    goal=goal,
                    hypothesis=title,
                    num_steps=tuple(steps for steps, _ in episodes),
                    reached=tuple(is_reached for _, is_reached in episodes),
                )
            )
            if on_row is not None:
                on_row(rows[-1])
    return tuple(rows)


def _play(
    env: GoalEnv, policy: ActingPolicy, goal: str, number: int, seed: int
) -> tuple[int, bool]:
    """Returns the steps of an episode, and whether it reached the goal."""
    rng = child_rng(seed, "acting", goal, number)
    state = env.reset(seed=child_seed(seed, "acting scene", goal, number))
    num_steps, is_over = 0, False
    while not is_over and (actions := env.actions()):
        action = policy(state, actions, rng)
        if action is None:
            break
        if action not in {known for known, _ in actions}:
            raise ValueError(
                f"The policy must choose one of {len(actions)} listed actions, got "
                f"{action!r}."
            )
        step = env.step(action)
        state, is_over = step.state, step.is_over
        num_steps += 1
    return num_steps, env.is_reached
