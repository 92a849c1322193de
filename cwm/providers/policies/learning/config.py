"""Settings of PPO, and the published ones of GLAM."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cwm.core.errors import ConfigError

Baseline: TypeAlias = Literal["value", "leave-one-out", "group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOConfig:
    """How a policy learns from what it did (Schulman et al., 2017, arXiv:1707.06347).

    Attributes:
        num_envs: Episodes at a time; at least 1.
        rollout_steps: Steps in each of them before an update; at least 1. Baselines
            other than value play each episode to its end instead.
        num_epochs: Times that what was collected is gone through.
        minibatch_size: Transitions of a gradient step.
        pass_size: Most transitions of a pass through the network; the gradients of
            the passes of a minibatch are added up. `None` is the whole minibatch.
        learning_rate: Of Adam, for the policy. `None`: 5e-4 for a network from
            scratch, 3e-4 for a symbolic one, 1e-6 for a whole pretrained model, 1e-4
            otherwise.
        value_learning_rate: For what only the value needs. `None`: `learning_rate` for
            a network from scratch or a symbolic one, 3e-4 otherwise.
        adam_eps: Added to Adam's denominators.
        discount: Weight of the next reward, in `(0, 1]`.
        gae_lambda: Of generalised advantage estimation, in `[0, 1]` (Schulman et al.,
            2016, arXiv:1506.02438, equation 16).
        clip: How far the ratio of probabilities counts; above 0.
        value_clip: How far values may move from those of the rollout; `None`: any way.
        value_coef: Weight of the value's loss.
        entropy_coef: Weight of the entropy of the policy.
        max_grad_norm: Longer gradients are shortened to that norm.
        normalise_advantages: Whether those of an update get mean 0 and standard
            deviation 1; with leave-one-out only the latter, since a mean over steps
            would speak for the longest episodes, which are the failures.
        reward_scale: Factor of the rewards in training; values are in these units.
        bootstrap_truncated: Whether an episode that was cut off counts as going on,
            worth what the network says; otherwise as over.
        target_kl: An update ends when the policy has moved by more than this, in
            nats (mean of `r - 1 - log r`, where `r` is the ratio); `None`: never.
        warmup_updates: First updates in which only the value learns.
        value_trunk_gradient: Whether the value's loss changes the model, too, not
            only the value's own layers. `None`: for a network from scratch only.
        baseline: What the return is compared with. value: what the network expects.
            leave-one-out: the mean of the other episodes of the same task (LOOP,
            arXiv:2502.01600). group: mean and standard deviation of all of them (GRPO,
            arXiv:2402.03300, section 4.1). The last two need no value.
        group_size: Episodes of the same task for these; divides `num_envs`.
        broadcast_value_loss: The released GLAM's mistake: every value is compared
            with every return of its minibatch.
    """

    num_envs: int = 32
    rollout_steps: int = 40
    num_epochs: int = 4
    minibatch_size: int = 256
    pass_size: int | None = None
    learning_rate: float | None = None
    value_learning_rate: float | None = None
    adam_eps: float = 1e-5
    discount: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    value_clip: float | None = None
    value_coef: float = 0.5
    entropy_coef: float = 0.01
    max_grad_norm: float = 0.5
    normalise_advantages: bool = True
    reward_scale: float = 1.0
    bootstrap_truncated: bool = True
    target_kl: float | None = None
    warmup_updates: int = 0
    value_trunk_gradient: bool | None = None
    baseline: Baseline = "value"
    group_size: int = 8
    broadcast_value_loss: bool = False

    def __post_init__(self) -> None:
        for name, low in _LOWEST.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise ConfigError(f"{name} must be at least {low}, got {value}.")
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise ConfigError(f"{name} must be positive and finite, got {value!r}.")
        for name in ("value_coef", "entropy_coef"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} must be 0 or more, got {getattr(self, name)!r}."
                )
        if self.discount > 1.0 or not 0.0 <= self.gae_lambda <= 1.0:
            raise ConfigError(
                "discount must be at most 1 and gae_lambda from 0 to 1, got "
                f"{self.discount!r} and {self.gae_lambda!r}."
            )
        self._check_together()

    def _check_together(self) -> None:
        """Refuses settings that do not go with each other."""
        if self.broadcast_value_loss and self.pass_size is not None:
            raise ConfigError(
                "pass_size must not be given with broadcast_value_loss, which compares "
                f"all of a minibatch, got {self.pass_size}."
            )
        if self.baseline != "value" and self.warmup_updates:
            raise ConfigError(
                "warmup_updates must be 0 without a value to warm up (baseline "
                f"{self.baseline}), got {self.warmup_updates}."
            )
        if self.baseline != "value" and self.num_envs % self.group_size:
            raise ConfigError(
                f"num_envs must be a multiple of group_size ({self.group_size}) with "
                f"baseline {self.baseline}, got {self.num_envs}."
            )


_LOWEST = {
    **{"num_envs": 1, "rollout_steps": 1, "num_epochs": 1, "minibatch_size": 1},
    **{"pass_size": 1, "warmup_updates": 0, "group_size": 2},
}
_POSITIVE = (
    *("learning_rate", "value_learning_rate", "adam_eps", "discount", "clip"),
    *("value_clip", "max_grad_norm", "reward_scale", "target_kl"),
)

PUBLISHED = PPOConfig(
    minibatch_size=64,
    learning_rate=1e-6,
    value_learning_rate=1e-6,
    gae_lambda=0.99,
    value_clip=0.2,
    normalise_advantages=False,
    reward_scale=20.0,
    bootstrap_truncated=False,
    value_trunk_gradient=True,
    broadcast_value_loss=True,
)
"""GLAM as it was released, its mistakes included."""

PRESETS: Mapping[str, PPOConfig] = {"default": PPOConfig(), "glam-2023": PUBLISHED}
"""Named settings."""
