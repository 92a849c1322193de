"""Behavioural cloning: a network learns to do what BabyAI's bot did.

Covers: demonstrations of the bot, the cross-entropy of its actions, any network of
    `networks.base`.
Does not cover: the value, which stays as it is; dropout (the network's mode is not
    changed); learning rates that change; going on after an interruption.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_seed
from cwm.llm.local.packages import LazyPackage, memory_errors
from cwm.llm.local.training import shuffled_batches
from cwm.providers.policies.agents.bot import BotAgent
from cwm.providers.policies.agents.network import NetworkAgent
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.views import View
from prompts.glam import DEFAULT_WINDOW

torch = LazyPackage("torch")

_LEARNING_RATE = 5e-4
_PASS_SIZE = 64
_LESS_MEMORY = "Take a smaller pass_size, window or model."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demonstration:
    """What the bot did in one moment.

    Attributes:
        view: What an agent knows there.
        action: Index of what was done.
        episode: Number of the episode.
    """

    view: View
    action: int
    episode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloningConfig:
    """How a network is trained.

    Attributes:
        learning_rate: Of Adam; above 0. `None`: 5e-4 for a network from scratch, 3e-4
            for a symbolic one, 1e-6 for a whole pretrained model, 1e-4 otherwise.
        batch_size: Demonstrations of one gradient step, fewer in the last one of an
            epoch; at least 1.
        pass_size: Most demonstrations of a pass through the network; the gradients of
            the passes of a batch are added up. `None` is the whole batch.
        num_epochs: Passes over all of them, each in an order of its own; at least 1.
        max_grad_norm: Longer gradients are shortened to this length; above 0.
        held_out_fraction: Share of the episodes, the last ones, that is not trained on
            but only measured; at least 0 and below 1. Rounded up.
        seed: Of the orders; at least 0.
    """

    learning_rate: float | None = None
    batch_size: int = 64
    pass_size: int | None = None
    num_epochs: int = 1
    max_grad_norm: float = 1.0
    held_out_fraction: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in _LOWEST.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise ConfigError(f"{name} must be at least {low}, got {value}.")
        for name in ("learning_rate", "max_grad_norm"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise ConfigError(f"{name} must be positive and finite, got {value!r}.")
        if not 0.0 <= self.held_out_fraction < 1.0:
            raise ConfigError(
                "held_out_fraction must be at least 0 and below 1, "
                f"got {self.held_out_fraction!r}."
            )


_LOWEST = {"batch_size": 1, "pass_size": 1, "num_epochs": 1, "seed": 0}


class CloningStep(NamedTuple):
    """One gradient step.

    Attributes:
        number: From 1.
        num_steps: Of the whole training.
        loss: Mean of `-log p` of the bot's actions in its batch before the step, in
            nats.
    """

    number: int
    num_steps: int
    loss: float


ReportStep: TypeAlias = Callable[[CloningStep], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloningResult:
    """What training gave.

    Attributes:
        losses: Of each gradient step, in nats.
        agreement: Share of the demonstrations trained on whose action is the most
            probable one in the end.
        held_out_agreement: The same for those held out; `nan` without any.
    """

    losses: tuple[float, ...]
    agreement: float
    held_out_agreement: float


def collect_demonstrations(
    env_id: str,
    kwargs: Mapping[str, Any] | None = None,
    *,
    num_episodes: int,
    seed: int,
    window: int = DEFAULT_WINDOW,
    images: bool = False,
) -> list[Demonstration]:
    """Returns what the bot does and knows, in the episodes in which it succeeds.

    Args:
        env_id: One of our ids of BabyAI in words.
        kwargs: Keyword arguments of its constructor.
        num_episodes: Episodes that it plays; at least 1. Each begins from a seed of its
            own.
        seed: Of the episodes; at least 0.
        window: Most observations of a view.
        images: Whether views have images, too.

    Raises:
        ConfigError: If there is no such environment, or the bot never succeeds.
    """
    episodes = TextEpisodes(env_id, 1, kwargs, window=window, images=images)
    bot = BotAgent(episodes)
    found: list[Demonstration] = []
    for number in range(num_episodes):
        episodes.reset([child_seed(seed, "demonstrations", number)])
        found += _played(episodes, bot, number)
    episodes.close()
    if not found:
        raise ConfigError(
            f"The bot must succeed in an episode of {env_id!r} at least, "
            f"got 0 of {num_episodes}."
        )
    return found


def clone(
    network: PolicyNetwork,
    demonstrations: Sequence[Demonstration],
    config: CloningConfig,
    progress: ReportStep | None = None,
) -> CloningResult:
    """Makes the demonstrated actions more probable.

    Args:
        network: Its weights that ask for a gradient are changed.
        demonstrations: At least one to train on and, if any are held out, one of
            another episode.
        config: How. Without a learning rate it is that of a network from scratch.
        progress: Told of every step.

    Raises:
        ConfigError: If nothing is left to train on, or the loss is no longer finite.
        LLMError: If the memory does not suffice.
    """
    trained, held_out = split_by_episode(demonstrations, config.held_out_fraction)
    weights = [one for one in network.module.parameters() if one.requires_grad]
    rate = config.learning_rate or _LEARNING_RATE
    optimizer = torch.optim.Adam(weights, lr=rate)
    chosen = shuffled_batches(
        len(trained),
        config.batch_size,
        config.num_epochs,
        seed=config.seed,
        stream="cloning order",
    )
    size = config.pass_size or _PASS_SIZE
    losses: list[float] = []
    with memory_errors(_LESS_MEMORY):
        for number, indices in enumerate(chosen, start=1):
            optimizer.zero_grad()
            batch = [trained[index] for index in indices]
            losses.append(_add_gradients(network, batch, config))
            if not math.isfinite(losses[-1]):
                raise ConfigError(
                    f"learning_rate must be small enough for a finite loss, got {rate} "
                    f"and a loss of {losses[-1]} at step {number}."
                )
            torch.nn.utils.clip_grad_norm_(weights, config.max_grad_norm)
            optimizer.step()
            if progress is not None:
                progress(CloningStep(number, len(chosen), losses[-1]))
        return CloningResult(
            losses=tuple(losses),
            agreement=agreement(network, trained, batch_size=size),
            held_out_agreement=agreement(network, held_out, batch_size=size),
        )


def agreement(
    network: PolicyNetwork,
    demonstrations: Sequence[Demonstration],
    *,
    batch_size: int = _PASS_SIZE,
) -> float:
    """Returns how often the network's most probable action was taken; `nan` of none.

    Args:
        network: It.
        demonstrations: What was done.
        batch_size: Most views that the network sees at once.
    """
    if not demonstrations:
        return math.nan
    agent = NetworkAgent(network, greedy=True, batch_size=batch_size)
    views = [one.view for one in demonstrations]
    actions = agent.act(views, np.random.default_rng(0))
    return float(np.mean(actions == [one.action for one in demonstrations]))


def split_by_episode(
    demonstrations: Sequence[Demonstration], held_out_fraction: float
) -> tuple[list[Demonstration], list[Demonstration]]:
    """Returns what to train on, and what to hold out: the last episodes, all of them.

    Raises:
        ConfigError: If nothing is left to train on.
    """
    episodes = sorted({one.episode for one in demonstrations})
    num_kept = len(episodes) - math.ceil(held_out_fraction * len(episodes))
    if num_kept < 1:
        raise ConfigError(
            "held_out_fraction must leave an episode to train on, got "
            f"{held_out_fraction!r} of {len(episodes)} episodes."
        )
    kept = set(episodes[:num_kept])
    return (
        [one for one in demonstrations if one.episode in kept],
        [one for one in demonstrations if one.episode not in kept],
    )


def _played(episodes: TextEpisodes, bot: BotAgent, number: int) -> list[Demonstration]:
    """Returns the moments of the episode that has just begun; none if it fails."""
    rng = np.random.default_rng(0)
    found: list[Demonstration] = []
    while True:
        view = episodes.views[0]
        actions = bot.act([view], rng)
        found.append(Demonstration(view=view, action=int(actions[0]), episode=number))
        steps = episodes.step(actions)
        if steps.ended:
            return found if steps.ended[0].episode_return > 0 else []


def _add_gradients(
    network: PolicyNetwork, batch: Sequence[Demonstration], config: CloningConfig
) -> float:
    """Adds up the gradients of a batch, pass by pass; returns its mean loss."""
    size, total = config.pass_size or len(batch), 0.0
    for start in range(0, len(batch), size):
        part = batch[start : start + size]
        log_probs = network.evaluate([one.view for one in part]).log_probs
        actions = torch.tensor([one.action for one in part], device=log_probs.device)
        loss = torch.nn.functional.nll_loss(log_probs, actions, reduction="sum")
        loss = loss / len(batch)
        loss.backward()
        total += float(loss.detach())
    return total
