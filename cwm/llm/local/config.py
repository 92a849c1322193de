"""Settings of local language models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cwm.core.errors import ConfigError

NumberType: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
"""How weights and activations are held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """What a model runs on.

    Attributes:
        device: Where: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto`, which takes a GPU if
            there is one.
        dtype: Number type. `auto` is `bfloat16` on a GPU that has it, `float16` on
            another, and `float32` on the CPU.
        num_threads: Threads of torch in this process; at least 1. `None` is at most
            half of the processor's cores: the others evaluate candidates, and
            threads that wait for a core that is taken make all of them slow.
    """

    device: str = "auto"
    dtype: NumberType = "auto"
    num_threads: int | None = None

    def __post_init__(self) -> None:
        _check_least(self, num_threads=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig(DeviceConfig):
    """How a local model that writes text is run.

    Attributes:
        top_k: Only so many of the likeliest tokens are drawn from; 0 is no limit.
        max_batch: Most completions written at once; at least 1. With 1, a completion
            depends on its request alone, to the last bit; see docs/local-models.md.
        prefix_cache_mib: Memory for the encoded beginnings of prompts, in MiB; 0
            keeps none.
        prefix_block_tokens: Prompts are encoded in blocks of so many tokens, and
            whole blocks are shared; at least 1. Smaller ones share more of short
            prompts, larger ones are encoded faster.
        scoring_block_tokens: Most tokens scored in one pass, apart from a single
            longer text; at least 1. `None` is 512 on the CPU and 4096 elsewhere.
        plain_template: Whether a model without a chat template gets a plain one
            (`cwm.llm.local.templates.PLAIN_TEMPLATE`) instead of being refused.
        template_arguments: What the chat template is given beside the messages,
            such as `{"enable_thinking": False}`.
    """

    top_k: int = 0
    max_batch: int = 8
    prefix_cache_mib: int = 512
    prefix_block_tokens: int = 256
    scoring_block_tokens: int | None = None
    plain_template: bool = False
    template_arguments: Mapping[str, bool | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_least(
            self,
            num_threads=1,
            top_k=0,
            max_batch=1,
            prefix_cache_mib=0,
            prefix_block_tokens=1,
            scoring_block_tokens=1,
        )


def _check_least(config: DeviceConfig, **least: int) -> None:
    """Refuses settings that are below their least value.

    Raises:
        ConfigError: If one is.
    """
    for name, low in least.items():
        value = getattr(config, name)
        if value is not None and value < low:
            raise ConfigError(f"{name} must be at least {low}, got {value}.")


DEFAULT_LOCAL_CONFIG = LocalConfig()
