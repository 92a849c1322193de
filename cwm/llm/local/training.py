"""Gradient steps that make given answers more probable.

Covers: the mean cross-entropy of the answers' tokens, one or several answers to a text,
    those of the prompts left out; AdamW; batches of any size in passes that fit into
    the memory; the same steps from the same seed.
Does not cover: which weights are trained (those that ask for a gradient; see
    `adapters`), stopping early, going on after an interruption, several devices.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_rng, child_seed
from cwm.llm.local.packages import LazyPackage, memory_errors
from cwm.llm.local.tokenizing import TokenizedText
from cwm.llm.local.trees import TokenTree, tree_log_probs

torch = LazyPackage("torch")

ALL_LINEAR = "all-linear"
"""Every linear layer but the one that gives the tokens' scores."""

_LESS_MEMORY = "Take smaller pass_tokens or shorter prompts."


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientConfig:
    """How weights are changed, whichever they are.

    Attributes:
        learning_rate: Largest of AdamW without weight decay; above 0.
        schedule: Whether it falls linearly, so that it would be 0 after the last step,
            as half a wave of a cosine to the same end, or is the same all the time.
        warmup_fraction: Share of the steps, rounded up, in which it rises in equal
            parts from above 0, before it falls; at least 0 and below 1.
        batch_size: Texts of one gradient step, fewer in the last one of an epoch; at
            least 1.
        num_epochs: Passes over all texts, each in an order of its own; at least 1.
        max_grad_norm: Longer gradients are shortened to this length; above 0.
        pass_tokens: Most tokens that the model sees at once, apart from a single
            longer text; at least 1. The gradients of a batch's passes are added up:
            it decides memory and time, and not the result but for rounding and
            dropout. What texts begin with counts once.
        seed: Of the first weights, the orders and the dropout; at least 0.
    """

    learning_rate: float = 2e-4
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_fraction: float = 0.0
    batch_size: int = 16
    num_epochs: int = 1
    max_grad_norm: float = 1.0
    pass_tokens: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        lowest = {"batch_size": 1, "num_epochs": 1, "pass_tokens": 1, "seed": 0}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise ConfigError(
                    f"{name} must be at least {low}, got {getattr(self, name)}."
                )
        for name in ("learning_rate", "max_grad_norm"):
            _check_positive(name, getattr(self, name))
        _check_share("warmup_fraction", self.warmup_fraction)
        if self.schedule not in ("linear", "cosine", "constant"):
            raise ConfigError(
                f"schedule must be linear, cosine or constant, got {self.schedule!r}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig(GradientConfig):
    """How low-rank adapters are trained.

    Low-rank adaptation: to the output of a linear layer with weights `W`, whose input
    is `x`, comes `alpha / rank * B A x`, where `A` and `B` have `rank` rows and columns
    and `W` stays as it is (Hu et al., 2021, https://arxiv.org/abs/2106.09685, section
    4.1).

    Attributes:
        rank: At least 1.
        alpha: Above 0.
        dropout: Share of `x` that is left out at random while training; at least 0
            and below 1.
        target_modules: Names of the layers that get an adapter, with commas between
            them, such as `q_proj,v_proj`; `all-linear` is every linear layer but the
            last.
    """

    rank: int = 16
    alpha: float = 8.0
    dropout: float = 0.05
    target_modules: str = ALL_LINEAR

    def __post_init__(self) -> None:
        # The class that `super` would look for is the one before it got its slots.
        GradientConfig.__post_init__(self)
        if self.rank < 1:
            raise ConfigError(f"rank must be at least 1, got {self.rank}.")
        _check_positive("alpha", self.alpha)
        _check_share("dropout", self.dropout)
        if not all(self.layer_names):
            raise ConfigError(
                f"target_modules must be {ALL_LINEAR} or names of layers with commas "
                f"between them, got {self.target_modules!r}."
            )

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers that get an adapter; `all-linear` alone is all."""
        return tuple(name.strip() for name in self.target_modules.split(","))


def _check_positive(name: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise ConfigError(f"{name} must be positive and finite, got {value!r}.")


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value < 1.0:
        raise ConfigError(f"{name} must be at least 0 and below 1, got {value!r}.")


class TrainingStep(NamedTuple):
    """One gradient step.

    Attributes:
        number: From 1.
        num_steps: Of the whole training.
        loss: Mean of `-log p` of the answers' tokens in its batch before the step, in
            nats.
    """

    number: int
    num_steps: int
    loss: float


TrainingProgress: TypeAlias = Callable[[TrainingStep], None]
"""Told of every step."""


def batches(num_texts: int, config: GradientConfig) -> list[list[int]]:
    """Returns which texts each gradient step sees, all epochs one after the other."""
    return shuffled_batches(
        num_texts,
        config.batch_size,
        config.num_epochs,
        seed=config.seed,
        stream="training order",
    )


def shuffled_batches(
    number: int, batch_size: int, num_epochs: int, *, seed: int, stream: str
) -> list[list[int]]:
    """Returns the indices of each batch, every epoch in another order.

    Args:
        number: How many there are to learn from.
        batch_size: Of all batches but the last of an epoch.
        num_epochs: Times that all are gone through.
        seed: Of the orders.
        stream: Name of their random stream.
    """
    found = []
    for epoch in range(num_epochs):
        order = child_rng(seed, stream, epoch).permutation(number)
        found += [
            order[start : start + batch_size].tolist()
            for start in range(0, number, batch_size)
        ]
    return found


def train(
    model: Any,
    texts: Sequence[TokenizedText],
    config: GradientConfig,
    progress: TrainingProgress | None = None,
) -> list[float]:
    """Changes the weights that ask for a gradient, and returns the loss of each step.

    Texts of a batch share what they begin with, as in scoring: it is computed once,
    with one draw of the dropout for all of them.

    Args:
        model: A causal language model of transformers; in evaluation mode afterwards.
        texts: Conversations with the answers that are learned; at least one. What
            stands in one after its last answer is not read.
        config: How.
        progress: Told of every step.

    Raises:
        ConfigError: If the loss is no longer finite.
        LLMError: If the memory does not suffice.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=config.learning_rate, weight_decay=0.0)
    chosen = batches(len(texts), config)
    losses: list[float] = []
    model.train()
    try:
        with (
            memory_errors(_LESS_MEMORY),
            random_numbers(model.device, child_seed(config.seed, "training")),
        ):
            for number, indices in enumerate(chosen):
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(config, number, len(chosen))
                batch = [texts[index] for index in indices]
                optimizer.zero_grad()
                losses.append(_add_gradients(model, batch, config.pass_tokens))
                _check_finite(losses)
                torch.nn.utils.clip_grad_norm_(weights, config.max_grad_norm)
                optimizer.step()
                if progress is not None:
                    progress(TrainingStep(number + 1, len(chosen), losses[-1]))
    finally:
        model.eval()
    return losses


@contextmanager
def random_numbers(device: Any, seed: int) -> Iterator[None]:
    """Lets torch draw from a seed, and restores its generators afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def learning_rate(config: GradientConfig, step: int, num_steps: int) -> float:
    """Returns the learning rate of a step, counted from 0."""
    num_rising = math.ceil(config.warmup_fraction * num_steps)
    if step < num_rising:
        return config.learning_rate * (step + 1) / (num_rising + 1)
    if config.schedule == "constant":
        return config.learning_rate
    share_done = (step - num_rising) / (num_steps - num_rising)
    if config.schedule == "linear":
        return config.learning_rate * (1.0 - share_done)
    return config.learning_rate * (1.0 + math.cos(math.pi * share_done)) / 2.0


def _add_gradients(
    model: Any, batch: Sequence[TokenizedText], pass_tokens: int
) -> float:
    """Adds the gradient of a batch's loss to the weights, and returns the loss."""
    num_scored = sum(text.num_scored for text in batch)
    loss = 0.0
    for tree, targets in _passes(batch, pass_tokens):
        part = -tree_log_probs(model, [], tree, targets).sum() / num_scored
        part.backward()
        loss += float(part.detach())
    return loss


def _passes(
    batch: Sequence[TokenizedText], pass_tokens: int
) -> Iterator[tuple[TokenTree, list[tuple[int, int]]]]:
    """Yields trees of texts, with the nodes and tokens of the answers."""
    tree, targets = TokenTree(), list[tuple[int, int]]()
    # In order, texts that begin alike are neighbours.
    for text in sorted(batch, key=lambda text: text.token_ids):
        # The last token is predicted and never read.
        read = text.token_ids[: text.spans[-1][1] - 1]
        if targets and len(tree) + tree.num_new(read) > pass_tokens:
            yield tree, targets
            tree, targets = TokenTree(), []
        path = tree.add(read)
        targets += [(path[at - 1], text.token_ids[at]) for at in text.scored]
    yield tree, targets


def _check_finite(losses: Sequence[float]) -> None:
    if not math.isfinite(losses[-1]):
        raise ConfigError(
            f"learning_rate must be small enough for a finite loss, got {losses[-1]} "
            f"at step {len(losses)}."
        )
