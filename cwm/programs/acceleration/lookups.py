"""Equality, membership and elements, where values or places are symbols."""

import functools
from typing import Any

import numpy as np

from cwm.programs.acceleration.arrays import Choice, Row, choose, elementwise
from cwm.programs.acceleration.functions import has_symbols
from cwm.programs.acceleration.gathered import Gathered, gathered, picked
from cwm.programs.acceleration.operations import apply, select
from cwm.programs.acceleration.symbols import (
    Failure,
    Graph,
    NoFastForm,
    Symbol,
    kind_of,
)
from cwm.programs.acceleration.varying import Maybe, Varying, has_maybe, refuse_maybe


class Lookups:
    """Looks values up, and records where that fails.

    Attributes:
        graph: Where operations on symbols are recorded.
    """

    graph: Graph

    def equal(self, left: Any, right: Any) -> Any:
        """Returns whether two values are equal."""
        refuse_maybe(left, right)
        for one, other in ((left, right), (right, left)):
            if isinstance(one, Choice):
                return one.map(functools.partial(self.equal, other))
        if isinstance(left, tuple | list) and type(left) is type(right):
            if len(left) != len(right):
                return False
            result: Any = True
            for a, b in zip(left, right, strict=True):
                result = both(result, self.equal(a, b))
            return result
        if is_numeric(left) and is_numeric(right):
            return elementwise("eq", left, right)
        return left == right

    def contains(self, items: Any, value: Any) -> Any:
        """Returns whether a value is among others."""
        refuse_maybe(items)
        if isinstance(items, Row):
            items = list(items.data.flat)
        if isinstance(items, str) and not has_symbols(value):
            if isinstance(value, Choice):
                return value.map(lambda option: option in items)
            return value in items
        if not has_symbols(value) and not has_symbols(list(items)):
            return value in items
        result: Any = False
        for item in items:
            one = self.equal(value, item)
            result = (
                True
                if result is True or one is True
                else (
                    one
                    if result is False
                    else result
                    if one is False
                    else apply("or", result, one)
                )
            )
        return result

    def index_of(self, items: list[Any], value: Any) -> Any:
        """Returns the first place of a value in a list."""
        refuse_maybe(items)
        found: Any = len(items) - 1
        for place in range(len(items) - 1, -1, -1):
            found = select(self.equal(items[place], value), place, found)
        is_there = self.contains(items, value)
        self.fail(negated(is_there), "the value is not in the list")
        return found

    def fail(self, condition: Any, message: str) -> None:
        """Records that the program raises where a condition holds."""
        if isinstance(condition, Symbol):
            self.graph.add(Failure(condition=condition, message=message))
        elif condition:
            raise NoFastForm(f"step always raises: {message}")

    def item(self, value: Any, index: Any) -> Any:
        """Returns an element or a part of a value."""
        if isinstance(value, Choice):
            return value.map(lambda option: self.item(option, index))
        if isinstance(value, Gathered):
            return value.read(index)
        if isinstance(value, Row):
            return self._of_array(value, index)
        refuse_maybe(value)
        if isinstance(index, Row):
            index = index.read(())
        if isinstance(index, np.bool_ | np.integer):
            index = int(index)
        if isinstance(value, dict):
            return self._entry(value, index)
        return self._of_sequence(value, index)

    def _of_sequence(self, value: Any, index: Any) -> Any:
        if isinstance(index, Symbol):
            outside = apply(
                "or", apply("lt", index, -len(value)), apply("ge", index, len(value))
            )
            self.fail(outside, "an index is out of range")
            wrapped = select(
                apply("lt", index, 0), apply("add", index, len(value)), index
            )
            if len(value) and not isinstance(wrapped, Symbol):
                return value[int(wrapped)]
            return choose(wrapped, list(value))
        return value[index]

    def _of_array(self, value: Row, index: Any) -> Any:
        """Returns what is at an index, or the elements that a condition picks."""
        if isinstance(index, Row) and index.kind == "b" and not index.is_known():
            return gathered(picked(value, index))
        if has_maybe(index):
            return gathered([Maybe(s.condition, value.read(s.value)) for s in index])
        return value.read(index)

    def _entry(self, table: dict[Any, Any], key: Any) -> Any:
        if isinstance(key, Choice):
            return key.map(lambda option: table[option])
        if not has_symbols(key):
            return table[key]
        keys, values = list(table), list(table.values())
        self.fail(negated(self.contains(keys, key)), "a key is not there")
        place: Any = len(keys) - 1
        if keys == list(range(len(keys))):
            place = key
        else:
            for number in range(len(keys) - 2, -1, -1):
                place = select(self.equal(keys[number], key), number, place)
        return choose(place, values) if isinstance(place, Symbol) else values[place]


def is_numeric(value: Any) -> bool:
    """Returns whether a value is a number or an array."""
    return isinstance(value, Row | Varying) or bool(kind_of(value))


def both(left: Any, right: Any) -> Any:
    """Returns whether two conditions hold."""
    if left is True:
        return right
    if not isinstance(left, Symbol) and not left:
        return left
    return apply("and", left, right)


def negated(value: Any) -> Any:
    """Returns the opposite of a condition."""
    if isinstance(value, Symbol):
        return apply("not", value)
    is_array = isinstance(value, Row | Varying)
    return elementwise("not", value) if is_array else not value
