"""How agents and knowledge models are trained."""

from dataclasses import dataclass
from typing import Literal

from cwm.core.errors import ConfigError
from cwm.llm.local.training import GradientConfig, TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig(TrainingConfig):
    """How an adapter is trained on conversations.

    The defaults are the published ones: Qiao et al., 2024
    (https://arxiv.org/abs/2405.14205), table 6. Longest gradient and passes are ours.

    Attributes:
        max_tokens: Longest conversation; answers that end later are left out, with all
            after them; at least 1.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.05
    target_modules: str = "q_proj,v_proj"
    learning_rate: float = 1e-4
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup_fraction: float = 0.03
    batch_size: int = 32
    num_epochs: int = 3
    max_tokens: int = 2048

    def __post_init__(self) -> None:
        # The class that `super` would look for is the one before it got its slots.
        TrainingConfig.__post_init__(self)
        if self.max_tokens < 1:
            raise ConfigError(f"max_tokens must be at least 1, got {self.max_tokens}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchConfig(GradientConfig):
    """What a model from nothing is like, and how it is trained.

    The defaults are ours, tried on 300 games of TextWorldExpress's twc in one room, of
    some 400 tokens each: after two and a half minutes of one core, greedy answers
    repeat 95 % of the actions in them. It takes many small steps: with a third of the
    learning rate and batches of 16, it was 38 % after 8 epochs.

    Attributes:
        layers: At least 1.
        width: Of the hidden states; a multiple of twice `heads`.
        heads: Of attention; at least 1.
        vocabulary_size: Most tokens, with those of single bytes (256) and of the
            template (5); at least 300. There are fewer where the texts have no more.
        context_tokens: Longest conversation; answers that end later are left out, with
            all after them; at least 1.
    """

    layers: int = 2
    width: int = 128
    heads: int = 4
    vocabulary_size: int = 1024
    context_tokens: int = 2048
    learning_rate: float = 3e-3
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup_fraction: float = 0.03
    batch_size: int = 4
    num_epochs: int = 14
    pass_tokens: int = 256

    def __post_init__(self) -> None:
        GradientConfig.__post_init__(self)
        lowest = {"layers": 1, "heads": 1, "vocabulary_size": 300, "context_tokens": 1}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise ConfigError(
                    f"{name} must be at least {low}, got {getattr(self, name)}."
                )
        if self.width < 1 or self.width % (2 * self.heads):
            raise ConfigError(
                f"width must be a multiple of twice heads ({2 * self.heads}), got "
                f"{self.width}."
            )
