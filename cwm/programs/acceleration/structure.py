"""What Python does with lists, ranges and types, where values may be symbols."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cwm.programs.acceleration.arrays import Row
from cwm.programs.acceleration.symbols import NoFastForm, Symbol
from cwm.programs.acceleration.varying import refuse_maybe
from cwm.programs.acceleration.world import Thing, Unknown

_KEEPING = frozenset({"append", "clear", "copy", "extend"})
"""Methods of lists that work whichever of their elements are there."""


def of_container(
    function: Any, owner: Any, arguments: list[Any], names: dict[str, Any]
) -> Any:
    """Returns what a method of a list or a dict returns."""
    if function.__name__ not in _KEEPING:
        refuse_maybe(owner)
    return function(*arguments, **names)


def whole(value: Any) -> Any:
    """Returns a bound of a slice as a plain integer."""
    return int(value) if isinstance(value, np.integer) else value


def is_instance(value: Any, kinds: Any) -> bool:
    """Returns `isinstance`."""
    wanted = kinds if isinstance(kinds, tuple) else (kinds,)
    if isinstance(value, Symbol):
        example = {"f": 1.0, "i": 1, "b": True, "s": np.float32(1)}[value.kind]
        if not value.weak:
            example = np.asarray(example)[()]
        return isinstance(example, wanted)
    if isinstance(value, Row):
        return np.ndarray in wanted
    if isinstance(value, Thing):
        return any(kind in value.kind.__mro__ for kind in wanted)
    return isinstance(value, wanted)


def length(value: Any) -> int:
    """Returns `len`."""
    if isinstance(value, list) and any(isinstance(v, Unknown) for v in value):
        raise NoFastForm("How long a list is depends on values.")
    return len(value)


def _range(*bounds: Any) -> range:
    if any(isinstance(bound, Symbol) for bound in bounds):
        raise NoFastForm("How often a loop runs depends on values.")
    return range(*bounds)


STRUCTURAL: dict[Any, Callable[..., Any]] = {
    tuple: lambda v=(): tuple(v),
    list: lambda v=(): list(v),
    set: lambda v=(): tuple(v),
    zip: lambda *v, **k: list(zip(*v, strict=k.get("strict", False))),
    enumerate: lambda v, start=0: list(enumerate(v, start)),
    range: _range,
    reversed: lambda v: list(v)[::-1],
    dict: dict,
    len: length,
    print: lambda *v, **k: None,
}
"""What Python makes lists and tuples with."""
