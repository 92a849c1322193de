"""Small language models from nothing, trained on conversations alone.

Covers: a tokenizer of their own, a transformer with random weights, training of all
    weights on one device, a folder that `hf:FOLDER` reads.
Does not cover: going on with a training that was interrupted: it is begun again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cwm.core.seeding import child_seed
from cwm.llm.local.config import DEFAULT_LOCAL_CONFIG, LocalConfig
from cwm.llm.local.conversations import Turn
from cwm.llm.local.loading import LoadedModel, prepare_device, quiet_progress
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.packages import LazyPackage, require_packages
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.local.training import TrainingProgress, random_numbers
from cwm.providers.knowledge.models.about import (
    ABOUT_FILE,
    TrainedOn,
    read_about,
    train_on,
    write_about,
)
from cwm.providers.knowledge.models.config import ScratchConfig
from cwm.providers.knowledge.models.vocabulary import make_tokenizer

torch = LazyPackage("torch")
transformers = LazyPackage("transformers")
safetensors_torch = LazyPackage("safetensors.torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchAbout:
    """How a model from nothing was made.

    Attributes:
        config: Its shape, and how it was trained.
        num_weights: How many numbers it has.
        trained_on: What it learned.
    """

    config: ScratchConfig
    num_weights: int
    trained_on: TrainedOn


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchModel:
    """A model from nothing, in memory.

    Attributes:
        about: How it was made.
        model: Answers and scores.
    """

    about: ScratchAbout
    model: TransformersModel

    def save(self, folder: Path) -> None:
        """Writes the model as transformers does; the folder is made if there is none.

        `hf:FOLDER` reads it. While it is not whole, `read_scratch` says so.

        Raises:
            OSError: If the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT_FILE).unlink(missing_ok=True)
        loaded = self.model.loaded
        with quiet_progress():
            loaded.model.save_pretrained(folder, safe_serialization=True)
        loaded.tokenizer.save_pretrained(folder)
        write_about(folder, self.about)


def train_scratch(
    conversations: Sequence[Sequence[Turn]],
    config: ScratchConfig,
    *,
    name: str = "scratch",
    local: LocalConfig = DEFAULT_LOCAL_CONFIG,
    progress: TrainingProgress | None = None,
) -> ScratchModel:
    """Returns a model that knows nothing but the conversations.

    On the CPU, the same conversations, settings and threads give the same weights.

    Args:
        conversations: Messages with marks; at least one conversation. The tokenizer is
            made from all messages, the weights learn the marked ones.
        config: Shape and training.
        name: The model's id beside its numbers.
        local: Device and threads, and how the model is run afterwards.
        progress: Told of every step.

    Raises:
        DataError: If there is nothing to learn.
        ConfigError: If the loss is no longer finite.
        LLMError: If the memory does not suffice.
        PrerequisiteError: If a package is missing.
    """
    require_packages(gguf=False)
    device = prepare_device(local)
    tokenizer = make_tokenizer(conversations, config.vocabulary_size)
    model = random_model(config, tokenizer).to(device)
    loaded = LoadedModel.of(name, model, tokenizer)
    template = ChatTemplate(name=name, tokenizer=tokenizer, end_ids=loaded.end_ids)
    trained_on = train_on(
        loaded,
        template,
        conversations,
        config,
        max_tokens=config.context_tokens,
        progress=progress,
    )
    about = ScratchAbout(
        config=config,
        num_weights=sum(weight.numel() for weight in model.parameters()),
        trained_on=trained_on,
    )
    loaded = replace(loaded, weights=_content_hash(loaded))
    return ScratchModel(about=about, model=TransformersModel(loaded, local))


def read_scratch(folder: Path) -> ScratchAbout:
    """Returns what is known of a saved model, without loading it.

    Raises:
        DataError: If the folder holds none, or an unfinished one.
    """
    return read_about(folder, ScratchAbout)


def random_model(config: ScratchConfig, tokenizer: Any) -> Any:
    """Returns a transformer with random weights, from `config.seed`.

    Llama's layers, with as many keys and values as heads, and one table for tokens that
    are read and written.
    """
    settings = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.width,
        intermediate_size=2 * config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        max_position_embeddings=config.context_tokens,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        # Transformers' own 0.02 is for wide models.
        initializer_range=config.width**-0.5,
    )
    with random_numbers(torch.device("cpu"), child_seed(config.seed, "weights")):
        return transformers.LlamaForCausalLM(settings).eval()


def _content_hash(loaded: LoadedModel) -> str:
    """Returns a hash of weights and tokenizer."""
    tensors = {
        name: weight.detach().cpu().contiguous()
        for name, weight in sorted(loaded.model.named_parameters())
    }
    found = hashlib.sha256(safetensors_torch.save(tensors))
    found.update(loaded.tokenizer.backend_tokenizer.to_str().encode())
    return found.hexdigest()
