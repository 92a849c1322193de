"""Nothing but training and validation transitions reaches a proposer or a program."""

import struct
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from cwm.core.proposals import ParentProgram, ProposalRequest, Task
from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import (
    Dataset,
    Split,
    Trajectory,
    Transition,
    make_trajectory,
)
from cwm.llm.scripted import ScriptedChatModel
from cwm.proposers.language_model import LanguageModelProposer
from cwm.scoring import UNSEEN_SPLITS, make_task, open_evaluator, table_splits
from sandbox import wire
from sandbox.limits import Limits

SPACE, ACTIONS = BoxSpec((1,), "float64"), DiscreteSpec(2)

MARKS: dict[str, float] = {
    "held_out": 1111.03125,
    "planner": 2222.03125,
    "states": 3333.03125,
}
"""Numbers that stand for what must not be seen."""

COUNTING = """\
class Environment:
    def set_state(self, observation):
        self.place = float(observation[0])

    def step(self, action):
        self.place += 1.0
        return [self.place], 0.0, False
"""


def walk(start: float, length: int = 6) -> Trajectory:
    steps = [
        Transition(
            np.asarray([start + t]), 0, np.asarray([start + t + 1]), 0.0, False, False
        )
        for t in range(length)
    ]
    walked = make_trajectory(steps, observation_space=SPACE, action_space=ACTIONS)
    return replace(walked, states=np.full((length + 1, 2), MARKS["states"]))


def marked_dataset() -> Dataset:
    splits: tuple[Split, ...] = ("train", "validation", "held_out", "planner")
    return Dataset(
        environment_id="Counting",
        description="A number that grows.",
        observation_space=SPACE,
        action_space=ACTIONS,
        trajectories=tuple(walk(MARKS.get(split, 5.0)) for split in splits),
        splits=splits,
    )


def numbers(value: Any) -> Iterator[float]:
    """Yields every number that a value holds, at any depth."""
    if is_dataclass(value):
        for one in fields(value):
            yield from numbers(getattr(value, one.name))
    elif isinstance(value, dict):
        yield from numbers(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
        yield from value.ravel().tolist()
    elif isinstance(value, float):
        yield value


def marks_in(data: str | bytes) -> set[str]:
    """Returns which marks a text, or a message of any byte order, has."""
    found = set()
    for name, mark in MARKS.items():
        packed = struct.pack("<d", mark), struct.pack(">d", mark)
        text = data if isinstance(data, str) else data.decode("latin-1")
        needles = (str(mark), *(part.decode("latin-1") for part in packed))
        if any(needle in text for needle in needles):
            found.add(name)
    return found


def marks_of_task(task: Task) -> set[str]:
    held = set(numbers(task))
    return {name for name, mark in MARKS.items() if mark in held}


def prompts(task: Task) -> str:
    """Returns everything that a language model is told, in requests of each kind."""
    model = ScriptedChatModel(["none"] * 3)
    proposer = LanguageModelProposer(model)
    parent = ParentProgram(source=COUNTING, failure="NameError: x")
    proposer.propose(ProposalRequest(kind="generate", task=task))
    proposer.propose(ProposalRequest(kind="fix", task=task, parent=parent))
    proposer.propose(ProposalRequest(kind="improve", task=task, parent=parent))
    return "".join(message.content for request in model.requests for message in request)


def frames_of_search(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> tuple[bytes, float]:
    """Returns what workers are sent when a candidate is evaluated, and its score."""
    sent: list[bytes] = []
    real = wire.frame

    def frame(kind: int, payload: bytes = b"") -> bytes:
        sent.append(payload)
        return real(kind, payload)

    monkeypatch.setattr(wire, "frame", frame)
    opened = open_evaluator(
        dataset, isolation="process", limits=Limits(), tests=None, seed=0
    )
    with opened as evaluator:
        score = evaluator.evaluate(COUNTING).score
    return b"".join(sent), score


def leaking_task(dataset: Dataset) -> Task:
    """The broken twin: trains on all splits and describes the hidden states."""
    train: Split = "train"
    together = replace(dataset, splits=(train,) * len(dataset.splits))
    states = [t.states.tolist() for t in dataset.trajectories if t.states is not None]
    described = replace(together, description=f"{dataset.description} {states}")
    return make_task(described)


def test_a_task_has_nothing_of_what_is_scored_after_the_search() -> None:
    assert marks_of_task(make_task(marked_dataset())) == set()


def test_a_prompt_has_nothing_of_what_is_scored_after_the_search() -> None:
    assert marks_in(prompts(make_task(marked_dataset()))) == set()


def test_no_message_to_a_program_has_what_is_scored_after_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent, score = frames_of_search(marked_dataset(), monkeypatch)
    assert score == 1.0
    # The first observation of training was sent, so that this looks in the right place.
    assert struct.pack("<d", 5.0) in sent
    assert marks_in(sent) == set()


def test_a_leak_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = marked_dataset()
    task = leaking_task(dataset)
    assert marks_of_task(task) == {"held_out", "planner"}
    assert marks_in(prompts(task)) >= {"states"}
    validation: Split = "validation"
    splits = tuple(s if s == "train" else validation for s in dataset.splits)
    sent, _ = frames_of_search(replace(dataset, splits=splits), monkeypatch)
    assert marks_in(sent) == {"held_out", "planner"}


def test_tables_show_what_is_scored_after_the_search() -> None:
    assert list(table_splits(marked_dataset())) == ["train", *UNSEEN_SPLITS]
