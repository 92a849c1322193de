"""How much better than expected an action was."""

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import FloatArray


def generalised_advantages(
    rewards: FloatArray,
    values: FloatArray,
    next_values: FloatArray,
    ends: NDArray[np.bool_],
    *,
    discount: float,
    gae_lambda: float,
) -> FloatArray:
    """Returns generalised advantage estimates.

    `delta[t] = rewards[t] + discount * next_values[t] - values[t]`, and
    `advantage[t] = delta[t] + discount * gae_lambda * advantage[t + 1]` unless an
    episode ends at `t` (Schulman et al., 2016, https://arxiv.org/abs/1506.02438,
    equation 16).

    Args:
        rewards: `[T, N]`.
        values: `[T, N]`: of what was acted on.
        next_values: `[T, N]`: of what was seen after the step, in the same episode: 0
            after a terminal step, the value of the last observation where an episode
            was cut off.
        ends: `[T, N]`: whether an episode ended with the step, in either way.
        discount: Weight of the next reward.
        gae_lambda: From 0 (one step) to 1 (whole returns).

    Returns:
        `[T, N]`; added to `values`, what these are to become.
    """
    deltas = rewards + discount * next_values - values
    advantages = np.zeros_like(deltas)
    following = np.zeros(deltas.shape[1:])
    for t in range(len(deltas) - 1, -1, -1):
        following = deltas[t] + discount * gae_lambda * ~ends[t] * following
        advantages[t] = following
    return advantages


def leave_one_out(returns: FloatArray) -> FloatArray:
    """Returns by how much each return exceeds the mean of the others of its group.

    Args:
        returns: `[groups, size]`; at least 2 in a group.
    """
    size = returns.shape[1]
    others = (returns.sum(axis=1, keepdims=True) - returns) / (size - 1)
    return np.asarray(returns - others)


def group_relative(returns: FloatArray, smallest: float = 1e-8) -> FloatArray:
    """Returns returns with mean 0 and standard deviation 1 in each group.

    Args:
        returns: `[groups, size]`.
        smallest: A group whose standard deviation is below gets zeros.
    """
    centred = returns - returns.mean(axis=1, keepdims=True)
    deviation = returns.std(axis=1, keepdims=True)
    return np.where(deviation > smallest, centred / np.maximum(deviation, smallest), 0)


def normalised(
    advantages: FloatArray, counts: NDArray[np.bool_], *, centres: bool = True
) -> FloatArray:
    """Returns advantages with standard deviation 1 over those that count.

    Args:
        advantages: Any shape.
        counts: The same shape: those that count.
        centres: Whether their mean becomes 0.
    """
    chosen = advantages[counts]
    mean = chosen.mean() if centres else 0.0
    return np.asarray((advantages - mean) / (chosen.std() + 1e-8))
