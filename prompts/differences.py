"""Wrong predictions, part by part, as text."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cwm.core.codec import Column, conform, encode_columns
from cwm.core.proposals import Counterexample
from cwm.core.spaces import SpaceSpec, Value
from prompts.values import format_value, shorten

_MAX_ELEMENTS_SHOWN = 12
_RELATIVE_NOISE = 1e-9
"""Differences of numbers below this share are rounding, if nothing else is said."""


def describe_differences(
    counterexample: Counterexample, space: SpaceSpec, *, max_value_chars: int
) -> str:
    """Returns a wrong prediction as a list of its parts, each with what is wrong.

    Args:
        counterexample: A wrong prediction, or a failed unit test.
        space: Space of the observations.
        max_value_chars: Longest text of one value.
    """

    def show(value: Value) -> str:
        return format_value(value, max_chars=max_value_chars)

    lines: list[str] = []
    if counterexample.index < 0:
        lines.append("- from a unit test")
    if counterexample.observation is not None:
        lines.append(f"- observation: {show(counterexample.observation)}")
    if counterexample.action is not None:
        lines.append(f"- action: {show(counterexample.action)}")
    if counterexample.expected is not None:
        lines += _compare(counterexample, space, max_value_chars)
    if counterexample.message:
        lines.append(f"- note: {shorten(counterexample.message, max_value_chars)}")
    return "\n".join(lines)


def _compare(
    counterexample: Counterexample, space: SpaceSpec, max_value_chars: int
) -> list[str]:
    expected, predicted = counterexample.expected, counterexample.predicted
    assert expected is not None, "checked by the caller"

    def show(value: Value) -> str:
        return format_value(value, max_chars=max_value_chars)

    names = ("next observation", "reward", "terminated")
    if predicted is None:
        pairs = zip(names, expected, strict=True)
        return [f"- {name}: must be {show(value)}" for name, value in pairs]
    lines: list[str] = []
    for name, right, got in zip(names, expected, predicted, strict=True):
        if name in counterexample.wrong_parts or (
            name == "next observation" and _has_wrong_observation(counterexample)
        ):
            lines.append(f"- {name}: WRONG, must be {show(right)}, got {show(got)}")
        else:
            lines.append(f"- {name}: right, {show(right)}")
        if name == "next observation" and _has_wrong_observation(counterexample):
            lines += _element_lines(space, right, got, counterexample.wrong_parts)
    return lines


def _has_wrong_observation(counterexample: Counterexample) -> bool:
    return any(part.startswith("observation") for part in counterexample.wrong_parts)


def _element_lines(
    space: SpaceSpec, expected: Value, predicted: Value, wrong_parts: tuple[str, ...]
) -> list[str]:
    try:
        right = encode_columns(space, [conform(space, expected)])
        got = encode_columns(space, [conform(space, predicted)])
    except ValueError:
        return []  # Not of the space: the whole values above must do.
    found = [
        (name, line)
        for path in right
        for name, line in _elements(path, right[path], got[path])
    ]
    # Parts that were judged wrong; a name of another form shows all differences.
    judged = [line for name, line in found if name in wrong_parts]
    lines = judged or [line for _, line in found]
    shown = lines[:_MAX_ELEMENTS_SHOWN]
    if len(lines) > len(shown):
        shown.append(f"  - {len(lines) - len(shown)} more elements differ")
    return shown


def _elements(path: str, right: Column, got: Column) -> Iterator[tuple[str, str]]:
    """Yields `(name, line)` for each number of a leaf that differs."""
    if not (isinstance(right, np.ndarray) and isinstance(got, np.ndarray)):
        return
    name = f"observation/{path}" if path else "observation"
    for index in np.ndindex(right.shape[1:]):
        a, b = right[(0, *index)], got[(0, *index)]
        if _is_same(a, b):
            continue
        place = f"[{','.join(map(str, index))}]" if index else ""
        full_name = f"{name}{place}"
        yield full_name, f"  - {full_name}: {_difference(a, b)}"


def _is_same(right: np.generic, got: np.generic) -> bool:
    if right == got:
        return True
    if right.dtype.kind != "f":
        return False
    a, b = float(right), float(got)
    return bool(abs(a - b) <= _RELATIVE_NOISE * max(1.0, abs(a)))


def _difference(right: Any, got: Any) -> str:
    text = f"must be {format_value(right, max_chars=40)}"
    text += f", got {format_value(got, max_chars=40)}"
    if right.dtype.kind == "b":
        return text
    return f"{text}, off by {float(got) - float(right):+.6g}"
