"""Low-rank additions to a local model's weights, trained, saved and loaded.

Covers: adapters of peft on linear layers, one or several beside a model that stays as
    it was; files that peft reads, too.
Does not cover: packed weights or packed optimiser states, other kinds of adapters,
    adding the product to the weights, which are shared with the model.
"""

import copy
import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.core.seeding import child_seed
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.packages import LazyPackage, Tensor, require_packages
from cwm.llm.local.tokenizing import TokenizedText
from cwm.llm.local.training import (
    ALL_LINEAR,
    TrainingConfig,
    TrainingProgress,
    random_numbers,
    train,
)

torch = LazyPackage("torch")
peft = LazyPackage("peft")
safetensors = LazyPackage("safetensors")
safetensors_torch = LazyPackage("safetensors.torch")

WEIGHTS_FILE = "adapter_model.safetensors"
"""Beside peft's `adapter_config.json`."""

_TRAINABLE = ("float32", "bfloat16")
_NAME = "default"
"""What peft calls an adapter that is given no name."""


class Adapter:
    """A model with low-rank additions to its linear layers.

    The layers are its own, and the weights that are not trained are those of the
    model in memory, which goes on as before: the additions are all that a second
    model costs.
    """

    def __init__(self, base: LoadedModel, config: TrainingConfig) -> None:
        """Makes additions that change nothing yet.

        Args:
            base: The model. Its weights no longer ask for a gradient.
            config: Rank, scale, dropout and layers, and the seed of the first weights.

        Raises:
            ConfigError: If the model's numbers are too coarse for gradients, or it has
                no layer of such a name.
            PrerequisiteError: If a package is missing.
        """
        require_packages(gguf=False, training=True)
        dtype = str(base.model.dtype).removeprefix("torch.")
        if dtype not in _TRAINABLE:
            raise ConfigError(
                f"dtype must be {' or '.join(_TRAINABLE)} to train {base.name}, got "
                f"{dtype}."
            )
        self._base = base
        self._config = config
        layers = _with_the_same_weights(base.model)
        settings = peft.LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=_target_modules(base, config),
            # GPT-2 keeps the weights of its linear layers transposed.
            fan_in_fan_out=any(type(m).__name__ == "Conv1D" for m in layers.modules()),
            task_type="CAUSAL_LM",
        )
        seed = child_seed(config.seed, "adapter")
        with random_numbers(base.model.device, seed), warnings.catch_warnings():
            # Peft asks transformers for what is called otherwise by now.
            warnings.simplefilter("ignore", FutureWarning)
            self._peft: Any = peft.get_peft_model(layers, settings)
        # Peft takes the folder, which is of this machine.
        self._settings.base_model_name_or_path = base.name
        self._peft.eval()

    @property
    def num_weights(self) -> int:
        """How many numbers are trained."""
        return sum(tensor.numel() for tensor in self._tensors().values())

    def train(
        self, texts: Sequence[TokenizedText], progress: TrainingProgress | None = None
    ) -> list[float]:
        """Trains the additions, and returns the loss of each step; see `train`.

        What `attached` returned before must not be used afterwards: it may have kept
        what it computed with the old weights.

        Raises:
            ConfigError: If the loss is no longer finite.
            LLMError: If the memory does not suffice.
        """
        return train(self._peft.get_base_model(), texts, self._config, progress)

    def attached(self, name: str) -> LoadedModel:
        """Returns the model with the additions, under a name of its own."""
        found = hashlib.sha256(self._base.fingerprint().encode())
        found.update(self._content())
        return replace(
            self._base,
            name=name,
            model=self._peft.get_base_model(),
            weights=found.hexdigest(),
        )

    def save(self, folder: Path) -> None:
        """Writes the additions as peft does; the folder is made if there is none.

        Raises:
            OSError: If the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        saved = copy.deepcopy(self._settings)
        saved.inference_mode = True
        saved.save_pretrained(str(folder))
        write_atomically(folder / WEIGHTS_FILE, self._content())

    def restore(self, folder: Path) -> None:
        """Takes the additions that `save` wrote.

        Raises:
            DataError: If they are missing, or of another model or rank.
        """
        path = folder / WEIGHTS_FILE
        try:
            found = safetensors_torch.load(path.read_bytes())
        except (OSError, safetensors.SafetensorError) as error:
            raise DataError(f"Adapter {str(path)!r} cannot be read: {error}") from error
        wanted = {name: one.shape for name, one in self._tensors().items()}
        if {name: one.shape for name, one in found.items()} != wanted:
            raise DataError(
                f"Adapter {str(path)!r} must have the {len(wanted)} tensors of rank "
                f"{self._config.rank} that belong to {self._base.name}, got others."
            )
        peft.set_peft_model_state_dict(self._peft, found)

    @property
    def _settings(self) -> Any:
        return self._peft.peft_config[_NAME]

    def _tensors(self) -> dict[str, Tensor]:
        # Asked about embeddings, peft would look the model up on the hub.
        found: dict[str, Tensor] = peft.get_peft_model_state_dict(
            self._peft, save_embedding_layers=False
        )
        return found

    def _content(self) -> bytes:
        tensors = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in sorted(self._tensors().items())
        }
        return bytes(safetensors_torch.save(tensors))


def _target_modules(base: LoadedModel, config: TrainingConfig) -> str | list[str]:
    if config.layer_names == (ALL_LINEAR,):
        return ALL_LINEAR
    known = {
        name.rpartition(".")[2]
        for name, layer in base.model.named_modules()
        if isinstance(layer, torch.nn.Linear) or type(layer).__name__ == "Conv1D"
    }
    # Peft is content with one name that fits.
    for name in config.layer_names:
        if name not in known:
            raise ConfigError(
                f"target_modules must name linear layers of {base.name}, got {name!r}. "
                f"Known: {', '.join(sorted(known))}."
            )
    return list(config.layer_names)


def _with_the_same_weights(model: Any) -> Any:
    """Returns a copy of the layers that shares their weights with the model."""
    return copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
