"""Making networks by the names that a user gives."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_seed
from cwm.llm.local.config import DeviceConfig
from cwm.llm.local.loading import (
    ModelSource,
    load_for_scoring,
    prepare_device,
)
from cwm.llm.local.packages import LazyPackage, require_packages
from cwm.llm.local.training import random_numbers
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.networks.config import NetworkConfig, ScratchConfig
from cwm.providers.policies.networks.language import LanguageNetwork
from cwm.providers.policies.networks.symbolic import SymbolicNetwork
from cwm.providers.policies.networks.words import WordTokens
from prompts.glam import DEFAULT_WINDOW

torch = LazyPackage("torch")
transformers = LazyPackage("transformers")
peft = LazyPackage("peft")

SCRATCH, SYMBOLIC = "scratch", "symbolic"
KINDS = f"{SCRATCH}, {SYMBOLIC}, hf:ID_OR_FOLDER or gguf:FILE"

_MAX_TOKENS = 1024
_FIRST_SCALE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A network, and what training it by default is like.

    Attributes:
        network: It.
        learning_rate: Of the policy.
        value_learning_rate: Of what only the value needs.
    """

    network: PolicyNetwork
    learning_rate: float
    value_learning_rate: float


def is_pretrained(policy: str) -> bool:
    """Returns whether a policy is a language model with weights of its own.

    Raises:
        ConfigError: If there is no such policy.
    """
    if policy in (SCRATCH, SYMBOLIC):
        return False
    if policy.startswith(("hf:", "gguf:")):
        return True
    if policy.startswith("openai:"):
        raise ConfigError(
            f"policy must be a model on this machine, got {policy!r}: weights behind "
            "an endpoint cannot be trained. Take hf:ID_OR_FOLDER or gguf:FILE."
        )
    raise ConfigError(f"policy must be {KINDS}, got {policy!r}.")


def complete(config: NetworkConfig, policy: str) -> NetworkConfig:
    """Returns the settings with what depends on the policy filled in.

    Raises:
        ConfigError: If there is no such policy, or settings do not go with it.
    """
    pretrained = is_pretrained(policy)
    if config.shuffled and not pretrained:
        raise ConfigError(
            f"shuffled is for hf: and gguf: policies, got policy {policy!r}."
        )
    if config.trains in ("lora", "heads") and (not pretrained or config.shuffled):
        raise ConfigError(
            f"trains must be all where weights are drawn anew, got {config.trains!r}."
        )
    if config.trains == "heads" and config.head != "actions":
        raise ConfigError(
            "trains heads needs a head to be the policy: add --network.head actions, "
            f"got head {config.head}."
        )
    whole = not pretrained or config.shuffled
    return replace(
        config,
        window=config.window or (1 if policy == SCRATCH else DEFAULT_WINDOW),
        prompt=config.prompt or ("glam" if pretrained else "short"),
        trains=config.trains or ("all" if whole else "lora"),
        head_width=config.head_width or (64 if policy == SYMBOLIC else 256),
    )


def make_network(
    policy: str,
    config: NetworkConfig,
    *,
    num_actions: int,
    seed: int,
    local: DeviceConfig,
    value_trunk_gradient: bool | None = None,
) -> Made:
    """Returns the network that a name stands for.

    Args:
        policy: `scratch`, `symbolic`, `hf:ID_OR_FOLDER` or `gguf:FILE`.
        config: Settings, as `complete` returns them.
        num_actions: How many there are.
        seed: Of its first weights.
        local: Device, number type and threads.
        value_trunk_gradient: As `PPOConfig.value_trunk_gradient`.

    Raises:
        ConfigError: If there is none, or it cannot be read.
        PrerequisiteError: If a package is missing.
    """
    pretrained = is_pretrained(policy)
    if policy == SYMBOLIC:
        return _symbolic(config, num_actions=num_actions, seed=seed, local=local)
    is_new = not pretrained or config.shuffled
    trains_trunk = is_new if value_trunk_gradient is None else value_trunk_gradient
    if pretrained:
        name, model, tokens = _load(policy, _with_number_type(local, config))
        model = _prepared(model, config, seed)
    else:
        require_packages(gguf=False)
        device, tokens = prepare_device(local), WordTokens()
        name, model = SCRATCH, scratch_model(config.scratch, tokens, seed).to(device)
    network = LanguageNetwork(
        name,
        model,
        tokens,
        config,
        num_actions=num_actions,
        seed=child_seed(seed, "heads"),
        detaches_value=not trains_trunk,
    )
    if not pretrained:
        return Made(network=network, learning_rate=5e-4, value_learning_rate=5e-4)
    rate = 1e-6 if config.trains == "all" and not config.shuffled else 1e-4
    return Made(network=network, learning_rate=rate, value_learning_rate=3e-4)


def scratch_model(config: ScratchConfig, tokens: WordTokens, seed: int) -> Any:
    """Returns a small transformer over words, with random weights."""
    shape: dict[str, Any] = {"vocab_size": len(tokens), "pad_token_id": None}
    if config.kind == "encoder-decoder":
        settings = transformers.T5Config(
            **shape | {"pad_token_id": 0},
            d_model=config.width,
            d_kv=config.width // config.heads,
            d_ff=4 * config.width,
            num_layers=config.layers,
            num_heads=config.heads,
            decoder_start_token_id=0,
            eos_token_id=tokens.end_id,
            dropout_rate=0.0,
        )
        kind = transformers.T5ForConditionalGeneration
    else:
        settings = transformers.LlamaConfig(
            **shape,
            hidden_size=config.width,
            intermediate_size=2 * config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=_MAX_TOKENS,
            bos_token_id=None,
            eos_token_id=tokens.end_id,
            tie_word_embeddings=False,
            # Transformers' own 0.02 is for wide models.
            initializer_range=config.width**-0.5,
        )
        kind = transformers.LlamaForCausalLM
    with random_numbers(torch.device("cpu"), child_seed(seed, "weights")):
        model = kind(settings).eval()
    # To begin with, all words are about equally probable.
    model.get_output_embeddings().weight.data *= _FIRST_SCALE
    return model


def _with_number_type(local: DeviceConfig, config: NetworkConfig) -> DeviceConfig:
    """Returns the settings with the number type that training needs.

    Raises:
        ConfigError: If another is asked for.
    """
    if config.trains == "all":
        # Steps of 1e-6 are lost in 16 bits.
        if local.dtype not in ("auto", "float32"):
            raise ConfigError(
                "dtype must be float32 where every weight is trained, got "
                f"{local.dtype}. Take --network.trains lora for less memory."
            )
        return replace(local, dtype="float32")
    if local.dtype == "float16":
        raise ConfigError(
            "dtype must be float32 or bfloat16 for training, got float16, in which "
            "gradients overflow."
        )
    if local.dtype == "auto" and not _has_bfloat16(local):
        return replace(local, dtype="float32")
    return local


def _has_bfloat16(local: DeviceConfig) -> bool:
    device = prepare_device(local)
    return bool(device.type == "cuda" and torch.cuda.is_bf16_supported())


def _load(policy: str, local: DeviceConfig) -> tuple[str, Any, Any]:
    kind, _, text = policy.partition(":")
    if kind == "gguf":
        source = ModelSource.from_gguf(text)
    else:
        source = ModelSource.from_hub_or_folder(text)
    return source.name, *load_for_scoring(source, local)


def _prepared(model: Any, config: NetworkConfig, seed: int) -> Any:
    """Returns the model, in which what is to be trained asks for gradients."""
    if config.shuffled:
        model = _drawn_anew(model, seed, keeps_embeddings=config.keeps_embeddings)
    model.requires_grad_(config.trains == "all")
    if config.trains != "lora":
        return model
    require_packages(gguf=False, training=True)
    kind = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    settings = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        # GPT-2 keeps the weights of its linear layers transposed.
        fan_in_fan_out=any(type(m).__name__ == "Conv1D" for m in model.modules()),
        task_type=kind,
    )
    seeded = random_numbers(model.device, child_seed(seed, "adapter"))
    with seeded, warnings.catch_warnings():
        # Peft asks transformers for what is called otherwise by now.
        warnings.simplefilter("ignore", FutureWarning)
        changed: Any = peft.get_peft_model(model, settings)
    for weight in changed.parameters():
        if weight.requires_grad:
            # Small steps would be lost in bfloat16.
            weight.data = weight.data.float()
    return changed.get_base_model().eval()


def _drawn_anew(model: Any, seed: int, *, keeps_embeddings: bool) -> Any:
    with random_numbers(torch.device("cpu"), child_seed(seed, "weights")):
        fresh = type(model)(model.config)
    if keeps_embeddings:
        fresh.set_input_embeddings(model.get_input_embeddings())
        fresh.tie_weights()
    return fresh.to(device=model.device, dtype=model.dtype).eval()


def _symbolic(
    config: NetworkConfig, *, num_actions: int, seed: int, local: DeviceConfig
) -> Made:
    require_packages(gguf=False)
    fits = replace(config, window=None, prompt=None, trains=None, head_width=None)
    if fits != NetworkConfig():
        raise ConfigError(
            "network settings other than window and head_width are for policies that "
            "read words, got others with policy symbolic."
        )
    network = SymbolicNetwork(
        [""] * num_actions,
        window=config.window or DEFAULT_WINDOW,
        width=config.head_width or 64,
        seed=seed,
        device=str(prepare_device(local)),
    )
    return Made(network=network, learning_rate=3e-4, value_learning_rate=3e-4)
