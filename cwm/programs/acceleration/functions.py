"""NumPy's functions, for arrays whose elements may be symbols."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cwm.programs.acceleration.arrays import (
    Row,
    as_objects,
    elementwise,
    kind_for,
    where,
)
from cwm.programs.acceleration.gathered import places
from cwm.programs.acceleration.operations import apply, select, truth
from cwm.programs.acceleration.symbols import (
    KINDS,
    NoFastForm,
    Symbol,
    cast,
    kind_of,
)
from cwm.programs.acceleration.varying import Maybe, Varying

_ELEMENTWISE = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.true_divide: "div",
    np.floor_divide: "floordiv",
    np.mod: "mod",
    np.fmod: "fmod",
    np.power: "pow",
    np.less: "lt",
    np.less_equal: "le",
    np.greater: "gt",
    np.greater_equal: "ge",
    np.equal: "eq",
    np.not_equal: "ne",
    np.minimum: "minimum",
    np.maximum: "maximum",
    np.logical_and: "and",
    np.logical_or: "or",
    np.logical_not: "not",
    np.arctan2: "arctan2",
    np.hypot: "hypot",
    np.negative: "neg",
    np.absolute: "abs",
    np.sin: "sin",
    np.cos: "cos",
    np.tan: "tan",
    np.arcsin: "arcsin",
    np.arccos: "arccos",
    np.arctan: "arctan",
    np.sinh: "sinh",
    np.cosh: "cosh",
    np.tanh: "tanh",
    np.exp: "exp",
    np.log: "log",
    np.sqrt: "sqrt",
    np.floor: "floor",
    np.ceil: "ceil",
    np.rint: "rint",
    np.sign: "sign",
    np.isfinite: "isfinite",
    np.isnan: "isnan",
}

_MATH = {
    math.sin: "sin",
    math.cos: "cos",
    math.tan: "tan",
    math.asin: "arcsin",
    math.acos: "arccos",
    math.atan: "arctan",
    math.atan2: "arctan2",
    math.sinh: "sinh",
    math.cosh: "cosh",
    math.tanh: "tanh",
    math.exp: "exp",
    math.log: "log",
    math.sqrt: "sqrt",
    math.hypot: "hypot",
    math.fabs: "abs",
    math.fmod: "fmod",
    math.isfinite: "isfinite",
    math.isnan: "isnan",
}


def has_symbols(value: Any) -> bool:
    """Returns whether a value depends on the state or the action."""
    if isinstance(value, Symbol):
        return True
    if isinstance(value, Row):
        return not value.is_known()
    if isinstance(value, list | tuple):
        return any(map(has_symbols, value))
    return isinstance(value, Maybe | Varying)


def is_elementwise(function: Any) -> bool:
    """Returns whether a function of NumPy's computes each element by itself."""
    return function in _ELEMENTWISE


def call_elementwise(function: Any, arguments: list[Any]) -> Any:
    """Calls such a function."""
    return _strong(elementwise(_ELEMENTWISE[function], *arguments))


def call(function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Calls one of NumPy's or Python's functions.

    Raises:
        NoFastForm: If it is not known for symbols.
    """
    name = getattr(function, "__name__", repr(function))
    if function in _OWN:
        return _OWN[function](*arguments, **keywords)
    is_known = not any(map(has_symbols, [*arguments, *keywords.values()]))
    if is_known:
        return _native(function, arguments, keywords)
    if function in _ELEMENTWISE and not keywords:
        return call_elementwise(function, arguments)
    if function in _MATH:
        floats = [cast(a, "f", weak=True) for a in arguments]
        return apply(_MATH[function], *floats)
    if function in _SHAPED:
        kind = kind_for(tuple(_flattened(arguments)))
        made = function(*map(_to_objects, arguments), **keywords)
        return _from_objects(made, kind)
    raise NoFastForm(f"{name} of values that are not known has no fast form.")


def _strong(value: Any) -> Any:
    """Returns a number as NumPy's: what it makes of plain numbers is none of them."""
    return cast(value, kind_of(value)) if kind_of(value) else value


def _native(function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    made = function(
        *map(to_native, arguments), **{k: to_native(v) for k, v in keywords.items()}
    )
    return from_native(made)


def to_native(value: Any) -> Any:
    """Returns a value without symbols as NumPy and Python have it."""
    if isinstance(value, Row):
        return value.known()
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(map(to_native, value))
    return value


def from_native(value: Any) -> Any:
    """Returns a value with NumPy's arrays replaced by our own."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf":
            return Row.of(value, _kind_of_type(value.dtype))
        return Row.of(value)
    if type(value) in (list, tuple):
        return type(value)(map(from_native, value))
    return value


def _kind_of_type(wanted: Any) -> str:
    dtype = np.dtype(wanted)
    for kind, known in KINDS.items():
        if dtype == np.dtype(known):
            return kind
    raise NoFastForm(f"Numbers of type {dtype} have no fast form.")


def _flattened(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, list | tuple):
            found += _flattened(value)
        elif isinstance(value, Row) or kind_of(value):
            found.append(value)
    return found


def _to_objects(value: Any) -> Any:
    if isinstance(value, Row):
        return value.data
    if isinstance(value, list | tuple) and any(isinstance(v, Row) for v in value):
        return [_to_objects(v) for v in value]
    if has_symbols(value):
        return as_objects(value)
    return value


def _from_objects(made: Any, kind: str) -> Any:
    if isinstance(made, np.ndarray):
        if made.ndim:
            return Row(made.astype(object), kind)._conformed()
        made = made[()]
    return cast(made, kind) if kind_of(made) else made


_SHAPED: set[Any] = {
    np.append,
    np.column_stack,
    np.concatenate,
    np.cross,
    np.cumsum,
    np.diag,
    np.dot,
    np.einsum,
    np.hstack,
    np.inner,
    np.matmul,
    np.outer,
    np.ravel,
    np.repeat,
    np.reshape,
    np.roll,
    np.squeeze,
    np.stack,
    np.sum,
    np.swapaxes,
    np.tile,
    np.trace,
    np.transpose,
    np.vstack,
    np.broadcast_to,
    np.diff,
    np.prod,
    np.expand_dims,
}
"""Functions that move, add and multiply elements: NumPy's own work on symbols."""


def make_array(value: Any, dtype: Any = None, copy: Any = None) -> Row:
    """Returns `np.array`."""
    return Row.of(value, "" if dtype is None else as_kind(dtype))


def as_array(value: Any, dtype: Any = None) -> Row:
    """Returns `np.asarray`."""
    kind = "" if dtype is None else as_kind(dtype)
    if isinstance(value, Row) and kind in ("", value.kind):
        return value
    return make_array(value, dtype)


def as_kind(dtype: Any) -> str:
    """Returns the kind of a type, as `dtype=` and `astype` take it."""
    if dtype in (float, int, bool):
        return {float: "f", int: "i", bool: "b"}[dtype]
    return _kind_of_type(dtype)


def clip(value: Any, low: Any = None, high: Any = None, **names: Any) -> Any:
    """Returns `np.clip`."""
    low = names.get("a_min", names.get("min", low))
    high = names.get("a_max", names.get("max", high))
    if low is not None:
        value = elementwise("maximum", value, low)
    return value if high is None else elementwise("minimum", value, high)


def norm(value: Any) -> Any:
    """Returns `np.linalg.norm` of a vector."""
    row = as_array(value)
    if row.ndim != 1:
        raise NoFastForm("The norm of a matrix has no fast form.")
    total = call(np.sum, [elementwise("mul", row, row)], {})
    return apply("sqrt", total)


def square(value: Any) -> Any:
    """Returns `np.square`."""
    return elementwise("mul", value, value)


def all_of(op: str, value: Any) -> Any:
    """Returns whether all elements hold, or any."""
    result: Any = op == "and"
    for one in as_objects(value).flat:
        result = apply(op, result, truth(one))
    return result


def extreme(op: str, *values: Any) -> Any:
    """Returns Python's `min` or `max`: the first of those that are equal."""
    items = list(values[0]) if len(values) == 1 else list(values)
    best = items[0]
    for item in items[1:]:
        test = apply("lt" if op == "min" else "gt", item, best)
        best = (
            select(test, item, best)
            if isinstance(test, Symbol)
            else (item if test else best)
        )
    return best


def to_float(value: Any = 0.0) -> Any:
    """Returns `float`."""
    value = _single(value)
    return (
        float(value) if not isinstance(value, Symbol) else cast(value, "f", weak=True)
    )


def to_int(value: Any = 0) -> Any:
    """Returns `int`."""
    value = _single(value)
    return int(value) if not isinstance(value, Symbol) else cast(value, "i", weak=True)


def to_bool(value: Any = False) -> Any:
    """Returns `bool`."""
    value = _single(value)
    if not isinstance(value, Symbol):
        return bool(value)
    return cast(truth(value), "b", weak=True)


def _single(value: Any) -> Any:
    if isinstance(value, Row):
        if value.size != 1:
            raise NoFastForm("An array of several elements is used as a number.")
        return value.scalar(value.data.reshape(-1)[0])
    return value


def _round(value: Any, digits: Any = None) -> Any:
    if not isinstance(value, Symbol):
        return round(value) if digits is None else round(value, digits)
    if digits is not None:
        raise NoFastForm("round to decimals has no fast form.")
    return cast(apply("rint", value), "i", weak=True)


def _to_whole(op: str) -> Callable[[Any], Any]:
    native = {"floor": math.floor, "ceil": math.ceil}[op]

    def convert(value: Any) -> Any:
        if isinstance(value, Symbol):
            return cast(apply(op, value), "i", weak=True)
        return native(value)

    return convert


def _type(kind: str) -> Callable[[Any], Any]:
    def convert(value: Any = 0) -> Any:
        return value.astype(kind) if isinstance(value, Row) else cast(value, kind)

    return convert


def _sum(values: Any, start: Any = 0) -> Any:
    total = start
    for value in values:
        total = elementwise("add", total, value)
    return total


def _absolute(value: Any) -> Any:
    return elementwise("abs", value)


def _power(base: Any, exponent: Any) -> Any:
    return elementwise("pow", base, exponent)


def _divmod(left: Any, right: Any) -> Any:
    return apply("floordiv", left, right), apply("mod", left, right)


def _where(condition: Any, *parts: Any) -> Any:
    if parts:
        return where(condition, *parts)
    if has_symbols(condition):
        return (places(condition),)
    return from_native(np.where(to_native(condition)))


def _flat_places(condition: Any) -> Any:
    return places(condition) if has_symbols(condition) else _where(condition)[0]


def mean(value: Any) -> Any:
    """Returns `np.mean` of all elements."""
    row = as_array(value)
    return elementwise("div", call(np.sum, [row], {}), row.size)


def _array_equal(left: Any, right: Any) -> Any:
    return all_of("and", elementwise("eq", left, right))


def _zeros_like(value: Any) -> Any:
    row = as_array(value)
    return Row.of(np.zeros(row.shape), row.kind)


def _flat_extreme(op: str) -> Callable[[Any], Any]:
    def find(value: Any) -> Any:
        best = None
        for one in as_objects(value).flat:
            best = one if best is None else apply(op, best, one)
        return best

    return find


_OWN: dict[Any, Callable[..., Any]] = {
    np.array: make_array,
    np.asarray: as_array,
    np.ascontiguousarray: as_array,
    np.atleast_1d: lambda v: as_array(v) if as_array(v).ndim else as_array([v]),
    np.copy: lambda v: as_array(v).copy(),
    np.clip: clip,
    np.square: square,
    np.linalg.norm: norm,
    np.where: _where,
    np.nonzero: _where,
    np.flatnonzero: _flat_places,
    np.all: lambda v: all_of("and", v),
    np.any: lambda v: all_of("or", v),
    np.array_equal: _array_equal,
    np.mean: mean,
    np.max: _flat_extreme("maximum"),
    np.min: _flat_extreme("minimum"),
    np.zeros_like: _zeros_like,
    np.deg2rad: lambda v: elementwise("mul", v, math.pi / 180.0),
    np.radians: lambda v: elementwise("mul", v, math.pi / 180.0),
    math.radians: lambda v: apply("mul", v, math.pi / 180.0),
    math.floor: _to_whole("floor"),
    math.ceil: _to_whole("ceil"),
    math.pow: _power,
    pow: _power,
    abs: _absolute,
    min: lambda *v: extreme("min", *v),
    max: lambda *v: extreme("max", *v),
    sum: _sum,
    round: _round,
    divmod: _divmod,
    float: to_float,
    int: to_int,
    bool: to_bool,
    np.float64: _type("f"),
    np.float32: _type("s"),
    np.int64: _type("i"),
    np.bool_: _type("b"),
    all: lambda v: all_of("and", list(v)),
    any: lambda v: all_of("or", list(v)),
}
