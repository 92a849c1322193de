"""Expressions of a program, evaluated with symbols in the place of numbers."""

import ast
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cwm.programs.acceleration import functions, gathered_functions
from cwm.programs.acceleration.arrays import Row, elementwise
from cwm.programs.acceleration.classes import ClassTexts
from cwm.programs.acceleration.functions import from_native, has_symbols
from cwm.programs.acceleration.linear_algebra import LINEAR_ALGEBRA
from cwm.programs.acceleration.lookups import Lookups, both, is_numeric, negated
from cwm.programs.acceleration.methods import METHODS
from cwm.programs.acceleration.operations import apply, truth
from cwm.programs.acceleration.structure import (
    STRUCTURAL,
    is_instance,
    length,
    of_container,
    whole,
)
from cwm.programs.acceleration.symbols import (
    Graph,
    NoFastForm,
    Symbol,
    kind_of,
)
from cwm.programs.acceleration.varying import (
    Maybe,
    Varying,
    has_maybe,
    refuse_maybe,
    slots,
)
from cwm.programs.acceleration.world import Function, Thing, Unknown

_BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("add", operator.add),
    ast.Sub: ("sub", operator.sub),
    ast.Mult: ("mul", operator.mul),
    ast.Div: ("div", operator.truediv),
    ast.FloorDiv: ("floordiv", operator.floordiv),
    ast.Mod: ("mod", operator.mod),
    ast.Pow: ("pow", operator.pow),
    ast.BitAnd: ("and", operator.and_),
    ast.BitOr: ("or", operator.or_),
    ast.BitXor: ("xor", operator.xor),
}
_COMPARED: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Lt: ("lt", operator.lt),
    ast.LtE: ("le", operator.le),
    ast.Gt: ("gt", operator.gt),
    ast.GtE: ("ge", operator.ge),
}


class Evaluator(Lookups):
    """Evaluates expressions; statements are a subclass's business.

    Attributes:
        graph: Where operations on symbols are recorded.
        namespace: The program's own names at module level, as it left them.
        functions: Texts of its functions.
        classes: Texts of its classes.
        frames: Variables of the functions that are running, inner ones last.
    """

    def __init__(self, tree: ast.Module, namespace: dict[str, Any]) -> None:
        self.graph = Graph()
        self.namespace = namespace
        self.functions = {
            n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)
        }
        self.classes = ClassTexts(tree)
        self.frames: list[dict[str, Any]] = []
        self.scopes: list[tuple[dict[str, Any], ...]] = []
        self._constants: dict[str, Any] = {}

    def call(self, function: Function, arguments: list[Any], names: Any) -> Any:
        """Runs a function of the program's."""
        raise NotImplementedError

    def evaluate(self, node: ast.expr) -> Any:
        """Returns the value of an expression."""
        method = _METHODS.get(type(node))
        if method is None:
            raise NoFastForm(f"line {node.lineno}: {type(node).__name__}")
        value = method(self, node)
        if isinstance(value, Unknown):
            raise NoFastForm(f"line {node.lineno}: {value.reason}")
        if isinstance(value, Maybe):
            raise NoFastForm(
                f"line {node.lineno}: an element that is not always there is used"
            )
        return value

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        for scope in (self.frames[-1], *reversed(self.scopes[-1])):
            if node.id in scope:
                return scope[node.id]
        if node.id in self.functions:
            return Function(self.functions[node.id])
        if node.id in self.namespace:
            if node.id not in self._constants:
                self._constants[node.id] = from_native(self.namespace[node.id])
            return self._constants[node.id]
        builtins = self.namespace.get("__builtins__", {})
        table = builtins if isinstance(builtins, dict) else vars(builtins)
        if node.id in table:
            return table[node.id]
        raise NoFastForm(f"line {node.lineno}: {node.id} is not set on every path")

    def _attribute(self, node: ast.Attribute) -> Any:
        value = self.evaluate(node.value)
        name = node.attr
        if isinstance(value, Thing):
            return self._of_thing(value, name)
        if isinstance(value, Row | Varying):
            return _of_array(value, name)
        if isinstance(value, type) and value.__module__ == "candidate":
            return self._of_class(value, name)
        if isinstance(value, list) and name == "index":
            return _Bound(self.index_of, value)
        if kind_of(value):
            value = Row.of(value)
            if name in METHODS:
                return _Bound(METHODS[name], value)
        return getattr(value, name)

    def _of_thing(self, thing: Thing, name: str) -> Any:
        if name in thing.attributes:
            return thing.attributes[name]
        for kind in thing.kind.__mro__:
            text = self.classes.method(kind, name)
            if text is not None:
                return self._method(text, thing)
            if name in vars(kind):
                key = f"{kind.__name__}.{name}"
                if key not in self._constants:
                    self._constants[key] = from_native(vars(kind)[name])
                return self._constants[key]
        raise NoFastForm(f"{name} is no attribute")

    def _of_class(self, kind: type, name: str) -> Any:
        """Returns what `Class.name` is: a method gets its instance as an argument."""
        for base in kind.__mro__:
            text = self.classes.method(base, name)
            if text is not None and not text.decorator_list:
                defaults, key_defaults = self._defaults(text.args)
                return Function(text, defaults=defaults, key_defaults=key_defaults)
            if name in vars(base):
                break
        return getattr(kind, name)

    def _method(self, node: ast.FunctionDef, thing: Thing) -> Any:
        marks = [ast.unparse(mark) for mark in node.decorator_list]
        defaults = self._defaults(node.args)
        if marks == ["staticmethod"]:
            return Function(node, defaults=defaults[0], key_defaults=defaults[1])
        function = Function(
            node, owner=thing, defaults=defaults[0], key_defaults=defaults[1]
        )
        if marks == ["property"]:
            return self.call(function, [], {})
        if marks:
            raise NoFastForm(f"line {node.lineno}: the decorator {marks[0]}")
        return function

    def _defaults(self, args: ast.arguments) -> tuple[tuple[Any, ...], dict[str, Any]]:
        self.frames.append({})
        self.scopes.append(())
        values = tuple(self.evaluate(d) for d in args.defaults)
        keys = {
            a.arg: self.evaluate(d)
            for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)
            if d is not None
        }
        self.frames.pop()
        self.scopes.pop()
        return values, keys

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not):
            known = self._truth(value)
            return apply("not", known) if isinstance(known, Symbol) else not known
        if isinstance(node.op, ast.USub):
            return elementwise("neg", value) if is_numeric(value) else -value
        if isinstance(node.op, ast.Invert) and is_numeric(value):
            return elementwise("not", value)
        return value

    def _binary(self, node: ast.BinOp) -> Any:
        return self.combine(
            node.op, self.evaluate(node.left), self.evaluate(node.right)
        )

    def combine(self, operation: ast.operator, left: Any, right: Any) -> Any:
        """Returns a binary operation on two values."""
        if isinstance(operation, ast.MatMult):
            return self.apply(np.matmul, [left, right], {})
        if type(operation) not in _BINARY:
            raise NoFastForm(f"the operator {type(operation).__name__}")
        op, native = _BINARY[type(operation)]
        if isinstance(left, Row | Varying) or isinstance(right, Row | Varying):
            return elementwise(op, left, right)
        if isinstance(left, Symbol) or isinstance(right, Symbol):
            return apply(op, left, right)
        return native(left, right)

    def condition(self, node: ast.expr) -> Any:
        """Returns an expression as a condition."""
        return self._truth(self.evaluate(node))

    def _truth(self, value: Any) -> Any:
        if isinstance(value, Row):
            return truth(functions.to_bool(value))
        if has_maybe(value):
            return gathered_functions.is_any(value)
        if isinstance(value, list):
            return length(value) > 0
        return truth(value)

    def _logical(self, node: ast.BoolOp) -> Any:
        is_and = isinstance(node.op, ast.And)
        first, *rest = node.values
        result = self.evaluate(first)
        for position, part in enumerate(rest):
            known = self._truth(result)
            if isinstance(known, Symbol):
                others = ast.copy_location(
                    ast.BoolOp(op=node.op, values=rest[position:]), part
                )
                other = others if len(rest) - position > 1 else part
                stop = ast.copy_location(ast.Constant(value=not is_and), part)
                ways = (other, stop) if is_and else (stop, other)
                return self.choice(known, *ways)
            if bool(known) != is_and:
                return result
            result = self.evaluate(part)
        return result

    def _compare(self, node: ast.Compare) -> Any:
        left = self.evaluate(node.left)
        result: Any = True
        for operation, part in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(part)
            one = self._compared(operation, left, right)
            if isinstance(one, Row | Varying):
                return one
            result = both(result, one)
            left = right
        return result

    def _compared(self, operation: ast.cmpop, left: Any, right: Any) -> Any:
        if isinstance(operation, ast.Is | ast.IsNot):
            return (left is right) == isinstance(operation, ast.Is)
        if isinstance(operation, ast.Eq | ast.NotEq):
            result = self.equal(left, right)
            return result if isinstance(operation, ast.Eq) else negated(result)
        if isinstance(operation, ast.In | ast.NotIn):
            result = self.contains(right, left)
            return result if isinstance(operation, ast.In) else negated(result)
        op, native = _COMPARED[type(operation)]
        if is_numeric(left) and is_numeric(right):
            return elementwise(op, left, right)
        return native(left, right)

    def _conditional(self, node: ast.IfExp) -> Any:
        test = self._truth(self.evaluate(node.test))
        if not isinstance(test, Symbol):
            return self.evaluate(node.body if test else node.orelse)
        return self.choice(test, node.body, node.orelse)

    def choice(self, test: Symbol, yes: ast.expr, no: ast.expr) -> Any:
        """Returns the value of one of two expressions."""
        raise NotImplementedError

    def _subscript(self, node: ast.Subscript) -> Any:
        return self.item(self.evaluate(node.value), self.evaluate(node.slice))

    def _slice(self, node: ast.Slice) -> Any:
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if p is None else whole(self.evaluate(p)) for p in parts))

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self._elements(node.elts))

    def _list(self, node: ast.List) -> Any:
        return list(self._elements(node.elts))

    def _set(self, node: ast.Set) -> Any:
        return tuple(self._elements(node.elts))

    def _elements(self, nodes: list[ast.expr]) -> Iterator[Any]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.iterate(self.evaluate(node.value))
            else:
                yield self.evaluate(node)

    def _dict(self, node: ast.Dict) -> Any:
        result: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                result.update(self.evaluate(value))
            else:
                result[self.evaluate(key)] = self.evaluate(value)
        return result

    def iterate(self, value: Any) -> list[Any]:
        """Returns the elements of something whose length is known."""
        if isinstance(value, Symbol):
            raise NoFastForm("A number is taken apart.")
        return list(value)

    def _lambda(self, node: ast.Lambda) -> Any:
        scopes = (*self.scopes[-1], self.frames[-1])
        return Function(node, scopes=scopes)

    def _text(self, node: ast.JoinedStr) -> Any:
        return ast.unparse(node)

    def _called(self, node: ast.Call) -> Any:
        function = self.evaluate(node.func)
        arguments = list(self._elements(node.args))
        names: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            names.update(value if keyword.arg is None else {keyword.arg: value})
        return self.apply(function, arguments, names)

    def apply(  # noqa: PLR0911 - one a kind
        self, function: Any, arguments: list[Any], names: dict[str, Any]
    ) -> Any:
        """Returns what a call returns."""
        if isinstance(function, Function):
            return self.call(function, arguments, names)
        if isinstance(function, _Bound):
            return function.method(function.owner, *arguments, **names)
        owner = getattr(function, "__self__", None)
        if isinstance(owner, list | dict) and not isinstance(owner, type):
            return of_container(function, owner, arguments, names)
        if gathered_functions.is_varying(arguments):
            return gathered_functions.call(function, arguments, names)
        if function in LINEAR_ALGEBRA and any(map(has_symbols, arguments)):
            return LINEAR_ALGEBRA[function](*arguments)
        if function in STRUCTURAL:
            return STRUCTURAL[function](*arguments, **names)
        if function is isinstance:
            return is_instance(*arguments)
        if isinstance(owner, str | bytes):
            is_known = not any(map(has_symbols, arguments))
            return function(*arguments, **names) if is_known else owner
        if isinstance(function, type) and issubclass(function, BaseException):
            return function("raised")
        return functions.call(function, arguments, names)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Any:
        # A scope of its own: names of the loop are not seen outside.
        self.scopes.append((*self.scopes[-1], self.frames[-1]))
        self.frames.append({})
        found: list[Any] = []

        def add(is_there: Any) -> None:
            value = self.evaluate(node.elt)
            found.append(value if is_there is True else Maybe(is_there, value))

        try:
            self._generate(node.generators, add)
        finally:
            self.frames.pop()
            self.scopes.pop()
        if isinstance(node, ast.SetComp):
            refuse_maybe(found)
            return tuple(found)
        return found

    def _dict_comprehension(self, node: ast.DictComp) -> Any:
        self.scopes.append((*self.scopes[-1], self.frames[-1]))
        self.frames.append({})
        made: dict[Any, Any] = {}

        def add(is_there: Any) -> None:
            if is_there is not True:
                raise NoFastForm("What is in a dict depends on values.")
            made[self.evaluate(node.key)] = self.evaluate(node.value)

        try:
            self._generate(node.generators, add)
        finally:
            self.frames.pop()
            self.scopes.pop()
        return made

    def _generate(
        self,
        generators: list[ast.comprehension],
        emit: Callable[[Any], None],
        is_there: Any = True,
    ) -> None:
        """Goes through what is generated; `emit` is told when it is there."""
        if not generators:
            emit(is_there)
            return
        first, *rest = generators
        for slot in slots(self.iterate(self.evaluate(first.iter))):
            self.assign(first.target, slot.value)
            condition = both(is_there, slot.condition)
            for test in first.ifs:
                condition = both(condition, self._truth(self.evaluate(test)))
            if isinstance(condition, Symbol):
                with self.never_failing():
                    self._generate(rest, emit, condition)
            elif condition:
                self._generate(rest, emit, True)

    @contextmanager
    def never_failing(self) -> Iterator[None]:
        """Refuses what raises: it is computed where it is not there, too."""
        before = self.graph.num_failures
        yield
        if self.graph.num_failures > before:
            raise NoFastForm("An element that is not always there may raise.")

    def assign(self, target: ast.expr, value: Any) -> None:
        """Sets a variable, an attribute or an element."""
        raise NotImplementedError


def _of_array(value: Row | Varying, name: str) -> Any:
    is_row = isinstance(value, Row)
    methods = METHODS if is_row else gathered_functions.METHODS
    if name in methods:
        return _Bound(methods[name], value)
    if isinstance(value, Varying):
        return value.attribute(name)
    if name in ("shape", "size", "ndim", "T", "dtype"):
        return getattr(value, name)
    raise NoFastForm(f"The method {name} of an array has no fast form.")


class _Bound:
    def __init__(self, method: Callable[..., Any], owner: Any) -> None:
        self.method = method
        self.owner = owner


_METHODS: dict[type[ast.expr], Callable[..., Any]] = {
    ast.Constant: Evaluator._constant,
    ast.Name: Evaluator._name,
    ast.Attribute: Evaluator._attribute,
    ast.UnaryOp: Evaluator._unary,
    ast.BinOp: Evaluator._binary,
    ast.BoolOp: Evaluator._logical,
    ast.Compare: Evaluator._compare,
    ast.IfExp: Evaluator._conditional,
    ast.Subscript: Evaluator._subscript,
    ast.Slice: Evaluator._slice,
    ast.Tuple: Evaluator._tuple,
    ast.List: Evaluator._list,
    ast.Set: Evaluator._set,
    ast.Dict: Evaluator._dict,
    ast.Lambda: Evaluator._lambda,
    ast.JoinedStr: Evaluator._text,
    ast.Call: Evaluator._called,
    ast.ListComp: Evaluator._comprehension,
    ast.GeneratorExp: Evaluator._comprehension,
    ast.SetComp: Evaluator._comprehension,
    ast.DictComp: Evaluator._dict_comprehension,
}
