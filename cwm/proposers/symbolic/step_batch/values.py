"""What is known of an expression in array form: its type, its shape, its range."""

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["bool", "int", "float"]

_RANK: dict[Kind, int] = {"bool": 0, "int": 1, "float": 2}


class NoArrayForm(Exception):  # noqa: N818 - an event, not an error
    """Raised where a program has something that is not written for arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """An expression over arrays `[N]`, or one number for all rows.

    Attributes:
        node: The expression.
        kind: Type of its elements.
        is_array: Whether it differs between rows; otherwise it is one number.
        low: Smallest value that it can have; infinite if unknown.
        high: Largest value that it can have.
    """

    node: ast.expr
    kind: Kind
    is_array: bool
    low: float = -math.inf
    high: float = math.inf

    @property
    def text(self) -> str:
        """The expression as source."""
        return ast.unparse(self.node)


def expression(text: str, **parts: ast.expr) -> ast.expr:
    """Returns the expression that a text says, names replaced by `parts`."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return parts.get(node.id, node)

    filled = Fill().visit(ast.parse(text, mode="eval").body)
    assert isinstance(filled, ast.expr), "An expression stays one."
    return filled


def boolean(node: ast.expr, *, is_array: bool) -> Value:
    """Returns an expression that is true or false."""
    return Value(node=node, kind="bool", is_array=is_array, low=0.0, high=1.0)


def as_number(value: Value) -> Value:
    """Returns a truth value as 0.0 or 1.0, and anything else as it is.

    NumPy's booleans are no numbers: their sum is "or", and they have no negative.
    """
    if value.kind != "bool" or not value.is_array:
        return value
    node = expression("x.astype(float)", x=value.node)
    return Value(node=node, kind="float", is_array=True, low=value.low, high=value.high)


def joined(node: ast.expr, values: list[Value], *, is_array: bool) -> Value:
    """Returns an expression whose value is one of several in each row."""
    return Value(
        node=node,
        kind=widest(*values),
        is_array=is_array,
        low=min(value.low for value in values),
        high=max(value.high for value in values),
    )


def widest(*values: Value) -> Kind:
    """Returns the type that holds all of several values."""
    return max((value.kind for value in values), key=_RANK.__getitem__)


_ENDS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
}


def range_of(operator: ast.operator, left: Value, right: Value) -> tuple[float, float]:
    """Returns the smallest and the largest result of an operation on integers."""
    found = (-math.inf, math.inf)
    ends = (left.low, left.high, right.low, right.high)
    is_known = all(math.isfinite(end) for end in ends)
    divides = right.low == right.high > 0
    if "float" in (left.kind, right.kind):
        return found
    if isinstance(operator, ast.Mod) and divides:
        found = (0.0, right.low - 1)
        if left.low >= 0 and left.high < right.low:
            found = (left.low, left.high)
    elif isinstance(operator, ast.FloorDiv) and divides and is_known:
        found = (left.low // right.low, left.high // right.low)
    elif type(operator) in _ENDS and is_known:
        apply = _ENDS[type(operator)]
        results = [apply(a, b) for a, b in product(ends[:2], ends[2:])]
        found = (min(results), max(results))
    return found
