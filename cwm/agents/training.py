"""Putting the training of an agent together: network, environments, its folder."""

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cwm.agents.dreaming import dream
from cwm.agents.runs import (
    CHECKPOINT,
    LOG,
    PolicyFolder,
    PolicyRunConfig,
    read_lines,
)
from cwm.agents.starting import begin_with
from cwm.core.errors import ConfigError, DataError
from cwm.core.seeding import child_seed
from cwm.execution.progress import Progress, Status
from cwm.llm.local.packages import memory_errors, require_packages
from cwm.providers.policies.episodes import EpisodeSource
from cwm.providers.policies.imagined import ImaginedEpisodes
from cwm.providers.policies.learning.checkpoints import load_checkpoint
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.processes import Processes
from cwm.providers.policies.learning.training import (
    RECENT,
    PPOTraining,
    UpdateRecord,
    train,
)
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.networks.drrn import DRRNNetwork
from cwm.providers.policies.networks.language import LanguageNetwork
from cwm.providers.policies.networks.making import (
    Made,
    complete,
    is_pretrained,
    make_network,
)
from cwm.providers.policies.networks.reading import base_weights, on_this_machine
from cwm.providers.policies.probes import SEEDS, Probes
from cwm.providers.policies.views import View
from cwm.report.policies import TrainingReport
from prompts.glam import DEFAULT_WINDOW

_PARTS = 10
"""Times that a line which stays says how training goes."""

_LESS_MEMORY = "Take a smaller window or model."


def make(config: PolicyRunConfig, num_actions: int) -> tuple[Made, NetworkConfig]:
    """Returns the network of a run, with fresh weights, and its complete settings.

    Raises:
        ConfigError: If a setting is wrong, or the model cannot be read.
        PrerequisiteError: If a package is missing.
    """
    settings = network_settings(config)
    if config.learner == "drrn":
        return _drrn(config), settings
    made = make_network(
        config.policy,
        settings,
        num_actions=num_actions,
        seed=child_seed(config.seed, "network"),
        local=config.local,
        value_trunk_gradient=config.ppo.value_trunk_gradient,
    )
    return made, settings


def network_settings(config: PolicyRunConfig) -> NetworkConfig:
    """Returns the settings of a run's network, none of them left open.

    Raises:
        ConfigError: If there is no such policy, or settings do not go with it.
    """
    if config.learner != "drrn":
        return complete(config.network, config.policy)
    # The published prompt, whatever else is said.
    window = config.network.window or DEFAULT_WINDOW
    return replace(config.network, window=window, prompt="glam", trains="all")


def _drrn(config: PolicyRunConfig) -> Made:
    require_packages(gguf=False)
    rate = config.drrn.learning_rate
    network = DRRNNetwork(width=config.drrn.width, seed=config.seed)
    return Made(network=network, learning_rate=rate, value_learning_rate=rate)


def check_network(network: PolicyNetwork, view: View) -> None:
    """Refuses a language model that does not score actions as it would single texts.

    Costs a few evaluations of the view.

    Raises:
        ConfigError: If its attention does not allow for it.
        LLMError: If the view does not fit into its context, or the memory does not
            suffice.
    """
    if isinstance(network, LanguageNetwork):
        with memory_errors(_LESS_MEMORY):
            network.check(view)


@dataclass(frozen=True, kw_only=True)
class TrainedPolicy:
    """A network that a run has trained.

    Attributes:
        config: The settings of the run.
        made: The network, with the weights of the last checkpoint.
        network: Its complete settings.
        num_actions: Actions in the environment that it has learned in.
        num_frames: Steps that it has learned from.
    """

    config: PolicyRunConfig
    made: Made
    network: NetworkConfig
    num_actions: int
    num_frames: int


def read_policy(path: Path) -> TrainedPolicy:
    """Returns what a run has trained so far, on whatever device this machine has.

    Raises:
        ConfigError: If the folder is none of a run, or its model cannot be read.
        DataError: If there is no checkpoint, or it cannot be used.
        PrerequisiteError: If a package is missing.
    """
    folder = PolicyFolder(path)
    config = folder.read_config()
    folder.check_checkpoint()
    num_actions = config.task.num_actions
    here = replace(config, local=on_this_machine(config.local))
    made, network = make(here, num_actions)
    state = load_checkpoint(
        folder.checkpoint, made.network, weights=base_weights(config.policy)
    )
    return TrainedPolicy(
        config=config,
        made=made,
        network=network,
        num_actions=num_actions,
        num_frames=state.num_frames,
    )


def share_of(config: PPOConfig, processes: Processes) -> PPOConfig:
    """Returns the settings with this process's share of what is counted in all.

    Raises:
        ConfigError: If a number does not divide evenly, or episodes are compared with
            each other: those of a process may end sooner than those of another.
    """
    if processes.count > 1 and config.baseline != "value":
        raise ConfigError(
            f"baseline must be value with several processes, got {config.baseline!r}."
        )
    return replace(
        config,
        num_envs=processes.share("num_envs", config.num_envs),
        minibatch_size=processes.share("minibatch_size", config.minibatch_size),
    )


def _with_rates(config: PPOConfig, made: Made, policy: str) -> PPOConfig:
    """Returns the settings with the learning rates that were left open."""
    value_rate = config.value_learning_rate
    if value_rate is None and not is_pretrained(policy):
        value_rate = config.learning_rate
    return replace(
        config,
        learning_rate=config.learning_rate or made.learning_rate,
        value_learning_rate=value_rate or made.value_learning_rate,
    )


class PolicyTraining:
    """A training with its network and environments, before it has a folder.

    Args:
        config: The settings.
        processes: Those that train together; `None` is this one alone.
        program: The world model to learn in; `None` is the level itself.

    Attributes:
        name: What is trained.
        processes: Those that train together.
        training: The network in its environments.

    Raises:
        ConfigError: If a setting is wrong, or the model cannot be read.
        DataError: If the program cannot be used.
        PrerequisiteError: If a package is missing.
    """

    def __init__(
        self,
        config: PolicyRunConfig,
        processes: Processes | None = None,
        program: str | None = None,
    ) -> None:
        self._config, self.processes = config, processes or Processes()
        self._stack = ExitStack()
        self._imagined: ImaginedEpisodes | None = None
        ppo = share_of(config.ppo, self.processes)
        window = network_settings(config).window
        assert window is not None, "complete fills it in"
        images = config.policy == "symbolic"
        probed = config.task.episodes(1, window=window, images=images)
        device = self.processes.device
        if device is not None and config.local.device == "auto":
            config = replace(config, local=replace(config.local, device=device))
        made, _ = make(config, len(probed.action_names))
        self.name = made.network.name
        check_network(made.network, probed.reset(SEEDS[:1])[0])
        source = self._source(
            program, num_envs=ppo.num_envs, window=window, images=images
        )
        self.training = PPOTraining(
            made.network,
            source,
            _with_rates(ppo, made, config.policy),
            seed=config.seed,
            processes=self.processes,
            weights=base_weights(config.policy),
        )
        self._probes = Probes(probed, made.network)

    def run(self, folder: PolicyFolder, progress: Progress) -> TrainingReport:
        """Trains and writes what came of it; goes on where a run was left.

        Args:
            folder: Made by `new_folder`, with the same settings.
            progress: Told of every update.

        Raises:
            CwmError: If training failed; another training, in the same folder, goes on.
        """
        progress.phase(f"Training {self.name} in {self._config.task.id}")
        _Recorder(self, folder, progress).run()
        self.processes.wait()
        report = TrainingReport(
            policy=self.name,
            environment=self._config.task.id,
            seed=self._config.seed,
            log=tuple(folder.read_log()),
            notes=self._notes(),
            files=(f"run: {folder.path} ({CHECKPOINT}, {LOG}, result.json)",),
            next_commands=(f"python -m cwm.ppo evaluate {folder.path}",),
            made_with=folder.read_json(folder.environment),
        )
        if self.processes.is_first:
            folder.write_json(folder.result, report.to_json())
        return report

    def close(self) -> None:
        """Ends the process of a program that it learns in."""
        self._stack.close()

    def _notes(self) -> tuple[str, ...]:
        """Returns where it began, and what must be known of training in a model."""
        start = self._config.start_from
        notes = () if start is None else (f"began with the weights of {start}",)
        if self._imagined is None:
            return notes
        counts, dreamt = self._imagined.counts, self._config.dream
        return (
            *notes,
            f"trained in the model {dreamt.model} and not in the level: no real step, "
            f"{dreamt.model_starts:,} real resets",
            f"steps of the model without an answer of use: {counts.num_failures:,} of "
            f"{counts.num_steps:,} (of this command; episodes were cut off there)",
        )

    def _source(
        self, program: str | None, *, num_envs: int, window: int, images: bool
    ) -> EpisodeSource:
        task = self._config.task
        if program is None:
            return task.episodes(num_envs, window=window, images=images)
        opened = dream(
            program,
            task.find(),
            task.kwargs,
            self._config.dream,
            num_envs=num_envs,
            window=window,
            images=images,
            seed=self._config.seed,
        )
        self._imagined = self._stack.enter_context(opened)
        return self._imagined

    @property
    def config(self) -> PolicyRunConfig:
        """The settings."""
        return self._config

    @property
    def is_enough(self) -> bool:
        """Whether so many of the last episodes succeed that training ends."""
        goal, recent = self._config.stop_at, self.training.state.recent
        if goal is None or len(recent) < RECENT:
            return False
        return sum(value > 0 for value, _ in recent) / len(recent) >= goal

    def ask(self) -> dict[str, Any]:
        """Returns what the network says of the fixed prompts, and when."""
        state = self.training.state
        line = {"update": state.update, "num_frames": state.num_frames}
        return line | self._probes.ask()


class _Recorder:
    """A run under way: its files, and what is shown."""

    def __init__(
        self, run: PolicyTraining, folder: PolicyFolder, progress: Progress
    ) -> None:
        self._run, self.training = run, run.training
        self._config, self._folder, self._progress = run.config, folder, progress
        self._last_probe = -1
        self._parts_told = 0
        self._writes = run.processes.is_first

    def run(self) -> None:
        """Trains from the beginning or the last checkpoint to the end."""
        folder, training = self._folder, self.training
        if folder.checkpoint.exists():
            training.go_on(folder.checkpoint)
            self._progress.event(f"Going on after {training.state.num_frames:,} frames")
        else:
            self._begin()
        self._drop_after(training.state.update)
        self._probe()
        path = folder.log if self._writes else Path(os.devnull)
        with path.open("a", encoding="utf-8") as log:

            def on_update(record: UpdateRecord) -> bool:
                log.write(json.dumps(record.to_json()) + "\n")
                log.flush()
                return self._after(record)

            if not self._run.is_enough:
                train(training, num_frames=self._config.num_frames, on_update=on_update)
        self._probe()
        self._save()

    def _begin(self) -> None:
        config, start = self._config, self._config.start_from
        if start is not None:
            begin_with(Path(start), self.training.network, config.policy)
            self._progress.event(f"Beginning with the weights of {start}")
        self.training.start()
        if start is not None:
            # From here on the run goes on without the other one.
            self._save()

    def _after(self, record: UpdateRecord) -> bool:
        self._show(record)
        is_enough = self._run.is_enough
        if record.update % self._config.save_every == 0 or is_enough:
            self._probe()
            self._save()
        return is_enough

    def _save(self) -> None:
        try:
            self.training.save(self._folder.checkpoint)
        except OSError as error:
            raise DataError(
                f"{str(self._folder.checkpoint)!r} cannot be written: {error}."
            ) from error

    def _probe(self) -> None:
        """Asks about the fixed prompts, once after each update at most."""
        if self._last_probe == self.training.state.update or not self._writes:
            return
        self._last_probe = self.training.state.update
        with self._folder.probabilities.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self._run.ask()) + "\n")

    def _drop_after(self, update: int) -> None:
        """Forgets lines of updates that are made again."""
        if not self._writes:
            return
        for path in (self._folder.log, self._folder.probabilities):
            kept = [line for line in read_lines(path) if line["update"] <= update]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            self._folder.write_text(path, text)
        self._last_probe = kept[-1]["update"] if kept else -1

    def _show(self, record: UpdateRecord) -> None:
        measures = {"episodes": f"{record.num_episodes:,}"}
        if record.success_rate is not None:
            measures["success"] = f"{record.success_rate:.3f}"
            measures["length"] = f"{record.mean_length:.1f}"
        figures = record.figures
        measures |= {
            "entropy": f"{figures.entropy:.3f}",
            "explained": f"{figures.explained_variance:.2f}",
            "KL": f"{figures.kl:.4f}",
            "frames/s": f"{record.num_frames / record.seconds:.0f}",
        }
        self._progress.update(
            Status(
                completed=min(record.num_frames, self._config.num_frames),
                total=self._config.num_frames,
                unit="frames",
                activity=f"update {record.update}",
                measures=measures,
            )
        )
        parts = _PARTS * record.num_frames // self._config.num_frames
        if parts > self._parts_told:
            self._parts_told = parts
            shown = ", ".join(f"{name} {value}" for name, value in measures.items())
            self._progress.event(f"{record.num_frames:,} frames: {shown}")


def train_policy(
    config: PolicyRunConfig, folder: PolicyFolder, progress: Progress
) -> TrainingReport:
    """Trains an agent and writes what came of it; goes on where a run was left.

    Args:
        config: The settings.
        folder: Made by `new_folder`, with the same settings.
        progress: Told of every update.

    Raises:
        CwmError: If a setting is wrong, or training failed; called again, it goes on.
    """
    return PolicyTraining(config).run(folder, progress)
