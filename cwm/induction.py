"""Putting an induction run together: roles, the loop, the evaluation, its folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import tyro

from cwm.agents.training import read_policy
from cwm.config import read_run_config
from cwm.core.errors import ConfigError
from cwm.core.journal import Journal
from cwm.execution.progress import Progress
from cwm.execution.provenance import environment_report
from cwm.execution.run_folder import RunFolder, create_run_folder
from cwm.providers.hypotheses.config import PRESETS, InductionConfig
from cwm.providers.hypotheses.evaluation.acting import ActingRow
from cwm.providers.hypotheses.evaluation.goals import goal_env
from cwm.providers.hypotheses.evaluation.scores import WorldScores
from cwm.providers.hypotheses.experimenters.agent import AgentExperimenter
from cwm.providers.hypotheses.experimenters.rewards import make_reward
from cwm.providers.hypotheses.experimenters.scripted import make_experimenter
from cwm.providers.hypotheses.making import RoleConfig, Roles
from cwm.providers.hypotheses.measuring import Measuring
from cwm.providers.hypotheses.roles import Experimenter, Scientist, Statistician
from cwm.providers.hypotheses.search.inference import Inference
from cwm.providers.hypotheses.search.keeping import HYPOTHESES, RunFiles
from cwm.providers.hypotheses.search.loop import InductionLoop, Phase
from cwm.providers.hypotheses.search.recording import JournalRecorder, Recorder
from cwm.providers.hypotheses.search.weighing import Weighed
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
        shuffles: Rows with the words of the best hypothesis in random order, each in
            another; at least 0. Only the first one is ranked.
        act_episodes: Episodes in which the language model acts, for each of four goals
            with the best hypothesis and without; at least 0. The paper has 50.
    """

    evaluate: Evaluation = "ranking"
    shuffles: int = 3
    act_episodes: int = 0

    def __post_init__(self) -> None:
        for name in ("shuffles", "act_episodes"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"{name} must be at least 0, got {getattr(self, name)}."
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
        return read_run_config(
            self, InductionRunConfig(), command="cwm.induce", key="induction"
        )


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

    def check(self) -> None:
        """Makes sure that models which have to score texts can, before the run.

        Raises:
            ConfigError: If one cannot.
            LLMError: If there is no answer.
        """
        induction, evaluation = self.config.induction, self.config.evaluation
        self.roles.check(
            needs_proposal_probs=induction.inference.needs_proposal_probs,
            acts=induction.experimenter == "llm" or evaluation.act_episodes > 0,
        )

    def stand_ins(self) -> tuple[str, ...]:
        """Returns the roles that no language model takes, though one could."""
        found = {
            "statistician": self.statistician.is_stand_in,
            "scientist": self.scientist.is_stand_in,
        }
        return tuple(name for name, is_stand_in in found.items() if is_stand_in)


def make_cast(config: InductionRunConfig) -> Cast:
    """Returns who takes the roles; nothing is asked yet.

    No weights are read but those of a trained agent.

    Raises:
        ConfigError: If a setting is wrong, or does not go with another.
        DataError: If the run of a trained agent has no checkpoint.
        PrerequisiteError: If a package that is needed is missing.
    """
    induction, roles = config.induction, Roles(config.roles)
    world = find_world(induction.env)
    if induction.experimenter == "all":
        number = len(world.open().actions())
        if induction.inference.subset < number:
            raise ConfigError(
                f"subset must be at least {number} with experimenter all, which brings "
                f"as many trajectories, got {induction.inference.subset}."
            )
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
            induction,
            world,
            seed=config.seed,
            language_model=model,
            agent=_trained_agent(induction.agent, world),
        ),
    )


def _trained_agent(run: str | None, world: TextWorld) -> Experimenter | None:
    if run is None:
        return None
    found = read_policy(Path(run))
    return AgentExperimenter(
        found.made.network, found.network, world, num_frames=found.num_frames
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
    try:
        if not folder.result.exists():
            cast.check()
        with Journal(folder.journal) as journal:
            recorder = JournalRecorder(journal)
            phases = _loop(cast, recorder, folder, progress).run()
            folder.write_json(folder.hypotheses, _hypotheses_json(cast, phases))
            measured = _measured(cast, phases, recorder, progress)
    finally:
        cast.roles.close()
    report = InductionReport(
        statistician=cast.statistician.name,
        scientist=cast.scientist.name,
        experimenter=cast.experimenter.name,
        stand_ins=cast.stand_ins(),
        seed=cast.config.seed,
        phases=tuple(map(_phase_report, phases, measured.test)),
        scores=measured.scores,
        reworded=measured.reworded,
        acting=measured.acting,
        files=(f"run: {folder.path} (hypotheses.json, result.json, journal.jsonl)",),
        next_commands=_next_commands(folder, cast.world, phases[-1].best.hypothesis),
        seconds=recorder.seconds,
        made_with=folder.read_json(folder.environment),
    )
    folder.write_json(folder.result, report.to_json())
    return report


class _Measured(NamedTuple):
    """What was measured at the end."""

    scores: WorldScores
    reworded: WorldScores | None
    test: Sequence[Weighed | None]
    acting: tuple[ActingRow, ...]


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


def _measured(
    cast: Cast, phases: Sequence[Phase], recorder: Recorder, progress: Progress
) -> _Measured:
    """Returns what the run has found is worth, as far as that is asked for."""
    how, best = cast.config.evaluation, phases[-1].best.hypothesis
    measuring = Measuring(
        cast.world,
        roles=cast.roles,
        statistician=cast.statistician,
        recorder=recorder,
        progress=progress,
        seed=cast.config.seed,
    )
    scores, reworded = measuring.nothing(), None
    test: list[Weighed | None] = [None] * len(phases)
    acting: tuple[ActingRow, ...] = ()
    if how.evaluate != "none":
        scores, reworded = measuring.scores(
            phases, ranks=how.evaluate == "ranking", shuffles=how.shuffles
        )
        test = [*measuring.by_phase(phases)]
    if how.act_episodes:
        acting = measuring.acting(best, num_episodes=how.act_episodes)
    return _Measured(scores, reworded, test, acting)


def _phase_report(phase: Phase, test: Weighed | None) -> PhaseReport:
    return PhaseReport(
        phase=phase.number,
        hypothesis=phase.best.hypothesis,
        num_proposed=len(phase.steps),
        num_accepted=phase.num_accepted,
        counts=phase.collected,
        data=phase.best.weighed,
        test=test,
        effective_size=phase.effective_size,
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


def _next_commands(
    folder: InductionFolder, world: TextWorld, best: str | None
) -> tuple[str, ...]:
    if best is None or not best.strip():
        return ()
    commands = []
    if world.name.startswith("playground"):
        commands.append(f"python -m cwm.plan {folder.path}")
    commands.append(
        f"python -m cwm.synthesize --env {world.environment_id} "
        f"--hypotheses {folder.path} --llm openai:MODEL"
    )
    return tuple(commands)
