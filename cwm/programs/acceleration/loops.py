"""Loops whose number of rounds symbols decide, or that are too long to write out."""

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

from cwm.programs.acceleration.arrays import Row
from cwm.programs.acceleration.operations import apply, is_same
from cwm.programs.acceleration.symbols import (
    Block,
    Loop,
    NoFastForm,
    Symbol,
    is_weak,
    kind_of,
    plain,
    widest,
)
from cwm.programs.acceleration.world import NOTHING, Unknown, capture, contents, put

if TYPE_CHECKING:
    from cwm.programs.acceleration.interpreter import Interpreter

_MAX_TRIES = 6
_BROKE = "*broke"


class LoopRecorder:
    """Finds what changes in a loop, and records the loop once."""

    def __init__(self, interpreter: "Interpreter") -> None:
        self._interpreter = interpreter
        self._graph = interpreter.graph
        self._variables: dict[tuple[int, Any], tuple[Symbol, Any]] = {}

    def repeat(
        self, test: ast.expr | None, body: list[ast.stmt], *, count: int = 0
    ) -> None:
        """Records a loop.

        Args:
            test: Its condition; `None` for a number of rounds.
            body: Its statements.
            count: How many rounds, at most.
        """
        frame = self._interpreter.frames[-1]
        saved = frame.pop(_BROKE, None)
        frame[_BROKE] = False
        counter = "*count"
        outer = frame.get(counter)
        if test is None:
            frame[counter] = 0
        before = capture(self._interpreter.roots())
        for _ in range(_MAX_TRIES):
            loop = Loop(head=Block(), body=Block())
            size = self._graph.size
            if self._try(loop, before, test, body, count):
                break
            self._graph.discard_since(size)
            for container, content in before:
                put(container, content.copy())
        else:
            raise NoFastForm("What changes in a loop does not settle.")
        self._graph.add(loop)
        for name, value in ((_BROKE, saved), (counter, outer)):
            frame.pop(name, None)
            if value is not None:
                frame[name] = value

    def _try(
        self,
        loop: Loop,
        before: list[tuple[Any, Any]],
        test: ast.expr | None,
        body: list[ast.stmt],
        count: int,
    ) -> bool:
        """Runs the loop once with its variables; returns whether they are all."""
        for place, (container, content) in enumerate(before):
            put(container, self._with_variables(place, content))
        start = [contents(container) for container, _ in before]
        self._run(loop, test, body, count)
        is_complete = True
        for place, (container, content) in enumerate(before):
            now = contents(container)
            for key, _, new in _changes(start[place], now):
                if (place, key) in self._variables:
                    continue
                is_complete = False
                self._add(place, key, _at(content, key), new)
        if is_complete:
            self._finish(loop, before)
        return is_complete

    def _run(
        self, loop: Loop, test: ast.expr | None, body: list[ast.stmt], count: int
    ) -> None:
        """Records the condition and the body of one round."""
        interpreter = self._interpreter
        frame = interpreter.frames[-1]
        with self._graph.inside(loop.head):
            going: Any = True
            if test is not None:
                going = interpreter.condition(test)
            elif isinstance(frame["*count"], Symbol):
                going = apply("lt", frame["*count"], count)
            if isinstance(frame[_BROKE], Symbol):
                going = apply("and", apply("not", frame[_BROKE]), going)
            loop.condition = going
            with self._graph.inside(loop.body):
                if interpreter.run(list(body)) is not None:
                    raise NoFastForm("return within a loop that values decide")
                if test is None:
                    frame["*count"] = frame["*count"] + 1

    def _add(self, place: int, key: Any, first: Any, new: Any) -> None:
        if not (kind_of(first) and kind_of(new)):
            self._variables[place, key] = (first, Unknown("it changes in a loop"))
            return
        symbol = self._graph.fresh("variable", (), widest(first, new))
        symbol.weak = is_weak(first) and is_weak(new)
        self._variables[place, key] = (first, symbol)

    def _with_variables(self, place: int, content: Any) -> Any:
        content = content.copy()
        for (where, key), (_, symbol) in self._variables.items():
            if where == place:
                _set_at(content, key, symbol)
        return content

    def _finish(self, loop: Loop, before: list[tuple[Any, Any]]) -> None:
        """Notes first and next values; leaves the variables themselves behind."""
        for (place, key), (first, symbol) in self._variables.items():
            if isinstance(symbol, Unknown):
                continue
            new = _at(contents(before[place][0]), key)
            loop.variables.append((symbol, first, new))
        for place, (container, content) in enumerate(before):
            put(container, self._with_variables(place, content))


def _at(content: Any, key: Any) -> Any:
    path, inner = key
    value = content.get(path, NOTHING) if isinstance(content, dict) else content[path]
    return value.data[inner] if isinstance(value, Row) and inner is not None else value


def _set_at(content: Any, key: Any, new: Any) -> None:
    path, inner = key
    if inner is None:
        content[path] = new
        return
    # A variable that is set to another array of the same shape.
    value = content[path]
    copied = Row(value.data.copy(), value.kind)
    copied.data[inner] = new
    content[path] = copied


def _changes(old: Any, new: Any) -> list[tuple[Any, Any, Any]]:
    """Returns places of a container where it holds something else."""
    found = []
    if isinstance(old, dict):
        for name in {**old, **new}:
            found += _change(name, old.get(name, NOTHING), new.get(name, NOTHING))
    elif isinstance(old, np.ndarray):
        for place in np.ndindex(old.shape):
            found += _change(place, old[place], new[place])
    elif len(old) != len(new):
        raise NoFastForm("A list grows in a loop.")
    else:
        for number, (a, b) in enumerate(zip(old, new, strict=True)):
            found += _change(number, a, b)
    return found


def _change(place: Any, old: Any, new: Any) -> list[tuple[Any, Any, Any]]:
    if old is new or is_same(old, new):
        return []
    if isinstance(old, Row) and isinstance(new, Row) and old.shape == new.shape:
        return [
            ((place, inner), old.data[inner], new.data[inner])
            for inner in np.ndindex(old.shape)
            if not (
                old.data[inner] is new.data[inner]
                or is_same(old.data[inner], new.data[inner])
            )
        ]
    return [((place, None), old, new)]


__all__ = ["LoopRecorder", "plain"]
