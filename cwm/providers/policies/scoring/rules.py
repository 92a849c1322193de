"""Scores of actions from the logits of their tokens."""

import math
from collections.abc import Sequence

from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.providers.policies.scoring.config import ScoringConfig
from cwm.providers.policies.scoring.layouts import IntArray
from cwm.providers.policies.scoring.reading import Measured

torch = LazyPackage("torch")

_SMALLEST_LOG_PROB = math.log(1e-45)


def action_scores(
    measured: Measured,
    lengths: IntArray,
    actions: Sequence[str],
    config: ScoringConfig,
) -> Tensor:
    """Returns what a softmax over actions makes a policy of, `[N, A]`.

    Args:
        measured: Of `N` times `A` actions.
        lengths: Tokens of each, `[N, A]`.
        actions: Their texts, `[A]`, where words are counted.
        config: The rule.
    """
    sizes = torch.from_numpy(lengths).to(measured.logits.device)
    places = torch.arange(measured.logits.shape[-1], device=sizes.device)
    is_real = places < sizes[:, :, None]
    if config.rule == "raw-logits":
        missing = sizes.amax(dim=1, keepdim=True) - sizes
        return measured.logits.where(is_real, 0.0).sum(dim=-1) + missing
    each = measured.logits - measured.totals
    log_probs = each.where(is_real, 0.0).sum(dim=-1)
    if config.rule == "relative-probs":
        return _relative(log_probs)
    if config.normalise == "token":
        return log_probs / sizes
    if config.normalise == "word":
        words = [max(1, len(action.split())) for action in actions]
        return log_probs / torch.tensor(words, device=sizes.device)
    return log_probs


def _relative(log_probs: Tensor) -> Tensor:
    highest = log_probs.amax(dim=1, keepdim=True)
    return (log_probs - highest).exp().where(highest >= _SMALLEST_LOG_PROB, 0.0)
