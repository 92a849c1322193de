"""Values of a space, and counterexamples, as JSON and back with their types."""

from typing import Any

import numpy as np

from cwm.core.proposals import Counterexample, ProgramExample
from cwm.core.spaces import Value


def value_to_json(value: Value) -> Any:
    """Returns JSON-able data; `value_from_json` is the inverse.

    Floats are written as text where JSON has no number for them (NaN, infinities).
    """
    if isinstance(value, np.ndarray):
        items = value.reshape(-1).tolist()
        return {
            "array": [_number_to_json(item) for item in items],
            "dtype": str(value.dtype),
            "shape": list(value.shape),
        }
    if isinstance(value, tuple):
        return {"tuple": [value_to_json(v) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[key, value_to_json(v)] for key, v in value.items()]}
    if isinstance(value, list):
        return [value_to_json(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": repr(float(value))}
    return value


def value_from_json(data: Any) -> Value:
    """Returns the value that `value_to_json` described."""
    if isinstance(data, list):
        return [value_from_json(v) for v in data]
    if not isinstance(data, dict):
        return data
    if "array" in data:
        items = [float(x) if isinstance(x, str) else x for x in data["array"]]
        return np.array(items, dtype=data["dtype"]).reshape(data["shape"])
    if "tuple" in data:
        return tuple(value_from_json(v) for v in data["tuple"])
    if "dict" in data:
        return {key: value_from_json(v) for key, v in data["dict"]}
    return float(data["float"])


def _number_to_json(item: Any) -> Any:
    if isinstance(item, float) and not np.isfinite(item):
        return repr(item)
    return item


def counterexample_to_json(example: Counterexample) -> dict[str, Any]:
    """Returns JSON-able data; `counterexample_from_json` is the inverse."""
    return {
        "index": example.index,
        "wrong_parts": list(example.wrong_parts),
        "observation": value_to_json(example.observation),
        "action": value_to_json(example.action),
        "expected": value_to_json(example.expected),
        "predicted": value_to_json(example.predicted),
        "message": example.message,
        "expected_actions": value_to_json(example.expected_actions),
        "predicted_actions": value_to_json(example.predicted_actions),
        "example": (
            None
            if example.example is None
            else {"input": example.example.input, "output": example.example.output}
        ),
        "output": example.output,
    }


def counterexample_from_json(data: dict[str, Any]) -> Counterexample:
    """Returns the counterexample that `counterexample_to_json` described."""
    # Runs of earlier versions have neither legal actions nor tests.
    test = data.get("example")
    return Counterexample(
        index=data["index"],
        wrong_parts=tuple(data["wrong_parts"]),
        observation=value_from_json(data["observation"]),
        action=value_from_json(data["action"]),
        expected=value_from_json(data["expected"]),
        predicted=value_from_json(data["predicted"]),
        message=data["message"],
        expected_actions=value_from_json(data.get("expected_actions")),
        predicted_actions=value_from_json(data.get("predicted_actions")),
        example=None if test is None else ProgramExample(**test),
        output=data.get("output"),
    )
