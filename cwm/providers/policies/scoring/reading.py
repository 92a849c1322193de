"""Numbers that are read from the passes of a model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.providers.policies.scoring.layouts import IntArray

torch = LazyPackage("torch")

_ROWS_AT_ONCE = 128
"""Rows of the vocabulary's size that are held in `float32` at a time."""


class Measured(NamedTuple):
    """What a model says of the tokens of `N` times `A` actions.

    Attributes:
        logits: Of each token, `[N, A, L]` in `float32`; anything finite beyond an
            action's end.
        totals: `log Σ exp` of all logits in its place, likewise.
        hidden: The last layer's hidden state before the actions, `[N, H]`.
    """

    logits: Tensor
    totals: Tensor
    hidden: Tensor


class Read(NamedTuple):
    """The first two parts of `Measured`."""

    logits: Tensor
    totals: Tensor


def read(logits: Tensor, places: IntArray, ids: IntArray) -> Read:
    """Returns the logits of tokens, in `float32`.

    Args:
        logits: `[rows, columns, vocabulary]`; all of them should be needed.
        places: Row times number of columns plus column of each token.
        ids: The tokens, in the same shape.
    """
    flat = logits.flatten(0, 1)
    totals = torch.cat(
        [part.float().logsumexp(dim=-1) for part in flat.split(_ROWS_AT_ONCE)]
    )
    where = torch.from_numpy(places).to(logits.device)
    which = torch.from_numpy(ids).to(logits.device)
    return Read(flat[where, which].float(), totals[where])


@contextmanager
def last_hidden_states(decoder: Any) -> Iterator[list[Tensor]]:
    """Collects the last layer's hidden states of every pass, `[rows, tokens, H]`.

    The models' own option for it keeps those of all layers.

    Args:
        decoder: The part of the model before its output layer.
    """
    found: list[Tensor] = []

    def keep(_: Any, __: Sequence[Any], output: Any) -> None:
        found.append(output[0])

    handle = decoder.register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()
