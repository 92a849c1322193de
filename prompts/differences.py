"""Wrong predictions, part by part, as text."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from cwm.core.codec import Column, Columns, conform, encode_columns
from cwm.core.proposals import Counterexample
from cwm.core.spaces import SpaceSpec, Value
from prompts.values import element_name, format_number, format_value, shorten

MAX_WHOLE_ELEMENTS = 24
"""Numbers of an observation up to which a wrong one is shown whole as well."""

_MAX_ELEMENTS_SHOWN = 12
_MAX_PARTS_NAMED = 4
_RELATIVE_NOISE = 1e-9
"""Differences of numbers below this share are rounding, if nothing else is said."""

_NAMES = ("next observation", "reward", "terminated")


def name_wrong_parts(counterexample: Counterexample) -> str:
    """Returns the names of the wrong parts as a short list."""
    parts = counterexample.wrong_parts
    named = ", ".join(parts[:_MAX_PARTS_NAMED])
    more = len(parts) - _MAX_PARTS_NAMED
    return f"{named} and {more} more" if more > 0 else named


def describe_differences(
    counterexample: Counterexample,
    space: SpaceSpec,
    *,
    max_value_chars: int,
    is_plain: bool = False,
) -> str:
    """Returns a wrong prediction as a list of its parts, each with what is wrong.

    Args:
        counterexample: A wrong prediction, or a failed unit test.
        space: Space of the observations.
        max_value_chars: Longest text of one value.
        is_plain: Whether to leave out what the difference is, and in which element.
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
        lines += _compare(counterexample, space, max_value_chars, is_plain)
    if counterexample.expected_actions is not None:
        lines.append(_compare_actions(counterexample, max_value_chars))
    if counterexample.message:
        lines.append(f"- note: {shorten(counterexample.message, max_value_chars)}")
    return "\n".join(lines)


def _compare(
    counterexample: Counterexample,
    space: SpaceSpec,
    max_value_chars: int,
    is_plain: bool,
) -> list[str]:
    expected, predicted = counterexample.expected, counterexample.predicted
    assert expected is not None, "checked by the caller"

    def show(value: Value) -> str:
        return format_value(value, max_chars=max_value_chars)

    if predicted is None:
        pairs = zip(_NAMES, expected, strict=True)
        return [f"- {name}: must be {show(value)}" for name, value in pairs]
    lines: list[str] = []
    for name, right, got in zip(_NAMES, expected, predicted, strict=True):
        if is_plain:
            lines.append(f"- {name}: must be {show(right)}, got {show(got)}")
            continue
        if not _is_wrong(counterexample, name):
            lines.append(f"- {name}: right, {show(right)}")
            continue
        elements = None
        if name == _NAMES[0]:
            elements = _wrong_elements(space, counterexample, right, got)
        if not elements or not elements.lines or elements.num_all <= MAX_WHOLE_ELEMENTS:
            lines.append(f"- {name}: WRONG, must be {show(right)}, got {show(got)}")
        else:
            count = f"{len(elements.lines)} of {elements.num_all}"
            lines.append(f"- {name}: WRONG in {count} elements")
        lines += _cut(elements.lines) if elements else []
    return lines


def _is_wrong(counterexample: Counterexample, name: str) -> bool:
    if name != _NAMES[0]:
        return name in counterexample.wrong_parts
    return any(part.startswith("observation") for part in counterexample.wrong_parts)


def _cut(lines: list[str]) -> list[str]:
    shown = lines[:_MAX_ELEMENTS_SHOWN]
    if len(lines) > len(shown):
        shown.append(f"  - {len(lines) - len(shown)} more elements differ")
    return shown


class _Elements(NamedTuple):
    """The numbers of an observation that differ, a line each, of how many."""

    lines: list[str]
    num_all: int


def _wrong_elements(
    space: SpaceSpec, counterexample: Counterexample, expected: Value, predicted: Value
) -> _Elements | None:
    """Returns what differs in the next observation.

    `None` if that cannot be said by element: it is a single number, or what was
    predicted is not of the space.
    """
    right, got = _columns(space, expected), _columns(space, predicted)
    if right is None or got is None:
        return None
    before = _columns(space, counterexample.observation) or {}
    num_all = sum(c.size for c in right.values() if isinstance(c, np.ndarray))
    if num_all == 1 and len(right) == 1:
        return None
    found = [
        (name, line)
        for path in right
        for name, line in _elements(path, right[path], got[path], before.get(path))
    ]
    # Parts that were judged wrong; a name of another form shows all differences.
    judged = [line for name, line in found if name in counterexample.wrong_parts]
    return _Elements(judged or [line for _, line in found], num_all)


def _columns(space: SpaceSpec, value: Value) -> Columns | None:
    try:
        return encode_columns(space, [conform(space, value)])
    except ValueError:
        return None


def _elements(
    path: str, right: Column, got: Column, before: Column | None
) -> Iterator[tuple[str, str]]:
    """Yields `(name, line)` for each number of a leaf that differs."""
    if not (isinstance(right, np.ndarray) and isinstance(got, np.ndarray)):
        return
    for index in np.ndindex(right.shape[1:]):
        place = (0, *index)
        a, b = right[place], got[place]
        if _is_same(a, b):
            continue
        was = ""
        if isinstance(before, np.ndarray):
            was = f"was {format_number(before[place], is_exact=False)}, "
        name = element_name(path, index)
        yield name, f"  - {name}: {was}{_difference(a, b)}"


def _is_same(right: np.generic, got: np.generic) -> bool:
    if right == got:
        return True
    if right.dtype.kind != "f":
        return False
    a, b = float(right), float(got)
    return bool(abs(a - b) <= _RELATIVE_NOISE * max(1.0, abs(a)))


def _difference(right: Any, got: Any) -> str:
    # Ten digits show what is more than `_RELATIVE_NOISE`.
    must, is_now = (format_number(n, is_exact=False) for n in (right, got))
    text = f"must be {must}, got {is_now}"
    if right.dtype.kind == "b":
        return text
    return f"{text}, off by {float(got) - float(right):+.6g}"


def _compare_actions(counterexample: Counterexample, max_value_chars: int) -> str:
    expected, predicted = (
        counterexample.expected_actions,
        counterexample.predicted_actions,
    )
    assert expected is not None, "checked by the caller"

    def show(actions: list[Value]) -> str:
        return format_value(actions, max_chars=max_value_chars)

    head = "- legal actions then"
    if predicted is None:
        return f"{head}: must be {show(list(expected))}"
    if "legal_actions" not in counterexample.wrong_parts:
        return f"{head}: right, {show(list(expected))}"
    missing = _without(expected, predicted)
    excess = _without(predicted, expected)
    parts = [
        f"{name}: {show(actions)}"
        for name, actions in (("missing", missing), ("not legal", excess))
        if actions
    ]
    text = f"{head}: WRONG, must be {show(list(expected))}, got {show(list(predicted))}"
    return "; ".join([text, *parts])


def _without(actions: tuple[Value, ...], others: tuple[Value, ...]) -> list[Value]:
    known = {repr(action) for action in others}
    return [action for action in actions if repr(action) not in known]
