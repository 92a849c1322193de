"""Values of a space as short texts by part, and counterexamples as tables of them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cwm.core.proposals import Counterexample
from cwm.core.spaces import Value

MAX_ELEMENTS = 64
"""As in the accuracy by part: an array with more elements is one part."""

MAX_CHARS = 400
"""Longest text of a value."""

_PLAIN_FROM = 1e-4
_PLAIN_TO = 1e7


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """One part of a transition in a counterexample.

    Attributes:
        part: Its name, as in the accuracy by part.
        before: Its value before the step; empty where it has none.
        expected: What really came.
        predicted: What the program says.
        is_wrong: Whether that is wrong.
    """

    part: str
    before: str
    expected: str
    predicted: str
    is_wrong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleView:
    """A counterexample as a page shows it.

    Attributes:
        index: Row of the training transitions; -1 for a test.
        action: What was done.
        wrong_parts: Names of what is wrong.
        rows: The parts of the transition, the wrong ones among them.
        message: What there is to say besides; may be empty.
    """

    index: int
    action: str
    wrong_parts: tuple[str, ...]
    rows: tuple[PartRow, ...]
    message: str

    def to_json(self) -> dict[str, Any]:
        """Returns plain data."""
        return asdict(self)


def shown(value: object) -> str:
    """Returns a value as a short text; numbers keep what tells them apart."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, np.ndarray):
        text = "[" + ", ".join(shown(item) for item in value.reshape(-1)[:65]) + "]"
    elif isinstance(value, (float, np.floating)):
        text = _number(value)
    elif isinstance(value, (int, np.integer)):
        text = str(int(value))
    elif isinstance(value, str):
        text = value
    elif isinstance(value, tuple):
        text = "(" + ", ".join(map(shown, value)) + ")"
    else:
        text = repr(value)
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}… ({len(text):,})"


def _number(value: "float | np.floating[Any]") -> str:
    """Returns a number with as many digits as tell it from its neighbours."""
    size = abs(float(value))
    if size == 0.0 or _PLAIN_FROM <= size < _PLAIN_TO:
        return np.format_float_positional(value, unique=True, trim="-")
    return np.format_float_scientific(value, unique=True, trim="-")


def parts_of(value: Value, name: str = "observation") -> dict[str, str]:
    """Returns the parts of an observation by name, as texts."""
    return dict(_parts(value, name))


def _parts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _parts(member, f"{name}/{key}")
    elif isinstance(value, tuple):
        for number, member in enumerate(value):
            yield from _parts(member, f"{name}/{number}")
    elif (
        isinstance(value, np.ndarray) and value.ndim > 0 and value.size <= MAX_ELEMENTS
    ):
        for index in np.ndindex(*value.shape):
            label = ",".join(map(str, index))
            yield f"{name}[{label}]", shown(value[index])
    else:
        yield name, shown(value)


def example_view(example: Counterexample) -> ExampleView:
    """Returns a counterexample as a page shows it."""
    rows = _test_rows(example) if example.expected is None else _step_rows(example)
    return ExampleView(
        index=example.index,
        action="" if example.expected is None else shown(example.action),
        wrong_parts=example.wrong_parts,
        rows=tuple(rows),
        message=example.message,
    )


def _test_rows(example: Counterexample) -> Iterator[PartRow]:
    test = example.example
    if test is not None:
        yield PartRow(
            part="output",
            before=shown(test.input),
            expected=shown(test.output),
            predicted="-" if example.output is None else shown(example.output),
            is_wrong=True,
        )


def _step_rows(example: Counterexample) -> Iterator[PartRow]:
    assert example.expected is not None, "the caller has looked"
    observation, reward, terminated = example.expected
    before = parts_of(example.observation)
    expected = parts_of(observation) | {
        "reward": shown(reward),
        "terminated": shown(terminated),
    }
    predicted: dict[str, str] = {}
    if example.predicted is not None:
        observation, reward, terminated = example.predicted
        predicted = parts_of(observation) | {
            "reward": shown(reward),
            "terminated": shown(terminated),
        }
    if example.expected_actions is not None:
        expected["legal_actions"] = shown(example.expected_actions)
        if example.predicted_actions is not None:
            predicted["legal_actions"] = shown(example.predicted_actions)
    for part, text in expected.items():
        yield PartRow(
            part=part,
            before=before.get(part, ""),
            expected=text,
            predicted=predicted.get(part, "-"),
            is_wrong=part in example.wrong_parts,
        )
