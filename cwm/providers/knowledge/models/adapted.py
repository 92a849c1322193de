"""Adapters that learn conversations: several models on one base in memory.

Agent and knowledge model of the paper are two adapters of one language model (Qiao et
al., 2024, https://arxiv.org/abs/2405.14205). Each is a model of its own
here, and all share the weights of the base, which stays as it was and can be used, too.

Covers: local models of transformers; saving and loading.
Does not cover: going on with a training that was interrupted: it is begun again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cwm.core.errors import ConfigError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.adapters import Adapter
from cwm.llm.local.conversations import Turn
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.training import TrainingProgress
from cwm.providers.knowledge.models.about import (
    ABOUT_FILE,
    TrainedOn,
    read_about,
    train_on,
    write_about,
)
from cwm.providers.knowledge.models.config import AdapterConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedAbout:
    """What an adapted model was made from.

    Attributes:
        role: What it is for, such as `agent`.
        base: Name of the model.
        base_weights: Hash of its files; empty if only the name is known.
        config: How it was trained.
        trained_on: What it learned.
    """

    role: str
    base: str
    base_weights: str
    config: AdapterConfig
    trained_on: TrainedOn

    @property
    def name(self) -> str:
        """As shown in tables."""
        return f"{self.base}, trained as {self.role}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedModel:
    """A base with an adapter. The base stays as it was.

    Attributes:
        about: What it was made from.
        model: Answers and scores, under the name `about.name`.
        adapter: What was trained.
    """

    about: AdaptedAbout
    model: TransformersModel
    adapter: Adapter

    def save(self, folder: Path) -> None:
        """Writes adapter, settings and losses; the folder is made if there is none.

        Raises:
            OSError: If the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT_FILE).unlink(missing_ok=True)
        self.adapter.save(folder)
        write_about(folder, self.about)


def train_adapter(
    base: TransformersModel,
    conversations: Sequence[Sequence[Turn]],
    config: AdapterConfig,
    *,
    role: str,
    progress: TrainingProgress | None = None,
) -> AdaptedModel:
    """Returns a model that learned the marked answers of conversations.

    Args:
        base: What to begin from; it is not changed, and may be used meanwhile.
        conversations: Messages with marks; at least one conversation.
        config: How to train.
        role: What the model is for.
        progress: Told of every step.

    Raises:
        DataError: If there is nothing to learn.
        ConfigError: If the model cannot be trained or scored with, or the loss is no
            longer finite.
        LLMError: If the template refuses the messages, or the memory does not suffice.
        PrerequisiteError: If a package is missing.
    """
    adapter = Adapter(base.loaded, config)
    # A model that takes no trees of texts is refused here, before the work.
    base.log_probs([ChatMessage("user", "What now?")], ["Go on."])
    trained_on = train_on(
        adapter.attached("in training"),
        base.template,
        conversations,
        config,
        max_tokens=config.max_tokens,
        progress=progress,
    )
    about = AdaptedAbout(
        role=role,
        base=base.name,
        base_weights=_weights_of(base),
        config=config,
        trained_on=trained_on,
    )
    return _adapted(about, base, adapter)


def load_adapted(folder: Path, base: TransformersModel) -> AdaptedModel:
    """Returns the model that was saved in a folder.

    Args:
        folder: Where `AdaptedModel.save` wrote it.
        base: The one that it was made from; it is not changed.

    Raises:
        ConfigError: If it is another one.
        DataError: If the folder holds none, or an unfinished one.
        PrerequisiteError: If a package is missing.
    """
    about = read_about(folder, AdaptedAbout)
    found = (base.name, _weights_of(base))
    if found != (about.base, about.base_weights):
        raise ConfigError(
            f"{str(folder)!r} must be loaded with the model that it was made from, "
            f"{about.base!r} with hash {about.base_weights[:12]!r}, got {found[0]!r} "
            f"with {found[1][:12]!r}."
        )
    adapter = Adapter(base.loaded, about.config)
    adapter.restore(folder)
    return _adapted(about, base, adapter)


def _adapted(
    about: AdaptedAbout, base: TransformersModel, adapter: Adapter
) -> AdaptedModel:
    # Made only now, so that nothing in it was computed with other weights.
    model = TransformersModel(adapter.attached(about.name), base.config)
    return AdaptedModel(about=about, model=model, adapter=adapter)


def _weights_of(model: TransformersModel) -> str:
    return str(model.identity.get("weights", ""))
