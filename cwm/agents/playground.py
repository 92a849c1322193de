"""An agent that learns to let things grow in the Playground, by masked PPO.

The policy is that of the curious experimenter (sb3-contrib's networks and update on
the published 416 features), rewarded here by the environment.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.config import config_from_json
from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.core.seeding import child_seed
from cwm.execution.progress import Progress, Status
from cwm.providers.hypotheses.config import CuriosityConfig
from cwm.providers.hypotheses.experimenters.masked_ppo import MaskedPPO, Rollout
from envs.playground.encoding import action_mask, encode
from envs.playground.env import Playground, Reward, SymbolicPlayground
from envs.playground.episodes import MAX_STEPS

WEIGHTS, CONFIG, RESULT = "policy.npz", "config.json", "result.json"

RECENT = 200
"""Episodes whose mean return is told."""

PPO = CuriosityConfig(
    num_envs=16,
    num_steps=60,
    num_epochs=10,
    batch_size=160,
    learning_rate=1e-3,
    hidden_sizes=(128, 128),
)
"""How it learns; what the curious experimenter is rewarded for plays no part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundPolicyConfig:
    """Everything that decides what the agent learns.

    Attributes:
        reward: Of the environment.
        num_frames: Steps to learn from, all environments together; at least 1, and
            rounded up to whole rollouts.
        seed: Of weights, scenes and actions; at least 0.
        ppo: How it learns.
    """

    reward: Reward = "growth"
    num_frames: int = 20_000
    seed: int = 0
    ppo: CuriosityConfig = field(default=PPO)

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise ConfigError(f"num_frames must be at least 1, got {self.num_frames}.")
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        plain = json.loads(json.dumps(asdict(self)))
        assert isinstance(plain, dict), "a dataclass becomes a dict"
        return plain


@dataclass(frozen=True, slots=True)
class PlaygroundPolicyFolder:
    """The files of such an agent.

    Attributes:
        path: The folder.
    """

    path: Path

    def read_result(self) -> dict[str, Any]:
        """Returns what training came to.

        Raises:
            DataError: If it has not ended, or the file is damaged.
        """
        return self._read(RESULT)

    def read(self) -> tuple[PlaygroundPolicyConfig, MaskedPPO, dict[str, Any]]:
        """Returns the settings, the trained policy, and what training came to.

        Raises:
            DataError: If a file is missing or damaged.
            PrerequisiteError: If a package of the extra [rl] is missing.
        """
        settings, result = self._read(CONFIG), self.read_result()
        name = str(self.path / CONFIG)
        config = config_from_json(settings, PlaygroundPolicyConfig(), name=name)
        policy = MaskedPPO(config.ppo, seed=config.seed)
        policy.load(self.path / WEIGHTS)
        return config, policy, result

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{str(self.path)!r} must be the folder of an agent of the Playground: "
                f"{error}."
            ) from error
        assert isinstance(found, dict), "objects are written"
        return found


def train_in_playground(
    config: PlaygroundPolicyConfig, path: Path, progress: Progress
) -> dict[str, Any]:
    """Trains an agent and writes it into a folder; returns what training came to.

    It takes seconds: what was interrupted begins anew, and what is there is taken.

    Args:
        config: The settings.
        path: The folder.
        progress: Told of every update.

    Raises:
        ConfigError: If the folder holds an agent with other settings.
        DataError: If a file is damaged.
        PrerequisiteError: If a package of the extra [rl] is missing.
    """
    folder = PlaygroundPolicyFolder(path)
    if (path / RESULT).exists():
        known, _, result = folder.read()
        if known != config:
            raise ConfigError(
                f"{str(path)!r} must hold an agent with the settings given now, got "
                "others. Name another folder."
            )
        return result
    path.mkdir(parents=True, exist_ok=True)
    begin = perf_counter()
    policy = MaskedPPO(config.ppo, seed=config.seed)
    seats = _Seats(config)
    progress.phase("training an agent")
    while seats.num_frames < config.num_frames:
        seats.learn(policy)
        progress.update(_status(seats, config.num_frames))
    policy.save(path / WEIGHTS)
    result = {
        "num_frames": seats.num_frames,
        "mean_return": seats.mean_return,
        "seconds": perf_counter() - begin,
    }
    for name, content in ((CONFIG, config.to_json()), (RESULT, result)):
        # The result last: a folder with one has all that an agent needs.
        write_atomically(path / name, json.dumps(content, indent=2) + "\n")
    return result


class _Seats:
    """Environments that are acted in side by side.

    Attributes:
        num_frames: Steps so far, all together.
    """

    def __init__(self, config: PlaygroundPolicyConfig) -> None:
        self.num_frames = 0
        self._config = config
        self._envs = [
            SymbolicPlayground(reward=config.reward) for _ in range(config.ppo.num_envs)
        ]
        self._num_begun = self._num_updates = 0
        self._steps = [0] * len(self._envs)
        self._returns = [0.0] * len(self._envs)
        self._ended: list[float] = []
        self._begins = np.ones(len(self._envs), dtype=np.bool_)
        for number in range(len(self._envs)):
            self._begin(number)

    @property
    def mean_return(self) -> float | None:
        """Of the last episodes; `None` before the first has ended."""
        recent = self._ended[-RECENT:]
        return sum(recent) / len(recent) if recent else None

    def learn(self, policy: MaskedPPO) -> None:
        """Acts for one rollout and lets the policy learn from it."""
        ppo = self._config.ppo
        shape = (ppo.num_steps, ppo.num_envs)
        rewards = np.zeros(shape, dtype=np.float64)
        lost = np.zeros(shape, dtype=np.float32)
        seed = child_seed(self._config.seed, "update", self._num_updates)
        policy.begin()
        with policy.numbers(child_seed(seed, "actions")):
            for step in range(ppo.num_steps):
                features, masks = self.features(), self.masks()
                choices = policy.act(features, masks)
                policy.record(features, masks, self._begins, choices)
                self._begins = np.zeros(len(self._envs), dtype=np.bool_)
                for number, action in enumerate(choices.actions):
                    rewards[step, number] = self._step(number, int(action))
                    if self._begins[number]:
                        if not self._envs[number].is_over:
                            cut = encode(self._envs[number].scene)[None]
                            lost[step, number] = float(policy.values(cut)[0])
                        self._begin(number)
            last = policy.values(self.features())
        update = child_seed(seed, "passes")
        policy.update(rewards, Rollout(lost, last, self._begins, update))
        self._num_updates += 1
        self.num_frames += rewards.size

    def features(self) -> NDArray[np.int8]:
        """Returns the features of all scenes, `[E, 416]`."""
        return np.stack([encode(env.scene) for env in self._envs])

    def masks(self) -> NDArray[np.bool_]:
        """Returns which actions are legal, `[E, 30]`."""
        return np.stack([action_mask(env.legal_actions()) for env in self._envs])

    def _begin(self, number: int) -> None:
        seed = child_seed(self._config.seed, "scene", self._num_begun)
        self._envs[number].reset(seed=seed)
        self._num_begun += 1
        self._steps[number], self._returns[number] = 0, 0.0

    def _step(self, number: int, action: int) -> float:
        env: Playground = self._envs[number]
        _, reward, terminated, _, _ = env.step(action)
        self._steps[number] += 1
        self._returns[number] += reward
        if terminated or self._steps[number] >= MAX_STEPS:
            self._begins[number] = True
            self._ended.append(self._returns[number])
        return reward


def _status(seats: _Seats, total: int) -> Status:
    mean = seats.mean_return
    return Status(
        completed=min(seats.num_frames, total),
        total=total,
        unit="frames",
        measures={} if mean is None else {"return": f"{mean:.2f}"},
    )
