"""Drawing actions from a policy."""

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import FloatArray


def sample_actions(
    log_probs: FloatArray, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Returns an action for each row of logarithms of probabilities, `[N]`.

    Args:
        log_probs: `[N, A]`; a row may be off by a constant, as long as the
            exponentials are finite and not all 0.
        rng: Draws one number for each row.
    """
    bounds = np.cumsum(np.exp(log_probs), axis=1)
    # A draw is below 1, and so below the last bound: an action is always found.
    draws = rng.random(len(log_probs))[:, None] * bounds[:, -1:]
    chosen: NDArray[np.int64] = (draws >= bounds).sum(axis=1)
    return chosen
