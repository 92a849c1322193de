"""A run of `cwm.knowledge`: its settings, and the files of its folder.

config.json, environment.json
experts.jsonl               episodes of the experts, shared by all seeds
experts-SPLIT.jsonl         the same of test games, for the row oracle
seed-N/steps.json           from what each of these was made:
seed-N/explored.jsonl       what the agent without knowledge did in the same games
seed-N/task_notes.jsonl     task knowledge
seed-N/kind_notes.jsonl     one text for each kind of task
seed-N/state_notes.jsonl    state knowledge
seed-N/training/NAME.jsonl  conversations that a model learns
seed-N/models/NAME/         trained models
    seed-N/oracle_notes-SPLIT.jsonl   task knowledge of test games
seed-N/base/                the state base
seed-N/played/ROW-SPLIT.jsonl   episodes of the evaluation
result.json                 its figures
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import tyro

from cwm.config import config_to_json, read_run_config
from cwm.core.errors import ConfigError
from cwm.core.names import slug
from cwm.execution.options import shown_as
from cwm.execution.provenance import environment_report
from cwm.execution.run_folder import RunFolder, create_run_folder
from cwm.knowledge_pipeline.games import GameConfig
from cwm.knowledge_pipeline.rows import DEFAULT_ROWS, Row, read_rows
from cwm.llm.local.config import LocalConfig
from cwm.llm.service_config import ServiceConfig
from cwm.providers.knowledge.acting.deciding import DecidingConfig
from cwm.providers.knowledge.base.states import RetrievalConfig
from cwm.providers.knowledge.models.config import AdapterConfig, ScratchConfig
from envs.text_games.base import Split
from prompts.knowledge import FOLDERS, KnowledgePrompts, known_folders

RUNS = Path("runs")
"""Where runs go that are given no folder."""

SCRATCH = "scratch"
DETERMINISTIC = "deterministic"

Thoughts: TypeAlias = Literal["none", "template"]
EncoderName: TypeAlias = Literal["hashed", "minilm", "own"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterConfig:
    """Who writes the knowledge that models learn.

    Attributes:
        writer: deterministic, which follows rules, or a language model as it is:
            hf:FOLDER, gguf:FILE, openai:MODEL.
        compare: Whether task knowledge comes from pairs, the expert's episode and the
            agent's own; otherwise from the expert's alone.
        thoughts: What the agent learns to say before each action: nothing, or a
            sentence made from task and action.
        prompts: Whose descriptions and worked examples are shown: express, household,
            scienceworld or textworld; by environment if not given.
    """

    writer: Annotated[str, shown_as("deterministic|KIND:NAME")] = DETERMINISTIC
    compare: bool = True
    thoughts: Thoughts = "none"
    prompts: Annotated[str | None, shown_as("NAME")] = None

    def __post_init__(self) -> None:
        known = known_folders()
        if self.prompts is not None and self.prompts not in known:
            raise ConfigError(
                f"prompts must be one of {', '.join(known)}, got {self.prompts!r}."
            )

    def prompts_for(self, env_id: str) -> KnowledgePrompts:
        """Returns the prompts for an environment.

        Raises:
            ConfigError: If it has none, and none were chosen.
        """
        if self.prompts is not None:
            return KnowledgePrompts(self.prompts)
        if env_id not in FOLDERS:
            raise ConfigError(
                f"prompts must be given for {env_id!r}: one of "
                f"{', '.join(known_folders())}."
            )
        return KnowledgePrompts.of(env_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which language models act and know.

    Attributes:
        agent_llm: Who acts: scratch, a small transformer from nothing whose weights
            are all trained; hf:ID_OR_FOLDER or gguf:FILE, which get an adapter (LoRA);
            openai:MODEL, which cannot be trained (rows prompted, prompted-task).
        knowledge_llm: Who knows; like the agent if not given. Two adapters of one
            model share its weights.
        base_url: Address of the endpoint of openai:MODEL; OpenAI's own if not given.
        scratch: Size and training of models from nothing.
        adapter: Adapters and their training; the defaults are the published ones.
        local: How models on this machine run.
        service: How endpoints are called.
    """

    agent_llm: Annotated[str, shown_as("scratch|KIND:NAME")] = SCRATCH
    knowledge_llm: Annotated[str | None, shown_as("scratch|KIND:NAME")] = None
    base_url: Annotated[str | None, shown_as("URL")] = None
    scratch: ScratchConfig = field(default_factory=ScratchConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    local: LocalConfig = field(default_factory=LocalConfig)
    service: ServiceConfig = field(default_factory=ServiceConfig)

    @property
    def knowledge_name(self) -> str:
        """Who knows."""
        return self.knowledge_llm or self.agent_llm


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeRunConfig:
    """Everything that decides what a run does.

    Attributes:
        games: Which games.
        writing: Who writes knowledge.
        models: Who acts and knows.
        encoder: How states of the base are compared: hashed counts words, minilm is a
            sentence encoder (extra [knowledge]), own is the knowledge model itself, as
            published.
        deciding: How agent and state base choose the next action.
        rows: Players of the evaluation, with commas between them.
        seeds: Seeds, with commas between them: of models and of everything drawn. Each
            makes a pipeline of its own.
    """

    games: Annotated[GameConfig, tyro.conf.arg(name="")] = field(
        default_factory=GameConfig
    )
    writing: Annotated[WriterConfig, tyro.conf.arg(name="")] = field(
        default_factory=WriterConfig
    )
    models: Annotated[ModelConfig, tyro.conf.arg(name="")] = field(
        default_factory=ModelConfig
    )
    encoder: EncoderName = "hashed"
    deciding: DecidingConfig = field(default_factory=DecidingConfig)
    rows: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME,NAME,...")] = (
        DEFAULT_ROWS
    )
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="INT,INT,...")] = (0,)

    def __post_init__(self) -> None:
        read_rows(self.rows)
        if not self.seeds or any(seed < 0 for seed in self.seeds):
            raise ConfigError(f"seeds must be at least 0, got {self.seeds}.")

    def read_rows(self) -> dict[str, Row]:
        """Returns the players by name, in the order of tables."""
        return read_rows(self.rows)

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        return config_to_json(self)


PRESETS: Mapping[str, KnowledgeRunConfig] = {
    "default": KnowledgeRunConfig(),
    "wkm-2024": KnowledgeRunConfig(
        writing=WriterConfig(thoughts="template"),
        encoder="own",
        deciding=DecidingConfig(
            scoring="first_token", retrieval=RetrievalConfig(num_neighbours=3000)
        ),
    ),
}
"""Named settings to start from: ours, and the paper's (table 6 and section 4; its
weights of the agent differ by environment: `PUBLISHED_AGENT_WEIGHTS`)."""


@dataclass(frozen=True, slots=True)
class KnowledgeFolder(RunFolder):
    """The files of a run."""

    @property
    def experts(self) -> Path:
        """Episodes of the experts."""
        return self.path / "experts.jsonl"

    def experts_in(self, split: Split) -> Path:
        """Returns the file of the experts' episodes in test games."""
        return self.path / f"experts-{split}.jsonl"

    def of(self, seed: int) -> "SeedFolder":
        """Returns the files of one seed."""
        return SeedFolder(self.path / f"seed-{seed}")

    def read_config(self) -> KnowledgeRunConfig:
        """Returns the settings of the run.

        Raises:
            ConfigError: If there is no such run here, or they cannot be read.
        """
        return read_run_config(
            self, KnowledgeRunConfig(), command="cwm.knowledge", key="deciding"
        )


@dataclass(frozen=True, slots=True)
class SeedFolder:
    """The files of one seed of a run."""

    path: Path

    @property
    def ledger(self) -> Path:
        """From what each step was made."""
        return self.path / "steps.json"

    @property
    def explored(self) -> Path:
        """Episodes of the agent without knowledge."""
        return self.path / "explored.jsonl"

    @property
    def task_notes(self) -> Path:
        """Task knowledge of each game."""
        return self.path / "task_notes.jsonl"

    @property
    def kind_notes(self) -> Path:
        """Task knowledge of each kind of task."""
        return self.path / "kind_notes.jsonl"

    @property
    def state_notes(self) -> Path:
        """State knowledge."""
        return self.path / "state_notes.jsonl"

    @property
    def base(self) -> Path:
        """The state base."""
        return self.path / "base"

    def training(self, name: str) -> Path:
        """Returns the file of what a model learns."""
        return self.path / "training" / f"{name}.jsonl"

    def model(self, name: str) -> Path:
        """Returns the folder of a trained model."""
        return self.path / "models" / name

    def oracle_notes(self, split: Split) -> Path:
        """Returns the file of task knowledge of test games."""
        return self.path / f"oracle_notes-{split}.jsonl"

    def played(self, row: str, split: str) -> Path:
        """Returns the file of a row's episodes."""
        return self.path / "played" / f"{row}-{split}.jsonl"


def new_folder(config: KnowledgeRunConfig, out: Path | None) -> KnowledgeFolder:
    """Makes the folder of a new run, with its settings.

    Raises:
        ConfigError: If the folder holds a run, or cannot be written.
    """
    today = datetime.now().astimezone().date()
    name = f"{slug(config.games.env)}-knowledge"
    folder = KnowledgeFolder(
        create_run_folder(name, out=out, runs=RUNS, today=today).path
    )
    folder.write_json(folder.environment, environment_report())
    # Last: a folder with settings has all that a run needs.
    folder.write_json(folder.config, config.to_json())
    return folder
