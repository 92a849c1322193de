"""How prompts and actions lie in the rows of a pass.

In the shapes here, `N` is the number of prompts, `A` of actions, `L` of the longest
action's tokens, `P` of the longest context's, `Q` of the largest tree's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cwm.llm.local.trees import TokenTree
from cwm.providers.policies.scoring.tokens import TokenizedActions

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_KEPT_TREES = 1_024


class Padded(NamedTuple):
    """Rows of unequal length in one array.

    Attributes:
        ids: `[rows, tokens]`; 0 where there is no token.
        is_real: `[rows, tokens]`: whether there is one. Any token may have the id 0.
    """

    ids: IntArray
    is_real: BoolArray


def padded(rows: Sequence[Sequence[int]], *, left: bool) -> Padded:
    """Returns rows with what they lack on the left or on the right."""
    width = max(len(row) for row in rows)
    lengths = np.array([len(row) for row in rows])[:, None]
    places = np.arange(width)[None, :]
    is_real = places >= width - lengths if left else places < lengths
    ids = np.zeros(is_real.shape, dtype=np.int64)
    ids[is_real] = [token for row in rows for token in row]
    return Padded(ids, is_real)


class Targets(NamedTuple):
    """The tokens that are asked for.

    Attributes:
        ids: `[N, A, L]`; 0 beyond an action's end.
        lengths: Tokens of each action, `[N, A]`.
    """

    ids: IntArray
    lengths: IntArray


def targets_of(items: Sequence[TokenizedActions]) -> Targets:
    """Returns the tokens of all actions after all prompts."""
    found = padded([action for item in items for action in item.actions], left=False)
    shape = (len(items), len(items[0].actions))
    lengths = found.is_real.sum(axis=1).reshape(shape)
    return Targets(found.ids.reshape((*shape, -1)), lengths)


def read_tokens(items: Sequence[TokenizedActions], roots: Sequence[int]) -> Padded:
    """Returns, for every action, the tokens after which its own are predicted.

    Args:
        items: The prompts.
        roots: The token before each prompt's actions.

    Returns:
        `[N * A, L]`: the root, and the action but for its last token.
    """
    rows = [
        (root, *action[:-1])
        for item, root in zip(items, roots, strict=True)
        for action in item.actions
    ]
    return padded(rows, left=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trees:
    """What all actions of each prompt begin with, each beginning held once.

    Attributes:
        ids: The nodes' tokens, `[N, Q]`, the one before the actions first.
        depths: How many tokens come before each in its tree, `[N, Q]`.
        sees: Which nodes (last axis) each node sees, `[N, Q, Q]`; none where there is
            none.
        nodes: After which node each token is predicted, `[N, A, L]`; the first beyond
            an action's end.
    """

    ids: IntArray
    depths: IntArray
    sees: BoolArray
    nodes: IntArray


def trees_of(items: Sequence[TokenizedActions], roots: Sequence[int]) -> Trees:
    """Returns the trees of all prompts.

    Args:
        items: The prompts.
        roots: The token before each prompt's actions.
    """
    parts = [_tree(root, item.actions) for item, root in zip(items, roots, strict=True)]
    size = max(len(ids) for ids, _, _, _ in parts)
    longest = max(nodes.shape[1] for _, _, _, nodes in parts)
    num_actions = len(items[0].actions)
    ids = np.zeros((len(items), size), dtype=np.int64)
    depths = np.zeros_like(ids)
    sees = np.zeros((len(items), size, size), dtype=np.bool_)
    nodes = np.zeros((len(items), num_actions, longest), dtype=np.int64)
    for row, (own_ids, own_depths, own_sees, own_nodes) in enumerate(parts):
        here = len(own_ids)
        ids[row, :here], depths[row, :here] = own_ids, own_depths
        sees[row, :here, :here] = own_sees
        nodes[row, :, : own_nodes.shape[1]] = own_nodes
    return Trees(ids=ids, depths=depths, sees=sees, nodes=nodes)


@lru_cache(_KEPT_TREES)
def _tree(
    root: int, actions: tuple[tuple[int, ...], ...]
) -> tuple[IntArray, IntArray, BoolArray, IntArray]:
    tree = TokenTree()
    paths = [tree.add((root, *action[:-1])) for action in actions]
    return (
        np.array(tree.tokens),
        np.array(tree.depths),
        tree.ancestors(),
        padded(paths, left=False).ids,
    )
