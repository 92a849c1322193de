"""Array forms of programs equal single steps."""

import ast
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cwm.core.proposals import Task
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    space_to_json,
)
from cwm.programs.model_inside import Model, plain
from cwm.programs.model_types import ModelSpec
from cwm.programs.program import uses_generator, uses_global_generators
from cwm.proposers.symbolic.continuous.laws import Blueprint, Law, Sum
from cwm.proposers.symbolic.continuous.render import render as render_laws
from cwm.proposers.symbolic.continuous.view import View, make_view
from cwm.proposers.symbolic.discrete.model import (
    Constant,
    Draw,
    Feature,
    Lookup,
    Part,
    Relation,
)
from cwm.proposers.symbolic.discrete.model import Model as Rules
from cwm.proposers.symbolic.discrete.render import render
from cwm.proposers.symbolic.step_batch.source import add_step_batch
from cwm.proposers.symbolic.step_batch.tables import Table, TableArrays
from cwm.proposers.symbolic.step_batch.values import NoArrayForm, Value
from cwm.proposers.symbolic.step_batch.verify import disagreement, pairs
from tests.unit.proposers.symbolic.continuous.systems import (
    hill,
    pendulum,
    record,
    task_of,
)
from tests.unit.proposers.symbolic.discrete.test_render import ACTIONS, SPACE, models
from tests.unit.proposers.symbolic.step_batch.blueprints import random_blueprint
from tests.unit.proposers.symbolic.step_batch.induced import (
    NAMES,
    induced,
    load,
    one_by_one,
)


def written(source: str, task: Task) -> str:
    return add_step_batch(
        source,
        observation_space=task.observation_space,
        action_space=task.action_space,
    )[0]


def of_model(model: Rules, space=SPACE, actions=ACTIONS) -> str:
    source, _ = render(model, observation_space=space, action_space=actions)
    return add_step_batch(source, observation_space=space, action_space=actions)[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_named_environment_in_batches_is_what_single_steps_are(name: str) -> None:
    source, task = induced(name)
    text = written(source, task)
    assert disagreement(text, task.train) == ""
    environment = load(text)
    states, actions = pairs(task.train)
    single = one_by_one(environment, states, actions)
    following, rewards, terminated = environment.step_batch(states, actions)
    assert following.dtype == single[0].dtype
    np.testing.assert_allclose(following, single[0], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(rewards, single[1], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(terminated, single[2])


@pytest.mark.parametrize("name", NAMES)
def test_a_program_with_batches_takes_the_same_single_steps(name: str) -> None:
    source, task = induced(name)
    states, actions = (values[:100] for values in pairs(task.train))
    before = one_by_one(load(source), states, actions)
    after = one_by_one(load(written(source, task)), states, actions)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("name", NAMES)
def test_the_harness_takes_batches_of_a_named_program(name: str) -> None:
    source, task = induced(name)
    text = written(source, task)
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    spec = ModelSpec(
        observation_space=space_to_json(task.observation_space),
        action_space=space_to_json(task.action_space),
        seed=0,
        uses_generator=uses_generator(text),
        uses_random=uses_global_generators(text),
    )
    model = Model(lambda: namespace, spec)
    assert model.has_batch
    states, actions = (values[:50] for values in pairs(task.train))
    following, rewards, terminated = model.step_many(states, actions)
    single = model.step(plain(states[7]), plain(actions[7]))
    np.testing.assert_array_equal(following[7], single[0])
    assert (rewards[7], terminated[7]) == pytest.approx(single[1:], rel=1e-12)


def test_the_array_form_reads_like_the_program() -> None:
    text = written(*induced("Taxi"))
    assert "    place_0 = as_array(PLACE_0, (5, 5), -1)\n" in text
    assert "        place_0 = self.place_0[row, col]\n" in text
    assert (
        "        next_digit_2 = np.select(\n"
        "            [\n"
        "                (digit_2 == place_0) & (action == 4),\n"
    ) in text
    assert "        terminated = digit_3 == next_digit_2\n" in text


@given(model=models())
@settings(max_examples=60, deadline=None)
def test_random_rules_and_tables_are_the_same_for_arrays(model: Rules) -> None:
    environment = load(of_model(model))
    states, actions = np.divmod(np.arange(60), 3)
    single = one_by_one(environment, states, actions)
    for got, want in zip(environment.step_batch(states, actions), single, strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype


def test_one_empty_table_is_looked_up_with_keys_of_several_lengths() -> None:
    tables = TableArrays(tables={"NONE": Table(name="NONE", keys=(), values=())})
    digit = Value(node=ast.Name("x"), kind="int", is_array=True, low=0, high=3)
    tables.contains("NONE", [digit])
    tables.contains("NONE", [digit, digit])
    one, two = tables.lines()
    assert one == "none = as_array(dict.fromkeys(NONE, True), (4,), False)"
    assert two == "none_2 = as_array(dict.fromkeys(NONE, True), (4, 4), False)"


def arm_view(action_space=None) -> tuple[View, Task]:
    batch = record(
        pendulum,
        lambda rng: rng.uniform(-2, 2, 2),
        size=4,
        num_steps=120,
        observe=lambda s: np.array([np.cos(s[0]), np.sin(s[0]), s[1], 0.3 * s[1]]),
        action_space=action_space,
    )
    return make_view(batch), task_of(batch)


VIEWS = {
    "an angle, real actions": arm_view(),
    "an angle, actions": arm_view(DiscreteSpec(3)),
}


@pytest.mark.parametrize("kind", VIEWS)
@given(seed=st.integers(0, 100_000))
@example(seed=5332)  # The cosine of a truth value.
@example(seed=8304)
@settings(max_examples=60, deadline=None)
def test_random_laws_are_the_same_for_arrays(kind: str, seed: int) -> None:
    view, task = VIEWS[kind]
    source = render_laws(random_blueprint(view, seed), view, task)
    assert disagreement(written(source, task), task.train) == ""


def test_an_indicator_without_a_coefficient_stays_a_number() -> None:
    view, task = VIEWS["an angle, actions"]
    for seed in range(200):
        source = render_laws(random_blueprint(view, seed), view, task)
        if "-(a == 1)" in source and "+ terminated" in source:
            break
    text = written(source, task)
    assert "-(a == 1).astype(float) + terminated" in text
    assert disagreement(text, task.train) == ""


@pytest.mark.parametrize(
    ("space", "values"),
    [
        (MultiDiscreteSpec((4, 5)), np.array([[0, 1], [3, 4], [2, 0]])),
        (
            BoxSpec((2, 1), "uint8", (0.0, 0.0), (3.0, 4.0)),
            np.array([[[0], [1]], [[3], [4]]], dtype=np.uint8),
        ),
        (DiscreteSpec(20, start=3), np.array([3, 22, 9])),
    ],
)
def test_digits_are_read_from_every_kind_of_array(space, values) -> None:
    radices = ((4, 5),) if isinstance(space, DiscreteSpec) else ((4,), (5,))
    model = Rules(
        radices=radices,
        rewards=(0.0, 1.5),
        parts=(
            Part(target="x0", base=Feature(name="x0")),
            Part(
                target="x1",
                base=Lookup(
                    features=("x0", "x1"),
                    entries=(((0, 1), 3), ((3, 4), 0)),
                    default=Feature(name="x1"),
                ),
            ),
            Part(target="terminated", base=Constant(value=0)),
            Part(target="reward", base=Constant(value=1)),
        ),
    )
    environment = load(of_model(model, space))
    actions = np.arange(len(values)) % 3
    single = one_by_one(environment, values, actions)
    for got, want in zip(environment.step_batch(values, actions), single, strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype


def test_keys_below_zero_do_not_hit_the_last_entry() -> None:
    model = Rules(
        radices=((4, 5),),
        rewards=(0.0, 1.0),
        parts=(
            Part(target="x0", base=Feature(name="x0")),
            Part(target="x1", base=Feature(name="x1")),
            Part(target="terminated", base=Constant(value=0)),
            Part(
                target="reward",
                base=Lookup(
                    features=("rel:0",),
                    entries=(((2,), 1),),
                    default=Constant(value=0),
                ),
            ),
        ),
        relations=(Relation(features=("x0", "x1"), entries=(((0, 0), 2),)),),
    )
    _, rewards, _ = load(of_model(model)).step_batch(np.arange(20), np.zeros(20, int))
    np.testing.assert_array_equal(rewards, [1.0, *[0.0] * 19])


def test_a_truth_value_in_a_key_is_an_index_and_no_mask() -> None:
    model = Rules(
        radices=((4, 5),),
        rewards=(0.0, 1.0),
        parts=(
            Part(target="x0", base=Feature(name="x0")),
            Part(target="x1", base=Feature(name="x1")),
            Part(
                target="terminated",
                base=Lookup(
                    features=("x0",), entries=(((2,), 1),), default=Constant(value=0)
                ),
            ),
            Part(
                target="reward",
                base=Lookup(
                    features=("terminated", "x1"),
                    entries=(((1, 3), 1),),
                    default=Constant(value=0),
                ),
            ),
        ),
    )
    _, rewards, _ = load(of_model(model)).step_batch(np.arange(20), np.zeros(20, int))
    assert rewards.nonzero()[0].tolist() == [13]


def test_draws_have_no_array_form() -> None:
    draw = Draw(features=(), entries=(), default=((0, 1), (1, 2)), low=0, high=19)
    model = Rules(
        radices=((20,),),
        rewards=(0.0,),
        parts=(
            Part(target="x0", base=draw),
            Part(target="terminated", base=Constant(value=0)),
            Part(target="reward", base=Constant(value=0)),
        ),
    )
    with pytest.raises(NoArrayForm, match="draw"):
        of_model(model)


def test_nested_observations_have_no_array_form() -> None:
    space = DictSpec((("left", DiscreteSpec(4)), ("right", DiscreteSpec(5))))
    model = Rules(
        radices=((4,), (5,)),
        rewards=(0.0,),
        parts=tuple(
            Part(target=target, base=Constant(value=0))
            for target in ("x0", "x1", "terminated", "reward")
        ),
    )
    with pytest.raises(NoArrayForm, match="rows of an array"):
        of_model(model, space)


def test_keys_of_unknown_size_have_no_array_form() -> None:
    space = BoxSpec((2,), "int64")
    lookup = Lookup(features=("x0",), entries=(((0,), 3),), default=Constant(value=1))
    model = Rules(
        radices=((0,), (0,)),
        rewards=(0.0,),
        parts=(
            Part(target="x0", base=lookup),
            Part(target="x1", base=Feature(name="x1")),
            Part(target="terminated", base=Constant(value=0)),
            Part(target="reward", base=Constant(value=0)),
        ),
    )
    with pytest.raises(NoArrayForm, match="It is not known which integers"):
        of_model(model, space)


def test_the_name_of_an_environment_cannot_leave_its_docstring() -> None:
    batch = record(hill, lambda rng: rng.uniform(-0.5, 0.5, 2), size=2, num_steps=60)
    task = task_of(batch, '"""\nraise SystemExit\n"""')
    view = make_view(batch)
    laws = {c.name: Law(base=c.name, change=Sum()) for c in view.coordinates}
    load(render_laws(Blueprint(laws=laws), view, task))
