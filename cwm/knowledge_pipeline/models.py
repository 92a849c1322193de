"""The language models of a run: as they are, trained, and read again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_seed
from cwm.execution.progress import Progress, Status
from cwm.knowledge_pipeline.runs import SCRATCH, ModelConfig
from cwm.llm.chat import ChatModel
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.training import TrainingStep
from cwm.llm.registry import make_chat_model
from cwm.providers.knowledge.conversations import Conversation
from cwm.providers.knowledge.models.adapted import load_adapted, train_adapter
from cwm.providers.knowledge.models.scratch import read_scratch, train_scratch


class Models:
    """Makes models by name; each is in memory once, whatever is trained on it.

    Args:
        config: Which ones, and how they are trained.
    """

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        self._bases: dict[str, ChatModel] = {}

    def untrained(self, llm: str) -> ChatModel:
        """Returns a language model as it is.

        Raises:
            ConfigError: If there is none of that name, or it would know nothing.
            PrerequisiteError: If a package is missing.
        """
        if llm == SCRATCH:
            raise ConfigError(
                "A model from nothing says nothing before it is trained: rows prompted "
                "and prompted-task need agent_llm hf:ID_OR_FOLDER, gguf:FILE or "
                "openai:MODEL."
            )
        if llm not in self._bases:
            is_endpoint = llm.startswith("openai:")
            self._bases[llm] = make_chat_model(
                llm,
                base_url=self._config.base_url if is_endpoint else None,
                service=self._config.service,
                local=self._config.local,
            )
        return self._bases[llm]

    def check_trainable(self, llm: str) -> None:
        """Refuses a model that cannot be trained.

        Raises:
            ConfigError: If that is so.
            PrerequisiteError: If a package is missing.
        """
        if llm != SCRATCH:
            self._local(llm)

    def train(
        self,
        llm: str,
        conversations: Sequence[Conversation],
        folder: Path,
        *,
        role: str,
        seed: int,
        progress: Progress,
    ) -> None:
        """Trains a model on conversations and writes it to a folder.

        Args:
            llm: scratch, or the model that gets an adapter.
            conversations: What it learns.
            folder: Where it goes.
            role: What it is for.
            seed: Of first weights, orders and dropout.
            progress: Told of every step.

        Raises:
            CwmError: If the model cannot be trained, or the training failed.
        """
        progress.phase(f"Training {role} on {len(conversations):,} conversations")

        def told(step: TrainingStep) -> None:
            status = Status(
                completed=step.number,
                total=step.num_steps,
                unit="steps",
                measures={"loss": f"{step.loss:.3f}"},
            )
            progress.update(status)

        seed = child_seed(seed, "training", role)
        try:
            if llm == SCRATCH:
                train_scratch(
                    conversations,
                    replace(self._config.scratch, seed=seed),
                    name=_scratch_name(self._config, role),
                    local=self._config.local,
                    progress=told,
                ).save(folder)
                return
            train_adapter(
                self._local(llm),
                conversations,
                replace(self._config.adapter, seed=seed),
                role=role,
                progress=told,
            ).save(folder)
        except OSError as error:
            raise ConfigError(f"{str(folder)!r} cannot be written: {error}.") from error

    def trained(self, llm: str, folder: Path, *, role: str) -> TransformersModel:
        """Returns the model that `train` wrote.

        Raises:
            DataError: If the folder holds none, or an unfinished one.
            ConfigError: If it is of another model.
        """
        if llm != SCRATCH:
            return load_adapted(folder, self._local(llm)).model
        read_scratch(folder)
        model = TransformersModel.from_hub_or_folder(str(folder), self._config.local)
        loaded = replace(model.loaded, name=_scratch_name(self._config, role))
        return TransformersModel(loaded, self._config.local)

    def _local(self, llm: str) -> TransformersModel:
        model = self.untrained(llm)
        if not isinstance(model, TransformersModel):
            raise ConfigError(
                "Only models on this machine can be trained (scratch, hf:, gguf:), got "
                f"{llm}. With an endpoint take the rows prompted and prompted-task."
            )
        return model


def _scratch_name(config: ModelConfig, role: str) -> str:
    return f"transformer from nothing ({config.scratch.layers} layers), as {role}"
