"""Makes the player of a row from what a run has trained and written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cwm.core.errors import ConfigError
from cwm.knowledge_pipeline.models import Models
from cwm.knowledge_pipeline.playing import expert_in
from cwm.knowledge_pipeline.rows import Row, agents_of
from cwm.knowledge_pipeline.runs import SCRATCH, KnowledgeRunConfig, SeedFolder
from cwm.knowledge_pipeline.training_data import KNOWLEDGE, ROLES, ModelName
from cwm.knowledge_pipeline.writing import check_kinds
from cwm.llm.chat import ChatModel
from cwm.llm.local.model import TransformersModel
from cwm.llm.registry import scoring_side
from cwm.providers.knowledge.acting.deciding import DecidingConfig, KnowledgePlayer
from cwm.providers.knowledge.acting.knowing import (
    Knower,
    KnowledgeModel,
    WrittenKnowledge,
)
from cwm.providers.knowledge.acting.players import Player, RandomPlayer
from cwm.providers.knowledge.base.caching import CachedEncoder
from cwm.providers.knowledge.base.encoders import (
    Encoder,
    HashedEncoder,
    MiniLMEncoder,
)
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.base.storing import load_base
from cwm.providers.knowledge.models.pooled import PooledStates
from cwm.providers.knowledge.records import Episode, TaskNote, read_records
from envs.text_games.base import TextGame
from prompts.knowledge import KnowledgePrompts

PlayerMaker = Callable[[TextGame], Player]
"""Returns who plays in an environment."""


@dataclass(frozen=True, kw_only=True)
class Cast:
    """What players of one seed are made of.

    Attributes:
        config: The settings of the run.
        files: Of the seed.
        prompts: What models are told.
        models: The language models.
    """

    config: KnowledgeRunConfig
    files: SeedFolder
    prompts: KnowledgePrompts
    models: Models

    def model(self, name: ModelName) -> ChatModel:
        """Returns a trained model.

        Raises:
            DataError: If it has not been trained.
        """
        return self.models.trained(
            self.llm(name), self.files.model(name), role=ROLES[name]
        )

    def llm(self, name: ModelName) -> str:
        """Returns what a model is made from, as the settings name it."""
        models = self.config.models
        return models.knowledge_name if name == KNOWLEDGE else models.agent_llm

    def alone(self) -> KnowledgePlayer:
        """Returns the agent that was trained without knowledge."""
        return self._agent("agent without knowledge", self.model("plain"))

    def encoder(self) -> Encoder:
        """Returns what compares states of the base.

        Raises:
            DataError: If it is the knowledge model and was not trained.
            PrerequisiteError: If a package is missing.
        """
        name = self.config.encoder
        if name == "own":
            model = self.model(KNOWLEDGE)
            assert isinstance(model, TransformersModel), "trained on this machine"
            return CachedEncoder(PooledStates(model))
        return CachedEncoder(HashedEncoder() if name == "hashed" else MiniLMEncoder())

    def base(self) -> StateBase:
        """Returns the state base that was built.

        Raises:
            DataError: If it was not, or cannot be read.
            ConfigError: If its encoder is another one now.
            PrerequisiteError: If a package is missing.
        """
        return load_base(self.files.base, self.encoder())

    def player(
        self,
        name: str,
        row: Row,
        *,
        base: StateBase | None,
        oracle: Mapping[str, str],
    ) -> PlayerMaker:
        """Returns what makes the player of a row.

        Args:
            name: Of the row.
            row: What it is.
            base: The state base, where the row uses it.
            oracle: Task knowledge of the games to be played, by their keys, where the
                row is told it.

        Raises:
            CwmError: If something that it needs was not made.
        """
        if row.agent == "random":
            return lambda _: RandomPlayer()
        if row.agent == "expert":
            return lambda env: expert_in(self.config.games, env)
        if row.agent == "untrained":
            agent = self.models.untrained(self.config.models.agent_llm)
        else:
            agent = self.model(row.agent)
        made = replace(
            self._agent(name, agent),
            knower=self._knower(row, oracle),
            tells_task=row.told != "nothing",
            shows_state=row.state == "context",
            base=base if row.state == "base" else None,
            config=_as_released(self.config.deciding)
            if row.released
            else self.config.deciding,
        )
        return lambda _: made

    def _agent(self, name: str, model: ChatModel) -> KnowledgePlayer:
        config = self.config
        return KnowledgePlayer(
            name=f"{name}: {model.name}",
            agent=model,
            scorer=scoring_side(model),
            prompts=self.prompts,
            thinks=config.writing.thoughts != "none",
            config=config.deciding,
        )

    def _knower(self, row: Row, oracle: Mapping[str, str]) -> Knower | None:
        if row.told == "oracle":
            return WrittenKnowledge(name=self.config.writing.writer, texts=oracle)
        if row.told == "kind":
            notes = read_records(self.files.kind_notes, TaskNote)
            return WrittenKnowledge(
                name=notes[0].made_by, texts=self._by_kind(notes), of="task"
            )
        if row.needs_knowledge:
            return KnowledgeModel(self.model(KNOWLEDGE), self.prompts)
        return None

    def _by_kind(self, notes: list[TaskNote]) -> dict[str, str]:
        experts = self.files.path.parent / "experts.jsonl"
        tasks = {one.id: one.task for one in read_records(experts, Episode)}
        return {tasks[note.episode]: note.text for note in notes}


def _as_released(config: DecidingConfig) -> DecidingConfig:
    """Returns the settings of the published code; see the row `released`."""
    return replace(
        config,
        choose="verbs",
        scoring="first_token",
        mixing=replace(config.mixing, agent_weight=1.0, mode="released"),
        retrieval=replace(config.retrieval, filter="after", num_neighbours=3000),
    )


def check_players(config: KnowledgeRunConfig) -> None:
    """Refuses settings that would fail only after the work.

    Raises:
        ConfigError: If there are such.
    """
    rows, models = config.read_rows(), config.models
    if len(set(config.seeds)) < len(config.seeds):
        raise ConfigError(f"seeds must be different numbers, got {config.seeds}.")
    if config.deciding.choose == "free" and any(
        row.state == "base" for row in rows.values()
    ):
        raise ConfigError(
            "deciding.choose must be verbs or commands where a row uses the state "
            "base, got free."
        )
    if any(row.told == "kind" for row in rows.values()):
        check_kinds(config.writing)
    untrained = [name for name, row in rows.items() if row.agent == "untrained"]
    if untrained and models.agent_llm == SCRATCH:
        raise ConfigError(
            f"rows {', '.join(untrained)} need agent_llm hf:ID_OR_FOLDER, gguf:FILE or "
            "openai:MODEL: a model from nothing says nothing before it is trained."
        )
    _check_endpoints(config, rows)


def _check_endpoints(config: KnowledgeRunConfig, rows: Mapping[str, Row]) -> None:
    """Refuses training of models that are elsewhere."""
    models = config.models
    trained = [name for name, row in rows.items() if agents_of([row])]
    is_explored = config.writing.compare and any(
        row.told != "nothing" or row.state != "none" for row in rows.values()
    )
    if models.agent_llm.startswith("openai:") and (trained or is_explored):
        what = f"rows {', '.join(trained)} need" if trained else "compare needs"
        raise ConfigError(
            f"{what} a trained agent, and {models.agent_llm} is elsewhere. Take the "
            "rows prompted and prompted-task, with --no-compare."
        )
    knows = any(row.needs_knowledge for row in rows.values())
    if models.knowledge_name.startswith("openai:") and knows:
        raise ConfigError(
            "knowledge_llm must be scratch, hf:ID_OR_FOLDER or gguf:FILE, which can be "
            f"trained, got {models.knowledge_name}."
        )
