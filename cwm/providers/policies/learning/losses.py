"""What PPO minimises."""

from typing import NamedTuple

from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.providers.policies.learning.config import PPOConfig

torch = LazyPackage("torch")


class PPOLoss(NamedTuple):
    """Sums over `n` transitions; to be divided by the number of the minibatch.

    Attributes:
        policy: Minus the clipped surrogate.
        value: Squared errors of values.
        entropy: Of the distributions over actions, in nats.
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor


def policy_loss(ratios: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Returns minus the clipped surrogate of each transition, `[n]`.

    `min(r A, clip(r, 1 - clip, 1 + clip) A)` (Schulman et al., 2017,
    https://arxiv.org/abs/1707.06347, equation 7).

    Args:
        ratios: `[n]`: probability of the action now, over that when it was taken.
        advantages: `[n]`.
        clip: How far a ratio counts.
    """
    clipped = ratios.clamp(1.0 - clip, 1.0 + clip)
    return -torch.minimum(ratios * advantages, clipped * advantages)


def value_loss(
    values: Tensor,
    targets: Tensor,
    old_values: Tensor,
    *,
    clip: float | None,
    broadcasts: bool = False,
) -> Tensor:
    """Returns the squared error of each value, `[n]`.

    Args:
        values: `[n]`.
        targets: `[n]`: the returns.
        old_values: `[n]`: what the network said when it acted.
        clip: The larger error of `values` and of values that are at most so far from
            `old_values` counts; `None`: that of `values`.
        broadcasts: The mistake of the released GLAM: the mean of the errors to all
            targets.

    Raises:
        ValueError: If shapes differ: an error would be taken between all pairs.
    """
    if not values.shape == targets.shape == old_values.shape or values.ndim != 1:
        raise ValueError(
            "values, targets and old_values must have the same shape [n], got "
            f"{tuple(values.shape)}, {tuple(targets.shape)}, {tuple(old_values.shape)}."
        )
    if broadcasts:
        # The old values keep their shape, and with it the pairs of the clipped ones.
        values = values[:, None]
    errors = (values - targets) ** 2
    if clip is not None:
        near = old_values + (values - old_values).clamp(-clip, clip)
        errors = torch.maximum(errors, (near - targets) ** 2)
    return errors.mean(dim=1) if broadcasts else errors


def ppo_loss(
    log_probs: Tensor,
    values: Tensor,
    *,
    actions: Tensor,
    old_log_probs: Tensor,
    old_values: Tensor,
    advantages: Tensor,
    targets: Tensor,
    config: PPOConfig,
) -> PPOLoss:
    """Returns the sums of the three parts over `n` transitions.

    Args:
        log_probs: `[n, A]`, of all actions.
        values: `[n]`.
        actions: `[n]` of `int64`: what was done.
        old_log_probs: `[n]`: of what was done, when it was done.
        old_values: `[n]`: likewise.
        advantages: `[n]`.
        targets: `[n]`: what values are to become.
        config: Clipping.
    """
    taken = log_probs.gather(1, actions[:, None])[:, 0]
    # An impossible action has probability 0, and 0 log 0 is 0.
    finite = log_probs.clamp(min=-1e4)
    entropy = -(log_probs.exp() * finite).sum(dim=1)
    errors = value_loss(
        values,
        targets,
        old_values,
        clip=config.value_clip,
        broadcasts=config.broadcast_value_loss,
    )
    surrogate = policy_loss((taken - old_log_probs).exp(), advantages, config.clip)
    return PPOLoss(policy=surrogate.sum(), value=errors.sum(), entropy=entropy.sum())
