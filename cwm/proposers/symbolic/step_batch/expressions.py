"""Expressions of a rendered program, over arrays instead of numbers."""

import ast
import math
from dataclasses import dataclass, field

import numpy as np

from cwm.proposers.symbolic.step_batch.tables import TableArrays
from cwm.proposers.symbolic.step_batch.values import (
    NoArrayForm,
    Value,
    as_number,
    boolean,
    expression,
    joined,
    range_of,
    widest,
)

_FUNCTIONS = {
    "abs": "np.abs",
    "max": "np.maximum",
    "min": "np.minimum",
    "np.sign": "np.sign",
    "math.sin": "np.sin",
    "math.cos": "np.cos",
    "math.tanh": "np.tanh",
    "math.exp": "np.exp",
    "math.sqrt": "np.sqrt",
    "math.atan2": "np.arctan2",
}
"""Functions of the same meaning for arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An observation or an action as `step_batch` gets it, `[N, ...]`.

    Attributes:
        name: The parameter that holds it.
        dtype: Type of its elements.
        shape: Shape of one of them.
        low: Smallest value of each element; infinite if unbounded.
        high: Largest value of each element.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def element(self, position: int, kind: type[int] | type[float]) -> Value:
        """Returns one element of each row."""
        index = f"[:, {position}]" if self.shape else ""
        is_integer = np.dtype(self.dtype).kind in "iub"
        if kind is int and not is_integer:
            raise NoArrayForm(f"{self.name} are not integers.")
        node = expression(f"{self.name}{index}")
        is_finite = math.isfinite(self.low[position] + self.high[position])
        return Value(
            node=node,
            kind="int" if kind is int else "float",
            is_array=True,
            low=self.low[position] if is_finite else -math.inf,
            high=self.high[position] if is_finite else math.inf,
        )


@dataclass(kw_only=True)
class Translator:
    """Turns expressions over one transition into expressions over `N` of them.

    Attributes:
        tables: The program's tables.
        names: What is known of each variable and constant.
        inputs: Inputs by the name that `step` has for them.
        reads: Inputs that were read, by the type that they are needed in.
    """

    tables: TableArrays
    names: dict[str, Value] = field(default_factory=dict)
    inputs: dict[str, Input] = field(default_factory=dict)
    reads: dict[str, type[int] | type[float]] = field(default_factory=dict)

    def translate(self, node: ast.expr) -> Value:  # noqa: PLR0911 - one a kind
        """Returns the array form of an expression.

        Raises:
            NoArrayForm: If it has none.
        """
        match node:
            case ast.Constant(value=bool()):
                return boolean(node, is_array=False)
            case ast.Constant(value=int() | float() as number):
                return Value(
                    node=node,
                    kind="int" if isinstance(number, int) else "float",
                    is_array=False,
                    low=number,
                    high=number,
                )
            case ast.Name(id=name) if name in self.names:
                return self.names[name]
            case ast.BinOp():
                return self._operation(node)
            case ast.UnaryOp(op=ast.USub()):
                return self._negative(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.BoolOp():
                return self._junction(node)
            case ast.Subscript(value=ast.Name(id=name), slice=key):
                return self.tables.item(name, self._keys(key), None)
            case ast.Call(keywords=[]):
                return self._call(node)
        raise NoArrayForm(f"There is no array form of {ast.unparse(node)}.")

    def _operation(self, node: ast.BinOp) -> Value:
        left, right = self.translate(node.left), self.translate(node.right)
        is_power = isinstance(node.op, ast.Pow)
        if left.kind == right.kind == "bool" or is_power:
            left, right = as_number(left), as_number(right)
        low, high = range_of(node.op, left, right)
        divides = isinstance(node.op, ast.Div)
        kind = widest(left, right)
        return Value(
            node=ast.BinOp(left=left.node, op=node.op, right=right.node),
            kind="float" if divides else "int" if kind == "bool" else kind,
            is_array=left.is_array or right.is_array,
            low=low,
            high=high,
        )

    def _negative(self, node: ast.UnaryOp) -> Value:
        inner = as_number(self.translate(node.operand))
        return Value(
            node=ast.UnaryOp(op=node.op, operand=inner.node),
            kind="int" if inner.kind == "bool" else inner.kind,
            is_array=inner.is_array,
            low=-inner.high,
            high=-inner.low,
        )

    def _comparison(self, node: ast.Compare) -> Value:
        """Returns a comparison; each link of a chain stands for itself."""
        links: list[Value] = []
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            links.append(self._link(left, operator, right))
            left = right
        return _all_of(links, ast.BitAnd())

    def _link(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Value:
        if isinstance(operator, ast.In):
            if not isinstance(right, ast.Name):
                raise NoArrayForm(f"{ast.unparse(right)} has no name.")
            return self.tables.contains(right.id, self._keys(left))
        if isinstance(operator, ast.NotIn | ast.Is | ast.IsNot):
            raise NoArrayForm("Only numbers are compared.")
        first, second = self.translate(left), self.translate(right)
        if first.kind == "bool" and isinstance(operator, ast.Eq) and second.text == "1":
            return first
        node = ast.Compare(left=first.node, ops=[operator], comparators=[second.node])
        return boolean(node, is_array=first.is_array or second.is_array)

    def _junction(self, node: ast.BoolOp) -> Value:
        values = [self.translate(value) for value in node.values]
        if any(value.kind != "bool" for value in values):
            raise NoArrayForm("Only truth values are joined by `and` and `or`.")
        is_all = isinstance(node.op, ast.And)
        return _all_of(values, ast.BitAnd() if is_all else ast.BitOr())

    def _keys(self, node: ast.expr) -> list[Value]:
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        return [self.translate(part) for part in parts]

    def _call(self, node: ast.Call) -> Value:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get")):
                key, default = node.args
                return self.tables.item(name, self._keys(key), self.translate(default))
            case ast.Call(func=ast.Name(id="int" | "float" as name), args=[inner]):
                return self._converted(inner, int if name == "int" else float)
            case ast.Call(func=ast.Name(id="bool"), args=[inner]):
                return self._truth(inner)
            case ast.Call(func=ast.Name(id="min"), args=[inner, high]):
                match inner:
                    case ast.Call(func=ast.Name(id="max"), args=[value, low]):
                        return self._clip(value, low, high)
        return self._function(node)

    def _converted(self, node: ast.expr, kind: type[int] | type[float]) -> Value:
        match node:
            case ast.Name(id=name) if name in self.inputs:
                return self._element(name, 0, kind)
            case ast.Subscript(
                value=ast.Call(args=[ast.Name(id=name)]),
                slice=ast.Constant(value=int() as position),
            ) if name in self.inputs:
                return self._element(name, position, kind)
            case ast.Call(func=ast.Name(id="round"), args=[inner]) if kind is int:
                value = self.translate(inner)
                rounded = expression("np.rint(x).astype(np.int64)", x=value.node)
                return Value(node=rounded, kind="int", is_array=value.is_array)
        value = self.translate(node)
        if kind is int and value.kind == "float":
            raise NoArrayForm("Only rounded numbers become integers.")
        if kind is float and value.kind == "bool":
            return as_number(value)
        return value

    def _element(
        self, name: str, position: int, kind: type[int] | type[float]
    ) -> Value:
        self.reads[name] = kind
        return self.inputs[name].element(position, kind)

    def _truth(self, node: ast.expr) -> Value:
        value = self.translate(node)
        if value.kind == "bool":
            return value
        return boolean(expression("x != 0", x=value.node), is_array=value.is_array)

    def _clip(self, node: ast.expr, low: ast.expr, high: ast.expr) -> Value:
        value, least, most = map(self.translate, (node, low, high))
        clipped = expression(
            "np.clip(x, low, high)", x=value.node, low=least.node, high=most.node
        )
        return Value(
            node=clipped,
            kind=widest(value, least, most),
            is_array=value.is_array,
            low=least.low,
            high=most.high,
        )

    def _function(self, node: ast.Call) -> Value:
        name = ast.unparse(node.func)
        if name not in _FUNCTIONS:
            raise NoArrayForm(f"There is no array form of {name}.")
        values = [_as_argument(self.translate(argument)) for argument in node.args]
        called = ast.Call(
            func=expression(_FUNCTIONS[name]),
            args=[value.node for value in values],
            keywords=[],
        )
        is_array = any(value.is_array for value in values)
        if name in ("max", "min"):
            return joined(called, values, is_array=is_array)
        kind = widest(*values) if name in ("abs", "np.sign") else "float"
        return Value(node=called, kind=kind, is_array=is_array)


def _as_argument(value: Value) -> Value:
    """Returns a value that NumPy's functions take for a number of 64 bits.

    Of a truth value they give one of 16 bits.
    """
    if value.kind == "bool" and not value.is_array:
        number = expression("float(x)", x=value.node)
        return Value(node=number, kind="float", is_array=False)
    return as_number(value)


def _all_of(values: list[Value], operator: ast.operator) -> Value:
    """Returns truth values joined by `&` or `|`."""
    node = values[0].node
    for value in values[1:]:
        node = ast.BinOp(left=node, op=operator, right=value.node)
    return boolean(node, is_array=any(value.is_array for value in values))
