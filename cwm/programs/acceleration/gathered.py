"""Arrays whose length values decide: the elements that are there, one after another.

A program collects what counts, such as the contacts of a robot, and computes with the
array of it. Such an array is stored once, and what is computed with its elements is
written for one element; sums over it become loops over as many as there are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cwm.programs.acceleration.arrays import Row, elementwise
from cwm.programs.acceleration.operations import apply, truth
from cwm.programs.acceleration.symbols import (
    Block,
    Gather,
    Graph,
    Loop,
    NoFastForm,
    Symbol,
    cast,
    graph_of,
    kind_of,
)
from cwm.programs.acceleration.varying import Maybe, Varying, slots

Element = Callable[[Symbol], Any]
"""Returns the element at a place, recorded where that is asked for."""


class Gathered(Varying):
    """An array of as many elements as conditions hold.

    Attributes:
        key: What decides which elements are there: arrays with the same key have
            the same ones.
        gather: Where elements are stored, and how many.
        element: What is at a place.
        shape: Shape of one element.
        is_transposed: Whether the varying axis is the last one.
        picked: Of conditions, where the places that hold are stored, and the block
            from which they can be used.
    """

    def __init__(
        self,
        key: tuple[Any, ...],
        gather: Gather,
        element: Element,
        *,
        shape: tuple[int, ...] = (),
        is_transposed: bool = False,
    ) -> None:
        self.key = key
        self.gather = gather
        self.element = element
        self.picked: tuple[Block, Gather] | None = None
        self.shape = shape
        self.is_transposed = is_transposed

    def derived(
        self, element: Element, shape: tuple[int, ...], *, is_transposed: bool = False
    ) -> "Gathered":
        """Returns an array of as many elements, computed from this one's."""
        return Gathered(
            self.key,
            self.gather,
            element,
            shape=shape,
            is_transposed=is_transposed,
        )

    def is_like(self, other: "Gathered") -> bool:
        """Returns whether two arrays always have the same elements there."""
        return self.key == other.key

    def elementwise(self, op: str, values: tuple[Any, ...]) -> Any:
        """Returns an operation on values of which this is one."""
        arrays = [v for v in values if isinstance(v, Gathered)]
        if not all(self.is_like(v) and v.has_form_of(self) for v in arrays):
            raise NoFastForm("Arrays of several varying lengths meet.")
        parts = [_frozen(v) for v in values]
        shapes = [v.shape for v in values if isinstance(v, Gathered | Row)]
        if any(len(shape) > len(self.shape) for shape in shapes):
            raise NoFastForm("An array of varying length is spread over another.")
        if self.is_transposed and any(isinstance(v, Row) for v in values):
            raise NoFastForm("An array of varying length is spread over another.")

        def element(place: Symbol) -> Any:
            return elementwise(op, *(_at(part, place) for part in parts))

        shape = np.broadcast_shapes(*shapes)
        return self.derived(element, shape, is_transposed=self.is_transposed)

    def has_form_of(self, other: "Gathered") -> bool:
        """Returns whether the varying axis is at the same place."""
        same_place = self.is_transposed == other.is_transposed
        return same_place and len(self.shape) == len(other.shape)

    def attribute(self, name: str) -> Any:
        """Returns the transposed array."""
        if name != "T":
            raise NoFastForm(f"{name} of an array whose length depends on values")
        is_turned = len(self.shape) > 0 and not self.is_transposed
        if len(self.shape) > 1:
            raise NoFastForm("An array of three axes is transposed.")
        return self.derived(self.element, self.shape, is_transposed=is_turned)

    def read(self, index: Any) -> Any:
        """Returns part of each element, or the elements that pass a filter."""
        if self.is_transposed:
            raise NoFastForm("Part of a transposed array of varying length.")
        if isinstance(index, Gathered):
            return self._passing(index)
        first, *rest = index if isinstance(index, tuple) else (index,)
        if first != slice(None):
            raise NoFastForm("One element of an array of varying length.")
        place = tuple(rest)
        shape = np.empty(self.shape)[place].shape

        def element(at: Symbol) -> Any:
            return Row.of(self.element(at)).read(place)

        return self.derived(element, shape)

    def _passing(self, mask: "Gathered") -> "Gathered":
        """Returns the elements that pass a filter."""
        if not self.is_like(mask) or mask.shape:
            raise NoFastForm("Elements are picked by another array's values.")
        graph = self.gather.count.graph
        if mask.picked is None or not graph.is_open(mask.picked[0]):
            mask.picked = (graph.block, _passing_places(mask))
        gather = mask.picked[1]

        def element(place: Symbol) -> Any:
            args = (gather.count, gather.name, 0, place)
            stored = graph.operation("item", args, "f")
            return self.element(cast(stored, "i", weak=True))

        return Gathered((self.key, mask), gather, element, shape=self.shape)

    def fold(self, firsts: list[Any], step: "Step") -> list[Any]:
        """Returns numbers that go from element to element.

        Args:
            firsts: What they are before the first element.
            step: Returns what they are after an element, given what they were.
        """
        graph = self.gather.count.graph
        numbers = [graph.fresh("variable", (), kind_of(first)) for first in firsts]
        kinds = [number.kind for number in numbers]

        def once(place: Symbol) -> list[Any]:
            news = step(self.element(place), place, list(numbers))
            return [cast(new, kind) for new, kind in zip(news, kinds, strict=True)]

        loop, news = over(self.gather, once)
        loop.variables += zip(numbers, firsts, news, strict=True)
        return list(numbers)


Step = Callable[[Any, Symbol, list[Any]], list[Any]]
"""Returns new numbers, given an element, its place and the numbers so far."""


def over(gather: Gather, once: Callable[[Symbol], list[Any]]) -> tuple[Loop, list[Any]]:
    """Returns a recorded loop over stored rows, and what its body computes."""
    graph = gather.count.graph
    loop = Loop(head=Block(), body=Block())
    place = graph.fresh("variable", (), "i")
    place.weak = True
    with graph.inside(loop.head):
        loop.condition = apply("lt", place, gather.count)
        with graph.inside(loop.body):
            found = once(place)
            loop.variables.append((place, 0, apply("add", place, 1)))
    graph.add(loop)
    return loop, found


def _passing_places(mask: Gathered) -> Gather:
    """Stores the places of the elements that pass a filter."""
    graph = mask.gather.count.graph
    gather = graph.gather(graph.stores[mask.gather.name][0], 1)

    def once(place: Symbol) -> list[Any]:
        passes = mask.element(place)
        graph.append(gather, passes, [cast(place, "f")])
        return []

    over(mask.gather, once)
    return gather


def gathered(values: list[Any]) -> Gathered:
    """Returns the array of a list with elements that are not always there.

    Raises:
        NoFastForm: If they are no real numbers, or arrays of several shapes.
    """
    entries = slots(values)
    rows = [Row.of(entry.value) for entry in entries]
    shape = rows[0].shape
    if any(row.kind != "f" or row.shape != shape for row in rows):
        raise NoFastForm("Rows of other things than real numbers, or of several sizes.")
    graph = graph_of(*(entry.condition for entry in entries))
    key = tuple(identity(entry.condition) for entry in entries)
    gather = _gather_beside(graph, key, rows)
    if gather is None:
        gather = graph.gather(len(rows), 0)
        graph.gathers[key] = (graph.block, gather)
        for entry in entries:
            graph.append(gather, entry.condition, [])
    first = len(gather.appends[0].numbers)
    for line, row in zip(gather.appends, rows, strict=True):
        line.numbers += row.data.flat
    graph.stores[gather.name] = (len(rows), first + rows[0].size)

    def element(place: Symbol) -> Any:
        data = np.empty(shape, object)
        for column, position in enumerate(np.ndindex(shape), first):
            args = (gather.count, gather.name, column, place)
            data[position] = graph.operation("item", args, "f")
        return Row(data, "f") if shape else data[()]

    return Gathered(key, gather, element, shape=shape)


def _gather_beside(
    graph: Graph, key: tuple[Any, ...], rows: list[Row]
) -> Gather | None:
    """Returns an array of the same length that these rows can be stored beside.

    It has to be one that can be used now, and made when the rows were known.
    """
    block, gather = graph.gathers.get(key, (None, None))
    if block is None or gather is None or not graph.is_open(block):
        return None
    numbers = [v.number for row in rows for v in row.data.flat if isinstance(v, Symbol)]
    return gather if max(numbers, default=0) < gather.count.number else None


def picked(values: Row, mask: Row) -> list[Any]:
    """Returns the elements of an array where a mask holds."""
    if mask.ndim != 1 or len(mask) != len(values):
        raise NoFastForm("Elements are picked by a mask of another shape.")
    return [
        Maybe(condition, value)
        for condition, value in zip(mask, values, strict=True)
        if isinstance(condition, Symbol) or condition
    ]


def places(condition: Any) -> list[Any]:
    """Returns the places of an array's elements that hold."""
    row = Row.of(condition)
    if row.ndim != 1:
        raise NoFastForm("Places in an array of several axes.")
    flags = Row.of([truth(v) for v in row], "b")
    return picked(Row.of(np.arange(len(row)), "i"), flags)


def identity(condition: Any) -> Any:
    """Returns what conditions that are always equal have in common."""
    return condition.number if isinstance(condition, Symbol) else bool(condition)


def _frozen(value: Any) -> Any:
    """Returns a value as it is now: the program may change it in place later."""
    if isinstance(value, Gathered | Symbol) or kind_of(value):
        return value
    return Row.of(value)


def _at(part: Any, place: Symbol) -> Any:
    return part.element(place) if isinstance(part, Gathered) else part
