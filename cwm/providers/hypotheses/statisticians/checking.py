"""Making sure of what a statistician says."""

from collections.abc import Sequence

import numpy as np

from cwm.core.errors import InternalError
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.texts import TextTransition


def checked_log_probs(
    statistician: Statistician,
    hypothesis: str | None,
    transitions: Sequence[TextTransition],
) -> FloatArray:
    """Returns log-probabilities of transitions, `[N]`; see `Statistician.log_probs`.

    Raises:
        InternalError: If they are of another number, or one is not a number: any
            comparison with it would be false, so that its rank would be the best and
            a chain that holds it would never move.
    """
    log_probs = np.asarray(
        statistician.log_probs(hypothesis, transitions), dtype=np.float64
    )
    if log_probs.shape != (len(transitions),) or np.isnan(log_probs).any():
        raise InternalError(
            f"log_probs must be {len(transitions)} numbers, got the shape "
            f"{log_probs.shape} with {int(np.isnan(log_probs).sum())} NaN. This is a "
            f"bug in the statistician {statistician.name}."
        )
    return log_probs
