"""What array and compiled forms have in common: operations as text."""

import math
from typing import Any

from cwm.programs.acceleration.operations import function_of
from cwm.programs.acceleration.pruning import Uses
from cwm.programs.acceleration.symbols import (
    Append,
    Block,
    Branch,
    Failure,
    Gather,
    Loop,
    Symbol,
    kind_of,
)
from cwm.programs.acceleration.tracing import Layout, Traced

INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "and": "&",
    "or": "|",
    "xor": "^",
}
_LONGEST = 60
_TYPE_NAMES = {"b": "bool_", "i": "int64", "f": "float64"}


class Writer:
    """Writes a graph as statements; subclasses say how choices and loops look.

    Attributes:
        lines: What is written.
    """

    def __init__(self, traced: Traced) -> None:
        results = [*traced.observation, traced.reward, traced.terminated]
        self.traced = traced
        self.uses = Uses(traced.graph.top, results)
        self.lines: list[str] = []
        self._texts: dict[int, str] = {}
        self._depth = 2
        self.done: set[int] = set()
        """Symbols whose values are variables before the first line."""

    def put(self, text: str) -> None:
        """Writes a line at the present depth."""
        self.lines.append("    " * self._depth + text)

    def block(self, block: Block) -> None:
        """Writes the statements of a block."""
        for line in block.lines:
            is_done = isinstance(line, Symbol) and line.number in self.done
            if is_done or not self.uses.is_needed(line):
                continue
            match line:
                case Symbol():
                    self._let(line)
                case Branch():
                    self.branch(line)
                case Loop():
                    self.loop(line)
                case Gather():
                    self.gather(line)
                case Append():
                    self.append(line)
                case Failure():
                    self.failure(line)

    def _let(self, symbol: Symbol) -> None:
        text = self.operation(symbol)
        is_free = symbol.op == "cast" and symbol.args[0].kind == symbol.kind
        if is_free and text.isidentifier():
            self._texts[symbol.number] = text
            return
        if self.uses.is_inlined(symbol) and len(text) <= _LONGEST:
            self._texts[symbol.number] = text
            return
        if text.startswith("(") and text.endswith(")") and _is_one_pair(text):
            text = text[1:-1]
        self.put(f"{self.name(symbol)} = {text}")

    def name(self, symbol: Symbol) -> str:
        """Returns the variable of a symbol."""
        if symbol.op == "input":
            name, position = symbol.args
            return f"{name[0]}{'' if position is None else position}"
        return f"v{symbol.number}"

    def value(self, value: Any, kind: str = "") -> str:
        """Returns the text of a number, known or not."""
        if isinstance(value, Symbol):
            return self._texts.get(value.number, self.name(value))
        return self.constant(value, kind)

    def constant(self, value: Any, kind: str) -> str:
        """Returns the text of a known number."""
        if kind in ("f", "s") or isinstance(value, float):
            number = float(value)
            if math.isinf(number):
                return "np.inf" if number > 0 else "(-np.inf)"
            if math.isnan(number):
                return "np.nan"
            return repr(number) if number >= 0 else f"({number!r})"
        if kind == "i":
            value = int(value)
        text = repr(value if isinstance(value, bool) else int(value))
        return f"({text})" if text.startswith("-") else text

    def operation(self, symbol: Symbol) -> str:  # noqa: PLR0911 - one a kind
        """Returns the text of what a symbol is computed by."""
        op, args = symbol.op, symbol.args
        if op == "cast":
            source = args[0]
            if source.kind == symbol.kind:
                return self.value(source)
            return self.cast(self.value(source), source.kind, symbol.kind)
        if op == "select":
            condition, yes, no = args
            return self.select(
                self.value(condition),
                self.value(yes, symbol.kind),
                self.value(no, symbol.kind),
            )
        if op == "table":
            name, index, size = args
            return self.lookup(name, self.value(index), size)
        if op == "item":
            return self.item(args[1], args[2], self.value(args[3]))
        kinds = [a.kind for a in args if isinstance(a, Symbol)]
        texts = [self.value(a, kinds[0]) for a in args]
        if op in INFIX:
            return f"({texts[0]} {INFIX[op]} {texts[1]})"
        if op == "neg":
            return f"(-{texts[0]})"
        if op == "not":
            return self.negated(texts[0])
        return f"np.{function_of(op).__name__}({', '.join(texts)})"

    def cast(self, text: str, old: str, new: str) -> str:
        """Returns a number as one of another kind."""
        raise NotImplementedError

    def select(self, condition: str, yes: str, no: str) -> str:
        """Returns one of two."""
        raise NotImplementedError

    def lookup(self, name: str, index: str, size: int) -> str:
        """Returns an entry of a table."""
        raise NotImplementedError

    def negated(self, text: str) -> str:
        """Returns the opposite of a condition."""
        raise NotImplementedError

    def branch(self, branch: Branch) -> None:
        """Writes a choice between two blocks."""
        raise NotImplementedError

    def loop(self, loop: Loop) -> None:
        """Writes a loop."""
        raise NotImplementedError

    def gather(self, gather: Gather) -> None:
        """Writes the beginning of an array of rows."""
        raise NotImplementedError

    def append(self, line: Append) -> None:
        """Writes what stores a row where a condition holds."""
        raise NotImplementedError

    def item(self, name: str, column: int, place: str) -> str:
        """Returns a number that is stored."""
        raise NotImplementedError

    def failure(self, failure: Failure) -> None:
        """Writes what raises."""
        raise NotImplementedError


def tables_text(traced: Traced, text: str) -> list[str]:
    """Returns the tables that a text uses, as assignments."""
    lines = []
    for name, values in traced.graph.tables.items():
        if name in text:
            dtype = _TYPE_NAMES[kind_of(values[0])]
            lines.append(f"{name} = np.array({values!r}, dtype=np.{dtype})")
    return lines


def inputs(traced: Traced, uses: Uses) -> list[tuple[Symbol, Layout]]:
    """Returns the inputs that are used, with the layout of each."""
    layouts = {"states": traced.state_layout, "actions": traced.action_layout}
    order = sorted(uses.inputs.values(), key=lambda s: s.number)
    return [(symbol, layouts[symbol.args[0]]) for symbol in order]


def _is_one_pair(text: str) -> bool:
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and position < len(text) - 1:
            return False
    return True
