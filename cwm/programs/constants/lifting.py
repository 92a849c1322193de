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

from cwm.programs.constants.declared import DECLARATION, declaration
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

_COUNTING = frozenset(
    "range round int reshape zeros ones empty full eye arange linspace seed isclose "
    "allclose repeat tile roll expand_dims squeeze sum mean len setdefault get pow "
    "default_rng uniform normal integers randint choice sample".split()
)
"""Functions whose arguments are counts, shapes, powers, drawn or for comparing."""

_COUNTING_KEYWORDS = frozenset(
    "axis dtype size shape seed rtol atol rel_tol abs_tol ndmin decimals ndigits "
    "maxlen".split()
)
_SKIPPED_FUNCTIONS = frozenset(
    {"reset", "render", "close", "seed", "sample", "legal_actions", "step_batch"}
)
_TRANSPARENT = frozenset(
    "float float32 float64 array asarray radians deg2rad abs".split()
)
"""Functions through which a name is still given the number."""

_QUANTITY_CALLS = frozenset(
    "min max clip abs float maximum minimum sin cos tan exp sqrt array".split()
)
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_INTEGER_OPERATORS = (
    ast.Pow,
    ast.Mod,
    ast.FloorDiv,
    ast.LShift,
    ast.RShift,
    ast.BitAnd,
    ast.BitOr,
    ast.BitXor,
    ast.MatMult,
)


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
        self._uses = _Uses(tree, self._parents)
        # A batched twin of `step` has the same numbers in its own text.
        self._has_batch = any(
            isinstance(node, ast.FunctionDef) and node.name == "step_batch"
            for node in ast.walk(tree)
        )

    def holes(self) -> list[Hole]:
        found = [hole for hole in map(self._hole, self._units(self._tree)) if hole]
        found.sort(key=lambda hole: hole.start)
        counts = Counter(hole.name for hole in found)
        return [
            replace(hole, name=f"{hole.name} (line {hole.line})")
            if counts[hole.name] > 1 or hole.kind == "literal"
            else hole
            for hole in _numbered(found)
        ]

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
        if target and self._uses.is_structural(target, is_whole=is_whole(node)):
            return None
        if mentions_pi(node) and (not target or _is_simple_angle(value)):
            return None
        if is_whole(node) and not self._may_be_integer(node, target):
            return None
        if not target and self._has_batch:
            return None
        start, stop = self._places.span(node)
        ends = sorted((value / SPAN, value * SPAN))
        return Hole(
            name=name if target else f"{value:g}",
            kind="named" if target else "literal",
            value=value,
            low=ends[0],
            high=ends[1],
            line=node.lineno,
            start=start,
            stop=stop,
        )

    def _may_be_integer(self, node: ast.expr, target: str) -> bool:
        if target == _REWARD:
            return True
        return bool(target) and self._uses.is_quantity(target)

    def _is_excluded(self, node: ast.expr) -> bool:
        """Whether the number stands where it is a code, a count or an exponent."""
        for child, parent in ancestors(node, self._parents):
            if _excludes(parent, child):
                return True
            if isinstance(parent, ast.stmt):
                return False
        return False

    def _name_of(self, node: ast.expr) -> tuple[str, str]:
        """Returns what to call a number, and the name that it is given to, or none."""
        steps = ""
        for child, parent in ancestors(node, self._parents):
            match parent:
                case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
                    return _with_steps(target, steps)
                case ast.List(elts=members) | ast.Tuple(elts=members):
                    index = [m is child for m in members].index(True)
                    if _is_reward(parent, index, self._parents):
                        return _REWARD, _REWARD
                    if len(members) > _LONGEST_LIST:
                        return "", ""
                    steps = f"[{index}]{steps}"
                case ast.Dict(keys=keys, values=values):
                    pairs = zip(keys, values, strict=True)
                    key = next((k for k, v in pairs if v is child), None)
                    if not isinstance(key, ast.Constant):
                        return "", ""
                    steps = f"[{key.value!r}]{steps}"
                case ast.arguments():
                    return _argument(parent, child)
                case ast.UnaryOp(op=ast.USub() | ast.UAdd()) | ast.keyword():
                    pass
                case ast.Call(func=function) if _called(function) in _TRANSPARENT:
                    pass
                case _:
                    return "", ""
        return "", ""


_REWARD = "reward"


def _numbered(holes: list[Hole]) -> list[Hole]:
    """Returns holes whose names differ even on one line."""
    seen: Counter[tuple[str, int]] = Counter()
    made = []
    for hole in holes:
        seen[hole.name, hole.line] += 1
        number = seen[hole.name, hole.line]
        made.append(
            hole if number == 1 else replace(hole, name=f"{hole.name} #{number}")
        )
    return made


def _with_steps(target: ast.expr, steps: str) -> tuple[str, str]:
    name = _target_name(target)
    return (f"{name}{steps}", name) if name else ("", "")


def _target_name(target: ast.AST) -> str:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value, slice=ast.Constant(value=str())):
            return _target_name(value)
    return ""


def _argument(arguments: ast.arguments, default: ast.AST) -> tuple[str, str]:
    """Returns the name of the argument whose default a number is."""
    every = [*arguments.posonlyargs, *arguments.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = list(
        zip(every[len(every) - len(arguments.defaults) :], arguments.defaults)
        if arguments.defaults
        else []
    )
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    name = next((a.arg for a, d in pairs if d is default), "")
    return name, name


def _called(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_reward(parent: ast.AST, index: int, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a member of a tuple is the reward that `step` returns."""
    assert isinstance(parent, ast.List | ast.Tuple), "only these have members"
    return (
        isinstance(parents.get(parent), ast.Return)
        and isinstance(parent, ast.Tuple)
        and len(parent.elts) == 3
        and index == 1
    )


def _is_skipped(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef(name=name):
            return name in _SKIPPED_FUNCTIONS
        case ast.JoinedStr() | ast.Assert() | ast.Raise() | ast.pattern():
            return True
    return False


def _excludes(parent: ast.AST, child: ast.AST) -> bool:
    """Whether what stands there is no quantity."""
    match parent:
        case ast.Subscript(slice=inner):
            return inner is child
        case ast.BinOp(op=op, right=right):
            return isinstance(op, _INTEGER_OPERATORS) and (
                right is child or not isinstance(op, ast.Pow)
            )
        case ast.Compare(ops=ops):
            return not all(isinstance(op, _ORDER) for op in ops)
        case ast.Call(func=function, args=arguments):
            return child in arguments and _is_counting(function)
        case ast.keyword(arg=name):
            return name in _COUNTING_KEYWORDS
        case ast.AnnAssign(annotation=annotation):
            return annotation is child
        case ast.AugAssign(op=op):
            return isinstance(op, _INTEGER_OPERATORS)
        case ast.Dict(keys=keys):
            return any(key is child for key in keys)
        case ast.For() | ast.comprehension() | ast.Slice():
            return True
    return False


def _is_counting(function: ast.expr) -> bool:
    if _called(function) in _COUNTING:
        return True
    return any(
        isinstance(n, ast.Attribute) and n.attr == "random" for n in ast.walk(function)
    )


def _is_simple_angle(value: float) -> bool:
    return any(
        math.isclose(abs(value), ratio * math.pi) for ratio in (0.25, 0.5, 1, 2)
    )


class _Uses:
    """How names are read and written anywhere in a program."""

    def __init__(self, tree: ast.Module, parents: dict[ast.AST, ast.AST]) -> None:
        self._parents = parents
        self._loads: dict[str, list[ast.AST]] = {}
        self._counters: set[str] = {DECLARATION}
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(
                    attr=name, ctx=ast.Load()
                ):
                    self._loads.setdefault(name, []).append(node)
                case ast.AugAssign(target=target):
                    self._counters.add(_target_name(target))

    def is_structural(self, name: str, *, is_whole: bool) -> bool:
        """Whether a name is used where no quantity is.

        A real number may be compared for equality: with a bound that was clipped to.
        """
        return any(
            _excludes(self._parents[node], node)
            for node in self._loads.get(name, [])
            if node in self._parents
            and (is_whole or not isinstance(self._parents[node], ast.Compare))
        )

    def is_quantity(self, name: str) -> bool:
        """Whether a name is used as a quantity wherever it is read."""
        loads = self._loads.get(name, [])
        return (
            bool(loads)
            and name not in self._counters
            and all(self._is_quantity_there(node) for node in loads)
        )

    def _is_quantity_there(self, node: ast.AST) -> bool:
        match self._parents.get(node):
            case ast.BinOp(op=op):
                return isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div)
            case ast.UnaryOp():
                return True
            case ast.Compare(ops=ops):
                return all(isinstance(op, _ORDER) for op in ops)
            case ast.Call(func=function):
                return _called(function) in _QUANTITY_CALLS
            case ast.Tuple() as members:
                index = [m is node for m in members.elts].index(True)
                return _is_reward(members, index, self._parents)
        return False
