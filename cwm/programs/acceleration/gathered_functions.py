"""Functions of arrays whose length values decide, and of lists that become them."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from cwm.programs.acceleration import functions
from cwm.programs.acceleration.arrays import Row, elementwise
from cwm.programs.acceleration.gathered import Gathered, gathered, identity
from cwm.programs.acceleration.operations import apply
from cwm.programs.acceleration.symbols import NoFastForm, Symbol, cast
from cwm.programs.acceleration.varying import Maybe, Varying, has_maybe, slots


def is_varying(arguments: list[Any]) -> bool:
    """Returns whether a call has to do with what is there on some paths only."""
    return any(isinstance(a, Varying) or has_maybe(a) for a in arguments)


def call(function: Any, arguments: list[Any], names: dict[str, Any]) -> Any:
    """Calls a function of which an argument varies in length.

    Raises:
        NoFastForm: If it is not known for such.
    """
    if function in _OF_LISTS and has_maybe(arguments[0]):
        return _OF_LISTS[function](*arguments, **names)
    arguments = [gathered(list(a)) if has_maybe(a) else a for a in arguments]
    if functions.is_elementwise(function) and not names:
        return functions.call_elementwise(function, arguments)
    if function in _OF_ARRAYS:
        return _OF_ARRAYS[function](*arguments, **names)
    name = getattr(function, "__name__", repr(function))
    raise NoFastForm(f"{name} of what varies in length has no fast form.")


def multiplied(left: Any, right: Any) -> Any:
    """Returns `left @ right`."""
    if isinstance(left, Gathered) and isinstance(right, Gathered):
        return _summed_products(left, right)
    if isinstance(left, Gathered) and not left.is_transposed:
        return _rows_times(left, right)
    raise NoFastForm("A product with an array of varying length.")


def _rows_times(left: Gathered, right: Any) -> Gathered:
    """Returns each row times a vector or a matrix."""
    fixed = Row.of(right)
    if len(left.shape) != 1 or fixed.shape[0] != left.shape[0]:
        raise NoFastForm("A product with an array of varying length.")

    def element(place: Symbol) -> Any:
        return functions.call(np.matmul, [left.element(place), fixed], {})

    return left.derived(element, fixed.shape[1:])


def _summed_products(left: Gathered, right: Gathered) -> Any:
    """Returns products of elements, summed over them."""
    is_turned = left.is_transposed or not left.shape
    if not is_turned or right.is_transposed or not left.is_like(right):
        raise NoFastForm("A product of two arrays of varying length.")
    shape = (*left.shape, *right.shape)

    def step(element: Any, place: Symbol, sums: list[Any]) -> list[Any]:
        others = Row.of(right.element(place)).data.reshape(-1)
        products = [
            apply("mul", a, b) for a in Row.of(element).data.reshape(-1) for b in others
        ]
        return [apply("add", s, p) for s, p in zip(sums, products, strict=True)]

    return _shaped(left.fold([0.0] * int(np.prod(shape)), step), shape)


def _shaped(numbers: list[Any], shape: tuple[int, ...]) -> Any:
    data = np.empty(len(numbers), object)
    data[:] = numbers
    return Row(data.reshape(shape), "f") if shape else numbers[0]


def total(array: Gathered, axis: Any = None) -> Any:
    """Returns `np.sum` over all, or over the varying axis."""
    if array.is_transposed or axis not in (None, 0):
        raise NoFastForm("A sum of parts of an array of varying length.")
    if axis is None and array.shape:
        of_one = array.derived(
            lambda place: functions.call(np.sum, [array.element(place)], {}), ()
        )
        return total(of_one)

    def step(element: Any, _: Symbol, sums: list[Any]) -> list[Any]:
        parts = Row.of(element).data.reshape(-1)
        return [apply("add", s, p) for s, p in zip(sums, parts, strict=True)]

    return _shaped(array.fold([0.0] * int(np.prod(array.shape)), step), array.shape)


def _logical(op: str) -> Callable[[Gathered], Any]:
    def decide(array: Gathered) -> Any:
        def step(element: Any, _: Symbol, so_far: list[Any]) -> list[Any]:
            return [apply(op, so_far[0], functions.all_of(op, element))]

        return array.fold([op == "and"], step)[0]

    return decide


def _array_equal(left: Any, right: Any) -> Any:
    if not (isinstance(left, Gathered) and isinstance(right, Gathered)):
        raise NoFastForm("Arrays of fixed and of varying length are compared.")
    return _logical("and")(elementwise("eq", left, right))


def _number_of(array: Gathered) -> Any:
    if array.is_transposed:
        raise NoFastForm("The length of a transposed array of varying length.")
    return array.gather.count


def _conditions(values: Any) -> list[Any]:
    return [slot.condition for slot in slots(values)]


def is_any(values: Any) -> Any:
    """Returns whether a list has any elements."""
    result: Any = False
    for condition in _conditions(values):
        result = apply("or", result, condition)
    return result


def _length(values: Any) -> Any:
    result: Any = 0
    for condition in _conditions(values):
        result = apply("add", result, cast(condition, "i", weak=True))
    return result


def _zipped(*lists: Any, strict: bool = False) -> list[Any]:
    del strict
    columns = [slots(values) for values in lists]
    keys = [[identity(slot.condition) for slot in column] for column in columns]
    if any(key != keys[0] for key in keys):
        raise NoFastForm("Lists of several varying lengths are zipped.")
    return [
        Maybe(row[0].condition, tuple(slot.value for slot in row))
        for row in zip(*columns, strict=True)
    ]


def _as_it_is(values: Any) -> Any:
    return values


_OF_LISTS: dict[Any, Callable[..., Any]] = {
    len: _length,
    zip: _zipped,
    list: list,
    tuple: list,
    bool: is_any,
}
_OF_ARRAYS: dict[Any, Callable[..., Any]] = {
    np.array: lambda v, dtype=None: _as_real(v, dtype),
    np.asarray: lambda v, dtype=None: _as_real(v, dtype),
    np.vstack: _as_it_is,
    np.stack: lambda v, axis=0: _stacked(v, axis),
    np.copy: _as_it_is,
    np.matmul: multiplied,
    np.dot: multiplied,
    np.sum: total,
    np.all: _logical("and"),
    np.any: _logical("or"),
    np.array_equal: _array_equal,
    np.square: lambda v: elementwise("mul", v, v),
    np.transpose: lambda v: v.attribute("T"),
    abs: lambda v: elementwise("abs", v),
    len: _number_of,
}
METHODS: dict[str, Callable[..., Any]] = {
    "all": _logical("and"),
    "any": _logical("or"),
    "copy": _as_it_is,
    "dot": multiplied,
    "sum": total,
}
"""Methods of arrays that vary in length."""


def _as_real(value: Any, dtype: Any) -> Any:
    if dtype is not None and functions.as_kind(dtype) != "f":
        raise NoFastForm("An array of varying length holds no real numbers.")
    return value


def _stacked(value: Any, axis: int) -> Any:
    if operator.index(axis) != 0:
        raise NoFastForm("Elements of varying number are stacked side by side.")
    return value
