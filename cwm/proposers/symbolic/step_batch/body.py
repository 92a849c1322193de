"""The statements of `step`, over arrays."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cwm.proposers.symbolic.step_batch.expressions import Translator
from cwm.proposers.symbolic.step_batch.layout import lay_out
from cwm.proposers.symbolic.step_batch.values import (
    NoArrayForm,
    Value,
    boolean,
    expression,
    joined,
)

INDENT = 8


@dataclass(kw_only=True)
class BodyWriter:
    """Writes the body of `step_batch` from that of `step`, line by line.

    Attributes:
        translator: Writes expressions, and knows the variables.
        functions: The program's functions at module level.
        methods: The methods of its class.
        comments: The program's comments by line, and its empty lines.
        lines: What is written.
    """

    translator: Translator
    functions: dict[str, ast.FunctionDef]
    methods: dict[str, ast.FunctionDef]
    comments: dict[int, str]
    lines: list[str] = field(default_factory=list)
    _states: dict[str, int] = field(default_factory=dict)
    _following: ast.expr | None = None

    def write(self, step: ast.FunctionDef) -> None:
        """Writes all statements.

        Raises:
            NoArrayForm: If one of them has no array form.
        """
        previous = step.lineno
        for statement in step.body:
            for line in range(previous + 1, statement.lineno):
                if line in self.comments:
                    self.lines.append(self.comments[line])
            previous = statement.end_lineno or statement.lineno
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                self._unpack([ast.unparse(target) for target in targets], value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._assign(name, value)
            case ast.Assign(targets=[ast.Attribute(attr="state")], value=value):
                self._following = value
            case ast.If():
                self._choice(node)
            case ast.Return(value=ast.Tuple(elts=[observation, reward, terminated])):
                self._return(observation, reward, terminated)
            case _:
                raise NoArrayForm(f"There is no array form of {ast.unparse(node)}.")

    def _set(self, name: str, value: Value) -> None:
        """Writes an assignment, and keeps what is known of the variable."""
        self.lines += lay_out(f"{name} = ", value.node, INDENT)
        self._know(name, value)

    def _know(self, name: str, value: Value) -> None:
        self.translator.names[name] = Value(
            node=ast.Name(name),
            kind=value.kind,
            is_array=value.is_array,
            low=value.low,
            high=value.high,
        )

    def _assign(self, name: str, value: ast.expr) -> None:
        match value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=method)):
                self._advance(name, value, method)
            case _:
                self._set(name, self.translator.translate(value))

    def _advance(self, name: str, call: ast.Call, method: str) -> None:
        """Writes the call of a method that takes `xp`, the module to compute with."""
        parameters = [a.arg for a in self.methods[method].args.args]
        match call.args:
            case [ast.Tuple(elts=state), *others] if parameters[-1] == "xp":
                given = [self.translator.translate(part) for part in others]
                parts = [self.translator.translate(part).node for part in state]
            case _:
                raise NoArrayForm(f"{method} has no array form.")
        called = ast.Call(
            func=call.func,
            args=[
                ast.Tuple(elts=parts),
                *(value.node for value in given),
                ast.Name("np"),
            ],
            keywords=[],
        )
        self.lines += lay_out(f"{name} = ", called, INDENT)
        self._states[name] = len(parts)

    def _unpack(self, names: list[str], value: ast.expr) -> None:
        match value:
            case ast.Attribute(value=ast.Name(id="self"), attr="state"):
                self._read_numbers(names)
            case ast.Call(func=ast.Name(id=function), args=[ast.Attribute()]):
                self._read_digits(names, self._function(function))
            case ast.Name(id=state) if self._states.get(state) == len(names):
                self.lines.append(" " * INDENT + f"{', '.join(names)} = {state}")
                node = ast.Name(state)
                for name in names:
                    self._know(name, Value(node=node, kind="float", is_array=True))
            case _:
                raise NoArrayForm(f"There is no array form of {ast.unparse(value)}.")

    def _read_numbers(self, names: list[str]) -> None:
        """Writes the elements of an observation as columns of real numbers."""
        states = self.translator.inputs["observation"]
        text = states.name
        if len(states.shape) > 1 or (not states.shape and len(names) > 1):
            text += f".reshape(len({states.name}), -1)"
        if states.dtype != "float64":
            text += ".astype(np.float64)"
        targets = ", ".join(names)
        if states.shape:
            targets = f"({targets},)" if len(names) == 1 else targets
            text += ".T"
        self.lines.append(" " * INDENT + f"{targets} = {text}")
        for name in names:
            self._know(name, Value(node=ast.Name(name), kind="float", is_array=True))

    def _read_digits(self, names: list[str], function: ast.FunctionDef) -> None:
        """Writes the statements of the function that reads an observation."""
        *assignments, returned = function.body[1:]
        match returned:
            case ast.Return(value=ast.Tuple(elts=parts)):
                found = [ast.unparse(part) for part in parts]
            case _:
                found = []
        if found != names:
            raise NoArrayForm(f"{function.name} returns other names.")
        for statement in assignments:
            self._statement(statement)

    def _function(self, name: str) -> ast.FunctionDef:
        if name not in self.functions:
            raise NoArrayForm(f"{name} is not a function of the program.")
        return self.functions[name]

    def _choice(self, node: ast.If) -> None:
        """Writes `if`, `elif` and `else` that set one variable as a choice by row."""
        branches = list(_branches(node))
        names = {name for _, name, _ in branches}
        if len(names) != 1:
            raise NoArrayForm("A branch must set one variable, the same in all.")
        name = names.pop()
        translate = self.translator.translate
        chosen = [(translate(t), translate(v)) for t, _, v in branches if t is not None]
        last = branches[-1]
        other = translate(last[2] if last[0] is None else ast.Name(name))
        self._set(name, _select(chosen, other))

    def _return(
        self, observation: ast.expr, reward: ast.expr, terminated: ast.expr
    ) -> None:
        translate = self.translator.translate
        following = self._observation(observation)
        gain = translate(reward)
        ends = translate(terminated)
        if gain.kind != "float":
            text = "x.astype(np.float64)" if gain.is_array else "float(x)"
            gain = replace(gain, node=expression(text, x=gain.node), kind="float")
        results = [following, _by_row(gain), _by_row(ends)]
        values = [lay_out("", node, INDENT) for node in results]
        flat = ", ".join(line.strip() for lines in values for line in lines)
        if all(len(lines) == 1 for lines in values) and len(flat) < 70:
            self.lines.append(" " * INDENT + f"return {flat}")
            return
        self.lines += lay_out("following = ", following, INDENT)
        rest = ", ".join(ast.unparse(node) for node in results[1:])
        self.lines.append(" " * INDENT + f"return following, {rest}")

    def _observation(self, node: ast.expr) -> ast.expr:
        """Returns the next observations, built as `step` builds one."""
        match node:
            case ast.Attribute(attr="state"):
                return self._encoded(self._following)
            case ast.Call(func=ast.Attribute(attr="array"), args=[ast.List() as row]):
                dtypes = [ast.unparse(keyword.value) for keyword in node.keywords]
                return self._columns(row.elts, *dtypes)
            case ast.Call(func=ast.Attribute(value=inner, attr="astype"), args=[dtype]):
                columns = self._observation(inner)
                return expression(f"x.astype({ast.unparse(dtype)})", x=columns)
            case ast.Call(func=ast.Attribute(value=inner, attr="reshape")):
                return self._reshaped(self._observation(inner))
        return _by_row(self.translator.translate(node))

    def _reshaped(self, columns: ast.expr) -> ast.expr:
        shape = self.translator.inputs["observation"].shape
        if len(shape) == 1:
            return columns
        sizes = ", ".join(map(str, ("len(states)", *shape)))
        return expression(f"x.reshape({sizes})", x=columns)

    def _columns(self, parts: list[ast.expr], dtype: str = "") -> ast.expr:
        values = [self.translator.translate(part) for part in parts]
        columns = [_by_row(value) for value in values]
        rows = ast.List(elts=columns)
        if "float" in dtype:
            return expression(f"np.stack(x, axis=1, dtype={dtype})", x=rows)
        stacked = expression("np.stack(x, axis=1)", x=rows)
        return expression(f"x.astype({dtype})", x=stacked) if dtype else stacked

    def _encoded(self, call: ast.expr | None) -> ast.expr:
        """Returns what the function that builds an observation returns."""
        match call:
            case ast.Call(func=ast.Name(id=name), args=arguments):
                function = self._function(name)
            case _:
                raise NoArrayForm("The next observation is built in another way.")
        for argument, given in zip(function.args.args, arguments, strict=True):
            self.translator.names[argument.arg] = self.translator.translate(given)
        match function.body[-1]:
            case ast.Return(value=ast.expr() as value):
                return self._observation(value)
        raise NoArrayForm(f"{name} returns nothing.")


def _by_row(value: Value) -> ast.expr:
    """Returns one value per row, of what may be the same in all."""
    if value.is_array:
        return value.node
    return expression("np.full(len(states), x)", x=value.node)


def _branches(node: ast.If) -> Iterator[tuple[ast.expr | None, str, ast.expr]]:
    """Yields condition, variable and value of each branch."""
    rest: list[ast.stmt] = [node]
    while rest:
        test: ast.expr | None = None
        body = rest
        match rest:
            case [ast.If(test=test, body=body, orelse=orelse)]:
                rest = orelse
            case _:
                rest = []
        match body:
            case [ast.Assign(targets=[ast.Name(id=name)], value=value)]:
                yield test, name, value
            case _:
                raise NoArrayForm("A branch must set one variable.")


def _select(chosen: list[tuple[Value, Value]], other: Value) -> Value:
    """Returns the value of the first condition that holds, else the other one."""
    tests = [test.node for test, _ in chosen]
    values = [value for _, value in chosen]
    match chosen:
        case [(test, Value(node=ast.Constant(value=True)))] if other.text == "False":
            return boolean(test.node, is_array=test.is_array)
        case [(test, value)]:
            node = expression(
                "np.where(a, b, c)", a=test.node, b=value.node, c=other.node
            )
        case _:
            node = expression(
                "np.select(a, b, c)",
                a=ast.List(elts=tests),
                b=ast.List(elts=[value.node for value in values]),
                c=other.node,
            )
    is_array = any(v.is_array for pair in chosen for v in pair) or other.is_array
    return joined(node, [*values, other], is_array=is_array)
