"""Small arrays whose elements may be symbols."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.programs.acceleration.operations import apply, select
from cwm.programs.acceleration.symbols import (
    KINDS,
    NoFastForm,
    Symbol,
    cast,
    kind_of,
    plain,
    widest,
)
from cwm.programs.acceleration.varying import Varying

Objects = NDArray[Any]

OTHER = "o"
"""Kind of an array of anything but numbers."""


class Row:
    """An array of the program's: elements, known or not, of one kind.

    Views share their elements, as NumPy's do.

    Attributes:
        data: The elements, as an array of objects.
        kind: One of `symbols.KINDS`, or `OTHER`.
    """

    def __init__(self, data: Objects, kind: str) -> None:
        self.data = data
        self.kind = kind

    @classmethod
    def of(cls, value: Any, kind: str = "") -> "Row":
        """Returns an array of a value as `np.array` would, copied."""
        data = _objects(value)
        if not kind:
            kinds = {_leaf_kind(leaf) for leaf in _leaves(value)}
            if isinstance(value, Row):
                kind = value.kind
            elif "" in kinds:
                kind = OTHER
            else:
                kind = _widest_kind(kinds) if kinds else "f"
        return cls(data, kind)._conformed()

    def _conformed(self) -> "Row":
        if self.kind != OTHER:
            flat = self.data.reshape(-1)
            for position, value in enumerate(flat):
                flat[position] = element(value, self.kind)
            self.data = flat.reshape(self.data.shape)
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """As NumPy has it."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """As NumPy has it."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """As NumPy has it."""
        return self.data.size

    @property
    def dtype(self) -> Any:
        """As NumPy has it."""
        return np.dtype(KINDS.get(self.kind, object))

    @property
    def T(self) -> "Row":  # noqa: N802 - NumPy's name
        """As NumPy has it."""
        return Row(self.data.T, self.kind)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        return (
            self.part(np.asarray(part, object))
            if isinstance(part, np.ndarray)
            else self.scalar(part)
            for part in self.data
        )

    def is_known(self) -> bool:
        """Returns whether no element is a symbol."""
        return not any(isinstance(v, Symbol) for v in self.data.flat)

    def known(self) -> NDArray[Any]:
        """Returns NumPy's array of known elements."""
        if self.kind == OTHER:
            return np.array(self.data.tolist())
        return np.array(self.data.tolist(), dtype=KINDS[self.kind]).reshape(self.shape)

    def scalar(self, value: Any) -> Any:
        """Returns an element as NumPy would hand it out."""
        if self.kind == OTHER:
            return value
        return cast(value, self.kind)

    def part(self, data: Any) -> Any:
        """Returns a view, or an element."""
        if isinstance(data, np.ndarray):
            return self.scalar(data[()]) if data.ndim == 0 else Row(data, self.kind)
        return self.scalar(data)

    def read(self, index: Any) -> Any:
        """Returns what is at an index, which may have symbols in it."""
        index = _plain_index(index)
        place = _symbolic_place(index)
        if place is None:
            return self.part(self.data[index])
        axis_size = self._axis_size(index, place)
        found = [self.read(_put(index, place, k)) for k in range(axis_size)]
        return choose(_at(index, place), found)

    def write(self, index: Any, value: Any) -> None:
        """Sets what is at an index."""
        if isinstance(index, Row) and index.kind == "b" and not index.is_known():
            self._write_where(index, value)
            return
        index = _plain_index(index)
        place = _symbolic_place(index)
        if place is not None:
            for k in range(self._axis_size(index, place)):
                here = _put(index, place, k)
                is_here = apply("eq", _at(index, place), k)
                self.write(here, where(is_here, value, self.read(here)))
            return
        new = self._elements(value)
        if self.data[index].__class__ is np.ndarray:
            self.data[index] = new
        else:
            self.data[index] = new[()] if new.ndim == 0 else new.reshape(-1)[0]

    def _write_where(self, mask: "Row", value: Any) -> None:
        new = where(mask, value, self)
        self.data[...] = self._elements(new)

    def _elements(self, value: Any) -> Objects:
        return Row.of(value, self.kind).data

    def _axis_size(self, index: Any, place: int | None) -> int:
        parts = index if isinstance(index, tuple) else (index,)
        axis = 0
        for part in parts[: place or 0]:
            if part is Ellipsis:
                raise NoFastForm("... before an index that is not known")
            axis += part is not None
        size: int = self.data.shape[axis]
        return size

    def astype(self, kind: str) -> "Row":
        """Returns a copy with numbers of a kind."""
        return Row.of(self, kind)

    def copy(self) -> "Row":
        """Returns one with elements of its own."""
        return Row(self.data.copy(), self.kind)

    def reshape(self, *shape: Any) -> "Row":
        """Returns the elements in another shape, as NumPy does."""
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return Row(self.data.reshape(sizes), self.kind)


def _plain_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_plain_index, index))
    if isinstance(index, list):
        return _plain_index(Row.of(index))
    if isinstance(index, Row):
        if not index.is_known():
            raise NoFastForm("Elements are picked by values that are not known.")
        return index.known()
    return index


def _symbolic_place(index: Any) -> int | None:
    if isinstance(index, Symbol):
        return 0
    if isinstance(index, slice):
        for part in (index.start, index.stop, index.step):
            if isinstance(part, Symbol):
                raise NoFastForm("A slice has a bound that is not known.")
    if isinstance(index, tuple):
        for place, part in enumerate(index):
            if isinstance(part, Symbol):
                return place
            _symbolic_place(part if not isinstance(part, tuple) else None)
    return None


def _at(index: Any, place: int) -> Any:
    return index[place] if isinstance(index, tuple) else index


def _put(index: Any, place: int, value: int) -> Any:
    if not isinstance(index, tuple):
        return value
    return (*index[:place], value, *index[place + 1 :])


def element(value: Any, kind: str) -> Any:
    """Returns an element as arrays of a kind hold it."""
    if isinstance(value, Symbol):
        return cast(value, kind)
    return plain(value, kind)


def _leaf_kind(value: Any) -> str:
    return kind_of(value)


def _widest_kind(kinds: set[str]) -> str:
    if "s" in kinds and "i" in kinds:
        return "f"
    return max(kinds, key="bisf".index)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Row):
        yield from (value.scalar(v) for v in value.data.flat)
    elif isinstance(value, list | tuple | range):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, np.ndarray):
        yield from value.flat
    else:
        yield value


def _objects(value: Any) -> Objects:
    if isinstance(value, Row):
        return value.data.copy()
    if isinstance(value, np.ndarray):
        return np.array(value.astype(object))
    if isinstance(value, list | tuple | range):
        parts = [_objects(part) for part in value]
        if len({part.shape for part in parts}) > 1:
            raise NoFastForm("An array's rows have several lengths.")
        if not parts:
            return np.empty((0,), object)
        return np.stack(parts) if parts[0].ndim else _flat([p[()] for p in parts])
    holder = np.empty((), object)
    holder[()] = value
    return holder


def _flat(values: list[Any]) -> Objects:
    holder = np.empty((len(values),), object)
    for position, value in enumerate(values):
        holder[position] = value
    return holder


def map_elements(function: Callable[..., Any], kind: str, *values: Any) -> Any:
    """Returns a function of numbers, for each element of arrays that are broadcast."""
    arrays = np.broadcast_arrays(*(as_objects(v) for v in values))
    result = np.empty(arrays[0].shape, object)
    flat = [a.reshape(-1) for a in arrays]
    target = result.reshape(-1)
    for position in range(target.size):
        target[position] = function(*(a[position] for a in flat))
    result = target.reshape(result.shape)
    if result.ndim == 0:
        return result[()]
    return Row(result, kind)._conformed()


def as_objects(value: Any) -> Objects:
    """Returns the elements of an array, a list or a number, not copied."""
    return value.data if isinstance(value, Row) else _objects(value)


def kind_for(values: tuple[Any, ...]) -> str:
    """Returns the kind that arrays and numbers are computed in together."""
    return widest(*(_stand_in(v) for v in values))


def _stand_in(value: Any) -> Any:
    if isinstance(value, list | tuple):
        value = Row.of(value)
    return KINDS[_number_kind(value)](0) if isinstance(value, Row) else value


def _number_kind(row: Row) -> str:
    if row.kind == OTHER:
        raise NoFastForm("An array holds no numbers.")
    return row.kind


def elementwise(op: str, *values: Any) -> Any:
    """Returns an operation on arrays and numbers, element by element."""
    varying = next((v for v in values if isinstance(v, Varying)), None)
    if varying is not None:
        return varying.elementwise(op, values)
    if not any(isinstance(v, Row | list | tuple) for v in values):
        return apply(op, *values)
    kind = kind_for(values)

    def compute(*elements: Any) -> Any:
        return apply(op, *(cast(e, kind) for e in elements))

    probe = apply(op, *(KINDS[kind](1) for _ in values))
    return map_elements(compute, kind_of(probe), *values)


def where(condition: Any, yes: Any, no: Any) -> Any:
    """Returns one of two by element."""
    parts = (condition, yes, no)
    if not any(isinstance(v, Row | list | tuple) for v in parts):
        return select(condition, yes, no)
    return map_elements(select, kind_for((yes, no)), *parts)


class Choice:
    """One of several known things, by a number that is not known."""

    def __init__(self, index: Symbol, options: list[Any]) -> None:
        self.index = index
        self.options = options

    def map(self, function: Callable[[Any], Any]) -> Any:
        """Returns what becomes of it if something is done to each."""
        return choose(self.index, [function(option) for option in self.options])


def choose(index: Any, options: list[Any]) -> Any:
    """Returns the option at a place that is not known; outside, the nearest one."""
    if not options:
        raise NoFastForm("There is nothing to choose from.")
    first = options[0]
    if all(kind_of(option) for option in options):
        if any(isinstance(option, Symbol) for option in options):
            chosen = options[-1]
            for place in range(len(options) - 2, -1, -1):
                chosen = select(apply("eq", index, place), options[place], chosen)
            return chosen
        if all(option == first and type(option) is type(first) for option in options):
            return first
        return index.graph.table(options, index)
    is_sequence = all(isinstance(option, tuple | list) for option in options)
    if is_sequence and len({(type(o), len(o)) for o in options}) == 1:
        columns = zip(*options, strict=True)
        return type(first)(choose(index, list(column)) for column in columns)
    if all(isinstance(o, Row) and o.shape == first.shape for o in options):
        flat = [option.data.reshape(-1) for option in options]
        data = _flat(
            [choose(index, list(column)) for column in zip(*flat, strict=True)]
        )
        return Row(data.reshape(first.shape), first.kind)._conformed()
    return Choice(index, list(options))
