import ast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.spaces import DiscreteSpec
from cwm.proposers.symbolic.discrete.evaluate import part_values, with_derived
from cwm.proposers.symbolic.discrete.model import (
    Compare,
    Condition,
    Constant,
    Feature,
    Key,
    Lookup,
    Member,
    Model,
    Outcome,
    Part,
    Relation,
    Rule,
    Shift,
    model_from_json,
    model_to_json,
)
from cwm.proposers.symbolic.discrete.render import ordered_parts, render
from tests.unit.proposers.symbolic.discrete.tables import grid_table
from tests.unit.proposers.symbolic.discrete.worlds import load

SIZES = (4, 5)
SPACE = DiscreteSpec(20)
ACTIONS = DiscreteSpec(3)
MOVE = Shift(
    feature="x0", by=("action",), offsets=(((0,), 1), ((1,), -1)), low=0, high=3
)
RANGES = {"action": 3, "x0": 4, "x1": 5, "moved:x0": 4, "rel:0": 3}
NAMES = tuple(RANGES)


@st.composite
def keys(draw: st.DrawFn, features: tuple[str, ...]) -> tuple[Key, ...]:
    key = st.tuples(*(st.integers(0, RANGES[name] - 1) for name in features))
    return tuple(sorted(draw(st.sets(key, max_size=5))))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    if draw(st.booleans()):
        features = tuple(
            draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
        )
        return Member(features=features, keys=draw(keys(features)))
    return Compare(
        feature=draw(st.sampled_from(NAMES)),
        operator=draw(st.sampled_from(["==", "!=", "<=", ">="])),
        value=draw(st.integers(-1, 5)),
        other=draw(st.sampled_from([None, "x0", "x1"])),
    )


@st.composite
def outcomes(draw: st.DrawFn, size: int) -> Outcome:
    kind = draw(st.sampled_from(["constant", "feature", "lookup"]))
    if kind == "feature" and size >= 4:
        return Feature(name=draw(st.sampled_from(["x0", "moved:x0"])))
    if kind == "lookup":
        features = tuple(
            draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
        )
        entries = tuple(
            (key, draw(st.integers(0, size - 1))) for key in draw(keys(features))
        )
        return Lookup(features=features, entries=entries, default=Constant(value=0))
    return Constant(value=draw(st.integers(0, size - 1)))


@st.composite
def models(draw: st.DrawFn) -> Model:
    parts = []
    for target, size in (("x0", 4), ("x1", 5), ("terminated", 2), ("reward", 2)):
        rules = tuple(
            Rule(
                conditions=tuple(draw(st.lists(conditions(), max_size=2))),
                outcome=draw(outcomes(size)),
            )
            for _ in range(draw(st.integers(0, 3)))
        )
        parts.append(Part(target=target, base=draw(outcomes(size)), rules=rules))
    return Model(
        radices=(SIZES,),
        rewards=(-1.0, 2.5),
        parts=tuple(parts),
        moves=(MOVE,),
        relations=(
            Relation(features=("x0", "x1"), entries=(((0, 0), 0), ((3, 4), 1))),
        ),
    )


@given(model=models())
@settings(max_examples=60, deadline=None)
def test_the_program_computes_what_the_model_means(model: Model) -> None:
    source, _ = render(model, observation_space=SPACE, action_space=ACTIONS)
    environment = load(source)
    table = with_derived(grid_table(*SIZES), model)
    meant = {part.target: part_values(part, table) for part in model.parts}
    for row in range(len(table)):
        state = int(table.columns["x0"][row] * 5 + table.columns["x1"][row])
        environment.set_state(state)
        after, reward, terminated = environment.step(int(table.columns["action"][row]))
        assert divmod(after, 5) == (meant["x0"][row], meant["x1"][row])
        assert reward == model.rewards[meant["reward"][row]]
        assert terminated is bool(meant["terminated"][row])


@given(model=models())
@settings(max_examples=30, deadline=None)
def test_models_come_back_from_json_unchanged(model: Model) -> None:
    _, placed = render(model, observation_space=SPACE, action_space=ACTIONS)
    assert model_from_json(model_to_json(placed)) == placed


@given(model=models())
@settings(max_examples=20, deadline=None)
def test_lines_of_a_part_hold_its_assignment(model: Model) -> None:
    source, placed = render(model, observation_space=SPACE, action_space=ACTIONS)
    lines = source.splitlines()
    first, last = placed.lines["x1"]
    assert any(
        "next_digit_1 = " in line or "next_col = " in line
        for line in lines[first - 1 : last]
    )
    ast.parse(source)


def test_data_that_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="The annotation must describe a model"):
        model_from_json({"kind": "model", "parts": 3})


def test_parts_come_after_what_they_read() -> None:
    model = Model(
        radices=(SIZES,),
        rewards=(0.0,),
        parts=(
            Part(target="x0", base=Feature(name="next:x1")),
            Part(target="x1", base=Feature(name="x1")),
            Part(target="reward", base=Feature(name="terminated")),
            Part(target="terminated", base=Feature(name="next:x0")),
        ),
    )
    order = [part.target for part in ordered_parts(model)]
    assert order == ["x1", "x0", "terminated", "reward"]


def test_parts_that_read_each_other_are_refused() -> None:
    model = Model(
        radices=(SIZES,),
        rewards=(0.0,),
        parts=(
            Part(target="x0", base=Feature(name="next:x1")),
            Part(target="x1", base=Feature(name="next:x0")),
        ),
    )
    with pytest.raises(ValueError, match="Parts must not read each other"):
        ordered_parts(model)


def test_equal_tables_are_written_once() -> None:
    rule = Rule(
        conditions=(Member(features=("x0", "x1"), keys=((0, 1), (2, 3))),),
        outcome=Constant(value=1),
    )
    model = Model(
        radices=(SIZES,),
        rewards=(0.0, 1.0),
        parts=tuple(
            Part(target=target, base=Constant(value=0), rules=(rule,))
            for target in ("x0", "x1", "terminated", "reward")
        ),
    )
    source, _ = render(model, observation_space=SPACE, action_space=ACTIONS)
    assert source.count("{(0, 1), (2, 3)}") == 1


def test_rewards_are_declared_as_constants_with_bounds() -> None:
    model = Model(
        radices=(SIZES,),
        rewards=(-1.0, 20.0),
        parts=tuple(
            Part(target=target, base=Constant(value=0))
            for target in ("x0", "x1", "terminated", "reward")
        ),
    )
    source, _ = render(model, observation_space=SPACE, action_space=ACTIONS)
    namespace: dict[str, object] = {}
    exec(source, namespace)
    constants = namespace["CONSTANTS"]
    assert constants == {
        "reward_0": {"value": -1.0, "low": -10.0, "high": 10.0},
        "reward_1": {"value": 20.0, "low": -200.0, "high": 200.0},
    }


def test_two_digits_moved_by_one_are_called_row_and_col() -> None:
    other = Shift(
        feature="x1", by=("action",), offsets=(((2,), 1), ((3,), -1)), low=0, high=4
    )
    model = Model(
        radices=(SIZES,),
        rewards=(0.0,),
        parts=(
            Part(target="x0", base=MOVE),
            Part(target="x1", base=other),
            Part(target="terminated", base=Constant(value=0)),
            Part(target="reward", base=Constant(value=0)),
        ),
        moves=(MOVE, other),
    )
    source, _ = render(model, observation_space=SPACE, action_space=DiscreteSpec(4))
    assert "moved_row = min(max(row + ROW_OFFSET.get(action, 0), 0), 3)" in source
    environment = load(source)
    environment.set_state(7)
    assert environment.step(0) == (12, 0.0, False)
    assert np.isscalar(environment.step(2)[1])
