"""Runs a program's statements with symbols in the place of numbers.

Branches and loops that known values decide are followed. Where symbols decide, both
ways of a branch are run and merged, and a loop is run until what changes in it is
known; then it is recorded once.
"""

import ast
from dataclasses import dataclass
from typing import Any

from cwm.programs.acceleration.arrays import Row
from cwm.programs.acceleration.expressions import Evaluator
from cwm.programs.acceleration.leaving import (
    RESULT,
    RETURNED,
    broken_instead,
    is_unused,
    leaving,
    return_after,
    returns_itself,
)
from cwm.programs.acceleration.lookups import negated
from cwm.programs.acceleration.loops import LoopRecorder
from cwm.programs.acceleration.operations import apply
from cwm.programs.acceleration.symbols import Block, Branch, NoFastForm, Symbol
from cwm.programs.acceleration.varying import Maybe, has_maybe
from cwm.programs.acceleration.world import (
    NOTHING,
    Capture,
    Function,
    Pick,
    SplitNeeded,
    Thing,
    by_branch,
    by_select,
    capture,
    contents,
    kept_zero,
    merge,
    merged_contents,
    put,
)

MAX_DEPTH = 40
MAX_ITERATIONS = 2_000
MAX_UNROLLED = 300
"""Operations up to which a loop is written out; a longer one is kept as a loop."""

MAX_HOISTED = 40
"""Operations of two ways up to which both are always computed."""

BROKE = "*broke"
_IS_THERE, _ITEM = "*is there", "*item"


@dataclass(eq=False)
class Turn:
    """What is left of a loop over known things."""

    node: ast.For
    items: list[Any]
    position: int = 0


@dataclass(eq=False)
class Again:
    """A `while` whose condition has been known so far."""

    node: ast.While
    count: int = 0


@dataclass(frozen=True)
class Returned:
    """A function's result."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """A path that ends in `raise`."""

    message: str


Signal = Returned | Raised | None
Work = list[Any]


class Interpreter(Evaluator):
    """Runs functions of a program; see `Evaluator`.

    Attributes:
        may_split: Whether both ways of a branch are followed to the function's end
            where a list is longer in one; otherwise it has elements that are there on
            one way only.
    """

    may_split = False

    def call(self, function: Function, arguments: list[Any], names: Any) -> Any:
        """Returns what a function returns."""
        if len(self.frames) > MAX_DEPTH:
            raise NoFastForm("Functions call each other too deeply.")
        frame = self._bound(function, arguments, dict(names))
        self.frames.append(frame)
        self.scopes.append(function.scopes)
        try:
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body)
            signal = self.run(list(function.node.body))
        finally:
            self.frames.pop()
            self.scopes.pop()
        if isinstance(signal, Raised):
            raise NoFastForm(f"{function.node.name} always raises: {signal.message}")
        return signal.value if signal else None

    def _bound(
        self, function: Function, arguments: list[Any], names: dict[str, Any]
    ) -> dict[str, Any]:
        spec = function.node.args
        given = [function.owner, *arguments] if function.owner else list(arguments)
        parameters = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        frame = dict(zip(parameters, given, strict=False))
        if spec.vararg:
            frame[spec.vararg.arg] = tuple(given[len(parameters) :])
        elif len(given) > len(parameters):
            raise NoFastForm("A function gets too many arguments.")
        defaults = zip(reversed(parameters), reversed(function.defaults), strict=False)
        for name, value in (*defaults, *function.key_defaults.items()):
            frame.setdefault(name, value)
        known = {*parameters, *(a.arg for a in spec.kwonlyargs)}
        extra = {k: v for k, v in names.items() if k not in known}
        frame.update({k: v for k, v in names.items() if k in known})
        if extra:
            if not spec.kwarg:
                raise NoFastForm("A function gets an argument that it does not have.")
            frame[spec.kwarg.arg] = extra
        return frame

    def run(self, work: Work) -> Signal:
        """Runs statements until they end, return or raise."""
        while work:
            statement, *rest = work
            match statement:
                case ast.Return(value=value):
                    return Returned(None if value is None else self.evaluate(value))
                case ast.Raise():
                    return Raised(_message(statement))
                case ast.If():
                    test = self._truth(self.evaluate(statement.test))
                    if isinstance(test, Symbol):
                        done, signal, work = self._branch(test, statement, rest)
                        if done:
                            return signal
                    else:
                        work = [*(statement.body if test else statement.orelse), *rest]
                case _:
                    work = self._one(statement, rest)
        return None

    def _one(  # noqa: PLR0911 - one a kind
        self, statement: Any, rest: Work
    ) -> Work:
        """Runs a statement that cannot end the function; returns what is left."""
        match statement:
            case ast.Break():
                return self._left(rest)
            case ast.Continue():
                return rest[_next_turn(rest) :]
            case Turn():
                return self._next(statement, rest)
            case Again() | ast.While():
                return self._while(statement, rest)
            case ast.For():
                return self._for(statement, rest)
            case ast.With(body=body):
                return [*body, *rest]
        self._simple(statement)
        return rest

    def _left(self, rest: Work) -> Work:
        """Returns what follows the loop that is left."""
        place = _next_turn(rest)
        if place == len(rest):
            self.frames[-1][BROKE] = True
        return rest[place + 1 :]

    def _next(self, turn: Turn, rest: Work) -> Work:
        if turn.position == len(turn.items):
            return [*turn.node.orelse, *rest]
        item = turn.items[turn.position]
        following = Turn(turn.node, turn.items, turn.position + 1)
        if isinstance(item, Maybe):
            return [self._if_there(item, turn.node), following, *rest]
        self.assign(turn.node.target, item)
        return [*turn.node.body, following, *rest]

    def _if_there(self, item: Maybe, node: ast.For) -> ast.If:
        """Returns a round for an element that is not always there."""
        self.frames[-1].update({_IS_THERE: item.condition, _ITEM: item.value})
        first = ast.Assign(targets=[node.target], value=ast.Name(id=_ITEM))
        round_ = ast.If(
            test=ast.Name(id=_IS_THERE),
            body=[ast.copy_location(first, node), *node.body],
            orelse=[],
        )
        return ast.fix_missing_locations(ast.copy_location(round_, node))

    def _while(self, statement: ast.While | Again, rest: Work) -> Work:
        again = statement if isinstance(statement, Again) else Again(statement)
        test = self._truth(self.evaluate(again.node.test))
        if isinstance(test, Symbol):
            LoopRecorder(self).repeat(again.node.test, again.node.body)
            return [*again.node.orelse, *rest]
        if not test:
            return [*again.node.orelse, *rest]
        if again.count >= MAX_ITERATIONS:
            raise NoFastForm(f"line {again.node.lineno}: a loop that does not end")
        return [*again.node.body, Again(again.node, again.count + 1), *rest]

    def _for(self, node: ast.For, rest: Work) -> Work:
        items = self.iterate(self.evaluate(node.iter))
        if has_maybe(items):
            return [Turn(node, items), *rest]
        if (
            len(items) > 2
            and is_unused(node)
            and not node.orelse
            and returns_itself(node.body)
            and self._is_long(node, items, has_break=True)
        ):
            return self._for_with_return(node, items, rest)
        ways = leaving(node.body)
        if "break" in ways and node.orelse:
            raise NoFastForm(f"line {node.lineno}: else after a loop with break")
        if (
            len(items) > 2
            and "return" not in ways
            and is_unused(node)
            and self._is_long(node, items, has_break="break" in ways)
        ):
            LoopRecorder(self).repeat(None, node.body, count=len(items))
            return rest
        if "break" in ways and "return" not in ways:
            self.run([Turn(node, items)])
            return rest
        return [Turn(node, items), *rest]

    def _for_with_return(self, node: ast.For, items: list[Any], rest: Work) -> Work:
        """Records a loop that notes what it returns; the return follows it."""
        frame = self.frames[-1]
        loop = broken_instead(node)
        frame[RETURNED] = False
        _, result = self._tried(loop, items)
        frame[RESULT] = kept_zero(result)
        LoopRecorder(self).repeat(None, loop.body, count=len(items))
        return [return_after(node), *rest]

    def _is_long(self, node: ast.For, items: list[Any], *, has_break: bool) -> bool:
        """Whether a loop is kept as one: found out by running it once, for nothing."""
        size, _ = self._tried(node, items)
        return size * len(items) > MAX_UNROLLED or (has_break and len(items) > 8)

    def _tried(self, node: ast.For, items: list[Any]) -> tuple[int, Any]:
        """Runs a round for nothing; returns its operations, and what it returns."""
        before = capture(self.roots())
        start = self.graph.size
        with self.graph.inside(Block()):
            self.assign(node.target, items[0])
            self.run([*node.body])
        result = self.frames[-1].get(RESULT, NOTHING)
        for container, content in before:
            put(container, content)
        self.frames[-1].pop(BROKE, None)
        size = self.graph.size - start
        self.graph.discard_since(start)
        return size, result

    def roots(self) -> list[Any]:
        """Returns where all that can change is reached from."""
        return [*self.frames, *(s for scopes in self.scopes for s in scopes)]

    def _branch(
        self, test: Symbol, node: ast.If, rest: Work
    ) -> tuple[bool, Signal, Work]:
        """Runs both ways; returns whether the function has ended, how, what is left."""
        ways = leaving(node.body) | leaving(node.orelse)
        place = _next_turn(rest)
        if "continue" in ways:
            # What a round has left is run both ways, and may leave in its turn.
            ways |= leaving(rest[:place])
        if {"return", "break"} & ways:
            here, after = rest, []
        elif "continue" in ways:
            here, after = rest[:place], rest[place:]
        else:
            here, after = [], rest
        before = capture(self.roots())
        try:
            signal = self.fork(
                test,
                [*node.body, *here],
                [*node.orelse, *here],
                is_over="return" in ways,
            )
        except SplitNeeded:
            self._restore(before)
            signal = self.fork(
                test, [*node.body, *rest], [*node.orelse, *rest], is_over=True
            )
            return True, signal, []
        is_over = signal is not None or (here is rest and "return" in ways)
        return is_over or not after, signal, after

    def fork(
        self, test: Symbol, yes: Work, no: Work, *, is_over: bool = False
    ) -> Signal:
        """Runs two ways of which one counts, and merges what they leave behind."""
        before = capture(self.roots())
        first, second = Block(), Block()
        with self.graph.inside(first):
            signal = self.run(yes)
        if isinstance(signal, Raised):
            self._restore(before)
            self.fail(test, signal.message)
            return self.run(no)
        after_yes = self._taken(before)
        with self.graph.inside(second):
            other = self.run(no)
        if isinstance(other, Raised):
            self._restore(before)
            self.fail(apply("not", test), other.message)
            return self.run(yes)
        pick = self._pick(test, first, second)
        for (container, _), held in zip(before, after_yes, strict=True):
            now = contents(container)
            merged = merged_contents(
                pick, test, held, now, is_over=is_over, may_split=self.may_split
            )
            put(container, merged)
        if signal is None and other is None:
            return None
        values = [s.value if isinstance(s, Returned) else None for s in (signal, other)]
        return Returned(merge(pick, test, *values))

    def _restore(self, before: Capture) -> None:
        for container, content in before:
            put(container, content.copy())

    def _taken(self, before: Capture) -> list[Any]:
        """Returns what containers hold, and empties them of it."""
        held = [contents(container) for container, _ in before]
        self._restore(before)
        return held

    def _pick(self, test: Symbol, first: Block, second: Block) -> Pick:
        """Records two blocks, and returns what picks among their values."""
        lines = [*first.lines, *second.lines]
        if len(lines) <= MAX_HOISTED and all(isinstance(x, Symbol) for x in lines):
            self.graph.adopt(first)
            self.graph.adopt(second)
            return by_select(test)
        branch = Branch(condition=test, yes=first, no=second)
        self.graph.add(branch)
        return by_branch(branch)

    def choice(self, test: Symbol, yes: ast.expr, no: ast.expr) -> Any:
        """Returns the value of one of two expressions."""
        ways = [[ast.copy_location(ast.Return(value=way), way)] for way in (yes, no)]
        signal = self.fork(test, *ways)
        assert isinstance(signal, Returned), "an expression has a value"
        return signal.value

    def _simple(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                result = self.evaluate(value)
                for target in targets:
                    self.assign(target, result)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, self.evaluate(value))
            case ast.AugAssign():
                self._augment(node)
            case ast.Expr(value=value):
                if not isinstance(value, ast.Constant):
                    self.evaluate(value)
            case ast.FunctionDef(name=name):
                self.frames[-1][name] = self._local(node)
            case ast.Assert(test=test):
                condition = self._truth(self.evaluate(test))
                self.fail(negated(condition), "an assertion does not hold")
            case ast.Pass() | ast.AnnAssign():
                pass
            case _:
                raise NoFastForm(f"line {node.lineno}: {type(node).__name__}")

    def _local(self, node: ast.FunctionDef) -> Function:
        args = node.args
        keys = {
            a.arg: self.evaluate(d)
            for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)
            if d is not None
        }
        return Function(
            node,
            scopes=(*self.scopes[-1], self.frames[-1]),
            defaults=tuple(self.evaluate(d) for d in args.defaults),
            key_defaults=keys,
        )

    def _augment(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Subscript):
            owner = self.evaluate(target.value)
            index = self.evaluate(target.slice)
            value = self.combine(
                node.op, self.item(owner, index), self.evaluate(node.value)
            )
            self._set_item(owner, index, value)
            return
        old = self.evaluate(_loaded(target))
        value = self.combine(node.op, old, self.evaluate(node.value))
        if isinstance(old, Row):
            # In place: whoever else has the array sees it, too.
            old.write(Ellipsis, value)
        else:
            self.assign(target, value)

    def assign(self, target: ast.expr, value: Any) -> None:
        """Sets a variable, an attribute or an element."""
        match target:
            case ast.Name(id=name):
                self.frames[-1][name] = value
            case ast.Attribute(value=owner, attr=name):
                thing = self.evaluate(owner)
                if not isinstance(thing, Thing):
                    raise NoFastForm(f"line {target.lineno}: {name} is set")
                thing.attributes[name] = value
            case ast.Subscript(value=owner, slice=index):
                self._set_item(self.evaluate(owner), self.evaluate(index), value)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                self._unpack(targets, self.iterate(value))
            case _:
                raise NoFastForm(f"line {target.lineno}: an assignment")

    def _unpack(self, targets: list[ast.expr], values: list[Any]) -> None:
        stars = [i for i, t in enumerate(targets) if isinstance(t, ast.Starred)]
        if stars:
            place, after = stars[0], len(targets) - stars[0] - 1
            end = len(values) - after
            values = [*values[:place], values[place:end], *values[end:]]
            targets = [t.value if isinstance(t, ast.Starred) else t for t in targets]
        if len(targets) != len(values):
            raise NoFastForm("Values and variables are not as many.")
        for target, value in zip(targets, values, strict=True):
            self.assign(target, value)

    def _set_item(self, owner: Any, index: Any, value: Any) -> None:
        if isinstance(owner, Row):
            owner.write(index, value)
        elif isinstance(index, Symbol):
            for place in range(len(owner)):
                is_here = apply("eq", index, place)
                pick = by_select(is_here)
                owner[place] = merge(pick, is_here, value, owner[place])
        else:
            owner[index] = value


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body


def _message(node: ast.Raise) -> str:
    return ast.unparse(node.exc)[:80] if node.exc else "raise"


def _next_turn(work: Work) -> int:
    return next(
        (i for i, part in enumerate(work) if isinstance(part, Turn | Again)), len(work)
    )
