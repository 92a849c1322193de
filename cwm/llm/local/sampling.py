"""Drawing the next token of each row of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from cwm.core.errors import LLMError
from cwm.llm.local.packages import LazyPackage, Tensor

torch = LazyPackage("torch")

_NUM_SORTED = 512
"""Tokens looked at first; nearly always enough to find the end of `top_p`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """How one token is drawn.

    Attributes:
        temperature: As in `SamplingConfig`.
        top_p: As in `SamplingConfig`.
        top_k: Only so many of the likeliest tokens are drawn from; 0 is no limit.
        uniform: The random number that decides, in `[0, 1)`.
    """

    temperature: float
    top_p: float
    top_k: int
    uniform: float


def draw_tokens(logits: Tensor, draws: Sequence[Draw]) -> list[int]:
    """Returns one token for each row.

    Temperature comes first, then `top_k`, then `top_p` of what is left, as usual.
    The token is where the sum of the probabilities, in the order of the vocabulary,
    exceeds the random number. A row decides with one number and in that order, so
    that the rounding errors of a batch change a token only where the number falls
    within such an error of a limit.

    Args:
        logits: `[rows, vocabulary]`.
        draws: One for each row.

    Raises:
        LLMError: If the logits of a row are not numbers.
    """
    logits = logits.float()
    likeliest = logits.argmax(dim=-1)
    if not bool(torch.isfinite(logits.amax(dim=-1)).all()):
        raise LLMError(
            "The model computed something that is not a number. Take dtype float32 "
            "or bfloat16.",
            retryable=False,
        )
    if all(draw.temperature == 0.0 for draw in draws):
        return [int(token) for token in likeliest.tolist()]
    temperatures = _column([draw.temperature or 1.0 for draw in draws], logits)
    scaled = logits / temperatures
    smallest = _smallest_kept(scaled, draws)
    top = scaled.amax(dim=-1, keepdim=True)
    weights = torch.where(scaled >= smallest, (scaled - top).exp(), 0.0)
    sums = weights.double().cumsum(dim=-1)
    totals = sums[:, -1:]
    uniforms = _column([draw.uniform for draw in draws], sums)
    targets = torch.minimum(
        uniforms * totals, totals.nextafter(torch.zeros_like(totals))
    )
    drawn = torch.searchsorted(sums, targets, right=True)[:, 0]
    return [
        int(best if draw.temperature == 0.0 else token)
        for draw, best, token in zip(
            draws, likeliest.tolist(), drawn.tolist(), strict=True
        )
    ]


def _smallest_kept(scaled: Tensor, draws: Sequence[Draw]) -> Tensor:
    """Returns the smallest logit that may be drawn in each row, `[rows, 1]`."""
    size = scaled.shape[-1]
    free = [draw.top_p >= 1.0 and not 0 < draw.top_k < size for draw in draws]
    lowest = torch.full_like(scaled[:, :1], -torch.inf)
    if all(free):
        return lowest
    num_sorted = min(size, _NUM_SORTED)
    while True:
        found, is_enough = _cut(scaled, draws, num_sorted)
        if is_enough or num_sorted == size:
            return torch.where(_column(free, scaled).bool(), lowest, found)
        num_sorted = size


def _cut(scaled: Tensor, draws: Sequence[Draw], num_sorted: int) -> tuple[Tensor, bool]:
    """Returns the cut that the `num_sorted` likeliest tokens give, and if they do."""
    size = scaled.shape[-1]
    limits = [draw.top_k if 0 < draw.top_k < size else size for draw in draws]
    values = scaled.topk(num_sorted, dim=-1).values
    ranks = torch.arange(num_sorted, device=scaled.device)
    allowed = ranks < _column(limits, scaled)
    ranked = torch.where(allowed, values, -torch.inf)
    is_limited = _column([limit < size for limit in limits], scaled).bool()
    total = torch.where(
        is_limited,
        ranked.logsumexp(dim=-1, keepdim=True),
        scaled.logsumexp(dim=-1, keepdim=True),
    )
    shares = (ranked - total).exp()
    before = shares.cumsum(dim=-1) - shares
    # Rounded sums may reach 1 before the last token.
    shares_kept = [d.top_p if d.top_p < 1.0 else torch.inf for d in draws]
    kept = allowed & (before < _column(shares_kept, scaled))
    found = torch.where(kept, values, torch.inf).amin(dim=-1, keepdim=True)
    # Where the last of them is kept and more are allowed, the cut lies further down.
    is_open = [
        (is_last and limit > num_sorted and draw.top_p < 1.0)
        or num_sorted < limit < size
        for is_last, limit, draw in zip(
            kept[:, -1].tolist(), limits, draws, strict=True
        )
    ]
    return found, not any(is_open)


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None]
