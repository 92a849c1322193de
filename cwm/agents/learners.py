"""Training by other means than PPO: the bot's clone, and the paper's DRRN.

Covers: one file of weights at the end, a log as that of PPO, with what these know.
Does not cover: going on in the middle; a run that was cut short begins again.
"""

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from cwm.agents.runs import CHECKPOINT, LOG, PolicyFolder, PolicyRunConfig
from cwm.agents.settings import check_settings
from cwm.agents.training import (
    PolicyTraining,
    check_network,
    make,
    network_settings,
)
from cwm.core.errors import ConfigError, DataError
from cwm.execution.progress import Progress, Status
from cwm.providers.policies.learning.checkpoints import TrainingState, save_checkpoint
from cwm.providers.policies.learning.cloning import (
    CloningResult,
    CloningStep,
    clone,
    collect_demonstrations,
)
from cwm.providers.policies.learning.drrn import DRRNProgress, train_drrn
from cwm.providers.policies.learning.processes import Processes
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.networks.reading import base_weights
from cwm.providers.policies.probes import SEEDS
from cwm.report.policies import TrainingReport

_NUM_ENVS = 32
"""Environments of the DRRN at once, as published."""

_DRRN_LOG_EVERY = 10
"""Gradient steps of the DRRN between two lines of its log: 1,280 frames."""


class Training(Protocol):
    """A training whose settings are checked."""

    def run(self, folder: PolicyFolder, progress: Progress) -> TrainingReport:
        """Trains and writes what came of it; see `PolicyTraining.run`."""
        ...

    def close(self) -> None:
        """Ends what it has opened."""
        ...


def prepare(
    config: PolicyRunConfig,
    processes: Processes | None = None,
    program: str | None = None,
) -> Training:
    """Returns the training of a run, its network and environments made.

    Args:
        config: The settings.
        processes: Those that train together; `None` is this one alone.
        program: The world model to learn in; `None` is the level itself.

    Raises:
        ConfigError: If a setting is wrong, or changed and would be ignored, or the
            model cannot be read.
        DataError: If the program cannot be used.
        PrerequisiteError: If a package is missing.
    """
    check_settings(config)
    if config.learner == "ppo":
        return PolicyTraining(config, processes, program)
    if processes is not None and processes.count > 1:
        raise ConfigError(
            f"Learner {config.learner} trains in one process, got {processes.count}."
        )
    made = CloningTraining if config.learner == "cloning" else DRRNTraining
    return made(config)


class _WholeTraining(ABC):
    """What trainings have in common that are done in one piece.

    Args:
        config: The settings.
    """

    def __init__(self, config: PolicyRunConfig) -> None:
        self._config = config
        window = network_settings(config).window
        assert window is not None, "it is filled in"
        self._window = window
        self._images = config.policy == "symbolic"
        # Refuses environments that are no BabyAI in words.
        source = config.task.episodes(1, window=window, images=self._images)
        (view,) = source.reset(SEEDS[:1])
        source.close()
        made, _ = make(config, config.task.num_actions)
        check_network(made.network, view)
        self._network: PolicyNetwork = made.network
        self._learning_rate = made.learning_rate

    def close(self) -> None:  # noqa: B027 - nothing to add
        """Does nothing: no program was opened."""

    def run(self, folder: PolicyFolder, progress: Progress) -> TrainingReport:
        """Trains, unless that is done; see `PolicyTraining.run`.

        Raises:
            CwmError: If training failed; another one begins again.
        """
        if not folder.checkpoint.exists():
            with folder.log.open("w", encoding="utf-8") as log:
                lines = _Lines(log)
                self._learn(lines, progress)
            self._save(folder, lines.last)
        config, log_lines = self._config, folder.read_log()
        report = TrainingReport(
            policy=config.name,
            environment=config.task.id,
            seed=config.seed,
            log=tuple(log_lines),
            notes=self._notes(log_lines[-1] if log_lines else {}),
            files=(f"run: {folder.path} ({CHECKPOINT}, {LOG}, result.json)",),
            next_commands=(f"python -m cwm.ppo evaluate {folder.path}",),
            made_with=folder.read_json(folder.environment),
        )
        folder.write_json(folder.result, report.to_json())
        return report

    @abstractmethod
    def _learn(self, lines: "_Lines", progress: Progress) -> None:
        """Trains the network, and writes a line for each step that is told."""

    def _notes(self, last: Mapping[str, Any]) -> tuple[str, ...]:
        return ()

    def _save(self, folder: PolicyFolder, last: Mapping[str, Any]) -> None:
        state = TrainingState(
            update=last.get("update", 0),
            num_frames=last.get("num_frames", 0),
            num_episodes=last.get("num_episodes", 0),
            seconds=last.get("seconds", 0.0),
            weights=base_weights(self._config.policy),
        )
        try:
            save_checkpoint(folder.checkpoint, self._network, _Finished(), state)
        except OSError as error:
            raise DataError(
                f"{str(folder.checkpoint)!r} cannot be written: {error}."
            ) from error


class CloningTraining(_WholeTraining):
    """A network that learns to do what BabyAI's bot did; a `Training`."""

    def _learn(self, lines: "_Lines", progress: Progress) -> None:
        config, number = self._config, self._config.num_demonstrations
        progress.phase(f"Watching {number:,} episodes of the bot in {config.task.id}")
        shown = collect_demonstrations(
            config.task.id,
            config.task.kwargs,
            num_episodes=number,
            seed=config.seed,
            window=self._window,
            images=self._images,
        )
        num_episodes = len({one.episode for one in shown})
        reached: dict[str, Any] = {}
        progress.phase(f"Cloning it as {config.policy}, from {len(shown):,} moments")

        def on_step(step: CloningStep) -> None:
            reached.update(
                update=step.number,
                # Moments that were learned from, each time that they were.
                num_frames=step.number * config.cloning.batch_size,
                num_episodes=num_episodes,
                loss=step.loss,
            )
            if step.number < step.num_steps:
                lines.write(**reached)
            progress.update(
                Status(
                    completed=step.number,
                    total=step.num_steps,
                    unit="steps",
                    measures={"loss": f"{step.loss:.3f}"},
                )
            )

        settings = replace(
            config.cloning,
            learning_rate=config.cloning.learning_rate or self._learning_rate,
            seed=config.seed,
        )
        result = clone(self._network, shown, settings, on_step)
        lines.write(**reached, **_agreements(result), num_moments=len(shown))

    def _notes(self, last: Mapping[str, Any]) -> tuple[str, ...]:
        if "agreement" not in last:
            return ()
        kept = last["held_out_agreement"]
        held_out = "" if kept is None else f", {kept:.3f} in episodes held out"
        return (
            f"the bot's action is the most probable one in {last['agreement']:.3f} of "
            f"the moments that were trained on{held_out}; {last['num_moments']:,} "
            f"moments of {last['num_episodes']:,} episodes",
        )


class DRRNTraining(_WholeTraining):
    """The paper's baseline, which reads states and actions; a `Training`."""

    def _notes(self, last: Mapping[str, Any]) -> tuple[str, ...]:
        return ("success is that of the newest 100 episodes",)

    def _learn(self, lines: "_Lines", progress: Progress) -> None:
        config = self._config
        progress.phase(f"Training a DRRN in {config.task.id}")
        source = config.task.episodes(_NUM_ENVS, window=self._window, images=False)
        reached: dict[str, Any] = {}

        def on_progress(found: DRRNProgress) -> None:
            rate = None if math.isnan(found.success_rate) else found.success_rate
            reached.update(
                update=found.num_updates,
                num_frames=found.num_frames,
                num_episodes=found.num_episodes,
                success_rate=rate,
                loss=found.loss,
            )
            if found.num_updates % _DRRN_LOG_EVERY == 0:
                lines.write(**reached)
            progress.update(
                Status(
                    completed=min(found.num_frames, config.num_frames),
                    total=config.num_frames,
                    unit="frames",
                    measures={"loss": f"{found.loss:.3f}"}
                    | ({} if rate is None else {"success": f"{rate:.3f}"}),
                )
            )

        agent = train_drrn(
            source,
            config.drrn,
            num_frames=config.num_frames,
            seed=config.seed,
            on_progress=on_progress,
        )
        source.close()
        self._network = agent.network
        # Those between two lines, at the end.
        if reached and reached["update"] != lines.last.get("update"):
            lines.write(**reached)


class _Lines:
    """A log that is being written, with the time of each line."""

    def __init__(self, file: Any) -> None:
        self._file, self._start = file, time.perf_counter()
        self.last: dict[str, Any] = {}

    def write(self, **line: Any) -> None:
        """Adds a line."""
        self.last = line | {"seconds": time.perf_counter() - self._start}
        self._file.write(json.dumps(self.last) + "\n")
        self._file.flush()


class _Finished:
    """Stands for the optimizer where nothing goes on."""

    def state_dict(self) -> dict[str, Any]:
        """Returns no state."""
        return {"state": {}}


def _agreements(result: CloningResult) -> dict[str, float | None]:
    kept = result.held_out_agreement
    return {
        "agreement": result.agreement,
        "held_out_agreement": None if math.isnan(kept) else kept,
    }
