"""Numbers that are not known yet, and the record of what is computed with them.

Running a program's `step` with symbols in the place of numbers leaves a graph: blocks
of scalar operations, with branches and loops where the values decide. Both array and
compiled forms are written from it.
"""

from collections.abc import Iterator
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
class Gather:
    """The beginning of an array of rows of real numbers, as many as conditions hold.

    Attributes:
        name: The array that they are stored in; see `Graph.stores`.
        count: How many there are in the end.
        appends: What is stored, in its order.
    """

    name: str
    count: Symbol
    appends: list["Append"] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Append:
    """Stores a row where a condition holds.

    Attributes:
        gather: The array.
        condition: When.
        numbers: The row.
        branch: The branch whose first block this is in, by which it is conditional;
            `None` if it is in no block of its own.
    """

    gather: Gather
    condition: Scalar
    numbers: list[Scalar]
    branch: Branch | None = None


@dataclass(eq=False, kw_only=True)
class Failure:
    """The program raises where a condition holds."""

    condition: Scalar
    message: str


def kind_of(value: Any) -> str:
    """Returns the kind of a number; empty for what is none."""
    if isinstance(value, Symbol):
        return value.kind
    if isinstance(value, bool | np.bool_):
        return "b"
    if isinstance(value, int | np.integer):
        return "i"
    if isinstance(value, np.float32):
        return "s"
    return "f" if isinstance(value, float | np.floating) else ""


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
        stores: Arrays that `Gather` fills, by name: their rows and columns.
        gathers: Such arrays by what decides their length, and from where each can
            be used.
        num_failures: How often a program was found to raise under a condition.
    """

    def __init__(self) -> None:
        self.top = Block()
        self.stores: dict[str, tuple[int, int]] = {}
        self.tables: dict[str, list[Any]] = {}
        self.gathers: dict[Any, tuple[Block, Gather]] = {}
        self.num_failures = 0
        self._open = [self.top]
        self._count = 0
        self._num_discarded = 0

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

    def add(self, line: Branch | Loop | Gather | Append | Failure) -> None:
        """Records what is no single operation; the same failure only once."""
        if isinstance(line, Failure):
            self.num_failures += 1
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
        if self.size > MAX_OPERATIONS:
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

    def gather(self, rows: int, columns: int) -> Gather:
        """Returns an array that rows can be stored in, so many at most; recorded."""
        name = f"ROWS_{len(self.stores)}"
        self.stores[name] = (rows, columns)
        count = self.fresh("count", (name,), "i")
        count.weak = True
        made = Gather(name=name, count=count)
        self.add(made)
        return made

    def append(
        self,
        gather: Gather,
        condition: Scalar,
        numbers: list[Scalar],
        *,
        branch: Branch | None = None,
    ) -> None:
        """Records that a row is stored where a condition holds."""
        line = Append(
            gather=gather, condition=condition, numbers=numbers, branch=branch
        )
        gather.appends.append(line)
        self.add(line)

    def is_open(self, block: Block) -> bool:
        """Returns whether what a block computes can be used now."""
        return any(block is one for one in self._open)

    @property
    def block(self) -> Block:
        """The block that is recorded into."""
        return self._open[-1]

    @property
    def size(self) -> int:
        """How many symbols were made, less those that were made for nothing."""
        return self._count - self._num_discarded

    def discard_since(self, size: int) -> None:
        """Counts the symbols that were made since a size as made for nothing."""
        self._num_discarded = self._count - size

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
