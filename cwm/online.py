"""Learning while acting: synthesize, plan, collect where the model errs, repeat.

A program that is right on what random actions see may be wrong where a planner goes.
So each round acts with the best program, looks at which real transitions it predicted
wrong, or its rivals in the tree see otherwise, adds those to the training data, and
searches again, from that program on.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from cwm.config import RunConfig, SourceConfig, load_config
from cwm.core.dataset_file import load_dataset, save_dataset
from cwm.core.errors import ConfigError
from cwm.core.files import write_atomically
from cwm.core.predictions import Predictions
from cwm.core.seeding import child_rng, child_seed
from cwm.core.trajectories import (
    Dataset,
    Split,
    Trajectory,
    TransitionBatch,
    batch_trajectories,
)
from cwm.evaluation.episodes import ActingConfig
from cwm.evaluation.parallel import run_episodes
from cwm.evaluation.setups import EnvironmentRef, Setup
from cwm.execution.options import shown_as
from cwm.execution.prerequisites import no_sandbox
from cwm.execution.progress import Progress
from cwm.execution.run_folder import RunFolder
from cwm.opening import new_session, reopened_session
from cwm.programs.acceleration.files import FastFiles
from cwm.programs.accuracy import strict_matches
from cwm.programs.evaluation import open_sandbox
from cwm.programs.runner import ProgramRunner
from cwm.programs.tolerances import Tolerances
from cwm.report.online import OnlineReport, RoundRow
from cwm.report.runs import RunReport
from cwm.report.scores import PROGRAM
from cwm.sources import environment_of, obtain
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.next_round import (
    best_rivals,
    extended,
    pieces,
    with_as_many_others,
)
from envs.collect import CollectConfig
from envs.spec import EnvSpec
from planners.registry import PlannerConfig, default_planner
from sandbox.errors import SandboxUnavailable

ONLINE_COLLECT = CollectConfig(
    num_trajectories=4,
    min_transitions=200,
    max_transitions=1_000,
    max_trajectory_length=200,
    planning_steps=0,
)
"""What an online run begins with: random episodes only, since every step counts."""

REPORT = "online.json"
SETTINGS = "online-settings.json"
PLAYED = "played.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineConfig:
    """How an online run acts between its searches.

    Attributes:
        episodes: Real episodes of a round; at least 1.
        planner: Planner, as in cwm.plan; by default the one for the actions.
        model_steps: Steps of the model that one decision may take; by default the
            planner's own.
        max_steps: Steps after which an episode is cut off; by default the time limit
            of the environment.
        num_rivals: Programs of the tree, about as good as the best, that are asked
            for their prediction, at most: where one of them sees it otherwise, the
            model is uncertain. At least 0.
    """

    episodes: int = 2
    planner: Annotated[str | None, shown_as("NAME")] = None
    model_steps: Annotated[int | None, shown_as("INT")] = None
    max_steps: Annotated[int | None, shown_as("INT")] = None
    num_rivals: int = 2

    def __post_init__(self) -> None:
        for name, lowest in (("episodes", 1), ("num_rivals", 0)):
            if getattr(self, name) < lowest:
                raise ConfigError(
                    f"{name} must be at least {lowest}, got {getattr(self, name)}."
                )
        if self.planner is not None:
            try:
                PlannerConfig(name=self.planner, model_steps=self.model_steps)
            except ValueError as error:
                raise ConfigError(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class OnlineSynthesis:
    """An online run, new or continued: rounds that are there are taken as they are.

    Attributes:
        config: Settings of the searches; their transitions are those of an
            environment.
        acting: How it acts between them.
        num_rounds: Rounds at most; at least 1.
        folder: Where it keeps its rounds.
    """

    config: RunConfig
    acting: OnlineConfig = field(default_factory=OnlineConfig)
    num_rounds: int
    folder: Path

    def __post_init__(self) -> None:
        if self.num_rounds < 1:
            raise ConfigError(f"online must be at least 1, got {self.num_rounds}.")
        if self.config.source.env is None:
            raise ConfigError("online needs env: it acts in the environment.")

    def run(self, progress: Progress) -> OnlineReport:
        """Runs the rounds that are missing, and reports.

        Raises:
            CwmError: If a round failed; the run can be continued.
        """
        self._keep_settings()
        first = self._first_data(progress)
        spec = environment_of(first)
        assert spec is not None, "it was collected from this environment"
        tolerances = Tolerances.from_batch(first.batch("train"))
        rows: list[RoundRow] = []
        data, start = first, None
        for number in range(1, self.num_rounds + 1):
            round_ = _Round(self, number, spec, tolerances)
            report = round_.search(data, start, progress)
            row, data = round_.act(report, data, progress)
            rows.append(row)
            self._write_report(rows)
            progress.event(row.line())
            best = RunFolder(round_.path).world_model
            if best.exists():
                start = best
                self._keep(best.read_text(encoding="utf-8"))
            if row.was_right:
                break
        return self._report(rows)

    def _keep(self, source: str) -> None:
        path = self.folder / "world_model.py"
        FastFiles.beside(path).remove_stale(source)
        self._write_text(path.name, source)

    def _first_data(self, progress: Progress) -> Dataset:
        """Returns the transitions of the first round, collected if need be."""
        path = self.folder / "data-1.npz"
        if not path.exists():
            source = obtain(
                self.config.source, seed=self.config.seed, progress=progress
            )
            save_dataset(source.dataset, path)
        return load_dataset(path)

    def _keep_settings(self) -> None:
        """Writes the settings, or refuses a folder that was begun with others."""
        path = self.folder / SETTINGS
        mine = json.loads(
            json.dumps(
                {"run": asdict(self.config), "acting": asdict(self.acting)},
                default=str,
            )
        )
        # More rounds and more calls may be granted later.
        del mine["run"]["budget"]
        if path.exists():
            if json.loads(path.read_text(encoding="utf-8")) != mine:
                raise ConfigError(
                    "out must be a new folder or one of an online run with the same "
                    f"settings, got {str(self.folder)!r} with others."
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_text(SETTINGS, json.dumps(mine, indent=2) + "\n")

    def _report(self, rows: Sequence[RoundRow]) -> OnlineReport:
        return OnlineReport(
            environment=str(self.config.source.env),
            seed=self.config.seed,
            rows=tuple(rows),
            folder=self.folder,
            world_model=self.folder / "world_model.py",
            num_rounds=self.num_rounds,
        )

    def _write_report(self, rows: Sequence[RoundRow]) -> None:
        text = json.dumps(self._report(rows).to_json(), indent=2)
        self._write_text(REPORT, text + "\n")

    def _write_text(self, name: str, text: str) -> None:
        try:
            write_atomically(self.folder / name, text)
        except OSError as error:
            raise ConfigError(f"{name} cannot be written: {error}.") from error


@dataclass(frozen=True, kw_only=True)
class _Visited:
    """What was seen while acting, and what the model made of it.

    Attributes:
        trajectories: The real transitions.
        wrong: Which of them the best program predicts wrong, `[N]`.
        uncertain: Which of them a rival sees otherwise, `[N]`.
        mean_return: Of the episodes.
    """

    trajectories: tuple[Trajectory, ...]
    wrong: NDArray[np.bool_]
    uncertain: NDArray[np.bool_]
    mean_return: float


class _Round:
    """One round: a search, and what acting with its program brings."""

    def __init__(
        self, run: OnlineSynthesis, number: int, spec: EnvSpec, tolerances: Tolerances
    ) -> None:
        self.path = run.folder / f"round-{number}"
        self._run = run
        self._number = number
        self._spec = spec
        self._tolerances = tolerances

    def search(
        self, data: Dataset, start: Path | None, progress: Progress
    ) -> RunReport:
        """Returns how the search on some transitions ended."""
        folder = self._run.folder
        path = folder / f"data-{self._number}.npz"
        if not path.exists():
            save_dataset(data, path)
        settings = RunFolder(self.path).config
        if settings.exists():
            config = load_config(settings, RunConfig())
            config = replace(config, budget=self._run.config.budget)
            return reopened_session(config, self.path).run(progress)
        config = replace(
            self._run.config,
            source=SourceConfig(data=str(path)),
            seed=child_seed(self._run.config.seed, "round", self._number),
            # A language model goes on from what it has; induction takes new data in.
            start_from=start if self._run.config.models.llm else None,
        )
        return new_session(config, out=self.path, progress=progress).run(progress)

    def act(
        self, report: RunReport, data: Dataset, progress: Progress
    ) -> tuple[RoundRow, Dataset]:
        """Returns what the round came to, and the transitions of the next one."""
        visited = self._visit(report, data, progress)
        chosen = visited.wrong | visited.uncertain
        if data.is_stochastic:
            # What happens once is no proof of an error; all of it is evidence.
            chosen = np.ones_like(chosen)
        rng = child_rng(self._run.config.seed, "kept", self._number)
        chosen = with_as_many_others(chosen, rng)
        new = pieces(visited.trajectories, chosen)
        following = extended(data, new)
        held_out = [
            row.scores.get("held_out") for row in report.rows if row.name == PROGRAM
        ]
        strict = None
        if held_out and held_out[0] is not None:
            strict = held_out[0].strict
        num_steps = sum(len(trajectory) for trajectory in visited.trajectories)
        row = RoundRow(
            number=self._number,
            num_calls=report.num_calls,
            num_train=data.num_transitions["train"],
            num_known_steps=sum(
                data.num_transitions[split] for split in ("train", "validation")
            ),
            num_new_steps=num_steps,
            mean_return=visited.mean_return,
            held_out_strict=strict,
            num_wrong=int(visited.wrong.sum()),
            num_uncertain=int(visited.uncertain.sum()),
            num_kept=int(chosen.sum()),
            has_program=report.best is not None,
            is_stochastic=data.is_stochastic,
        )
        return row, following

    def _visit(self, report: RunReport, data: Dataset, progress: Progress) -> _Visited:
        """Returns what acting with the best program brings."""
        best = report.best
        progress.phase(f"Acting with the program of round {self._number}")
        trajectories = self._play(best, data)
        batch = batch_trajectories(
            trajectories, data.observation_space, data.action_space
        )
        wrong = np.ones(len(batch), dtype=np.bool_)
        uncertain = np.zeros(len(batch), dtype=np.bool_)
        if best is not None:
            rivals = best_rivals(report.candidates, best, self._run.acting.num_rivals)
            with open_sandbox(
                limits=self._run.config.limits,
                require=self._run.config.isolation,
                capabilities=self._run.config.capabilities,
            ) as sandbox:
                runner = ProgramRunner(sandbox, seed=self._run.config.seed)
                own = _predict(runner, best.source, batch)
                if own is not None:
                    wrong = ~self._agree(own, batch)
                    for rival in rivals:
                        other = _predict(runner, rival.source, batch)
                        if other is not None:
                            uncertain |= ~self._agree(other, _as_truth(own, batch))
        returns = [trajectory.episode_return for trajectory in trajectories]
        return _Visited(
            trajectories=trajectories,
            wrong=wrong,
            uncertain=uncertain & ~wrong,
            mean_return=float(np.mean(returns)),
        )

    def _agree(
        self, predictions: Predictions, batch: TransitionBatch
    ) -> NDArray[np.bool_]:
        return strict_matches(predictions, batch, self._tolerances).everything

    def _play(self, best: Candidate | None, data: Dataset) -> tuple[Trajectory, ...]:
        """Returns real episodes: recorded ones if the round has them already."""
        path = self.path / PLAYED
        if path.exists():
            return load_dataset(path).trajectories
        acting, config = self._run.acting, self._run.config
        planner = default_planner(
            data.action_space, is_stochastic=data.is_stochastic, name=acting.planner
        )
        setup = Setup(
            name=f"round {self._number}",
            environment=EnvironmentRef.of(self._spec),
            kind="random" if best is None else "program",
            source="" if best is None else best.source,
            planner=replace(planner, model_steps=acting.model_steps),
            acting=ActingConfig(max_steps=acting.max_steps),
            tolerances=self._tolerances,
            seed=child_seed(config.seed, "act", self._number),
            isolation=config.isolation,
            capabilities=config.capabilities,
            limits=config.limits,
        )
        try:
            episodes = run_episodes(setup, acting.episodes)
        except SandboxUnavailable as error:
            raise no_sandbox(error) from error
        trajectories = tuple(episode.trajectory for episode in episodes)
        splits: list[Split] = ["train"] * len(trajectories)
        played = replace(data, trajectories=trajectories, splits=tuple(splits))
        save_dataset(played, path)
        return trajectories


def _predict(
    runner: ProgramRunner, source: str, batch: TransitionBatch
) -> Predictions | None:
    """Returns what a program predicts; `None` if it does not run on the batch."""
    _, draws = runner.predict(source, batch, 1)
    return None if draws is None else draws[0]


def _as_truth(predictions: Predictions, batch: TransitionBatch) -> TransitionBatch:
    return replace(
        batch,
        next_observations=predictions.next_observations,
        rewards=predictions.rewards,
        terminated=predictions.terminated,
    )
