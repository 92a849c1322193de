"""Where a number stands in a program, and whether that is the place of a quantity."""

import ast


def _names(*texts: str) -> frozenset[str]:
    return frozenset(name for text in texts for name in text.split())


_COUNTING = _names(
    # Counts, shapes and powers,
    "range round int reshape zeros ones empty full eye arange linspace repeat tile",
    "roll expand_dims squeeze sum mean len pow",
    # comparing, looking up,
    "isclose allclose get setdefault",
    # drawing.
    "seed default_rng uniform normal integers randint choice sample",
)
"""Functions whose arguments are no quantities."""

_COUNTING_KEYWORDS = _names(
    "axis dtype size shape seed rtol atol rel_tol abs_tol ndmin decimals ndigits maxlen"
)
_QUANTITY_CALLS = _names(
    "min max clip abs float maximum minimum sin cos tan exp sqrt array"
)
_COUNTS = _names(
    "n num number count counts size rows row cols col columns column width height",
    "steps step states actions episode episodes index id",
)
"""Words in names of integers that are counts or places."""

_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_INTEGER_OPERATORS = (
    ast.Mod,
    ast.FloorDiv,
    ast.LShift,
    ast.RShift,
    ast.BitAnd,
    ast.BitOr,
    ast.BitXor,
    ast.MatMult,
)

Parents = dict[ast.AST, ast.AST]


def excludes(parent: ast.AST, child: ast.AST) -> bool:
    """Returns whether what stands there is no quantity: a code, a count, a power."""
    match parent:
        case ast.Subscript(slice=inner):
            return inner is child
        case ast.BinOp() | ast.AugAssign():
            return _excludes_operand(parent, child)
        case ast.Compare(ops=ops):
            return not all(isinstance(op, _ORDER) for op in ops)
        case ast.Call() | ast.keyword():
            return _excludes_argument(parent, child)
        case ast.Dict(keys=keys):
            return any(key is child for key in keys)
    return _is_structure(parent, child)


def _excludes_operand(parent: ast.BinOp | ast.AugAssign, child: ast.AST) -> bool:
    if isinstance(parent.op, ast.Pow):
        return isinstance(parent, ast.AugAssign) or parent.right is child
    return isinstance(parent.op, _INTEGER_OPERATORS)


def _excludes_argument(parent: ast.Call | ast.keyword, child: ast.AST) -> bool:
    if isinstance(parent, ast.keyword):
        return parent.arg in _COUNTING_KEYWORDS
    return child in parent.args and _is_counting(parent.func)


def _is_structure(parent: ast.AST, child: ast.AST) -> bool:
    if isinstance(parent, ast.AnnAssign):
        return parent.annotation is child
    return isinstance(parent, ast.For | ast.comprehension | ast.Slice)


def _is_counting(function: ast.expr) -> bool:
    return called(function) in _COUNTING or any(
        isinstance(node, ast.Attribute) and node.attr == "random"
        for node in ast.walk(function)
    )


def called(function: ast.expr) -> str:
    """Returns the last part of a function's name."""
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def target_name(target: ast.AST) -> str:
    """Returns the last part of the name that something is given to."""
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value, slice=ast.Constant(value=str())):
            return target_name(value)
    return ""


def is_reward(members: ast.AST, child: ast.AST, parents: Parents) -> bool:
    """Returns whether a member of a tuple is the reward that `step` returns."""
    return (
        isinstance(members, ast.Tuple)
        and len(members.elts) == 3
        and members.elts[1] is child
        and isinstance(parents.get(members), ast.Return)
    )


class Uses:
    """How names are read and written anywhere in a program."""

    def __init__(self, tree: ast.Module, parents: Parents) -> None:
        self._parents = parents
        self._loads: dict[str, list[ast.AST]] = {}
        self._counters: set[str] = set()
        for node in ast.walk(tree):
            match node:
                case (
                    ast.Name(id=name, ctx=ast.Load())
                    | ast.Attribute(attr=name, ctx=ast.Load())
                ):
                    self._loads.setdefault(name, []).append(node)
                case ast.AugAssign(target=target):
                    self._counters.add(target_name(target))

    def is_structural(self, name: str, *, is_whole: bool) -> bool:
        """Returns whether a name is used where no quantity is.

        A real number may be compared for equality: with a bound that was clipped to.
        """
        return any(
            excludes(parent, node)
            for node in self._loads.get(name, [])
            if (parent := self._parents.get(node)) is not None
            and (is_whole or not isinstance(parent, ast.Compare))
        )

    def is_quantity(self, name: str) -> bool:
        """Returns whether a name is used as a quantity wherever it is read.

        What it is called may say so, or that it is a count.
        """
        words = set(name.lower().split("_"))
        if "reward" in words:
            return name not in self._counters
        loads = self._loads.get(name, [])
        return (
            bool(loads)
            and name not in self._counters
            and not words & _COUNTS
            and all(self._is_quantity_there(node) for node in loads)
        )

    def _is_quantity_there(self, node: ast.AST) -> bool:
        parent = self._parents.get(node)
        match parent:
            case ast.BinOp(op=op):
                return isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div)
            case ast.Compare(ops=ops):
                return all(isinstance(op, _ORDER) for op in ops)
            case ast.Call(func=function):
                return called(function) in _QUANTITY_CALLS
            case ast.Tuple():
                return is_reward(parent, node, self._parents)
        return isinstance(parent, ast.UnaryOp)
