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
    Branch,
    Gather,
    Loop,
    NoFastForm,
    Symbol,
    cast,
    graph_of,
    kind_of,
    plain,
)
from cwm.programs.acceleration.varying import Maybe, Varying, slots

Element = Callable[[Symbol], Any]
"""Returns the element at a place, recorded where that is asked for."""


class Gathered(Varying):
    """An array of as many elements as conditions hold, of those that pass filters.

    Attributes:
        key: The conditions, by which arrays of the same length are known.
        gather: Where elements are stored, and how many.
        element: What is at a place.
        filters: Which of the elements count, by arrays of conditions.
        shape: Shape of one element.
        is_transposed: Whether the varying axis is the last one.
    """

    def __init__(
        self,
        key: tuple[Any, ...],
        gather: Gather,
        element: Element,
        *,
        filters: tuple["Gathered", ...] = (),
        shape: tuple[int, ...] = (),
        is_transposed: bool = False,
    ) -> None:
        self.key = key
        self.gather = gather
        self.element = element
        self.filters = filters
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
            filters=self.filters,
            shape=shape,
            is_transposed=is_transposed,
        )

    def is_like(self, other: "Gathered") -> bool:
        """Returns whether two arrays always have the same elements there."""
        return self.key == other.key and self.filters == other.filters

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
            if not self.is_like(index) or index.shape:
                raise NoFastForm("Elements are picked by another array's values.")
            return Gathered(
                self.key,
                self.gather,
                self.element,
                filters=(*self.filters, index),
                shape=self.shape,
            )
        first, *rest = index if isinstance(index, tuple) else (index,)
        if first != slice(None):
            raise NoFastForm("One element of an array of varying length.")
        place = tuple(rest)
        shape = np.empty(self.shape)[place].shape

        def element(at: Symbol) -> Any:
            return Row.of(self.element(at)).read(place)

        return self.derived(element, shape)

    def fold(self, firsts: list[Any], step: "Step") -> list[Any]:
        """Returns numbers that go from element to element.

        Args:
            firsts: What they are before the first element.
            step: Returns what they are after an element, given what they were.
        """
        graph = self.gather.count.graph
        loop = Loop(head=Block(), body=Block())
        place = graph.fresh("variable", (), "i")
        place.weak = True
        numbers = [graph.fresh("variable", (), kind_of(first)) for first in firsts]
        with graph.inside(loop.head):
            loop.condition = apply("lt", place, self.gather.count)
        with graph.inside(loop.body):
            news = self._passed(place, numbers, step)
            loop.variables.append((place, 0, apply("add", place, 1)))
        loop.variables += zip(numbers, firsts, news, strict=True)
        graph.add(loop)
        return list(numbers)

    def _passed(self, place: Symbol, numbers: list[Symbol], step: "Step") -> list[Any]:
        """Returns new numbers, or the old ones where the element is filtered out."""
        graph = place.graph
        passes: Any = True
        for one in self.filters:
            passes = apply("and", passes, one.element(place))
        if not isinstance(passes, Symbol):
            kinds = [number.kind for number in numbers]
            news = step(self.element(place), place, numbers) if passes else numbers
            return [cast(new, kind) for new, kind in zip(news, kinds, strict=True)]
        branch = Branch(condition=passes, yes=Block(), no=Block())
        with graph.inside(branch.yes):
            news = step(self.element(place), place, numbers)
        graph.add(branch)
        results = []
        for number, new in zip(numbers, news, strict=True):
            result = graph.fresh("result", (), number.kind)
            branch.results.append((result, new, number))
            results.append(result)
        return results


Step = Callable[[Any, Symbol, list[Any]], list[Any]]
"""Returns new numbers, given an element, its place and the numbers so far."""


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
    gather = graph.gather(
        [
            (entry.condition, list(row.data.flat))
            for entry, row in zip(entries, rows, strict=True)
        ]
    )

    def element(place: Symbol) -> Any:
        data = np.empty(shape, object)
        for column, position in enumerate(np.ndindex(shape)):
            args = (gather.count, gather.name, column, place)
            data[position] = graph.operation("item", args, "f")
        return Row(data, "f") if shape else data[()]

    key = tuple(identity(entry.condition) for entry in entries)
    return Gathered(key, gather, element, shape=shape)


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
