"""Asking a language model for an outcome itself instead of a program, and reading it.

Covers: the prompt, and answers that are one JSON object, alone or in a fenced block.
Does not cover: judging them; an answer of another form is a `ParseFailure`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.codec import conform, encode_columns
from cwm.core.proposals import ParseFailure, Task
from cwm.core.spaces import SpaceSpec, Value
from cwm.core.trajectories import TransitionBatch
from prompts.documentation import compact
from prompts.examples import choose_examples
from prompts.fill import fill
from prompts.mending import without_reasoning
from prompts.render import Prompt
from prompts.values import describe_space, shorten

MAX_DESCRIPTION_CHARS = 16_000

_FENCED = re.compile(r"^```[a-z]*[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class PredictedOutcome:
    """What an answer says comes of an action.

    Attributes:
        next_observation: In its space's own representation.
        reward: The step's reward.
        terminated: Whether a terminal state is reached.
        legal_actions: What is legal then, if it was asked for.
    """

    next_observation: Value
    reward: float
    terminated: bool
    legal_actions: tuple[Value, ...] | None = None


def render_question(
    task: Task, observation: Value, action: Value, *, num_examples: int
) -> Prompt:
    """Returns the prompt that asks for the outcome of one action.

    Args:
        task: The environment, with its training transitions.
        observation: Where it is.
        action: What is done.
        num_examples: Training transitions to show; at least 0.
    """
    description = compact(task.description) or "There is no documentation."
    fields = {
        "description": shorten(description, MAX_DESCRIPTION_CHARS),
        "spaces": (
            f"- An observation is {describe_space(task.observation_space)}.\n"
            f"- An action is {describe_space(task.action_space)}."
        ),
        "examples": _examples(task.train, num_examples),
        "observation": to_json(observation),
        "action": to_json(action),
        "form": _form(task),
    }
    return Prompt(
        system=fill("direct/system", fields).strip(),
        user=fill("direct/predict", fields).strip() + "\n",
    )


def _form(task: Task) -> str:
    parts = [
        '"next_observation": ...',
        '"reward": <number>',
        '"terminated": <true or false>',
    ]
    if task.next_legal_actions is not None:
        parts.append('"legal_actions": [...]')
    return "{" + ", ".join(parts) + "}"


def _examples(train: TransitionBatch, num_examples: int) -> str:
    if num_examples < 1 or not len(train):
        return ""
    lines = []
    for row in choose_examples(train, num_examples):
        transition = train.transition(row)
        parts = {
            "observation": to_json(transition.observation),
            "action": to_json(transition.action),
            "next_observation": to_json(transition.next_observation),
            "reward": to_json(transition.reward),
            "terminated": to_json(transition.terminated),
        }
        if train.next_legal_actions is not None:
            parts["legal_actions"] = to_json(list(train.next_legal_actions[row]))
        pairs = (f'"{name}": {text}' for name, text in parts.items())
        lines.append("{" + ", ".join(pairs) + "}")
    return "\n".join(lines)


def to_json(value: Value) -> str:
    """Returns a value as JSON, numbers with the fewest digits that give them back."""
    return json.dumps(_plain(value))


def _plain(value: Any) -> Any:
    match value:
        case np.ndarray() if value.ndim:
            return [_plain(part) for part in value]
        case np.ndarray() | np.generic():
            # The text of a float32 is shorter than that of the same double.
            number = np.asarray(value)[()]
            is_real = number.dtype.kind == "f"
            return float(str(number)) if is_real else number.item()
        case tuple() | list():
            return [_plain(part) for part in value]
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case _:
            return value


def parse_answer(text: str, task: Task) -> PredictedOutcome | ParseFailure:
    """Returns the outcome that an answer states.

    The answer must be one JSON object with exactly the members that were asked for,
    each of its type; of several fenced blocks the last one counts. Nothing is mended.
    """
    try:
        return _read(text, task)
    except ValueError as error:
        return ParseFailure(str(error))


def _read(text: str, task: Task) -> PredictedOutcome:
    answer, _ = without_reasoning(text)
    blocks = _FENCED.findall(answer)
    try:
        found = json.loads(
            blocks[-1] if blocks else answer, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    has_legal = task.next_legal_actions is not None
    names = {"next_observation", "reward", "terminated"}
    names |= {"legal_actions"} if has_legal else set()
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError(f"expected a JSON object with {', '.join(sorted(names))}")
    legal = _legal_actions(found, task.action_space) if has_legal else None
    return PredictedOutcome(
        next_observation=_value(task.observation_space, found["next_observation"]),
        reward=_reward(found["reward"]),
        terminated=_flag(found["terminated"]),
        legal_actions=legal,
    )


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _value(space: SpaceSpec, found: Any) -> Value:
    value = conform(space, found)
    try:
        encode_columns(space, [value])
    except OverflowError as error:
        raise ValueError("expected integers of 64 bits") from error
    return value


def _legal_actions(found: Mapping[str, Any], space: SpaceSpec) -> tuple[Value, ...]:
    actions = found["legal_actions"]
    if not isinstance(actions, list):
        raise ValueError("expected legal_actions to be a list")
    return tuple(_value(space, action) for action in actions)


def _reward(found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError("expected reward to be a number")
    try:
        return float(found)
    except OverflowError as error:
        raise ValueError("expected reward to be a number of 64 bits") from error


def _flag(found: Any) -> bool:
    if not isinstance(found, bool):
        raise ValueError("expected terminated to be true or false")
    return found
