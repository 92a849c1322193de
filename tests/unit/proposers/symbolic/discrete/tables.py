"""Tables of facts made by hand, with every input once."""

from collections.abc import Mapping

import numpy as np

from cwm.proposers.symbolic.discrete.layout import IntArray
from cwm.proposers.symbolic.discrete.table import EXCEPTION_BITS, Table


def grid_table(
    *sizes: int,
    num_actions: int = 3,
    after: Mapping[str, IntArray] | None = None,
    reward: IntArray | None = None,
    copies: int = 1,
    exception_bits: float = EXCEPTION_BITS,
) -> Table:
    """Returns a table with every state and action.

    Args:
        sizes: Number of values of each digit.
        num_actions: Number of actions.
        after: Next digits that differ from the digits, by name, `[N]`.
        reward: Reward codes, `[N]`; 0 by default.
        copies: How often every input occurs, one after the other.
        exception_bits: Price of a row that a part gets wrong.
    """
    grid = np.indices((*sizes, num_actions)).reshape(len(sizes) + 1, -1)
    grid = np.repeat(grid, copies, axis=1)
    names = tuple(f"x{i}" for i in range(len(sizes)))
    columns: dict[str, IntArray] = {"action": grid[-1].astype(np.int64)}
    ranges = {"action": (0, num_actions - 1)}
    for name, size, values in zip(names, sizes, grid, strict=False):
        columns[name] = values.astype(np.int64)
        columns[f"next:{name}"] = (after or {}).get(name, columns[name])
        columns[f"step:{name}"] = columns[f"next:{name}"] - columns[name]
        ranges[name] = ranges[f"next:{name}"] = (0, size - 1)
        ranges[f"step:{name}"] = (1 - size, size - 1)
    count = grid.shape[1]
    codes = np.zeros(count, dtype=np.int64) if reward is None else reward
    columns["reward"] = codes
    columns["terminated"] = np.zeros(count, dtype=np.int64)
    ranges["reward"] = (0, int(codes.max()))
    ranges["terminated"] = (0, 1)
    return Table(
        columns=columns,
        ranges=ranges,
        digits=names,
        actions=("action",),
        rewards=tuple(float(-i) for i in range(int(codes.max()) + 1)),
        inputs=np.repeat(np.arange(count // copies), copies),
        exception_bits=exception_bits,
    )
