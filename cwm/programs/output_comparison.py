"""Whether what a program wrote, or returned, is what was due.

Covers: the two rules for standard output (`docs/program-tests.md` has them side by
side), and equality of plain data. All of it is done by the caller, outside the
sandbox: what is due never enters the process of a program.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

Comparison: TypeAlias = Literal["lines", "apps"]
"""Rules for standard output. `lines`: the same tokens in the same lines, in order.
`apps`: what the published benchmark accepts, order and number of lines aside."""

_RTOL = 1e-5
_ATOL = 1e-8
_APPS_DECIMALS = 3


def is_right_output(output: str, expected: str, comparison: Comparison) -> bool:
    """Returns whether a standard output is the one that was due."""
    rule = _same_lines if comparison == "lines" else _same_by_apps
    return rule(output, expected)


def is_right_value(value: Any, accepted: Sequence[Any]) -> bool:
    """Returns whether a returned value equals one of those that are right.

    Tuples count as lists: the truth comes from JSON, which has none.
    """
    plain = _without_tuples(value)
    return any(plain == _without_tuples(one) for one in accepted)


def _same_lines(output: str, expected: str) -> bool:
    """Whether the lines that are not blank hold the same tokens, in order."""
    found, due = _token_lines(output), _token_lines(expected)
    return len(found) == len(due) and all(
        len(line) == len(right) and all(map(_same_token, line, right))
        for line, right in zip(found, due, strict=True)
    )


def _same_token(token: str, right: str) -> bool:
    if token == right:
        return True
    due, found = _number(right), _number(token)
    if due is None or found is None:
        return False
    if any(mark in right for mark in ".eE"):
        return abs(found - due) <= _ATOL + _RTOL * abs(due)
    # 2.0 for 2, but nothing that is near to it, nor what a float cannot hold.
    return found == due and abs(due) < 2**53


def _same_by_apps(output: str, expected: str) -> bool:
    """Whether any of the comparisons of the published benchmark succeeds."""
    lines = output.splitlines()
    if expected.strip() in (
        "\n".join(lines).strip(),
        "\n".join(line.strip() for line in lines).strip(),
    ):
        return True
    found, due = _token_lines(output), _token_lines(expected)
    return (
        _close_lines(found, due)
        or _sets(found, str) == _sets(due, str)
        or _same_rounded(found, due)
    )


def _close_lines(found: list[list[str]], due: list[list[str]]) -> bool:
    """Whether both have one number in each line, near to each other."""
    if len(found) != len(due) or any(len(line) != 1 for line in (*found, *due)):
        return False
    pairs = [(_number(a[0]), _number(b[0])) for a, b in zip(found, due, strict=True)]
    return all(
        a is not None and b is not None and abs(a - b) <= _ATOL + _RTOL * abs(b)
        for a, b in pairs
    )


def _same_rounded(found: list[list[str]], due: list[list[str]]) -> bool:
    try:
        return _sets(found, _rounded) == _sets(due, _rounded)
    except (ValueError, OverflowError):
        return False


def _rounded(token: str) -> float:
    return round(float(token), _APPS_DECIMALS)


def _sets(
    lines: list[list[str]], key: Callable[[str], object]
) -> set[frozenset[object]]:
    return {frozenset(map(key, line)) for line in lines}


def _token_lines(text: str) -> list[list[str]]:
    return [tokens for line in text.splitlines() if (tokens := line.split())]


def _number(token: str) -> float | None:
    try:
        number = float(token)
    except ValueError:
        return None
    # "nan" and "inf" are words here.
    return number if math.isfinite(number) else None


def _without_tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_tuples(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _without_tuples(item) for key, item in value.items()}
    return value
