"""A run that trains an agent: its settings and its folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import tyro

from cwm.config import read_run_config
from cwm.core.errors import ConfigError, DataError
from cwm.core.spaces import DiscreteSpec
from cwm.execution.options import shown_as
from cwm.execution.provenance import environment_report
from cwm.execution.run_folder import RunFolder, create_run_folder
from cwm.llm.local.config import DeviceConfig
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.learning.cloning import CloningConfig
from cwm.providers.policies.learning.config import PRESETS, PPOConfig
from cwm.providers.policies.learning.drrn import DRRNConfig
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.scoring.config import ScoringConfig
from envs.registry import find
from envs.spec import EnvSpec
from sandbox.isolation import Level
from sandbox.limits import Limits

Learner: TypeAlias = Literal["ppo", "cloning", "drrn"]

RUNS = Path("runs")
"""Where runs go that are given no folder."""

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"
PROBABILITIES = "probabilities.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskConfig:
    """Where an agent acts.

    Attributes:
        env: Environment: a level of BabyAI in words, such as BabyAI-GoToLocal-v0 or
            cwm/BabyAI-MixedTrainLocal-v0.
        env_kwargs: Arguments of the environment's constructor, as a JSON object such
            as '{"num_actions": 3}'.
    """

    env: Annotated[str, shown_as("ID")] = "BabyAI-GoToLocal-v0"
    env_kwargs: Annotated[str, shown_as("JSON")] = "{}"

    def find(self) -> EnvSpec:
        """Returns the environment.

        Raises:
            ConfigError: If there is none.
            PrerequisiteError: If a package that it needs is missing.
        """
        return find(self.id, kwargs=self.kwargs)

    @property
    def num_actions(self) -> int:
        """How many actions there are.

        Raises:
            ConfigError: If there is no such environment, or they cannot be numbered.
            PrerequisiteError: If a package that it needs is missing.
        """
        space = self.find().action_space
        if not isinstance(space, DiscreteSpec):
            raise ConfigError(f"env must be BabyAI in words, got {self.env!r}.")
        return space.num_values

    @property
    def id(self) -> str:
        """The environment's id; BabyAI-... is ours in words, not minigrid's."""
        is_bare = self.env.startswith("BabyAI-")
        return f"cwm/{self.env}" if is_bare else self.env

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments.

        Raises:
            ConfigError: If they are no JSON object.
        """
        try:
            found = json.loads(self.env_kwargs)
        except ValueError as error:
            raise ConfigError(f"env_kwargs must be JSON: {error}.") from error
        if not isinstance(found, dict):
            raise ConfigError(f"env_kwargs must be an object, got {self.env_kwargs}.")
        return found

    def episodes(self, num_envs: int, *, window: int, images: bool) -> TextEpisodes:
        """Returns the environments.

        Raises:
            ConfigError: If there is none, or it is not BabyAI in words.
        """
        try:
            return TextEpisodes(
                self.id, num_envs, self.kwargs, window=window, images=images
            )
        except ValueError as error:
            raise ConfigError(f"env: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class DreamConfig:
    """In which world model an agent is trained, if in any.

    Attributes:
        model: Folder of a run of cwm.synthesize, or a Python file with a class
            Environment, that predicts the level with all of it observed
            (cwm/PrivilegedBabyAI-...). The agent acts in it and not in the level, and
            is told what it would be told there (Dyna).
        model_starts: First states taken from the real level, one for each reset; at
            least 1. Episodes in the model begin at these.
        isolation: Weakest isolation of programs that is acceptable, where kernel
            is the strongest; with less, no program is run. docs/sandbox.md says
            what each keeps out.
        limits: What the program may use; wall-s is for one step of all environments.
    """

    model: Annotated[str | None, shown_as("MODEL")] = None
    model_starts: int = 500
    isolation: Level = "kernel"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.model_starts < 1:
            raise ConfigError(
                f"model_starts must be at least 1, got {self.model_starts}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRunConfig:
    """Everything that decides what training does.

    Attributes:
        task: Where the agent acts.
        policy: What is trained: scratch (a small transformer over words), symbolic (a
            convolutional network on what minigrid shows, the paper's baseline),
            hf:ID_OR_FOLDER or gguf:FILE (a language model, of the hub or of this
            machine).
        learner: How it learns: ppo, cloning of BabyAI's bot, or drrn, Q-learning of
            the paper's baseline, a network of its own for which there is no policy
            to name. The last two cannot be continued, but begin again.
        num_frames: Steps to learn from, all environments together; at least 1. Not
            used by cloning.
        num_demonstrations: Episodes of the bot to learn from, with learner cloning.
        start_from: Folder of another run, whose weights this one begins with: that of
            a clone, or of an easier level. Policy and network must be the same; for
            learner ppo. If not given, it begins anew.
        stop_at: Training ends when so large a share of the last 200 episodes
            succeeds; above 0 and at most 1. If not given, it goes on.
        save_every: Updates between two checkpoints, with learner ppo; at least 1.
        seed: Seed of everything random; at least 0.
        network: How the model becomes a policy.
        ppo: How PPO learns.
        cloning: How it is cloned; seed is that of the run.
        drrn: How the DRRN learns.
        dream: In which world model it learns, if in any; for learner ppo.
        local: Device, threads and, for hf: and gguf:, number type.
    """

    task: Annotated[TaskConfig, tyro.conf.arg(name="")] = field(
        default_factory=TaskConfig
    )
    policy: Annotated[str, shown_as("POLICY")] = "scratch"
    learner: Learner = "ppo"
    num_frames: int = 200_000
    num_demonstrations: int = 1_000
    start_from: Annotated[str | None, shown_as("RUN")] = None
    stop_at: Annotated[float | None, shown_as("FLOAT")] = None
    save_every: int = 5
    seed: int = 0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    ppo: Annotated[PPOConfig, tyro.conf.FlagConversionOff] = field(
        default_factory=PPOConfig
    )
    cloning: CloningConfig = field(default_factory=CloningConfig)
    drrn: DRRNConfig = field(default_factory=DRRNConfig)
    dream: Annotated[DreamConfig, tyro.conf.arg(name="")] = field(
        default_factory=DreamConfig
    )
    local: DeviceConfig = field(default_factory=DeviceConfig)

    def __post_init__(self) -> None:
        for name, low in _LOWEST.items():
            if getattr(self, name) < low:
                raise ConfigError(
                    f"{name} must be at least {low}, got {getattr(self, name)}."
                )
        if self.stop_at is not None and not 0.0 < self.stop_at <= 1.0:
            raise ConfigError(
                f"stop_at must be above 0 and at most 1, got {self.stop_at!r}."
            )
        if self.learner != "ppo" and self.dream.model is not None:
            raise ConfigError(f"model is for learner ppo, got {self.learner}.")
        if self.learner == "drrn" and self.policy != "scratch":
            raise ConfigError(
                "policy is not for learner drrn, which has a network of its own, got "
                f"{self.policy!r}."
            )
        if self.learner != "ppo" and self.stop_at is not None:
            raise ConfigError(f"stop_at is for learner ppo, got {self.learner}.")
        if self.cloning.seed:
            raise ConfigError(
                f"cloning.seed must be left out, got {self.cloning.seed}: take seed."
            )

    @property
    def name(self) -> str:
        """What is trained, and how if not by PPO."""
        if self.learner == "drrn":
            return "drrn"
        return self.policy + (", cloned" if self.learner == "cloning" else "")

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        plain = json.loads(json.dumps(asdict(self)))
        assert isinstance(plain, dict), "a dataclass becomes a dict"
        return plain


_LOWEST = {"num_frames": 1, "num_demonstrations": 1, "save_every": 1, "seed": 0}

RUN_PRESETS: Mapping[str, PolicyRunConfig] = {
    "default": PolicyRunConfig(),
    "glam-2023": PolicyRunConfig(
        task=TaskConfig(
            env="BabyAI-MixedTrainLocal-v0", env_kwargs='{"kind_per_instance": true}'
        ),
        num_frames=1_500_000,
        network=NetworkConfig(
            window=3,
            prompt="glam",
            trains="all",
            scoring=ScoringConfig(normalise="sum", rule="raw-logits"),
            head_width=1024,
            head_activation="sigmoid",
        ),
        ppo=PRESETS["glam-2023"],
    ),
}
"""Named settings to start from."""


@dataclass(frozen=True, slots=True)
class PolicyFolder(RunFolder):
    """The files of a training run."""

    @property
    def checkpoint(self) -> Path:
        """Weights, optimizer and where the environments are."""
        return self.path / CHECKPOINT

    @property
    def log(self) -> Path:
        """A line of figures for each update."""
        return self.path / LOG

    @property
    def probabilities(self) -> Path:
        """The probability of every action on fixed prompts, as training goes on."""
        return self.path / PROBABILITIES

    def read_config(self) -> PolicyRunConfig:
        """Returns the settings of the run.

        Raises:
            ConfigError: If there is no such run here, or the settings cannot be read.
        """
        return read_run_config(
            self, PolicyRunConfig(), command="cwm.ppo train", key="ppo"
        )

    def check_checkpoint(self) -> None:
        """Refuses a run that has learned nothing yet.

        Raises:
            DataError: If there is no checkpoint.
        """
        if not self.checkpoint.is_file():
            raise DataError(
                f"{str(self.path)!r} has no checkpoint yet: let python -m cwm.ppo "
                f"train --resume {self.path} come to its first one."
            )

    def read_log(self) -> list[dict[str, Any]]:
        """Returns the figures of each update.

        Raises:
            DataError: If they cannot be read.
        """
        return read_lines(self.log)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the objects of a file with one on each line; a last half line is none.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(True) if line[-1] == "\n"]
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error


def new_folder(
    config: PolicyRunConfig, out: Path | None, program: str | None = None
) -> PolicyFolder:
    """Makes the folder of a new run, with its settings.

    Args:
        config: The settings.
        out: The folder; `None` makes one in `RUNS`.
        program: The world model that the agent learns in; kept in the folder.

    Raises:
        ConfigError: If the folder holds a run, or cannot be written.
    """
    today = datetime.now().astimezone().date()
    name = f"{config.task.id.removeprefix('cwm/')}-policy"
    folder = PolicyFolder(create_run_folder(name, out=out, runs=RUNS, today=today).path)
    folder.write_json(folder.environment, environment_report())
    if program is not None:
        folder.write_text(folder.world_model, program)
    # Last: a folder with settings has all that a run needs.
    folder.write_json(folder.config, config.to_json())
    return folder
