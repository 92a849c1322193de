"""Runs inside the sandbox: the code that checks a function, without the function.

A check is a function `check(candidate)` that makes assertions about what `candidate`
returns. Here `candidate` is a stand-in. When a problem is read, it writes down what
it is called with; that is what programs are then called with, in processes of their
own. To judge a program, the stand-in returns what came back from there. So no program
ever shares a process with what is due, and no check runs in the caller's.
"""

import ast
import copy
import math
import random  # noqa: TID251 - the check's, seeded so that it repeats
import string
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from sandbox.child import Channel, Load
from sandbox.plain_values import decode_plain, encode_plain

# What checks import: later, nothing can be opened any more.
_PRELOADED = (copy, math, string)

_CHECK = "check"
_JUDGE = "__judge__"


class CheckRequest(msgspec.Struct, array_like=True):
    """A check to run.

    Attributes:
        setup: Code that it needs.
        source: Code that defines `check(candidate)`.
        function: The name under which it may know the candidate, too.
        seed: Seed of the global generators.
        results: For each assertion the texts of what its calls returned
            (`plain_values`); `None` where there are none.
    """

    setup: str
    source: str
    function: str
    seed: int
    results: list[list[str] | None]


class Judgement(msgspec.Struct, array_like=True):
    """One assertion.

    Attributes:
        calls: Text of the `[arguments, keyword arguments]` of each call before it and
            after the one before.
        output: What is due, as text.
        is_right: Whether it holds.
    """

    calls: list[str]
    output: str
    is_right: bool


REQUEST = CheckRequest


def run(load: Load, request: CheckRequest, channel: Channel) -> None:
    """Runs a check; emits a `Judgement` for each assertion that it comes to.

    Raises:
        TypeError: If it calls the function with what is not plain data.
        ValueError: If that is too large.
    """
    judge = _Judge(request, channel)
    namespace: dict[str, Any] = {"__name__": "check"}
    exec(request.setup, namespace)  # noqa: S102 - inside the sandbox
    code = compile(_prepared(request), "<check>", "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - inside the sandbox
    namespace[request.function] = judge.candidate
    namespace[_JUDGE] = judge.judge
    random.seed(request.seed)
    np.random.seed(request.seed & 0xFFFFFFFF)  # noqa: NPY002, TID251 - the check's
    namespace[_CHECK](judge.candidate)
    if judge.refusal is not None:
        raise judge.refusal


class _NoResult:
    """What a call gives whose result is not known."""

    def __iter__(self) -> Iterator[Any]:
        """Returns nothing, so that assertions come to their other calls."""
        return iter(())


class _Judge:
    """Stands in for the candidate, and takes the assertions.

    Attributes:
        refusal: Why a call could not be written down, such as arguments that depend on
            an earlier result.
    """

    def __init__(self, request: CheckRequest, channel: Channel) -> None:
        self._results = request.results
        self._channel = channel
        self._index = 0
        self._calls: list[str] = []
        self.refusal: Exception | None = None

    def candidate(self, *arguments: Any, **keywords: Any) -> Any:
        """Returns what the program returned for this call."""
        position = len(self._calls)
        try:
            self._calls.append(encode_plain([list(arguments), keywords]))
        except (TypeError, ValueError) as error:
            self.refusal = error
            raise
        known = None
        if self._index < len(self._results):
            known = self._results[self._index]
        if known is None or position >= len(known):
            return _NoResult()
        return decode_plain(known[position])

    def judge(
        self, assertion: Callable[[], object], due: Callable[[], object], text: str
    ) -> None:
        """Takes one assertion."""
        try:
            is_right = bool(assertion())
        except BaseException:  # noqa: BLE001 - it does not hold
            is_right = False
        if not text:
            text = repr(due())
        reply = Judgement(calls=self._calls, output=text, is_right=is_right)
        self._calls = []
        self._index += 1
        self._channel.emit(reply)


def _prepared(request: CheckRequest) -> ast.Module:
    """Returns a check in which assertions are told instead of made."""
    names = {"candidate", request.function}
    tree = _Assertions(names).visit(ast.parse(request.source))
    return ast.fix_missing_locations(tree)  # type: ignore[no-any-return]


class _Assertions(ast.NodeTransformer):
    """Turns `assert X` into a call of the judge."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        """Returns the call; nothing for what depends on no result."""
        if isinstance(node.test, ast.Constant):
            return ast.copy_location(ast.Pass(), node)
        due, text = self._due(node.test)
        call = ast.Call(
            func=ast.Name(_JUDGE, ast.Load()),
            args=[_lambda(node.test), _lambda(due), ast.Constant(text)],
            keywords=[],
        )
        return ast.copy_location(ast.Expr(call), node)

    def _due(self, test: ast.expr) -> tuple[ast.expr, str]:
        """Returns what must be returned, or else the text of what must hold."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            if self._is_candidate(test.operand):
                return ast.Constant(None), "False"
        elif self._is_candidate(test):
            return ast.Constant(None), "True"
        elif (
            isinstance(test, ast.Compare)
            and len(test.ops) == 1
            and isinstance(test.ops[0], ast.Eq | ast.Is)
            and self._is_candidate(test.left)
            and not self._mentions(test.comparators[0])
        ):
            return test.comparators[0], ""
        return ast.Constant(None), f"something for which {ast.unparse(test)}"

    def _is_candidate(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in self._names
        )

    def _mentions(self, node: ast.expr) -> bool:
        return any(
            isinstance(part, ast.Name) and part.id in self._names
            for part in ast.walk(node)
        )


def _lambda(body: ast.expr) -> ast.expr:
    arguments = ast.arguments(
        posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    return ast.Lambda(arguments, copy.deepcopy(body))
