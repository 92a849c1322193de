"""A run of `cwm.knowledge` as prior of planners in text games."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cwm.core.errors import ConfigError, DataError
from cwm.core.spaces import TextSpec
from cwm.evaluation.decisions import EvaluatorUse
from cwm.evaluation.guides import Guide
from cwm.knowledge_pipeline.rows import ROWS
from cwm.knowledge_pipeline.runs import KnowledgeFolder, KnowledgeRunConfig
from cwm.knowledge_pipeline.training_data import KNOWLEDGE
from cwm.providers.knowledge.base.storing import read_manifest
from cwm.providers.knowledge.guiding import GuidingConfig, KnowledgePrior
from envs.spec import EnvSpec

Speaker: TypeAlias = Literal["base", "none", "state", "task", "wkm"]

_BASE = "base"
_SEED = "seed-"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeGuideConfig:
    """What of a run of cwm.knowledge is the prior.

    Attributes:
        row: Who speaks: base, the state base alone, which costs no language model; or
            as in the rows of the run's table: none, an agent without knowledge; state,
            the same with the state base; task, an agent that is told task knowledge;
            wkm, both.
        agent_contexts: Contexts that the agent is asked about in each episode, the
            first ones that planners ask about; the state base speaks alone for the
            others, or nothing does. At least 0.
        epsilon: Share that is given to all legal actions evenly, from 0 to 1, so that
            a search can find out that knowledge is wrong.
        agent_weight: Weight of the agent beside the state base, from 0 to 1; that of
            the run if not given.
    """

    row: Speaker = "base"
    agent_contexts: int = 16
    epsilon: float = 0.1
    agent_weight: float | None = None

    def __post_init__(self) -> None:
        if self.agent_contexts < 0:
            raise ConfigError(
                f"knowledge.agent_contexts must be at least 0, got "
                f"{self.agent_contexts}."
            )
        for name in ("epsilon", "agent_weight"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 1.0:
                raise ConfigError(f"knowledge.{name} must be from 0 to 1, got {value}.")

    @property
    def needs_base(self) -> bool:
        """Whether a state base speaks."""
        return self.row == _BASE or ROWS[self.row].state == "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeRun:
    """What a run of `cwm.knowledge` has learned, as a prior; an `OpenableGuide`.

    Attributes:
        path: Folder of the run.
        seed: Which of its seeds.
        config: What of it speaks.
    """

    path: Path
    seed: int
    config: KnowledgeGuideConfig

    @classmethod
    def of(cls, path: Path, config: KnowledgeGuideConfig) -> "KnowledgeRun":
        """Returns the guide of a run's folder, or of the folder of one of its seeds.

        Raises:
            ConfigError: If there is no such run or seed, or its agent thinks.
            DataError: If what is to speak was not made.
        """
        seed: int | None = None
        number = path.name.removeprefix(_SEED)
        if path.name.startswith(_SEED) and number.isdecimal():
            path, seed = path.parent, int(number)
        folder, run = _read(path)
        if seed is None:
            seed = run.seeds[0]
        elif seed not in run.seeds:
            raise ConfigError(
                f"{str(path)!r} has the seeds {', '.join(map(str, run.seeds))}, got "
                f"{seed}."
            )
        made = cls(path=path, seed=seed, config=config)
        made._check(folder, run)
        return made

    @property
    def discount(self) -> None:
        """It has no value, and thus no discount."""
        return

    @property
    def name(self) -> str:
        """Which run it is, in words."""
        row = "state base" if self.config.row == _BASE else f"row {self.config.row}"
        return f"prior {self.path.resolve().name}/{_SEED}{self.seed} ({row})"

    @contextmanager
    def open(self, spec: EnvSpec) -> Iterator[Guide]:
        """Yields the prior, nothing evaluated yet.

        Raises:
            ConfigError: If the environment is no text game.
            DataError: If what is to speak cannot be read.
            PrerequisiteError: If a package is missing.
        """
        spaces = spec.observation_space, spec.action_space
        if not all(isinstance(space, TextSpec) for space in spaces):
            raise ConfigError(
                "prior wkm:RUN is for games that are played in words, such as twc, "
                f"got {spec.id!r}. Take --prior ppo:RUN."
            )
        yield _OpenKnowledge(self._make())

    def to_json(self) -> dict[str, Any]:
        """Returns which run it is, and what of it speaks."""
        folder, run = _read(self.path)
        told: dict[str, Any] = {
            "run": self.path.resolve().name,
            "seed": self.seed,
            "learned_in": run.games.id,
            "agent_llm": None if self.config.row == _BASE else run.models.agent_llm,
            **asdict(self.config),
        }
        if self.config.needs_base:
            manifest = read_manifest(folder.of(self.seed).base)
            told["base_sha256"] = manifest.entries_sha256
        return {"prior": told}

    def _check(self, folder: KnowledgeFolder, run: KnowledgeRunConfig) -> None:
        """Refuses what would fail only when it is asked."""
        files = folder.of(self.seed)
        if self.config.row != _BASE and run.writing.thoughts != "none":
            raise ConfigError(
                f"knowledge.row {self.config.row} needs an agent that does not think "
                f"(thoughts none), and {str(self.path)!r} has thoughts "
                f"{run.writing.thoughts}. Take --knowledge.row base."
            )
        wanted = [files.base] if self.config.needs_base else []
        if self.config.row != _BASE:
            row = ROWS[self.config.row]
            wanted.append(files.model(row.agent))
            if row.told == "model":
                wanted.append(files.model(KNOWLEDGE))
        for path in wanted:
            if not path.exists():
                rows = ", ".join(run.rows)
                raise DataError(
                    f"knowledge.row {self.config.row} needs {str(path)!r}, which this "
                    f"run has not made; its rows are {rows}."
                )

    def _make(self) -> KnowledgePrior:
        # Imported where they are used: they take as long as all else of cwm.plan.
        from cwm.knowledge_pipeline.models import Models  # noqa: PLC0415
        from cwm.knowledge_pipeline.players import Cast  # noqa: PLC0415
        from cwm.knowledge_pipeline.priors import make_prior  # noqa: PLC0415

        folder, run = _read(self.path)
        cast = Cast(
            config=run,
            files=folder.of(self.seed),
            prompts=run.writing.prompts_for(run.games.id),
            models=Models(run.models),
        )
        return make_prior(cast, ROWS.get(self.config.row), self._guiding(run))

    def _guiding(self, run: KnowledgeRunConfig) -> GuidingConfig:
        mixing = replace(run.deciding.mixing, epsilon=self.config.epsilon)
        if self.config.agent_weight is not None:
            mixing = replace(mixing, agent_weight=self.config.agent_weight)
        return GuidingConfig(
            mixing=mixing,
            retrieval=run.deciding.retrieval,
            agent_contexts=self.config.agent_contexts,
        )


@dataclass(frozen=True, slots=True)
class _OpenKnowledge:
    prior: KnowledgePrior

    @property
    def value(self) -> None:
        """Knowledge says nothing of returns."""
        return

    @property
    def use(self) -> EvaluatorUse:
        """How much it was used; calls are those of a language model."""
        return EvaluatorUse(
            num_contexts=self.prior.num_contexts,
            num_evaluations=self.prior.num_evaluated,
            num_calls=self.prior.num_agent_contexts,
        )

    def forget(self) -> None:
        """Forgets what was answered."""
        self.prior.forget()


def _read(path: Path) -> tuple[KnowledgeFolder, KnowledgeRunConfig]:
    folder = KnowledgeFolder(path)
    return folder, folder.read_config()
