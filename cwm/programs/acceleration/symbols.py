"""Numbers that are not known yet, and the record of what is computed with them.

Running a program's `step` with symbols in the place of numbers leaves a graph: blocks
of scalar operations, with branches and loops where the values decide. Both array and
compiled forms are written from it.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

MAX_OPERATIONS = 30_000
"""Operations of a graph; what needs more has no form that is worth compiling."""

KINDS = {"b": np.bool_, "i": np.int64, "s": np.float32, "f": np.float64}
"""Kinds of numbers from narrow to wide, and their types."""

_ORDER = "bisf"


class NoFastForm(Exception):  # noqa: N818 - a finding, not a fault
    """Says what in a program has no fast form."""


@dataclass(eq=False, kw_only=True, slots=True)
class Symbol:
    """One number that depends on the state or the action.

    Attributes:
        graph: The record that it is in.
        op: What it is computed by.
        args: Of what: symbols, numbers, or the names and tables that `op` needs.
        kind: One of `KINDS`.
        weak: Whether it is a plain number of Python's, which adopts the type of the
            array number beside it.
        number: Its place in the order of making.
    """

    graph: "Graph"
    op: str
    args: tuple[Any, ...]
    kind: str
    weak: bool = False
    number: int = 0

    def __bool__(self) -> bool:
        raise NoFastForm("A value decides where that cannot be followed.")

    def __hash__(self) -> int:
        return id(self)

    def __iter__(self) -> Iterator[Any]:
        raise NoFastForm("A number is taken apart.")


Scalar: TypeAlias = Symbol | bool | int | float


@dataclass(eq=False)
class Block:
    """Operations in their order; `known` finds equal ones again."""

    lines: list[Any] = field(default_factory=list)
    known: dict[Any, Symbol] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Branch:
    """Two blocks of which one counts, and the values that differ after them."""

    condition: Symbol
    yes: Block
    no: Block
    results: list[tuple[Symbol, Scalar, Scalar]] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Loop:
    """A loop: `head`, leave unless `condition`, `body`, then new values at once.

    Attributes:
        variables: For each variable its symbol, first and next value.
    """

    head: Block
    body: Block
    condition: Scalar = True
    variables: list[tuple[Symbol, Scalar, Scalar]] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Failure:
    """The program raises where a condition holds."""

    condition: Scalar
    message: str


def kind_of(value: Any) -> str:
    """Returns the kind of a number; empty for what is none."""
    match value:
        case Symbol():
            return value.kind
        case bool() | np.bool_():
            return "b"
        case int() | np.integer():
            return "i"
        case np.float32():
            return "s"
        case float() | np.floating():
            return "f"
    return ""


def is_weak(value: Any) -> bool:
    """Returns whether a number is a plain one of Python's."""
    if isinstance(value, Symbol):
        return value.weak
    return type(value) in (bool, int, float)


def widest(*values: Any) -> str:
    """Returns the kind that NumPy computes in, given operands of several."""
    strong = [kind_of(v) for v in values if not is_weak(v)]
    weak = [kind_of(v) for v in values if is_weak(v)]
    kinds = strong or weak
    found = max(kinds, key=_ORDER.index)
    if "s" in kinds and "i" in kinds:
        found = "f"
    if strong:
        most = max((k for k in weak), key=_ORDER.index, default="b")
        if most in "sf" and found in "bi":
            found = "f"
        elif most == "i" and found == "b":
            found = "i"
    return found


def plain(value: Any, kind: str) -> Any:
    """Returns a known number as a plain one of a kind."""
    if kind == "b":
        return bool(value)
    if kind == "i":
        return int(value)
    if kind == "s":
        return float(np.float32(value))
    return float(value)


class Graph:
    """Records operations; equal ones only once.

    Attributes:
        top: The outermost block.
        tables: Constant tables by name.
    """

    def __init__(self) -> None:
        self.top = Block()
        self.tables: dict[str, list[Any]] = {}
        self._open = [self.top]
        self._count = 0

    @contextmanager
    def inside(self, block: Block) -> Iterator[None]:
        """Records into a block for a while."""
        self._open.append(block)
        try:
            yield
        finally:
            self._open.pop()

    @property
    def count(self) -> int:
        """How many symbols were made."""
        return self._count

    def add(self, line: Branch | Loop | Failure) -> None:
        """Records what is no single operation; the same failure only once."""
        if isinstance(line, Failure):
            key = ("failure", _key(line.condition), line.message)
            if any(key in block.known for block in self._open):
                return
            if isinstance(line.condition, Symbol):
                self._open[-1].known[key] = line.condition
        self._open[-1].lines.append(line)

    def adopt(self, block: Block) -> None:
        """Records what is in a block as if it had always been computed."""
        self._open[-1].lines += block.lines
        self._open[-1].known.update(block.known)

    def fresh(self, op: str, args: tuple[Any, ...], kind: str) -> Symbol:
        """Returns a new symbol that no line computes: an input, or a result."""
        self._count += 1
        if self._count > MAX_OPERATIONS:
            raise NoFastForm(f"step takes more than {MAX_OPERATIONS} operations.")
        return Symbol(graph=self, op=op, args=args, kind=kind, number=self._count)

    def operation(
        self, op: str, args: tuple[Any, ...], kind: str, *, weak: bool = False
    ) -> Symbol:
        """Returns the symbol of an operation, recorded unless it is there already."""
        key = (op, kind, weak, *map(_key, args))
        for block in self._open:
            if key in block.known:
                return block.known[key]
        made = self.fresh(op, args, kind)
        made.weak = weak
        self._open[-1].lines.append(made)
        self._open[-1].known[key] = made
        return made

    def table(self, values: list[Any], index: Symbol) -> Symbol:
        """Returns one of known numbers, by its place."""
        kind = widest(*values)
        entries = [plain(value, kind) for value in values]
        name = next((n for n, v in self.tables.items() if _is_alike(v, entries)), "")
        if not name:
            name = f"TABLE_{len(self.tables)}"
            self.tables[name] = entries
        return self.operation("table", (name, index, len(values)), kind)


def _key(argument: Any) -> Any:
    if isinstance(argument, Symbol):
        return ("symbol", argument.number)
    # As text: 0.0 and -0.0 are equal numbers.
    return (type(argument), repr(argument))


def _is_alike(left: list[Any], right: list[Any]) -> bool:
    return [(type(v), repr(v)) for v in left] == [(type(v), repr(v)) for v in right]


def graph_of(*values: Any) -> Graph:
    """Returns the graph that the first symbol among values is in."""
    return next(v.graph for v in values if isinstance(v, Symbol))


def cast(value: Any, kind: str, *, weak: bool = False) -> Any:
    """Returns a number as one of a kind; real numbers lose what follows the point."""
    if not isinstance(value, Symbol):
        return plain(value, kind) if weak else KINDS[kind](value)
    if value.kind == kind and value.weak == weak:
        return value
    return value.graph.operation("cast", (value,), kind, weak=weak)


_FOLDED: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.mod,
    "pow": np.power,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "fmod": np.fmod,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "arctan2": np.arctan2,
    "hypot": np.hypot,
    "neg": np.negative,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceil": np.ceil,
    "rint": np.rint,
    "sign": np.sign,
    "isfinite": np.isfinite,
    "isnan": np.isnan,
    "not": np.logical_not,
}
"""What operations mean for known numbers, and in the text of array forms."""

COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})
_REAL = frozenset(
    "div arctan2 hypot sin cos tan arcsin arccos arctan sinh cosh tanh exp log sqrt "  # noqa: SIM905
    "floor ceil rint".split()
)
_TO_BOOL = COMPARISONS | {"isfinite", "isnan", "not"}
_MAX_PRODUCTS = 4


def function_of(op: str) -> Any:
    """Returns NumPy's function of an operation."""
    return _FOLDED[op]


def apply(op: str, *values: Any) -> Any:
    """Returns the result of an operation on numbers, known or not.

    Operands are brought to one kind first, as NumPy does.
    """
    kind = widest(*values)
    if op in _REAL and kind in "bi":
        kind = "f"
    if op in ("add", "sub", "mul", "pow", "floordiv", "mod", "neg") and kind == "b":
        kind = "i"
    weak = all(map(is_weak, values))
    if not any(isinstance(v, Symbol) for v in values):
        with np.errstate(all="ignore"):
            result = _FOLDED[op](*(KINDS[kind](v) for v in values))
        return plain(result, kind_of(result)) if weak else result
    operands = tuple(_operand(v, kind) for v in values)
    simple = _simplified(op, operands, kind)
    if simple is not None:
        return _as(simple, "b" if op in _TO_BOOL else kind, weak=weak)
    result_kind = "b" if op in _TO_BOOL else kind
    return graph_of(*values).operation(op, operands, result_kind, weak=weak)


def _as(value: Any, kind: str, *, weak: bool) -> Any:
    return cast(value, kind, weak=weak)


def _operand(value: Any, kind: str) -> Any:
    if isinstance(value, Symbol):
        return value if value.kind == kind else cast(value, kind)
    return plain(value, kind)


def _is(value: Any, number: float) -> bool:
    return not isinstance(value, Symbol) and value == number


def _simplified(op: str, values: tuple[Any, ...], kind: str) -> Any:
    """Returns the result where nothing has to be computed; else `None`.

    A product with a known zero is taken to be zero, which it is unless the other
    factor is infinite or not a number.
    """
    if len(values) == 1:
        return None
    left, right = values
    if op == "add":
        return right if _is(left, 0) else left if _is(right, 0) else None
    if op == "sub":
        return left if _is(right, 0) else apply("neg", right) if _is(left, 0) else None
    if op == "mul":
        return _product(left, right, kind)
    if op == "div":
        return left if _is(right, 1) else plain(0, kind) if _is(left, 0) else None
    if op == "pow":
        return _power(left, right, kind)
    if op in ("and", "or") and kind == "b":
        return _logical(op, left, right)
    return None


def _product(left: Any, right: Any, kind: str) -> Any:
    if _is(left, 0) or _is(right, 0):
        return plain(0, kind)
    if _is(left, 1):
        return right
    if _is(right, 1):
        return left
    if _is(left, -1):
        return apply("neg", right)
    return apply("neg", left) if _is(right, -1) else None


def _power(left: Any, right: Any, kind: str) -> Any:
    """Returns small whole powers as products: a power takes fifty times as long."""
    if isinstance(right, Symbol):
        return None
    if right == 0.5 and kind != "i":
        return apply("sqrt", left)
    if right != int(right) or not 1 <= right <= _MAX_PRODUCTS:
        return None
    result = left
    for _ in range(int(right) - 1):
        result = apply("mul", result, left)
    return result


def _logical(op: str, left: Any, right: Any) -> Any:
    for known, other in ((left, right), (right, left)):
        if not isinstance(known, Symbol):
            absorbs = bool(known) == (op == "or")
            return known if absorbs else other
    return left if left is right else None


def select(condition: Any, yes: Any, no: Any) -> Any:
    """Returns one of two numbers, by a condition that may not be known."""
    if not isinstance(condition, Symbol):
        return yes if condition else no
    if yes is no or is_same(yes, no):
        return yes
    kind = widest(yes, no)
    weak = is_weak(yes) and is_weak(no)
    if kind == "b":
        if no is False:
            return apply("and", condition, yes)
        if yes is True:
            return apply("or", condition, no)
        if yes is False and no is True:
            return apply("not", condition)
    args = (condition, _operand(yes, kind), _operand(no, kind))
    return condition.graph.operation("select", args, kind, weak=weak)


def is_same(left: Any, right: Any) -> bool:
    """Returns whether two values are one known number, or one symbol."""
    if left is right:
        return True
    if isinstance(left, Symbol) or isinstance(right, Symbol):
        return False
    if kind_of(left) and type(left) is type(right):
        both_nan = left != left and right != right
        same_sign = math.copysign(1, left) == math.copysign(1, right)
        return bool((left == right and same_sign) or both_nan)
    return False


def truth(value: Any) -> Any:
    """Returns a number as a condition."""
    if isinstance(value, Symbol):
        return value if value.kind == "b" else apply("ne", value, 0)
    return bool(value)


def _operator(op: str, *, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def operate(self: Symbol, other: Any) -> Any:
        if not kind_of(other):
            return NotImplemented
        return apply(op, other, self) if swapped else apply(op, self, other)

    return operate


def _add_operators() -> None:
    binary = {
        "add": "add",
        "sub": "sub",
        "mul": "mul",
        "truediv": "div",
        "floordiv": "floordiv",
        "mod": "mod",
        "pow": "pow",
        "and": "and",
        "or": "or",
        "xor": "xor",
    }
    for name, op in binary.items():
        setattr(Symbol, f"__{name}__", _operator(op))
        setattr(Symbol, f"__r{name}__", _operator(op, swapped=True))
    for op in COMPARISONS:
        setattr(Symbol, f"__{op}__", _operator(op))
    Symbol.__neg__ = lambda self: apply("neg", self)
    Symbol.__pos__ = lambda self: self
    Symbol.__abs__ = lambda self: apply("abs", self)
    Symbol.__invert__ = lambda self: apply("not", self)


_add_operators()
