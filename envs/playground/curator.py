"""Who chooses the actions of recorded Playground episodes: random ones and oracles.

What grows is many right steps away: a curator that has to find that out records next to
nothing of it, and most of what it tries is not legal and changes nothing.
"""

from collections.abc import Callable, Sequence

import numpy as np

from cwm.core.seeding import child_rng
from cwm.core.spaces import Value
from cwm.core.trajectories import Trajectory
from envs.curators import Choice
from envs.playground.env import Playground
from envs.playground.policies import Policy, RandomPolicy, ScriptedPolicy
from envs.playground.rules import (
    GRASP,
    NUM_ACTIONS,
    RELEASE_FIRST,
    Scene,
    listed_actions,
)

EAGERNESS = 0.8
"""How often the eager policy gives what makes something grow, if it can."""

PICKING_UP = 0.3
"""How often the eager policy picks up what is under the agent, if it can."""

ANY_SHARE = 0.5
"""Share of the actions of the policy `any` that are drawn from all 30."""


class EagerPolicy:
    """Random legal actions that make more grow than uniform ones, in all ways.

    Args:
        rng: Source of all randomness.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def action(self, scene: Scene) -> int:
        """Returns a random legal action."""
        actions = listed_actions(scene)
        giving = [action for action in actions if action >= RELEASE_FIRST]
        if giving and self._rng.random() < EAGERNESS:
            return int(self._rng.choice(giving))
        if GRASP in actions and self._rng.random() < PICKING_UP:
            return GRASP
        return int(self._rng.choice(actions))


class AnyPolicy:
    """Eager, but half of the actions may not be legal: they change nothing.

    Args:
        rng: Source of all randomness.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._eager = EagerPolicy(rng)

    def action(self, scene: Scene) -> int:
        """Returns a random action."""
        if self._rng.random() < ANY_SHARE:
            return int(self._rng.integers(NUM_ACTIONS))
        return self._eager.action(scene)


class ThenEager:
    """An oracle, and when it has done what it wanted, the eager policy.

    Args:
        plan: Name of the oracle's script.
        rng: Source of the randomness after it.
    """

    def __init__(self, plan: str, rng: np.random.Generator) -> None:
        self._script: Policy | None = ScriptedPolicy(plan)
        self._eager = EagerPolicy(rng)

    def action(self, scene: Scene) -> int:
        """Returns the next action of the script, or a random legal one."""
        action = None if self._script is None else self._script.action(scene)
        if action is not None:
            return action
        self._script = None
        return self._eager.action(scene)


def _oracle(plan: str) -> Callable[[np.random.Generator], Policy]:
    return lambda rng: ThenEager(plan, rng)


POLICIES: dict[str, Callable[[np.random.Generator], Policy]] = {
    "random": lambda rng: RandomPolicy(lambda number: int(rng.integers(number))),
    "eager": EagerPolicy,
    "any": AnyPolicy,
    "oracle-plant": _oracle("plant"),
    "oracle-small": _oracle("small"),
    "oracle-hardest": _oracle("small and big"),
}
"""Who acts, by the names in recorded trajectories."""


class PlaygroundCurator:
    """Curates all variants of the Playground; an `envs.curators.Curator`.

    Policies: `random` (legal actions, as published), `eager` (legal ones by which more
    grows), `any` (half of them legal or not), and the oracles, which go on eagerly
    when they have done what they wanted.

    Args:
        env: A copy of the environment, to act in.
        seed: Seed of everything random.
    """

    policies = (
        *("random", "oracle-hardest", "eager", "any", "oracle-small"),
        *("eager", "oracle-hardest", "eager", "oracle-plant", "eager"),
    )

    def __init__(self, env: Playground, seed: int) -> None:
        self.env = env
        self.seed = seed

    def choose(
        self, index: int, seeds: Sequence[int], *, length: int, enough: int
    ) -> Choice:
        """Returns what to record; see `Curator`."""
        name = self.policies[index % len(self.policies)]
        policy = POLICIES[name](child_rng(self.seed, "choose", index))
        self.env.reset(seed=seeds[0])
        chosen: list[Value] = []
        while len(chosen) < length and not self.env.is_over:
            action = policy.action(self.env.scene)
            if action is None:
                break
            self.env.step(action)
            chosen.append(action)
        return Choice(name, seeds[0], chosen)

    def learn(self, trajectory: Trajectory) -> None:
        """Takes note of nothing: who acts next does not depend on what was recorded."""
