"""The compiled form of a step: one loop over rows, for numba to make machine code of.

It is a plain function of arrays: without numba it does the same, slowly.
"""

import math
from typing import Any

import numpy as np

from cwm.programs.acceleration.operations import function_of
from cwm.programs.acceleration.symbols import (
    KINDS,
    Append,
    Branch,
    Failure,
    Gather,
    Loop,
    Symbol,
)
from cwm.programs.acceleration.tracing import Layout, Traced
from cwm.programs.acceleration.writing import Writer, inputs, tables_text
from cwm.programs.kernels import KERNEL, PARAMETERS, PREPARED

_CASTS = {
    "b": "({} != 0)",
    "i": "int({})",
    "s": "np.float32({})",
    "f": "np.float64({})",
}

_WITHIN = {
    "mod": "({number} if 0.0 < {number} < {period} else {number} % {period})",
    "fmod": "({number} if abs({number}) < {period} else np.fmod({number}, {period}))",
}
"""Remainders of what is most often within its period already, as angles are: to say so
costs nothing beside the remainder, which takes as long as three sines."""


class _RowWriter(Writer):
    def constant(self, value: Any, kind: str) -> str:
        text = super().constant(value, kind)
        return f"np.float32({text})" if kind == "s" else text

    def operation(self, symbol: Symbol) -> str:
        if symbol.op not in _WITHIN or symbol.kind != "f":
            return super().operation(symbol)
        number, period = symbol.args
        if isinstance(period, Symbol) or not 0.0 < period < math.inf:
            return super().operation(symbol)
        name = self.value(number, symbol.kind)
        if not name.isidentifier():
            self.put(f"w{symbol.number} = {name}")
            name = f"w{symbol.number}"
        end = self.constant(period, symbol.kind)
        return _WITHIN[symbol.op].format(number=name, period=end)

    def cast(self, text: str, old: str, new: str) -> str:
        return _CASTS[new].format(text)

    def select(self, condition: str, yes: str, no: str) -> str:
        return f"({yes} if {condition} else {no})"

    def lookup(self, name: str, index: str, size: int) -> str:
        return f"{name}[min(max({index}, 0), {size - 1})]"

    def negated(self, text: str) -> str:
        return f"(not {text})"

    def branch(self, branch: Branch) -> None:
        results = [r for r in branch.results if self.uses.counts[r[0].number]]
        ways = []
        for block, place in ((branch.yes, 1), (branch.no, 2)):
            outer, self.lines = self.lines, []
            self._depth += 1
            self.block(block)
            for result in results:
                text = self._of_kind(result[place], result[0].kind)
                self.put(f"{self.name(result[0])} = {text}")
            self._depth -= 1
            ways.append(self.lines)
            self.lines = outer
        condition = self.value(branch.condition)
        if ways[0]:
            self.put(f"if {condition}:")
            self.lines += ways[0]
            if ways[1]:
                self.put("else:")
                self.lines += ways[1]
        elif ways[1]:
            self.put(f"if not {condition}:")
            self.lines += ways[1]

    def _of_kind(self, value: Any, kind: str) -> str:
        text = self.value(value, kind)
        if isinstance(value, Symbol) and value.kind != kind:
            return self.cast(text, value.kind, kind)
        return text

    def loop(self, loop: Loop) -> None:
        variables = [v for v in loop.variables if self.uses.counts[v[0].number]]
        for symbol, first, _ in variables:
            self.put(f"{self.name(symbol)} = {self._of_kind(first, symbol.kind)}")
        self.put("while True:")
        self._depth += 1
        self.block(loop.head)
        self.put(f"if not {self.value(loop.condition)}:")
        self.put("    break")
        self.block(loop.body)
        news = [
            (self.name(s), f"n{s.number}", self._of_kind(v, s.kind))
            for s, _, v in variables
        ]
        for _, new, text in news:
            self.put(f"{new} = {text}")
        for name, new, _ in news:
            self.put(f"{name} = {new}")
        self._depth -= 1

    def gather(self, gather: Gather) -> None:
        self.put(f"{self.name(gather.count)} = 0")

    def append(self, line: Append) -> None:
        count = self.name(line.gather.count)
        is_conditional = line.condition is not True and line.branch is None
        if is_conditional:
            self.put(f"if {self.value(line.condition)}:")
            self._depth += 1
        for column, value in enumerate(line.numbers):
            text = self.value(value, "f")
            self.put(f"{line.gather.name}[{count}, {column}] = {text}")
        self.put(f"{count} = {count} + 1")
        self._depth -= is_conditional

    def item(self, name: str, column: int, place: str) -> str:
        return f"{name}[{place}, {column}]"

    def failure(self, failure: Failure) -> None:
        self.put(f"if {self.value(failure.condition)}:")
        message = failure.message.replace("{", "").replace("}", "")
        self.put(f"    raise ValueError({message!r})")


def compiled(traced: Traced, *, replaces_step: bool) -> str:
    """Returns a function over rows and a class that calls it.

    Args:
        traced: What a step computes.
        replaces_step: Whether single steps call it, too: worth it where one takes
            longer than a call with arrays of one row.
    """
    writer = _RowWriter(traced)
    for symbol, layout in inputs(traced, writer.uses):
        writer.put(f"{writer.name(symbol)} = {_element(symbol, layout)}")
    prepared = _prepared(writer)
    for place, symbol in enumerate(prepared):
        writer.put(f"{writer.name(symbol)} = prepared[{place}, row]")
        writer.done.add(symbol.number)
    writer.block(traced.graph.top)
    layout = traced.state_layout
    for position, value in enumerate(traced.observation):
        index = f"row, {position}" if layout.shape else "row"
        writer.put(f"following[{index}] = {writer.value(value, layout.kind)}")
    writer.put(f"rewards[row] = {writer.value(traced.reward, 'f')}")
    writer.put(f"terminated[row] = {writer.value(traced.terminated, 'b')}")
    body = "\n".join(writer.lines)
    stores = "".join(
        f"    {name} = np.zeros(({rows}, {columns}))\n"
        for name, (rows, columns) in traced.graph.stores.items()
        if f"{name}[" in body
    )
    kernel = (
        f"def {KERNEL}({', '.join((*PARAMETERS, *[PREPARED] * bool(prepared)))}):\n"
        f"{stores}"
        f"    for row in range(len(states)):\n{body}\n"
    )
    tables = "\n".join(tables_text(traced, body))
    parts = [tables, kernel, _caller(traced, prepared, replaces_step=replaces_step)]
    return "\n\n".join(part for part in parts if part)


_FASTER_IN_NUMPY = frozenset({"arccos", "arcsin", "arctan", "arctan2", "exp", "log"})
"""What NumPy computes for many at once, several times as fast as one by one."""


def _prepared(writer: Writer) -> list[Symbol]:
    """Returns what is computed for all rows before the loop: of inputs alone."""
    return [
        line
        for line in writer.traced.graph.top.lines
        if isinstance(line, Symbol)
        and line.op in _FASTER_IN_NUMPY
        and line.kind == "f"
        and writer.uses.is_needed(line)
        and all(map(_is_input, line.args))
    ]


def _is_input(value: Any) -> bool:
    while isinstance(value, Symbol) and value.op == "cast":
        value = value.args[0]
    return not isinstance(value, Symbol) or value.op == "input"


def _element(symbol: Symbol, layout: Layout) -> str:
    name, position = symbol.args
    return f"{name}[row, {position}]" if layout.shape else f"{name}[row]"


def _of_columns(value: Any, traced: Traced) -> str:
    """Returns a number of the inputs as NumPy's array of all rows."""
    if not isinstance(value, Symbol):
        return repr(value)
    if value.op == "cast":
        text = _of_columns(value.args[0], traced)
        return f"{text}.astype(np.{np.dtype(KINDS[value.kind]).name})"
    name, position = value.args
    layout = traced.state_layout if name == "states" else traced.action_layout
    array = {"states": "given", "actions": "chosen"}[name]
    return f"{array}[:, {position}]" if layout.shape else array


def _preparing(traced: Traced, prepared: list[Symbol]) -> str:
    """Returns the lines that compute what is computed before the loop."""
    if not prepared:
        return ""
    lines = [f"        prepared = np.empty(({len(prepared)}, number))"]
    for place, symbol in enumerate(prepared):
        texts = ", ".join(_of_columns(value, traced) for value in symbol.args)
        function = function_of(symbol.op).__name__
        lines.append(f"        np.{function}({texts}, out=prepared[{place}])")
    return "\n".join(lines) + "\n"


def _caller(traced: Traced, prepared: list[Symbol], *, replaces_step: bool) -> str:
    state, action = traced.state_layout, traced.action_layout
    names = ["given", "chosen", "following", "rewards", "terminated"]
    arguments = ", ".join([*names, *[PREPARED] * bool(prepared)])
    single = f"""    def set_state(self, state):
        super().set_state(state)
        self._row = {_rows("state", state, 1)}

    def step(self, action):
        row = {_rows("action", action, 1)}
        following, rewards, terminated = self.step_batch(self._row, row)
        return {_first(state)}, float(rewards[0]), bool(terminated[0])

"""
    return f"""
class Fast(Environment):
{single if replaces_step else ""}    def step_batch(self, states, actions):
        number = len(states)
        given = {_rows("states", state, 0)}
        chosen = {_rows("actions", action, 0)}
        following = np.empty_like(given)
        rewards = np.empty(number)
        terminated = np.empty(number, np.bool_)
{_preparing(traced, prepared)}        {KERNEL}({arguments})
        return following{_shaped(state)}, rewards, terminated
"""


def _rows(name: str, layout: Layout, number: int) -> str:
    """Returns rows as the function takes them; of one value if `number` is 1."""
    if not layout.shape:
        value = f"[{name}]" if number else name
        return f"np.ascontiguousarray({value}, dtype=np.{layout.dtype})"
    length = "1" if number else "number"
    return (
        f"np.ascontiguousarray({name}, dtype=np.{layout.dtype})"
        f".reshape({length}, {layout.size})"
    )


def _shaped(layout: Layout) -> str:
    return f".reshape((number, *{layout.shape}))" if len(layout.shape) > 1 else ""


def _first(layout: Layout) -> str:
    return "int(following[0])" if layout.is_number else "following[0]"
