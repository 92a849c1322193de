"""What is known of a trained model: a file beside its weights, written last."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.llm.local.conversations import Turn, tokenize_conversations
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.local.training import GradientConfig, TrainingProgress, train

ABOUT_FILE = "training.json"
"""Where it is, the model beside it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """What a model was trained on.

    Attributes:
        num_conversations: All that it was given.
        num_answers: Answers that it learned.
        num_cut_answers: Answers that it did not, because the text up to their end is
            too long.
        num_empty: Conversations of which it learned nothing, because of that.
        losses: Mean of `-log p` of the answers' tokens at each step, in nats, before
            the step and on its batch.
    """

    num_conversations: int
    num_answers: int
    num_cut_answers: int
    num_empty: int
    losses: tuple[float, ...]


AboutT = TypeVar("AboutT")


def write_about(folder: Path, about: Any) -> None:
    """Says what a folder holds.

    Raises:
        OSError: If it cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(about), indent=2)
    write_atomically(folder / ABOUT_FILE, text + b"\n")


def read_about(folder: Path, kind: type[AboutT]) -> AboutT:
    """Returns what `write_about` wrote.

    Raises:
        DataError: If the folder holds no such model, or an unfinished one.
    """
    path = folder / ABOUT_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, ConfigError) as error:
        raise DataError(
            f"{str(path)!r} must describe a whole trained model, and cannot be read: "
            f"{error} Train it again."
        ) from error


def train_on(
    reader: LoadedModel,
    template: ChatTemplate,
    conversations: Sequence[Sequence[Turn]],
    config: GradientConfig,
    *,
    max_tokens: int,
    progress: TrainingProgress | None,
) -> TrainedOn:
    """Changes the weights that ask for a gradient.

    Args:
        reader: The model that is trained.
        template: Its chat template.
        conversations: What it learns; at least one.
        config: How.
        max_tokens: Of a conversation, or the context if that is shorter.
        progress: Told of every step.

    Raises:
        DataError: If there is nothing to learn.
        ConfigError: If the loss is no longer finite.
        LLMError: If the memory does not suffice.
    """
    if not conversations:
        raise DataError("conversations must hold one to learn from, got none.")
    found = tokenize_conversations(
        reader, template, conversations, max_tokens=max_tokens
    )
    losses = train(reader.model, found.texts, config, progress)
    return TrainedOn(
        num_conversations=len(conversations),
        num_answers=found.num_answers,
        num_cut_answers=found.num_cut_answers,
        num_empty=found.num_empty,
        losses=tuple(losses),
    )
