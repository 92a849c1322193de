"""Reading numbers in a program's syntax tree: where they stand, and what they are."""

import ast
import math
import threading
import warnings
from collections.abc import Iterator

MAX_CHARS = 200_000
"""Longer text is not parsed."""

_PARSING = threading.Lock()
"""The filter of warnings is the process's, not the thread's."""


def parse(source: str) -> ast.Module | None:
    """Returns a program's syntax tree; `None` if there is none."""
    if len(source) > MAX_CHARS:
        return None
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class Places:
    """Where nodes stand in a source, in bytes."""

    def __init__(self, source: str) -> None:
        self._starts = [0]
        for line in source.encode().split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Returns where a node's text begins and ends."""
        assert node.end_lineno is not None, "parsed nodes have positions"
        assert node.end_col_offset is not None, "likewise"
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset


def number_of(node: ast.expr) -> float | None:
    """Returns the number that an expression of numbers (and pi) is; else `None`."""
    try:
        value = _number(node)
    except (ArithmeticError, ValueError):
        return None
    return value if value is not None and math.isfinite(value) else None


def _number(node: ast.expr) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as value):
            return None if isinstance(value, bool) else float(value)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
            inner = _number(operand)
            is_turned = isinstance(op, ast.USub) and inner is not None
            return -inner if is_turned and inner is not None else inner
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _number(left), _number(right)
            return None if a is None or b is None else _result(op, a, b)
    return math.pi if _is_pi(node) else None


def _is_pi(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="math" | "np" | "numpy"), attr="pi"):
            return True
        case ast.Name(id="pi"):
            return True
    return False


def _result(op: ast.operator, a: float, b: float) -> float | None:
    match op:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult():
            return a * b
        case ast.Div():
            return a / b
        case ast.Pow() if abs(b) <= 64 and a > 0:
            return float(a**b)
    return None


def mentions_pi(node: ast.expr) -> bool:
    """Returns whether an expression has pi in it."""
    return any(_is_pi(n) for n in ast.walk(node))


def has_literal(node: ast.expr) -> bool:
    """Returns whether a number is written in an expression."""
    return any(isinstance(n, ast.Constant) for n in ast.walk(node))


def is_whole(node: ast.expr) -> bool:
    """Returns whether all numbers that are written in an expression are integers."""
    return not mentions_pi(node) and all(
        isinstance(n.value, int) for n in ast.walk(node) if isinstance(n, ast.Constant)
    )


def parents_of(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """Returns the parent of each node."""
    return {
        child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
    }


def ancestors(
    node: ast.AST, parents: dict[ast.AST, ast.AST]
) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yields pairs of a node and its parent, from the node up."""
    while (parent := parents.get(node)) is not None:
        yield node, parent
        node = parent
