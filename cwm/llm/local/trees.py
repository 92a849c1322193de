"""Many token sequences with common beginnings, seen by a model in one pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cwm.llm.local.caches import Layers, cache_of
from cwm.llm.local.packages import LazyPackage, Tensor

torch = LazyPackage("torch")

_ROWS_AT_ONCE = 128
"""Rows of the vocabulary's size that are held in `float32` at a time."""


class TokenTree:
    """Token sequences, each beginning held once.

    Attributes:
        tokens: The token of each node.
        parents: The node before each; -1 for a first one.
        depths: How many tokens come before each.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def num_new(self, token_ids: Sequence[int]) -> int:
        """Returns how many nodes a sequence would add."""
        node = -1
        for depth, token in enumerate(token_ids):
            child = self._children.get((node, token))
            if child is None:
                return len(token_ids) - depth
            node = child
        return 0

    def add(self, token_ids: Sequence[int]) -> list[int]:
        """Adds a sequence, and returns its nodes."""
        path, node = [], -1
        for depth, token in enumerate(token_ids):
            child = self._children.setdefault((node, token), len(self.tokens))
            if child == len(self.tokens):
                self.tokens.append(token)
                self.parents.append(node)
                self.depths.append(depth)
            node = child
            path.append(node)
        return path

    @property
    def is_sequence(self) -> bool:
        """Whether each node but the first follows the one before it."""
        return all(parent == node - 1 for node, parent in enumerate(self.parents))

    def ancestors(self) -> npt.NDArray[np.bool_]:
        """Returns which nodes each node sees: those before it, and itself."""
        seen = np.eye(len(self.tokens), dtype=np.bool_)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen


def tree_log_probs(
    model: Any,
    layers: Layers,
    tree: TokenTree,
    targets: Sequence[tuple[int, int]],
) -> Tensor:
    """Returns the log-probabilities of tokens after nodes of a tree.

    One pass over the nodes, each of which sees the common beginning and the nodes
    before it in its own sequences: what the model would compute for every sequence
    alone.

    Args:
        model: A causal language model of transformers.
        layers: Keys and values of what all sequences begin with; may be empty.
        tree: The sequences after that.
        targets: A node, and the token that follows it, for each number asked for.

    Returns:
        `[targets]`, a tensor, computed in `float32` or better. Unless torch was told
        otherwise, it has a gradient.
    """
    start = int(layers[0][0].shape[-2]) if layers else 0
    nodes = sorted({node for node, _ in targets})
    row_of = {node: row for row, node in enumerate(nodes)}
    device = model.device
    output = model(
        input_ids=torch.tensor([tree.tokens], device=device),
        position_ids=start + torch.tensor([tree.depths], device=device),
        # Of a single sequence the model knows itself what sees what, and is faster.
        attention_mask=(
            None if tree.is_sequence and not start else _masks(model, tree, start)
        ),
        past_key_values=cache_of(layers) if layers else None,
        use_cache=bool(layers),
        logits_to_keep=torch.tensor(nodes, device=device),
    )
    rows = torch.tensor([row_of[node] for node, _ in targets], device=device)
    tokens = torch.tensor([token for _, token in targets], device=device)
    return torch.cat(
        [
            _log_softmax_at(output.logits[0], rows[part], tokens[part])
            for part in torch.arange(len(targets), device=device).split(_ROWS_AT_ONCE)
        ]
    )


def _log_softmax_at(logits: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
    chosen = logits[rows]
    chosen = chosen.to(torch.promote_types(chosen.dtype, torch.float32))
    values = chosen.gather(-1, tokens[:, None])[:, 0]
    return values - chosen.logsumexp(dim=-1)


def _masks(model: Any, tree: TokenTree, start: int) -> Tensor | dict[str, Tensor]:
    """Returns what each node sees, in the form in which the model takes it."""
    config = model.config.get_text_config(decoder=True)
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds:
        kinds = {"full_attention" if window is None else "sliding_attention"}
    places = np.concatenate([np.arange(start), start + np.asarray(tree.depths)])
    seen = np.ones((len(tree), start + len(tree)), dtype=np.bool_)
    seen[:, start:] = tree.ancestors()
    distance = places[start:, None] - places[None, :]
    masks = {
        kind: _additive(
            seen & (distance < window) if kind == "sliding_attention" else seen, model
        )
        for kind in sorted(kinds)
    }
    return masks if len(masks) > 1 else next(iter(masks.values()))


def _additive(seen: npt.NDArray[np.bool_], model: Any) -> Tensor:
    allowed = torch.from_numpy(seen).to(model.device)[None, None]
    lowest = torch.finfo(model.dtype).min
    return torch.zeros(
        allowed.shape, dtype=model.dtype, device=model.device
    ).masked_fill(~allowed, lowest)
