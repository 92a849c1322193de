"""Methods of arrays, for those whose elements may be symbols."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cwm.programs.acceleration.arrays import Row
from cwm.programs.acceleration.functions import all_of, as_kind, call, mean
from cwm.programs.acceleration.symbols import Symbol, cast, kind_of


def _plain_item(row: Row, *place: Any) -> Any:
    value = row.read(place if place else (0,) * row.ndim)
    kind = kind_of(value)
    return cast(value, kind, weak=True) if kind else value


def _to_list(data: Any) -> Any:
    if isinstance(data, np.ndarray):
        return [_to_list(part) for part in data]
    return cast(data, kind_of(data), weak=True) if isinstance(data, Symbol) else data


METHODS: dict[str, Callable[..., Any]] = {
    "all": lambda row: all_of("and", row),
    "any": lambda row: all_of("or", row),
    "astype": lambda row, dtype, **_: row.astype(as_kind(dtype)),
    "copy": lambda row: row.copy(),
    "cumsum": lambda row: call(np.cumsum, [row], {}),
    "dot": lambda row, other: call(np.dot, [row, other], {}),
    "flatten": lambda row: row.copy().reshape(-1),
    "item": _plain_item,
    "max": lambda row: call(np.max, [row], {}),
    "mean": mean,
    "min": lambda row: call(np.min, [row], {}),
    "ravel": lambda row: row.reshape(-1),
    "reshape": lambda row, *shape: row.reshape(*shape),
    "squeeze": lambda row: call(np.squeeze, [row], {}) if row.ndim else row,
    "sum": lambda row, *a, **k: call(np.sum, [row, *a], k),
    "tolist": lambda row: _to_list(row.data),
    "transpose": lambda row, *a: Row(row.data.transpose(*a), row.kind),
    "trace": lambda row: call(np.trace, [row], {}),
}
"""Methods of arrays."""
