"""The first, fast line: what a source must not contain, with line and reason.

RestrictedPython's checker walks the syntax tree; its rewritten tree is thrown away,
and the child runs the original text. This is no boundary (the kernel's locks are):
it gives instant, readable errors, and shows which programs try to look around.
"""

import ast
import builtins
import functools
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from RestrictedPython.transformer import (
    INSPECT_ATTRIBUTES,
    RestrictingNodeTransformer,
)

PolicyMode: TypeAlias = Literal["enforce", "warn", "off"]

Node = TypeVar("Node", bound=ast.AST)

ALLOWED_MODULES = frozenset(
    {
        "__future__",
        "abc",
        "bisect",
        "cmath",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "heapq",
        "itertools",
        "json",
        "math",
        "numbers",
        "numpy",
        "operator",
        "random",
        "re",
        "statistics",
        "string",
        "textwrap",
        "time",
        "types",
        "typing",
        "typing_extensions",
        "warnings",
    }
)
"""Modules that a program may import, with their submodules unless denied below."""

_DENIED_NAMES = {
    "eval": "write the expression out",
    "exec": "write the statements out",
    "compile": "write the code out",
    "open": "there are no files to read or write",
    "input": "there is nobody to ask",
    "__import__": "use an import statement",
    "globals": "use names directly",
    "locals": "use names directly",
    "vars": "use attributes directly",
    "breakpoint": "there is no debugger",
    "exit": "return from step instead",
    "quit": "return from step instead",
}

_DENIED_ATTRIBUTES = INSPECT_ATTRIBUTES | {
    "DataSource",
    "builtins",
    "codecs",
    "ctypes",
    "ctypeslib",
    "distutils",
    "f2py",
    "fromfile",
    "genfromtxt",
    "inspect",
    "loadtxt",
    "memmap",
    "modules",
    "savetxt",
    "savez",
    "savez_compressed",
    "subprocess",
    "sys",
    "testing",
    "tofile",
}

_ALLOWED_DUNDER_ATTRIBUTES = frozenset(
    {
        "__abs__",
        "__add__",
        "__annotations__",
        "__bool__",
        "__call__",
        "__class__",
        "__contains__",
        "__copy__",
        "__deepcopy__",
        "__doc__",
        "__enter__",
        "__eq__",
        "__exit__",
        "__float__",
        "__floordiv__",
        "__ge__",
        "__getitem__",
        "__getattr__",
        "__gt__",
        "__hash__",
        "__index__",
        "__init__",
        "__init_subclass__",
        "__int__",
        "__iter__",
        "__le__",
        "__len__",
        "__lt__",
        "__matmul__",
        "__mod__",
        "__mul__",
        "__name__",
        "__ne__",
        "__neg__",
        "__new__",
        "__next__",
        "__post_init__",
        "__pow__",
        "__qualname__",
        "__radd__",
        "__repr__",
        "__reversed__",
        "__rmul__",
        "__rsub__",
        "__rtruediv__",
        "__setattr__",
        "__setitem__",
        "__slots__",
        "__str__",
        "__sub__",
        "__truediv__",
        "__version__",
    }
)
_ALLOWED_DUNDER_NAMES = _ALLOWED_DUNDER_ATTRIBUTES | {
    "__all__",
    "__author__",
    "__debug__",
    "__name__",
    "__file__",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the policy refuses.

    Attributes:
        line: Where, from 1; `None` for the source as a whole.
        reason: What, why, and what to use instead.
    """

    line: int | None
    reason: str

    def __str__(self) -> str:
        return self.reason if self.line is None else f"Line {self.line}: {self.reason}"


def check_size(source: str, max_source_kib: int) -> tuple[Problem, ...]:
    """Returns why a source is not even parsed; empty if it is small plain text."""
    try:
        size = len(source.encode("utf-8"))
    except UnicodeEncodeError:
        return (Problem(None, "The source must be valid Unicode text."),)
    if size > max_source_kib << 10:
        reason = (
            f"The source must have at most {max_source_kib} KiB, "
            f"got {size / 1024:.0f} KiB."
        )
        return (Problem(None, reason),)
    if "\0" in source:
        return (Problem(None, "The source must not contain the character NUL."),)
    return ()


_WARNINGS_LOCK = threading.Lock()
"""The process has one set of filters: threads that overlap would not restore it."""


@functools.lru_cache(maxsize=32)
def check_source(source: str) -> tuple[Problem, ...]:
    """Returns what the policy refuses in a source, in order of lines.

    A source that does not parse has no problems here: the child reports the syntax
    error, as it does any other exception.
    """
    try:
        with _WARNINGS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        checker = _Checker()
        checker.visit(tree)
    except (SyntaxError, ValueError):
        return ()
    except (RecursionError, MemoryError):
        return (Problem(None, "The source is nested too deeply."),)
    unique = dict.fromkeys(checker.problems)
    return tuple(sorted(unique, key=lambda problem: problem.line or 0))


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


_METHODS: dict[type[ast.AST], Callable[["_Checker", Any], Any]] = {}

# Nodes with nothing to refuse in them, named one by one: new ones are looked at.
_LEAVES = frozenset(
    getattr(ast, name)
    for name in (  # noqa: SIM905 - one name a line would be a page
        "Add And BitAnd BitOr BitXor Constant Del Div Eq FloorDiv Gt GtE In Invert Is "
        "IsNot LShift Load Lt LtE MatMult Mod Mult Not NotEq NotIn Or Pow RShift Store "
        "Sub UAdd USub"
    ).split()
)


class _Checker(RestrictingNodeTransformer):
    """RestrictedPython's walk with our rules; changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[Problem] = []

    def visit(self, node: ast.AST) -> Any:
        """Calls the method for the node's type; the base looks it up each time."""
        kind = type(node)
        if kind not in _METHODS:
            name = f"visit_{kind.__name__}"
            _METHODS[kind] = getattr(_Checker, name, _Checker.generic_visit)
        return _METHODS[kind](self, node)

    def node_contents_visit(self, node: Node) -> Node:
        """Visits what is inside a node; unlike the base, builds no new tree."""
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST) and type(item) not in _LEAVES:
                        self.visit(item)
            elif isinstance(value, ast.AST) and type(value) not in _LEAVES:
                self.visit(value)
        return node

    def error(self, node: ast.AST, info: str) -> None:
        self.problems.append(Problem(getattr(node, "lineno", None), info))

    def warn(self, node: ast.AST, info: str) -> None:
        """Drops the warnings: they are about the rewriting."""

    def not_allowed(self, node: ast.AST) -> None:
        self.error(
            node,
            f"{type(node).__name__} is not allowed; use plain statements "
            "(functions, classes, loops).",
        )

    def check_name(
        self, node: ast.AST, name: str | None, allow_magic_methods: bool = False
    ) -> None:
        if name is None:
            return
        if name in _DENIED_NAMES:
            self.error(node, f"{name} is not allowed; {_DENIED_NAMES[name]}.")
        elif _is_dunder(name) and name not in _ALLOWED_DUNDER_NAMES:
            self.error(node, f"the name {name} is not allowed; it reaches into Python.")

    def check_import_names(self, node: Any) -> ast.AST:
        module = getattr(node, "module", None)
        names = [alias.name for alias in node.names] if module is None else [module]
        for name in names:
            parts = name.split(".")
            denied = next((p for p in parts if p in _DENIED_ATTRIBUTES), None)
            if parts[0] not in ALLOWED_MODULES or denied:
                self.error(
                    node,
                    f"import of {name} is not allowed; a program may import "
                    "numpy and " + ", ".join(sorted(_USUAL_MODULES)) + ".",
                )
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self._check_attribute(node, alias.name)
        for alias in node.names:
            self.check_name(node, alias.asname)
        return self._pass(node)

    def _check_attribute(self, node: ast.AST, name: str) -> None:
        if name in _DENIED_ATTRIBUTES:
            self.error(
                node,
                f"the attribute {name} is not allowed; it leads out of the program.",
            )
        elif _is_dunder(name) and name not in _ALLOWED_DUNDER_ATTRIBUTES:
            self.error(
                node, f"the attribute {name} is not allowed; it reaches into Python."
            )

    def visit_Name(self, node: ast.Name) -> ast.AST:  # noqa: N802
        is_read = isinstance(node.ctx, ast.Load)
        if not (is_read and node.id == "super"):
            self.check_name(node, node.id)
        return self._pass(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # noqa: N802
        self._check_attribute(node, node.attr)
        return self._pass(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: N802
        self.check_name(node, node.name)
        self.check_function_argument_names(node)
        return self._pass(node)

    def _pass(self, node: ast.AST) -> ast.AST:
        return self.node_contents_visit(node)


_USUAL_MODULES = {
    "collections",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "math",
    "random",
    "typing",
}

_PLAIN_NODES = (
    "AnnAssign",
    "Assign",
    "AugAssign",
    "Call",
    "ClassDef",
    "Constant",
    "Delete",
    "DictComp",
    "For",
    "GeneratorExp",
    "Global",
    "Lambda",
    "ListComp",
    "MatMult",
    "Match",
    "MatchAs",
    "MatchClass",
    "MatchMapping",
    "MatchOr",
    "MatchSequence",
    "MatchSingleton",
    "MatchStar",
    "MatchValue",
    "Module",
    "NamedExpr",
    "Nonlocal",
    "SetComp",
    "Slice",
    "Starred",
    "Subscript",
    "Try",
    "Tuple",
    "With",
    "Yield",
    "YieldFrom",
    "comprehension",
    "match_case",
    "withitem",
)
# Nodes that RestrictedPython rewrites or refuses for its own way of running code,
# which is not ours. Whatever is neither here nor known to it stays refused, so that
# new syntax is looked at before it is allowed.
for _name in _PLAIN_NODES:
    setattr(_Checker, f"visit_{_name}", _Checker._pass)

assert set(_DENIED_NAMES) <= set(dir(builtins)) | {"exit", "quit"}
