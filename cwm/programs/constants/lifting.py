"""Numbers of a program that are constants though it does not declare them.

Covers: numbers that a name is given (`self.gravity = 9.8`), alone or in a list, and
numbers in formulas. Does not cover: codes, indices, exponents, divisors of remainders,
what is compared for equality, arguments that are shapes or counts, drawn starts; nor
zero, pi and its simple multiples, nor numbers near zero that keep a division safe. An
integer must be used as a quantity everywhere. Whether a number matters is not asked
here: the data say.
"""

import ast
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from cwm.programs.constants.contexts import (
    Uses,
    called,
    excludes,
    is_reward,
    target_name,
)
from cwm.programs.constants.declared import declaration
from cwm.programs.constants.holes import Hole
from cwm.programs.constants.syntax import (
    Places,
    ancestors,
    has_literal,
    is_whole,
    mentions_pi,
    number_of,
    parents_of,
    parse,
)

SPAN = 10.0
"""A lifted number may become this many times larger or smaller; its sign stays."""

_SMALLEST = 1e-6
_LARGEST = 1e7
_LONGEST_LIST = 32
_REWARD = "reward"

_SKIPPED_FUNCTIONS = frozenset(
    {"reset", "render", "close", "seed", "sample", "legal_actions", "step_batch"}
)
_TRANSPARENT = frozenset(
    {"float", "float32", "float64", "array", "asarray", "radians", "deg2rad", "abs"}
)
"""Functions through which a name is still given the number."""


def lifted_holes(source: str) -> list[Hole]:
    """Returns the numbers of a source that may be constants, in its order."""
    tree = parse(source)
    return [] if tree is None else _Lifter(source, tree).holes()


class _Lifter:
    def __init__(self, source: str, tree: ast.Module) -> None:
        self._tree = tree
        self._places = Places(source)
        self._parents = parents_of(tree)
        self._declaration = declaration(tree)
        self._uses = Uses(tree, self._parents)
        # A batched twin of `step` has the same numbers in its own text.
        self._has_batch = any(
            isinstance(node, ast.FunctionDef) and node.name == "step_batch"
            for node in ast.walk(tree)
        )

    def holes(self) -> list[Hole]:
        found = [hole for hole in map(self._hole, self._units(self._tree)) if hole]
        found.sort(key=lambda hole: hole.start)
        return _with_own_names(found)

    def _units(self, node: ast.AST) -> Iterator[ast.expr]:
        """Yields the largest expressions that are numbers."""
        if node is self._declaration or _is_skipped(node):
            return
        if isinstance(node, ast.expr) and number_of(node) is not None:
            if has_literal(node):
                yield node
            return
        for child in ast.iter_child_nodes(node):
            yield from self._units(child)

    def _hole(self, node: ast.expr) -> Hole | None:
        value = number_of(node)
        assert value is not None, "units are numbers"
        if not _SMALLEST <= abs(value) <= _LARGEST or self._is_excluded(node):
            return None
        name, target = self._name_of(node)
        if not self._is_quantity(node, value, target):
            return None
        start, stop = self._places.span(node)
        low, high = sorted((value / SPAN, value * SPAN))
        return Hole(
            name=name if target else f"{value:g}",
            kind="named" if target else "literal",
            value=value,
            low=low,
            high=high,
            is_angle=mentions_pi(node),
            line=node.lineno,
            start=start,
            stop=stop,
        )

    def _is_quantity(self, node: ast.expr, value: float, target: str) -> bool:
        """Whether a number with this name, or none, may be another one."""
        if not target:
            return not (self._has_batch or mentions_pi(node) or is_whole(node))
        if self._uses.is_structural(target, is_whole=is_whole(node)):
            return False
        if mentions_pi(node) and _is_simple_angle(value):
            return False
        return not is_whole(node) or target == _REWARD or self._uses.is_quantity(target)

    def _is_excluded(self, node: ast.expr) -> bool:
        """Whether the number stands where it is a code, a count or an exponent."""
        for child, parent in ancestors(node, self._parents):
            if excludes(parent, child):
                return True
            if isinstance(parent, ast.stmt):
                return False
        return False

    def _name_of(self, node: ast.expr) -> tuple[str, str]:
        """Returns what to call a number, and the name that it is given to, or none."""
        steps = ""
        for child, parent in ancestors(node, self._parents):
            if is_reward(parent, child, self._parents):
                return _REWARD, _REWARD
            target = _given_to(parent, child)
            if target is not None:
                return f"{target}{steps}", target
            step = _way_up(parent, child)
            if step is None:
                break
            steps = step + steps
        return "", ""


def _given_to(parent: ast.AST, child: ast.AST) -> str | None:
    """Returns the name that a statement gives a value; `None` if it is no such."""
    match parent:
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return target_name(target)
        case ast.arguments():
            return _argument(parent, child)
    return None


def _way_up(parent: ast.AST, child: ast.AST) -> str | None:
    """Returns the index of a member; `None` if the whole is not made of members."""
    match parent:
        case ast.List(elts=members) | ast.Tuple(elts=members):
            if len(members) <= _LONGEST_LIST:
                return f"[{[member is child for member in members].index(True)}]"
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if value is child and isinstance(key, ast.Constant):
                    return f"[{key.value!r}]"
        case ast.Call(func=function):
            return "" if called(function) in _TRANSPARENT else None
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()) | ast.keyword():
            return ""
    return None


def _argument(arguments: ast.arguments, default: ast.AST) -> str:
    """Returns the name of the argument whose default a number is."""
    every = [*arguments.posonlyargs, *arguments.args]
    named = every[len(every) - len(arguments.defaults) :]
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(named, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return next((name.arg for name, value in pairs if value is default), "")


def _with_own_names(holes: list[Hole]) -> list[Hole]:
    """Returns holes whose names differ, by their line where need be."""
    counts = Counter(hole.name for hole in holes)
    seen: Counter[str] = Counter()
    made = []
    for hole in holes:
        name = hole.name
        if counts[name] > 1 or hole.kind == "literal":
            name = f"{name} (line {hole.line})"
        seen[name] += 1
        number = f" #{seen[name]}" if seen[name] > 1 else ""
        made.append(replace(hole, name=f"{name}{number}"))
    return made


def _is_skipped(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name in _SKIPPED_FUNCTIONS
    return isinstance(node, ast.JoinedStr | ast.Assert | ast.Raise | ast.pattern)


def _is_simple_angle(value: float) -> bool:
    return any(math.isclose(abs(value), ratio * math.pi) for ratio in (0.25, 0.5, 1, 2))
