"""Putting an induction run together: roles, the loop, the evaluation, its folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Literal, TypeAlias

import tyro

from cwm.config import config_from_json
from cwm.core.errors import ConfigError
from cwm.core.journal import Journal
from cwm.execution.progress import Progress
from cwm.execution.provenance import environment_report
from cwm.execution.run_folder import RunFolder, create_run_folder
from cwm.providers.hypotheses.config import PRESETS, InductionConfig
from cwm.providers.hypotheses.evaluation.acting import ActingRow, evaluate_acting
from cwm.providers.hypotheses.evaluation.goals import goal_env
from cwm.providers.hypotheses.evaluation.scores import (
    WorldScores,
    evaluate_hypotheses,
    evaluate_reworded,
    named_hypotheses,
)
from cwm.providers.hypotheses.experimenters.rewards import make_reward
from cwm.providers.hypotheses.experimenters.scripted import make_experimenter
from cwm.providers.hypotheses.making import RoleConfig, Roles
from cwm.providers.hypotheses.roles import Experimenter, Scientist, Statistician
from cwm.providers.hypotheses.search.inference import Inference
from cwm.providers.hypotheses.search.keeping import HYPOTHESES, RunFiles
from cwm.providers.hypotheses.search.loop import InductionLoop, Phase
from cwm.providers.hypotheses.search.recording import JournalRecorder, Recorder
from cwm.providers.hypotheses.search.weighing import Weighed, weigh
from cwm.providers.hypotheses.worlds import TextWorld, find_world
from cwm.report.hypotheses import InductionReport, PhaseReport

RUNS = Path("runs")
"""Where runs go that are given no folder."""

Evaluation: TypeAlias = Literal["none", "likelihood", "ranking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """What is measured at the end of a run, on the published test set.

    Attributes:
        evaluate: likelihood scores the hypotheses of all phases; ranking also ranks
            what happened among all that could have happened, some 36 times as much
            work, and repeats both where changes are told in other words; none does
            neither.
        act_episodes: Episodes in which the language model acts, for each of four goals
            with the best hypothesis and without; at least 0. The paper has 50.
    """

    evaluate: Evaluation = "ranking"
    act_episodes: int = 0

    def __post_init__(self) -> None:
        if self.act_episodes < 0:
            raise ConfigError(
                f"act_episodes must be at least 0, got {self.act_episodes}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class InductionRunConfig:
    """Everything that decides what an induction run does.

    Attributes:
        induction: What is induced, from whose data.
        roles: Who takes the roles.
        evaluation: What is measured at the end.
        seed: Seed of everything random in the run; at least 0.
    """

    induction: Annotated[InductionConfig, tyro.conf.arg(name="")] = field(
        default_factory=InductionConfig
    )
    roles: Annotated[RoleConfig, tyro.conf.arg(name="")] = field(
        default_factory=RoleConfig
    )
    evaluation: Annotated[EvaluationConfig, tyro.conf.arg(name="")] = field(
        default_factory=EvaluationConfig
    )
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        plain = json.loads(json.dumps(asdict(self)))
        assert isinstance(plain, dict), "a dataclass becomes a dict"
        return plain


RUN_PRESETS: Mapping[str, InductionRunConfig] = {
    name: InductionRunConfig(induction=config) for name, config in PRESETS.items()
}
"""Named settings to start from."""


@dataclass(frozen=True, slots=True)
class InductionFolder(RunFolder):
    """The files of an induction run."""

    @property
    def hypotheses(self) -> Path:
        """The best hypothesis of each phase, and who found it."""
        return self.path / HYPOTHESES

    def read_config(self) -> InductionRunConfig:
        """Returns the settings of the run.

        Raises:
            ConfigError: If there is no such run here, or the settings cannot be read.
        """
        if not self.config.is_file():
            raise ConfigError(
                f"{str(self.path)!r} must be the folder of a run of cwm.induce, but it "
                "has no config.json."
            )
        data = self.read_json(self.config)
        if "induction" not in data:
            raise ConfigError(
                f"{str(self.path)!r} must be the folder of a run of cwm.induce, but it "
                "is of another command."
            )
        return config_from_json(data, InductionRunConfig(), name=str(self.config))


def new_folder(config: InductionRunConfig, out: Path | None) -> InductionFolder:
    """Makes the folder of a new run, with its settings.

    Raises:
        ConfigError: If the folder holds a run, or cannot be written.
    """
    world = find_world(config.induction.env)
    today = datetime.now().astimezone().date()
    name = f"{world.name}-hypotheses"
    folder = InductionFolder(
        create_run_folder(name, out=out, runs=RUNS, today=today).path
    )
    folder.write_json(folder.environment, environment_report())
    # Last: a folder with settings has all that a run needs.
    folder.write_json(folder.config, config.to_json())
    return folder


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Who takes the roles in a run.

    Attributes:
        config: The settings of the run.
        roles: Makes more of them, for other words and goals.
        statistician: Who weighs hypotheses.
        scientist: Who proposes them.
        experimenter: Who acts.
    """

    config: InductionRunConfig
    roles: Roles
    statistician: Statistician
    scientist: Scientist
    experimenter: Experimenter

    @property
    def world(self) -> TextWorld:
        """Where it takes place."""
        return find_world(self.config.induction.env)

    def stand_ins(self) -> tuple[str, ...]:
        """Returns the roles that no language model takes, though one could."""
        found = {
            "statistician": self.statistician.is_stand_in,
            "scientist": self.scientist.is_stand_in,
        }
        return tuple(name for name, is_stand_in in found.items() if is_stand_in)


def make_cast(config: InductionRunConfig) -> Cast:
    """Returns who takes the roles; nothing is asked, and no weights are read yet.

    Raises:
        ConfigError: If a setting is wrong, or does not go with another.
        PrerequisiteError: If a package that is needed is missing.
    """
    induction, roles = config.induction, Roles(config.roles)
    world = find_world(induction.env)
    needs_model = induction.experimenter == "llm" or config.evaluation.act_episodes
    model = roles.experimenter(world) if needs_model else None
    if model is None and induction.experimenter == "llm":
        raise ConfigError(
            "experimenter llm needs a language model: name one with --llm or "
            "--experimenter-llm."
        )
    if config.evaluation.act_episodes:
        goal_env(world)
        if model is None:
            raise ConfigError(
                "act_episodes needs a language model that acts: name one with --llm."
            )
    return Cast(
        config=config,
        roles=roles,
        statistician=roles.statistician(world),
        scientist=roles.scientist(world, max_tokens=induction.inference.max_tokens),
        experimenter=make_experimenter(
            induction, world, seed=config.seed, language_model=model
        ),
    )


def induce(cast: Cast, folder: InductionFolder, progress: Progress) -> InductionReport:
    """Runs all phases and the evaluation, and writes what was found.

    What the folder's journal has is not done again.

    Args:
        cast: Who takes the roles, with the settings.
        folder: Made by `new_folder`, with the same settings.
        progress: Told of every proposal.

    Raises:
        CwmError: If a language model, the experimenter or the disk failed; called
            again, the run goes on.
    """
    start = perf_counter()
    try:
        with Journal(folder.journal) as journal:
            recorder = JournalRecorder(journal)
            phases = _loop(cast, recorder, folder, progress).run()
            folder.write_json(folder.hypotheses, _hypotheses_json(cast, phases))
            measured = _Evaluating(cast, recorder, progress)
            scores, reworded = measured.scores(phases)
            test = measured.by_phase(phases)
            acting = measured.acting(phases)
    finally:
        cast.roles.close()
    report = InductionReport(
        statistician=cast.statistician.name,
        scientist=cast.scientist.name,
        experimenter=cast.experimenter.name,
        stand_ins=cast.stand_ins(),
        seed=cast.config.seed,
        phases=tuple(map(_phase_report, phases, test)),
        scores=scores,
        reworded=reworded,
        acting=acting,
        files=(f"run: {folder.path} (hypotheses.json, result.json, journal.jsonl)",),
        next_commands=_next_commands(folder, cast.world),
        seconds=perf_counter() - start,
        made_with=environment_report(),
    )
    folder.write_json(folder.result, report.to_json())
    return report


def _loop(
    cast: Cast, recorder: Recorder, folder: InductionFolder, progress: Progress
) -> InductionLoop:
    seed, induction = cast.config.seed, cast.config.induction
    return InductionLoop(
        induction,
        world=cast.world,
        experimenter=cast.experimenter,
        inference=Inference(
            induction.inference,
            statistician=cast.statistician,
            scientist=cast.scientist,
            seed=seed,
            recorder=recorder,
        ),
        statistician=cast.statistician,
        reward=make_reward(induction.curiosity),
        recorder=recorder,
        files=RunFiles(folder.path),
        seed=seed,
        progress=progress,
    )


class _Evaluating:
    """Measures what the hypotheses of a run are worth; each result is recorded."""

    def __init__(self, cast: Cast, recorder: Recorder, progress: Progress) -> None:
        self._cast = cast
        self._config = cast.config
        self._roles = cast.roles
        self._world = cast.world
        self._recorder = recorder
        self._progress = progress

    def scores(self, phases: Sequence[Phase]) -> tuple[WorldScores, WorldScores | None]:
        """Returns the rows of the tables, and those where words are others."""
        how = self._config.evaluation.evaluate
        hypotheses: Mapping[str, str | None] = {}
        if how != "none":
            self._progress.phase("Scoring on the test set")
            hypotheses = self._rows(phases)
        ranked = None if how == "ranking" else ()
        tell = self._tell
        scores = self._scored(
            lambda: evaluate_hypotheses(
                self._cast.statistician,
                self._world,
                hypotheses,
                ranked=ranked,
                on_scored=tell,
            )
        )
        assert scores is not None, "there is always a world to score in"
        if how != "ranking":
            return scores, None
        return scores, self._scored(
            lambda: evaluate_reworded(
                self._roles.statistician,
                self._world,
                hypotheses,
                ranked=ranked,
                on_scored=lambda name: tell(f"{name}, reworded"),
            )
        )

    def _scored(self, score: Callable[[], WorldScores | None]) -> WorldScores | None:
        def make() -> dict[str, Any]:
            found = score()
            return {"scores": None if found is None else found.to_json()}

        recorded = self._recorder.obtain("scored", make)["scores"]
        return None if recorded is None else WorldScores.from_json(recorded)

    def by_phase(self, phases: Sequence[Phase]) -> list[Weighed | None]:
        """Returns how well the best hypothesis of each phase explains the test set."""
        if self._config.evaluation.evaluate == "none":
            return [None] * len(phases)
        texts = [phase.best.hypothesis for phase in phases]

        def make() -> dict[str, Any]:
            self._progress.phase("Scoring the hypotheses of all phases")
            found = weigh(self._cast.statistician, texts, self._world.test_set())
            return {"log_likelihoods": [one.to_json() for one in found]}

        recorded = self._recorder.obtain("scored by phase", make)
        return [Weighed.from_json(one) for one in recorded["log_likelihoods"]]

    def acting(self, phases: Sequence[Phase]) -> tuple[ActingRow, ...]:
        """Returns who reaches goals, if that is asked for."""
        number = self._config.evaluation.act_episodes
        if not number:
            return ()
        model = self._roles.experimenter(self._world)
        assert model is not None, "refused before the run"

        def make() -> dict[str, Any]:
            self._progress.phase("Acting")
            rows = evaluate_acting(
                self._policy,
                name=model.name,
                open_env=goal_env(self._world),
                hypotheses=named_hypotheses(phases[-1].best.hypothesis, num_shuffles=0),
                num_episodes=number,
                seed=self._config.seed,
                on_row=lambda row: self._tell(f"{row.policy}, {row.goal}"),
            )
            return {"rows": [row.to_json() for row in rows]}

        recorded = self._recorder.obtain("acted", make)
        return tuple(map(ActingRow.from_json, recorded["rows"]))

    def _policy(self, goal: str, hypothesis: str | None) -> Any:
        model = self._roles.experimenter(self._world, goal=goal)
        assert model is not None, "asked only with a model"
        return partial(model.policy, hypothesis=hypothesis)

    def _rows(self, phases: Sequence[Phase]) -> dict[str, str | None]:
        return named_hypotheses(
            phases[-1].best.hypothesis,
            first=phases[0].best.hypothesis,
            seed=self._config.seed,
        )

    def _tell(self, name: str) -> None:
        self._progress.event(f"scored: {name}")


def _phase_report(phase: Phase, test: Weighed | None) -> PhaseReport:
    return PhaseReport(
        phase=phase.number,
        hypothesis=phase.best.hypothesis,
        num_proposed=len(phase.steps),
        num_accepted=phase.num_accepted,
        counts=phase.collected,
        data=phase.best.weighed,
        test=test,
    )


def _hypotheses_json(cast: Cast, phases: Sequence[Phase]) -> dict[str, Any]:
    world = cast.world
    return {
        "environment": world.environment_id,
        "world": world.name,
        "statistician": cast.statistician.name,
        "scientist": cast.scientist.name,
        "stand_ins": list(cast.stand_ins()),
        "seed": cast.config.seed,
        "best": phases[-1].best.hypothesis,
        "phases": [phase.to_json() for phase in phases],
    }


def _next_commands(folder: InductionFolder, world: TextWorld) -> tuple[str, ...]:
    commands = []
    if world.name.startswith("playground"):
        commands.append(f"python -m cwm.plan {folder.path}")
    commands.append(
        f"python -m cwm.synthesize --env {world.environment_id} "
        f"--hypotheses {folder.path} --llm openai:MODEL"
    )
    return tuple(commands)
