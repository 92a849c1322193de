"""Weights and tokenizers of local models, read by transformers.

Covers: folders and GGUF files on this machine, ids of the Hugging Face hub, choice of
    device, number type and threads, and a clear reason when a model cannot be used.
Does not cover: code that comes with a model (never run), models split over several
    devices, models that keep anything but keys and values of attention.
"""

import hashlib
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.llm.local.config import DeviceConfig
from cwm.llm.local.packages import LazyPackage, require_packages

torch = LazyPackage("torch")
transformers = LazyPackage("transformers")

_ATTENTION = {"full_attention", "sliding_attention"}
_GGUF_MAGIC = b"GGUF"
_MAX_REASON_CHARS = 300
_NUM_SAMPLES = 64
_SAMPLE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model is read from.

    Attributes:
        location: An id of the hub, or a folder.
        gguf_file: The file's name in that folder, if it is a GGUF file.
    """

    location: str
    gguf_file: str | None = None

    @classmethod
    def from_hub_or_folder(cls, text: str) -> "ModelSource":
        """Returns the source that the text after `hf:` names.

        Raises:
            ConfigError: If it can only be a folder, and is none of a model.
            PrerequisiteError: If a package is missing.
        """
        require_packages(gguf=False)
        folder = Path(text).expanduser()
        if folder.is_dir():
            if not (folder / "config.json").is_file():
                raise ConfigError(
                    f"hf:{text} must be a folder with a model, got one without "
                    "config.json."
                )
            return cls(str(folder))
        if text.startswith((".", "/", "~", "\\")) or text.count("/") > 1:
            raise ConfigError(f"hf:{text} must name a folder or a model of the hub.")
        return cls(text)

    @classmethod
    def from_gguf(cls, text: str) -> "ModelSource":
        """Returns the source that the text after `gguf:` names.

        Raises:
            ConfigError: If it is not a GGUF file.
            PrerequisiteError: If a package is missing.
        """
        require_packages(gguf=True)
        path = Path(text).expanduser()
        if not path.is_file():
            raise ConfigError(f"gguf:{text} must name a file, and there is none.")
        with path.open("rb") as file:
            if file.read(len(_GGUF_MAGIC)) != _GGUF_MAGIC:
                raise ConfigError(f"gguf:{text} must name a GGUF file, got another.")
        return cls(str(path.absolute().parent), path.name)

    @property
    def name(self) -> str:
        """The model's id beside its numbers, without folders of this machine."""
        if self.gguf_file is not None:
            return f"gguf:{self.gguf_file}"
        path = Path(self.location)
        return f"hf:{path.absolute().name if path.is_dir() else self.location}"

    def fingerprint(self) -> str:
        """Returns a hash of samples of the model's files; `""` for an id of the hub.

        Models of many gigabytes are told apart in milliseconds: what training changed
        is everywhere in them.
        """
        folder = Path(self.location)
        if self.gguf_file is not None:
            files = [folder / self.gguf_file]
        elif folder.is_dir():
            files = sorted(path for path in folder.iterdir() if path.is_file())
        else:
            return ""
        found = hashlib.sha256()
        for path in files:
            size = path.stat().st_size
            found.update(f"{path.name} {size}\n".encode())
            with path.open("rb") as file:
                for index in range(_NUM_SAMPLES):
                    file.seek(size * index // _NUM_SAMPLES)
                    found.update(file.read(_SAMPLE_BYTES))
        return found.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model in memory, ready for use.

    Attributes:
        name: Its id.
        model: A causal language model of transformers, in evaluation mode.
        tokenizer: Its tokenizer.
        context_tokens: Longest prompt with its completion; `None` is no limit.
        end_ids: Tokens with which the model ends its turn, as far as its files say.
        weights: Hash that tells models of one name apart; empty if only the name is
            known.
    """

    name: str
    model: Any
    tokenizer: Any
    context_tokens: int | None
    end_ids: frozenset[int]
    weights: str = ""

    def fingerprint(self) -> str:
        """Returns `weights`."""
        return self.weights

    @classmethod
    def of(cls, name: str, model: Any, tokenizer: Any) -> "LoadedModel":
        """Returns the model with what its settings say of it.

        Raises:
            ConfigError: If the model is of a kind that is not supported.
        """
        config = model.config.get_text_config(decoder=True)
        kinds = set(getattr(config, "layer_types", None) or ()) - _ATTENTION
        if kinds or model.config.is_encoder_decoder or model._is_stateful:
            what = ", ".join(sorted(kinds)) or "no decoder-only attention"
            raise ConfigError(
                f"{name} must be a decoder with full or sliding attention in every "
                f"layer, got {what}."
            )
        ends = getattr(model.generation_config, "eos_token_id", None)
        listed = ends if isinstance(ends, list) else [ends]
        return cls(
            name=name,
            model=model.eval(),
            tokenizer=tokenizer,
            context_tokens=getattr(config, "max_position_embeddings", None),
            end_ids=frozenset({*listed, tokenizer.eos_token_id} - {None}),
        )


def load(source: ModelSource, config: DeviceConfig) -> LoadedModel:
    """Returns the model, read from disk or fetched from the hub.

    Sets the number of threads of torch for the whole process.

    Raises:
        ConfigError: If it cannot be read, or is of a kind that is not supported.
        PrerequisiteError: If a package is missing.
    """
    require_packages(gguf=source.gguf_file is not None)
    model, tokenizer = _read(source, config, transformers.AutoModelForCausalLM)
    loaded = LoadedModel.of(source.name, model, tokenizer)
    return replace(loaded, weights=source.fingerprint())


def load_for_scoring(source: ModelSource, config: DeviceConfig) -> tuple[Any, Any]:
    """Returns a model in evaluation mode and its tokenizer: a decoder, or one like T5.

    Sets the number of threads of torch for the whole process.

    Raises:
        ConfigError: If it cannot be read.
        PrerequisiteError: If a package is missing.
    """
    require_packages(gguf=source.gguf_file is not None)
    kind = transformers.AutoModelForCausalLM
    if source.gguf_file is None:
        with _reading(source):
            settings = transformers.AutoConfig.from_pretrained(source.location)
        if settings.is_encoder_decoder:
            kind = transformers.AutoModelForSeq2SeqLM
    model, tokenizer = _read(source, config, kind)
    return model.eval(), tokenizer


def _read(source: ModelSource, config: DeviceConfig, kind: Any) -> tuple[Any, Any]:
    device = prepare_device(config)
    options = {"gguf_file": source.gguf_file} if source.gguf_file else {}
    unpacking = _unpacking() if source.gguf_file else {}
    with _reading(source), quiet_progress():
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source.location, **options
        )
        model = kind.from_pretrained(
            source.location,
            dtype=_number_type(config, device),
            **options,
            **unpacking,
        )
    return model.to(device), tokenizer


@contextmanager
def _reading(source: ModelSource) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise PrerequisiteError(
            f"{source.name} needs a package that is not installed: {_reason(error)}"
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        raise ConfigError(
            f"{source.name} cannot be loaded: {_reason(error)}"
        ) from error


def prepare_device(config: DeviceConfig) -> Any:
    """Returns the device, and sets torch's threads for the whole process.

    Raises:
        ConfigError: If this machine has no such device.
    """
    torch.set_num_threads(_num_threads(config))
    return _device(config)


def _num_threads(config: DeviceConfig) -> int:
    if config.num_threads is not None:
        return config.num_threads
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    half = max(1, (cores or os.cpu_count() or 1) // 2)
    # Torch's own count is less where OMP_NUM_THREADS or a container says so.
    return min(half, int(torch.get_num_threads()))


def _device(config: DeviceConfig) -> Any:
    name = config.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"device must be auto, cpu, cuda, cuda:NUMBER or mps, got {name!r}."
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device must be on this machine, got {name!r}; torch sees "
            f"{torch.cuda.device_count()} GPUs."
        )
    return device


def _number_type(config: DeviceConfig, device: Any) -> Any:
    name = config.dtype
    if name == "auto" and device.type == "cpu":
        name = "float32"
    elif name == "auto":
        has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
        name = "bfloat16" if has_bfloat16 else "float16"
    return getattr(torch, name)


def _unpacking() -> dict[str, Any]:
    """Returns what makes transformers unpack a GGUF file.

    Where it can compute with packed weights, it fetches code for that from the hub.
    """
    if not hasattr(transformers, "GgufConfig"):
        return {}
    return {"quantization_config": transformers.GgufConfig(dequantize=True)}


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MAX_REASON_CHARS else f"{text[:_MAX_REASON_CHARS]} ..."


@contextmanager
def quiet_progress() -> Iterator[None]:
    """Hides the progress bars of transformers."""
    logging = transformers.utils.logging
    was_shown = logging.is_progress_bar_enabled()
    # The one for GGUF files has no switch.
    unpacking = importlib.import_module("transformers.modeling_gguf_pytorch_utils")
    bar = getattr(unpacking, "tqdm", None)
    logging.disable_progress_bar()
    vars(unpacking)["tqdm"] = lambda tensors, **_: tensors
    try:
        yield
    finally:
        vars(unpacking)["tqdm"] = bar
        if was_shown:
            logging.enable_progress_bar()
