"""The first, fast line: what a source must not contain, with line and reason.

RestrictedPython's checker walks the syntax tree; its rewritten tree is thrown away,
and the child runs the original text. This is no boundary (the kernel's locks are):
it gives instant, readable errors, and shows which programs try to look around.
"""

import ast
import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from RestrictedPython.transformer import RestrictingNodeTransformer

from sandbox.limits import Limits
from sandbox.opt_in import Capability, name_of
from sandbox.outcome import Rejected
from sandbox.policy_rules import (
    ALLOWED_DUNDER_ATTRIBUTES,
    ALLOWED_DUNDER_NAMES,
    ALLOWED_OS_ATTRIBUTES,
    PLAIN_NODES,
    USUAL_MODULES,
    PolicyProfile,
    Rules,
    rules_of,
)

POLICY_VERSION = "v1"
"""To be raised when other sources are refused than before: it is in every report."""

PolicyMode: TypeAlias = Literal["enforce", "warn", "off"]

Node = TypeVar("Node", bound=ast.AST)


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


def review(
    source: str,
    limits: Limits,
    mode: PolicyMode,
    profile: PolicyProfile,
    capabilities: Sequence[Capability] = (),
) -> tuple[Rejected | None, tuple[str, ...]]:
    """Returns the refusal of a source, if any, and what only deserves a warning."""
    problems = check_size(source, limits.max_source_kib)
    is_refused = bool(problems) or mode == "enforce"
    if not problems and mode != "off":
        problems = check_source(source, profile, capabilities)
    reasons = tuple(str(problem) for problem in problems)
    if problems and is_refused:
        return Rejected(reasons=reasons, line=problems[0].line), ()
    return None, reasons


_WARNINGS_LOCK = threading.Lock()
"""The process has one set of filters: threads that overlap would not restore it."""


@functools.lru_cache(maxsize=2)
def parse_quietly(source: str) -> ast.Module:
    """Returns the syntax tree of a source, without the parser's warnings about it.

    Raises:
        SyntaxError, ValueError: If it is no Python text.
        RecursionError, MemoryError: If it is nested too deeply.
    """
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def check_source(
    source: str,
    profile: PolicyProfile = "module",
    capabilities: Sequence[Capability] = (),
) -> tuple[Problem, ...]:
    """Returns what the policy refuses in a source, in order of lines.

    A source that does not parse has no problems here: the child reports the syntax
    error, as it does any other exception.
    """
    try:
        tree = parse_quietly(source)
        checker = _Checker(rules_of(profile, capabilities))
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

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self._rules = rules
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
        if name in self._rules.denied_names:
            instead = self._rules.denied_names[name]
            self.error(node, f"{name} is not allowed; {instead}.")
        elif _is_dunder(name) and name not in ALLOWED_DUNDER_NAMES:
            self.error(node, f"the name {name} is not allowed; it reaches into Python.")

    def check_import_names(self, node: Any) -> ast.AST:
        module = getattr(node, "module", None)
        names = [alias.name for alias in node.names] if module is None else [module]
        for name in names:
            parts = name.split(".")
            refused = self._rules.denied_attributes
            denied = next((p for p in parts[1:] if p in refused), None)
            if parts[0] not in self._rules.modules or denied:
                self.error(node, self._import_refused(name))
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self._check_attribute(node, alias.name)
                if module == "os":
                    self._check_os(node, alias.name)
        for alias in node.names:
            self.check_name(node, alias.asname)
        return self._pass(node)

    def _import_refused(self, name: str) -> str:
        top = name.partition(".")[0]
        wanted = None if top in self._rules.modules else name_of(name)
        off = (
            ""
            if wanted is None
            else f" while the capability {wanted!r} is off (--capabilities {wanted})"
        )
        usual = ", ".join(sorted(USUAL_MODULES | self._rules.offered))
        return (
            f"import of {name} is not allowed{off}; a program may import numpy and "
            f"{usual}."
        )

    def _check_attribute(self, node: ast.AST, name: str) -> None:
        if name in self._rules.denied_attributes:
            self.error(
                node,
                f"the attribute {name} is not allowed; it leads out of the program.",
            )
        elif _is_dunder(name) and name not in ALLOWED_DUNDER_ATTRIBUTES:
            self.error(
                node, f"the attribute {name} is not allowed; it reaches into Python."
            )

    def _check_os(self, node: ast.AST, name: str) -> None:
        if "os" in self._rules.modules and name not in ALLOWED_OS_ATTRIBUTES:
            self.error(
                node,
                f"os.{name} is not allowed; there are no files and no other "
                "processes, only standard input and output.",
            )

    def visit_Name(self, node: ast.Name) -> ast.AST:  # noqa: N802
        is_read = isinstance(node.ctx, ast.Load)
        if not (is_read and node.id == "super"):
            self.check_name(node, node.id)
        return self._pass(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # noqa: N802
        self._check_attribute(node, node.attr)
        if isinstance(node.value, ast.Name) and node.value.id == "os":
            self._check_os(node, node.attr)
        return self._pass(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: N802
        self.check_name(node, node.name)
        self.check_function_argument_names(node)
        return self._pass(node)

    def _pass(self, node: ast.AST) -> ast.AST:
        return self.node_contents_visit(node)


# Whatever is neither here nor known to RestrictedPython stays refused, so that new
# syntax is looked at before it is allowed.
for _name in PLAIN_NODES:
    setattr(_Checker, f"visit_{_name}", _Checker._pass)
