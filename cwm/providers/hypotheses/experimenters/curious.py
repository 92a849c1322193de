"""An experimenter that learns to find what its statistician does not know yet.

The RL experimenter of WorldLLM: a policy acts for a fixed number of steps, the search
for hypotheses goes on with what it collected, and the policy learns once from the
curiosity rewards (`cwm.providers.hypotheses.experimenters.rewards`) for that.

What differs from the original: features go in as they are; every environment has random
numbers of its own; by default, an episode that the time limit cuts off is not taken
for one that is over (`CuriosityConfig.time_limit`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import ConfigError
from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_seed
from cwm.providers.hypotheses.config import CuriosityConfig
from cwm.providers.hypotheses.experimenters.masked_ppo import MaskedPPO, Rollout
from cwm.providers.hypotheses.roles import Assignment
from cwm.providers.hypotheses.texts import TextTrajectory
from cwm.providers.hypotheses.worlds import PlaygroundInWords, TextStep, TextWorld
from envs.playground.encoding import action_mask, encode


class CuriousExperimenter:
    """Acts by a policy that learns from curiosity rewards.

    A collection is `num_steps` steps in each of `num_envs` environments, whatever
    number of trajectories the assignment wants; all begin with a reset, and what is
    unfinished in the end is a trajectory, too. Trajectories are in the order of the
    environments, and in each of them in the order of time.

    A collection depends on the assignment and on what was learned before it. Between
    `collect` and `learn` there is more to know than `save` writes: whoever goes on from
    a file collects again.
    """

    def __init__(self, world: TextWorld, config: CuriosityConfig, *, seed: int) -> None:
        """Makes a policy that has learned nothing.

        Args:
            world: The Playground, in whatever words.
            config: How it learns.
            seed: Of its weights; at least 0.

        Raises:
            ConfigError: If `world` is not a Playground, or the settings do not fit.
            PrerequisiteError: If a package of the extra [rl] is missing.
        """
        if not isinstance(world.open(), PlaygroundInWords):
            raise ConfigError(
                f"experimenter curious must act in a playground, got {world.name}: its "
                "policy sees the features of one."
            )
        self.name = f"curious ({config.reward})"
        self._world = world
        self._config = config
        self._learner = MaskedPPO(config, seed=seed)
        self._rollout: Rollout | None = None
        self._lengths: list[int] = []

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        """Returns the trajectories of one rollout."""
        config, learner = self._config, self._learner
        seed = assignment.seed
        seats = [
            _Seat(self._world.open(), child_seed(seed, "scenes", number))
            for number in range(config.num_envs)
        ]
        lost = np.zeros((config.num_steps, config.num_envs), dtype=np.float32)
        is_over = np.ones(config.num_envs, dtype=np.bool_)
        learner.begin()
        with learner.numbers(child_seed(seed, "actions")):
            for step in range(config.num_steps):
                features = np.stack([seat.features() for seat in seats])
                masks = np.stack([seat.mask() for seat in seats])
                choices = learner.act(features, masks)
                learner.record(features, masks, is_over, choices)
                is_over = np.zeros(config.num_envs, dtype=np.bool_)
                for number, seat in enumerate(seats):
                    if not seat.step(int(choices.actions[number])):
                        continue
                    is_over[number] = True
                    if seat.is_cut:
                        lost[step, number] = learner.values(seat.features()[None])[0]
                    seat.begin()
            last = learner.values(np.stack([seat.features() for seat in seats]))
        update_seed = child_seed(seed, "update")
        self._rollout = Rollout(lost, last, is_over, update_seed)
        trajectories = tuple(one for seat in seats for one in seat.trajectories())
        self._lengths = [len(one) for one in trajectories]
        return trajectories

    def learn(self, rewards: Sequence[FloatArray]) -> dict[str, float]:
        """Learns from the last collection, once; returns figures of the update.

        Args:
            rewards: For each trajectory of the last collection `[T]`.

        Raises:
            ValueError: If the rewards are not those of the last collection, or that
                has been learned from.
        """
        if self._rollout is None:
            raise ValueError("There must be a new collection to learn from, got none.")
        lengths = [len(one) for one in rewards]
        if lengths != self._lengths:
            raise ValueError(
                f"rewards must be as long as the trajectories, {self._lengths}, got "
                f"{lengths}."
            )
        flat = np.concatenate(rewards)
        if not np.isfinite(flat).all():
            raise ValueError("rewards must be finite, got some that are not.")
        by_env = flat.reshape(self._config.num_envs, self._config.num_steps)
        figures = self._learner.update(by_env.T, self._rollout)
        self._rollout = None
        return figures

    def save(self, path: Path) -> None:
        """Writes all that it has learned to one file, in one step."""
        self._learner.save(path)

    def load(self, path: Path) -> None:
        """Goes on from what `save` wrote; the last collection is forgotten.

        Raises:
            DataError: If the file is none of its own.
        """
        self._learner.load(path)
        self._rollout = None


class _Seat:
    """One of the environments that are acted in side by side, and its record."""

    def __init__(self, env: object, seed: int) -> None:
        assert isinstance(env, PlaygroundInWords)
        self._env = env
        self._finished: list[TextTrajectory] = []
        self.begin(seed)

    def begin(self, seed: int | None = None) -> None:
        """Begins an episode."""
        self._begin = self._env.reset(seed=seed)
        self._steps: list[TextStep] = []
        self._numbers: list[int] = []

    def features(self) -> NDArray[np.int8]:
        """Returns the features of the present scene, `[416]`."""
        return encode(self._env.env.scene)

    def mask(self) -> NDArray[np.bool_]:
        """Returns which actions are legal, `[30]`."""
        return action_mask(self._env.env.legal_actions())

    @property
    def is_cut(self) -> bool:
        """Whether the goal has not been reached, so that only time can end it."""
        return not self._env.env.is_over

    def step(self, action: int) -> bool:
        """Acts; returns whether the episode is over."""
        step = self._env.step(action)
        self._steps.append(step)
        self._numbers.append(action)
        if step.is_over:
            self._finished.append(self._trajectory())
        return step.is_over

    def trajectories(self) -> list[TextTrajectory]:
        """Returns all episodes, the present one included as far as it has come."""
        is_begun = self._steps and not self._steps[-1].is_over
        return [*self._finished, *([self._trajectory()] if is_begun else [])]

    def _trajectory(self) -> TextTrajectory:
        return TextTrajectory.from_steps(self._begin, self._steps, self._numbers)
