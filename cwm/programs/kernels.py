"""Programs with a kernel: one function over rows of which numba makes machine code.

A kernel is part of a program's text: a function at module level with the name
`advance_rows`, and the tables that it reads. The class calls it. Without numba it runs
as it is written.

Covers: finding a kernel, what it may contain, compiling it. Does not cover: writing
one (`cwm.programs.acceleration`). Compiling runs none of the program's code: the text
is checked here to be one plain function, its types are given from outside, and in the
sandbox the child loses the right to make machine code before the program is loaded.
"""

import ast
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, SpaceSpec

KERNEL = "advance_rows"
"""Name of the function."""

CAPABILITY = "numba"
"""What a sandbox must offer for it to be compiled."""

PARAMETERS = ("states", "actions", "following", "rewards", "terminated")
"""Rows of observations and actions, and the rows that it fills."""

PREPARED = "prepared"
"""A further parameter that it may have: numbers `[K, N]` that NumPy has computed."""

_TABLE = "TABLE_"
_BUILTINS = frozenset(
    {"abs", "bool", "float", "int", "len", "max", "min", "range", "ValueError"}
)
_NUMPY = frozenset(
    {
        "abs",
        "absolute",
        "arccos",
        "arcsin",
        "arctan",
        "arctan2",
        "ceil",
        "cos",
        "cosh",
        "exp",
        "float32",
        "float64",
        "floor",
        "fmod",
        "hypot",
        "inf",
        "int64",
        "isfinite",
        "isnan",
        "log",
        "maximum",
        "minimum",
        "nan",
        "rint",
        "sign",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "zeros",
    }
)
_PLAIN = (
    ast.arg,
    ast.arguments,
    ast.Assign,
    ast.BinOp,
    ast.boolop,
    ast.BoolOp,
    ast.Break,
    ast.cmpop,
    ast.Compare,
    ast.Constant,
    ast.expr_context,
    ast.For,
    ast.If,
    ast.IfExp,
    ast.operator,
    ast.Raise,
    ast.Subscript,
    ast.Tuple,
    ast.unaryop,
    ast.UnaryOp,
    ast.While,
)


def kernel_of(source: str) -> str:
    """Returns the text of a program's kernel and its tables; empty if it has none.

    A function of that name which is more than plain arithmetic is no kernel.
    """
    if f"def {KERNEL}(" not in source:
        return ""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    kernels = [node for node in functions if node.name == KERNEL]
    if len(kernels) != 1 or not _is_plain(kernels[0]):
        return ""
    tables = [node for node in tree.body if _table(node) is not None]
    return "\n".join(ast.unparse(node) for node in (*tables, kernels[0])) + "\n"


def capabilities_for(source: str) -> tuple[str, ...]:
    """Returns what a sandbox should offer to a program."""
    return (CAPABILITY,) if kernel_of(source) else ()


def _is_plain(kernel: ast.FunctionDef) -> bool:
    args = kernel.args
    names = tuple(a.arg for a in args.args)
    extras = (args.vararg, args.kwarg, *args.kwonlyargs, *args.posonlyargs)
    if (
        names not in (PARAMETERS, (*PARAMETERS, PREPARED))
        or any(extras)
        or args.defaults
        or kernel.decorator_list
    ):
        return False
    if kernel.returns or any(a.annotation for a in args.args):
        return False
    assigned = {
        node.id
        for node in ast.walk(kernel)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    known = assigned | set(names)
    if known & (_BUILTINS | {"np", KERNEL}):
        return False
    return all(_is_plain_node(n, known) for part in kernel.body for n in ast.walk(part))


def _is_plain_node(node: ast.AST, known: set[str]) -> bool:
    match node:
        case ast.Name(id=name):
            return name in known | _BUILTINS | {"np"} or name.startswith(_TABLE)
        case ast.Attribute(value=ast.Name(id="np"), attr=name):
            return name in _NUMPY
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            return name in _BUILTINS
        case ast.Call(func=ast.Attribute(), keywords=[]):
            return True
    return isinstance(node, _PLAIN)


def _table(node: ast.stmt) -> Any:
    """Returns the table that a statement sets; `None` if it is another statement."""
    match node:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id="np"), attr="array"),
                args=[ast.List() as values],
                keywords=[ast.keyword(arg="dtype", value=ast.Attribute(attr=dtype))],
            ),
        ) if name.startswith(_TABLE) and dtype in ("bool_", "int64", "float64"):
            try:
                return name, np.array(
                    ast.literal_eval(values), dtype=getattr(np, dtype)
                )
            except (ValueError, TypeError, SyntaxError):
                return None
    return None


def is_compiler_here() -> bool:
    """Returns whether this process may compile: its sandbox was made for it."""
    return CAPABILITY in sys.modules


def compile_kernel(
    kernel: str, *, observation_space: SpaceSpec, action_space: SpaceSpec
) -> Callable[..., None]:
    """Returns the machine code of a kernel; runs none of it.

    Args:
        kernel: What `kernel_of` returned.
        observation_space: Space of the observations, for the types of the rows.
        action_space: Space of the actions.
    """
    import numba  # noqa: PLC0415 - only in a sandbox that offers it

    def rows(space: SpaceSpec) -> Any:
        dtype, dimensions = _row_type(space)
        return numba.types.Array(numba.from_dtype(np.dtype(dtype)), dimensions, "C")

    tree = ast.parse(kernel)
    names: dict[str, Any] = {"np": np, "__name__": "kernel"}
    for node in tree.body:
        table = _table(node)
        if table is not None:
            names[table[0]] = table[1]
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    # Only a definition, without decorators and defaults: nothing is executed.
    exec(compile(tree, "/kernel", "exec"), names)  # noqa: S102
    states, actions = rows(observation_space), rows(action_space)
    numbers, flags = numba.float64[::1], numba.boolean[::1]
    more = (numba.float64[:, ::1],) if _is_prepared(names[KERNEL]) else ()
    signature = numba.void(states, actions, states, numbers, flags, *more)
    # Divisions by zero have NumPy's results; nothing is reordered.
    made: Callable[..., None] = numba.njit(
        signature, error_model="numpy", fastmath=False, boundscheck=False
    )(names[KERNEL])
    return made


def _is_prepared(kernel: Callable[..., None]) -> bool:
    return kernel.__code__.co_argcount > len(PARAMETERS)


def _row_type(space: SpaceSpec) -> tuple[str, int]:
    match space:
        case BoxSpec(shape=shape, dtype=dtype):
            return dtype, 2 if shape else 1
        case MultiDiscreteSpec():
            return "int64", 2
        case DiscreteSpec():
            return "int64", 1
    raise ValueError(f"Values of {space!r} are not rows of an array.")
