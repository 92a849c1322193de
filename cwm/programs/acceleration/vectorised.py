"""The array form of a step: each number becomes a column of `N`, branches masks."""

from typing import Any

from cwm.programs.acceleration.symbols import (
    Append,
    Block,
    Branch,
    Failure,
    Gather,
    Loop,
    Symbol,
)
from cwm.programs.acceleration.tracing import Layout, Traced
from cwm.programs.acceleration.writing import Writer, inputs, tables_text

_GUARDED = 30
"""Operations of a block from which it is left out if no row needs it."""


class _ArrayWriter(Writer):
    def __init__(self, traced: Traced) -> None:
        super().__init__(traced)
        self._mask = ""

    def cast(self, text: str, old: str, new: str) -> str:
        name = {"b": "bool_", "i": "int64", "s": "float32", "f": "float64"}[new]
        return f"{text}.astype(np.{name})"

    def select(self, condition: str, yes: str, no: str) -> str:
        return f"np.where({condition}, {yes}, {no})"

    def lookup(self, name: str, index: str, size: int) -> str:
        return f'{name}.take({index}, mode="clip")'

    def negated(self, text: str) -> str:
        return f"(~{text})"

    def _masked(self, condition: str) -> str:
        return f"{self._mask} & {condition}" if self._mask else condition

    def branch(self, branch: Branch) -> None:
        results = [r for r in branch.results if self.uses.counts[r[0].number]]
        condition = self.value(branch.condition)
        number = len(self.lines)
        self._way(branch.yes, self._masked(condition), f"y{number}", results, 1)
        self._way(branch.no, self._masked(f"~{condition}"), f"n{number}", results, 2)
        for symbol, _, _ in results:
            name = self.name(symbol)
            yes, no = f"y{number}_{name}", f"n{number}_{name}"
            self.put(f"{name} = np.where({condition}, {yes}, {no})")

    def _way(
        self, block: Block, mask: str, name: str, results: list[Any], place: int
    ) -> None:
        outer = self._mask
        needed = [line for line in block.lines if self.uses.is_needed(line)]
        is_guarded = len(needed) > _GUARDED or any(
            not isinstance(line, Symbol) for line in needed
        )
        if needed:
            self._mask = f"{name}_mask"
            self.put(f"{self._mask} = {mask}")
        if is_guarded:
            self.put(f"if {self._mask}.any():")
            self._depth += 1
        self.block(block)
        for result in results:
            target = f"{name}_{self.name(result[0])}"
            self.put(f"{target} = {self.value(result[place], result[0].kind)}")
        if is_guarded:
            self._depth -= 1
            if results:
                self.put("else:")
            for result in results:
                zero = "False" if result[0].kind == "b" else "0"
                self.put(f"    {name}_{self.name(result[0])} = {zero}")
        self._mask = outer

    def loop(self, loop: Loop) -> None:
        variables = [v for v in loop.variables if self.uses.counts[v[0].number]]
        active = f"active{len(self.lines)}"
        for symbol, first, _ in variables:
            dtype = {"b": "bool_", "i": "int64", "s": "float32", "f": "float64"}
            text = self.value(first, symbol.kind)
            self.put(
                f"{self.name(symbol)} = np.full(len(states), {text}, "
                f"dtype=np.{dtype[symbol.kind]})"
            )
        start = self._mask or "np.ones(len(states), dtype=np.bool_)"
        self.put(f"{active} = {start}")
        outer, self._mask = self._mask, active
        self.put("while True:")
        self._depth += 1
        self.block(loop.head)
        self.put(f"{active} = {active} & {self.value(loop.condition)}")
        self.put(f"if not {active}.any():")
        self.put("    break")
        self.block(loop.body)
        names = ", ".join(self.name(s) for s, _, _ in variables)
        new = ", ".join(
            f"np.where({active}, {self.value(v, s.kind)}, {self.name(s)})"
            for s, _, v in variables
        )
        self.put(f"{names} = {new}")
        self._depth -= 1
        self._mask = outer

    def gather(self, gather: Gather) -> None:
        count, name = self.name(gather.count), gather.name
        rows, columns = self.traced.graph.stores[name]
        # One row more, which rows of the batch read that have left the loop.
        self.put(f"{name} = np.zeros(({rows + 1}, {columns}, len(states)))")
        self.put(f"{count} = np.zeros(len(states), dtype=np.int64)")

    def append(self, line: Append) -> None:
        count, name = self.name(line.gather.count), line.gather.name
        is_conditional = line.condition is not True and line.branch is None
        text = self.value(line.condition) if is_conditional else "True"
        mask = self._masked(text) if is_conditional else self._mask or "True"
        self.put(f"here = np.flatnonzero(np.broadcast_to({mask}, len(states)))")
        for column, value in enumerate(line.numbers):
            text = self.value(value, "f")
            if isinstance(value, Symbol):
                text = f"np.broadcast_to({text}, len(states))[here]"
            self.put(f"{name}[{count}[here], {column}, here] = {text}")
        self.put(f"{count}[here] += 1")

    def item(self, name: str, column: int, place: str) -> str:
        return f"{name}[{place}, {column}, ROWS]"

    def failure(self, failure: Failure) -> None:
        condition = self._masked(self.value(failure.condition))
        self.put(f"if np.any({condition}):")
        self.put(f"    raise ValueError({failure.message!r})")


def vectorised(traced: Traced) -> str:
    """Returns a method `step_batch` over arrays, with the tables before the class."""
    writer = _ArrayWriter(traced)
    writer._depth = 3
    for symbol, layout in inputs(traced, writer.uses):
        writer.put(f"{writer.name(symbol)} = {_column(symbol, layout)}")
    if traced.graph.stores:
        writer.put("ROWS = np.arange(len(states))")
    writer.block(traced.graph.top)
    _write_results(writer, traced)
    body = "\n".join(writer.lines)
    head = (
        "class Fast(Environment):\n"
        "    def step_batch(self, states, actions):\n"
        '        with np.errstate(all="ignore"):\n'
    )
    tables = "\n".join(tables_text(traced, body))
    return f"{tables}\n\n\n{head}{body}\n" if tables else f"{head}{body}\n"


def _column(symbol: Symbol, layout: Layout) -> str:
    name, position = symbol.args
    if position is None or not layout.shape:
        return str(name)
    if len(layout.shape) == 1:
        return f"{name}[:, {position}]"
    return f"{name}.reshape(len({name}), -1)[:, {position}]"


def _write_results(writer: _ArrayWriter, traced: Traced) -> None:
    layout = traced.state_layout
    put = writer.put
    if not layout.shape:
        text = writer.value(traced.observation[0], layout.kind)
        put(f"following = np.full(len(states), {text}, dtype=np.{layout.dtype})")
    else:
        put(f"following = np.empty((len(states), {layout.size}), np.{layout.dtype})")
        for position, value in enumerate(traced.observation):
            put(f"following[:, {position}] = {writer.value(value, layout.kind)}")
        if len(layout.shape) > 1:
            put(f"following = following.reshape((len(states), *{layout.shape}))")
    reward = writer.value(traced.reward, "f")
    put(f"rewards = np.full(len(states), {reward}, dtype=np.float64)")
    terminated = writer.value(traced.terminated, "b")
    put(f"terminated = np.full(len(states), {terminated}, dtype=np.bool_)")
    put("return following, rewards, terminated")
