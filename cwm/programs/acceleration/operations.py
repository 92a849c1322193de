"""Operations on numbers, known or not: computed, simplified, or recorded."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cwm.programs.acceleration.symbols import (
    KINDS,
    Symbol,
    cast,
    graph_of,
    is_weak,
    kind_of,
    plain,
    widest,
)

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


def _simplified(  # noqa: PLR0911 - one an operation
    op: str, values: tuple[Any, ...], kind: str
) -> Any:
    """Returns the result where nothing has to be computed; else `None`.

    A product with a known zero is taken to be zero, which it is unless the other
    factor is infinite or not a number.
    """
    if len(values) == 1:
        return _of_angle(op, values[0]) if op in ("sin", "cos") else None
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


def _of_angle(op: str, angle: Any) -> Any:
    """Returns the sine or cosine of an angle that was made from both, without it.

    As programs have it whose observations hold both: a root and a division take a
    fifth of the time. Only of numbers of 32 bits, whose squares all exist. It differs
    in the last bits, by less than the forms of a program may.
    """
    while (
        isinstance(angle, Symbol) and angle.op == "cast" and angle.args[0].kind == "f"
    ):
        (angle,) = angle.args
    if not isinstance(angle, Symbol) or angle.op != "arctan2":
        return None
    if not all(_is_short(part) for part in angle.args):
        return None
    height, width = angle.args
    squares = apply("add", apply("mul", height, height), apply("mul", width, width))
    length = apply("sqrt", squares)
    # No direction is that of 0.
    ratio = apply("div", height if op == "sin" else width, length)
    return select(apply("gt", length, 0.0), ratio, 0.0 if op == "sin" else 1.0)


def _is_short(value: Any) -> bool:
    """Returns whether a number has 32 bits, in the form of one of 64."""
    return (
        isinstance(value, Symbol) and value.op == "cast" and value.args[0].kind == "s"
    )


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
        both_nan = isinstance(left, float) and math.isnan(left) and math.isnan(right)
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
    for name, op in {"neg": "neg", "abs": "abs", "invert": "not"}.items():
        setattr(Symbol, f"__{name}__", functools.partialmethod(_apply_to, op))


def _apply_to(self: Symbol, op: str) -> Any:
    return apply(op, self)


_add_operators()
