"""Settings of networks that read words."""

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cwm.core.errors import ConfigError
from cwm.providers.policies.networks.heads import Activation
from cwm.providers.policies.scoring.config import ScoringConfig

Trained: TypeAlias = Literal["lora", "all", "heads"]
PromptStyle: TypeAlias = Literal["glam", "short"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchConfig:
    """The size of a transformer that learns from nothing.

    Attributes:
        kind: `decoder` (Llama's layers over words), or `encoder-decoder` (T5's).
        layers: How many; at least 1.
        width: Of the hidden states; a multiple of `heads`.
        heads: Of attention.
    """

    kind: Literal["decoder", "encoder-decoder"] = "decoder"
    layers: int = 2
    width: int = 64
    heads: int = 4

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        if self.width % (2 * self.heads):
            raise ConfigError(
                f"width must be a multiple of twice heads ({self.heads}), got "
                f"{self.width}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """How a language model becomes a policy with a value.

    Attributes:
        window: Observations in the prompt; at least 1. `None`: 1 from scratch, and 3,
            as published, otherwise.
        prompt: glam is the published one, with the list of actions; short leaves it
            out. `None`: short from scratch, glam otherwise.
        head: What the policy is made of: scores of the actions' words, or a head with
            an output for each action.
        scoring: How words become scores.
        temperature: Scores are divided by it; above 0.
        trains: What is trained: lora is low-rank additions, all is every weight, heads
            is nothing but the heads. `None`: all from scratch, lora otherwise.
        rank: Of the additions.
        alpha: Their scale is `alpha / rank`.
        head_width: Width of the heads' hidden layers; of all layers of a symbolic
            network, whose width must be a multiple of 8. `None`: 256, and 64 for a
            symbolic network (128 in the paper).
        head_activation: After each of them.
        scratch: The transformer of a network from scratch.
        shuffled: Whether a pretrained model's weights are drawn anew: its shape and
            tokens without what it knows (the paper's NPA, with head actions).
        keeps_embeddings: With `shuffled`: whether the embeddings are kept (NPE; with
            head actions NPAE).
    """

    window: int | None = None
    prompt: PromptStyle | None = None
    head: Literal["scores", "actions"] = "scores"
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    temperature: float = 1.0
    trains: Trained | None = None
    rank: int = 16
    alpha: float = 32.0
    head_width: int | None = None
    head_activation: Activation = "tanh"
    scratch: ScratchConfig = field(default_factory=ScratchConfig)
    shuffled: bool = False
    keeps_embeddings: bool = False

    def __post_init__(self) -> None:
        for name in ("window", "rank", "head_width"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}.")
        for name in ("temperature", "alpha"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} must be positive and finite, got {getattr(self, name)!r}."
                )
        if self.keeps_embeddings and not self.shuffled:
            raise ConfigError("keeps_embeddings needs shuffled.")
