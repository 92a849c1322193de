"""What comes out of a candidate's process is read only if it can be a plan."""

import math
from typing import Any

import numpy as np
import pytest

from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
    Value,
)
from cwm.evaluation.plan_messages import (
    MAX_STATISTICS,
    PlannedSteps,
    Reply,
    is_within,
    numbers,
    read_plan,
)
from cwm.programs.model_inside import to_send_all
from planners.planner import Plan
from sandbox import wire
from sandbox.errors import ProtocolError

LINE = BoxSpec((1,), "float32")
PUSH = BoxSpec((2,), "float32", (-1.0, -0.1), (1.0, 0.1))


def vector(*numbers: float) -> Value:
    return np.array(numbers, dtype=np.float32)


def read(**changes: Any) -> Plan:
    parts: dict[str, Any] = {
        "actions": to_send_all(PUSH, [vector(0, 0), vector(1, 0.1)]),
        "num_actions": 2,
        "observations": to_send_all(LINE, [vector(5)]),
        "rewards": np.array([0.5]),
        "terminated": np.array([False]),
        "value": 3.0,
        "num_model_steps": 20,
        "num_failures": 1,
        "statistics": {"rounds": 3},
    }
    reply: Any = Reply
    message = wire.decode(
        wire.encode(PlannedSteps(**(parts | changes))), reply, max_array_bytes=1 << 20
    )
    return read_plan(message, LINE, PUSH, max_actions=4, max_model_steps=20)


def test_plan_is_read_as_it_was_sent() -> None:
    plan = read()
    assert [action.tolist() for action in plan.actions] == [
        [0, 0],
        [1, pytest.approx(0.1)],
    ]
    (step,) = plan.predictions
    assert step.observation.tolist() == step.next_state.tolist() == [5]
    assert (step.reward, step.terminated) == (0.5, False)
    assert (plan.value, plan.num_model_steps, plan.num_failures) == (3.0, 20, 1)
    assert plan.statistics == {"rounds": 3}
    assert plan.memory is None


def test_models_may_predict_nonsense() -> None:
    plan = read(
        observations=to_send_all(LINE, [vector(math.nan)]),
        rewards=np.array([math.inf]),
        value=math.nan,
    )
    assert math.isnan(plan.predictions[0].observation[0])
    assert plan.predictions[0].reward == math.inf


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_actions": 0}, "1 to 4 actions, not 0"),
        ({"num_actions": -1}, "not -1"),
        ({"num_actions": 5}, "not 5"),
        ({"num_actions": 3}, "a column of observations"),
        ({"actions": to_send_all(PUSH, [vector(0, 0), vector(0, 0.2)])}, "outside"),
        ({"actions": to_send_all(PUSH, [vector(0, 0), vector(math.nan, 0)])}, "outsi"),
        ({"actions": to_send_all(LINE, [vector(0), vector(0)])}, "not of its form"),
        ({"num_model_steps": 21}, "0 to 20 model steps, not 21"),
        ({"num_model_steps": -1}, "not -1"),
        ({"num_failures": 21}, "more failures"),
        ({"num_failures": -1}, "more failures"),
        ({"rewards": np.zeros(2)}, "rewards or terminated flags"),
        ({"rewards": np.zeros(1, dtype=np.float32)}, "rewards or terminated flags"),
        ({"rewards": np.zeros((1, 1))}, "rewards or terminated flags"),
        ({"terminated": np.zeros(1)}, "rewards or terminated flags"),
        (
            {"rewards": np.zeros(3), "terminated": np.zeros(3, dtype=np.bool_)},
            "rewards or terminated flags",
        ),
        ({"observations": to_send_all(PUSH, [vector(0, 0)])}, "not of its form"),
        ({"observations": to_send_all(LINE, [])}, "not of its form"),
        ({"statistics": dict.fromkeys(map(str, range(MAX_STATISTICS + 1)), 0)}, "most"),
        ({"statistics": {"text": "x"}}, "decoding"),
        ({"value": "x"}, "decoding"),
    ],
)
def test_what_cannot_be_a_plan_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        read(**changes)


def test_names_of_figures_are_made_printable() -> None:
    plan = read(statistics={"a\x1b[31m" + "b" * 1_000: 1.0})
    (name,) = plan.statistics
    assert name.isprintable()
    assert len(name) <= 80


def test_figures_that_are_no_numbers_stay_inside() -> None:
    found = numbers(
        {"a": 1, "b": np.float32(0.5), "c": "x", "d": [1], "e": 1 << 63, "f": True}
    )
    assert found == {"a": 1, "b": 0.5, "f": True}
    assert type(found["b"]) is float


@pytest.mark.parametrize(
    ("space", "inside", "outside"),
    [
        (DiscreteSpec(3, start=1), [1, 3], [0, 4]),
        (MultiDiscreteSpec((2, 3)), [np.array([1, 2])], [np.array([2, 0])]),
        (PUSH, [vector(-1, 0.1)], [vector(-1.1, 0), vector(0, math.inf)]),
        (BoxSpec((), "float64"), [np.array(1e300)], [np.array(math.inf)]),
        (BoxSpec((1,), "uint8", (0,), (255,)), [np.array([255], dtype=np.uint8)], []),
        (
            BoxSpec((1,), "int64", (-math.inf,), (7,)),
            [np.array([-(1 << 63)]), np.array([7])],
            [np.array([8])],
        ),
        (BoxSpec((1,), "int64"), [np.array([(1 << 63) - 1])], []),
        (BoxSpec((1,), "bool"), [np.array([True]), np.array([False])], []),
        (BoxSpec((1,), "float32", (-1e300,), (1e300,)), [vector(3e38)], []),
        (TextSpec(), ["look"], []),
        (TupleSpec((DiscreteSpec(2), PUSH)), [(1, vector(0, 0))], [(2, vector(0, 0))]),
        (DictSpec((("n", DiscreteSpec(2)),)), [{"n": 1}], [{"n": -1}]),
    ],
)
def test_actions_are_held_against_their_bounds(
    space: SpaceSpec, inside: list[Value], outside: list[Value]
) -> None:
    assert all(is_within(space, value) for value in inside)
    assert not any(is_within(space, value) for value in outside)
