"""Any value of any space survives the codec, the JSON of spaces and the file."""

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cwm.core.codec import conform, decode_columns, encode_columns
from cwm.core.dataset_file import load_dataset, save_dataset
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    NestedSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
    space_from_json,
    space_to_json,
)
from cwm.core.trajectories import Dataset, Transition, make_trajectory
from envs.plain_data import same_value

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
keys = texts.filter(lambda key: key != "" and "/" not in key)
boxes = st.builds(
    BoxSpec,
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3).map(tuple),
    dtype=st.sampled_from(["float32", "float64", "int8", "uint8", "int64", "bool"]),
)
leaf_specs = st.one_of(
    boxes,
    st.builds(DiscreteSpec, st.integers(1, 50), st.integers(-9, 9)),
    st.builds(
        MultiDiscreteSpec,
        st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    ),
    st.just(TextSpec()),
    st.just(NestedSpec()),
)


def _containers(inner: st.SearchStrategy[SpaceSpec]) -> st.SearchStrategy[SpaceSpec]:
    members = st.lists(inner, min_size=1, max_size=3)
    named = st.lists(
        st.tuples(keys, inner), min_size=1, max_size=3, unique_by=lambda pair: pair[0]
    )
    return st.one_of(
        st.builds(TupleSpec, members.map(tuple)), st.builds(DictSpec, named.map(tuple))
    )


spaces = st.recursive(leaf_specs, _containers, max_leaves=5)
nested_texts = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=3), max_leaves=4
)


def values(space: SpaceSpec) -> st.SearchStrategy[Any]:
    match space:
        case BoxSpec(shape=shape, dtype=dtype):
            return hnp.arrays(np.dtype(dtype), shape)
        case DiscreteSpec(num_values=count, start=start):
            return st.integers(start, start + count - 1)
        case MultiDiscreteSpec(num_values=counts):
            parts = [st.integers(0, count - 1) for count in counts]
            return st.tuples(*parts).map(lambda row: np.asarray(row, dtype=np.int64))
        case TupleSpec(members=members):
            return st.tuples(*map(values, members))
        case DictSpec(members=named):
            return st.fixed_dictionaries({key: values(m) for key, m in named})
        case TextSpec():
            return texts
        case NestedSpec():
            return nested_texts


@st.composite
def space_and_values(draw: st.DrawFn, min_size: int = 0) -> tuple[SpaceSpec, list[Any]]:
    space = draw(spaces)
    return space, draw(st.lists(values(space), min_size=min_size, max_size=4))


@given(space_and_values())
def test_values_survive_columns(example: tuple[SpaceSpec, list[Any]]) -> None:
    space, found = example
    found = [conform(space, value) for value in found]
    assert same_value(decode_columns(space, encode_columns(space, found)), found)


@given(space_and_values())
def test_conform_changes_nothing_the_second_time(
    example: tuple[SpaceSpec, list[Any]],
) -> None:
    space, found = example
    once = [conform(space, value) for value in found]
    assert same_value([conform(space, value) for value in once], once)


@given(spaces)
def test_spaces_survive_json(space: SpaceSpec) -> None:
    assert space_from_json(json.loads(json.dumps(space_to_json(space)))) == space


@settings(deadline=None, max_examples=40)
@given(space_and_values(min_size=2), texts)
def test_data_sets_survive_the_file(
    example: tuple[SpaceSpec, list[Any]], description: str
) -> None:
    space, found = example
    found = [conform(space, value) for value in found]
    steps = [Transition(a, a, b, 0.1, False, False) for a, b in pairwise(found)]
    steps[-1] = steps[-1]._replace(terminated=True)
    trajectory = make_trajectory(steps, observation_space=space, action_space=space)
    dataset = Dataset(
        environment_id="any",
        description=description,
        observation_space=space,
        action_space=space,
        trajectories=(trajectory, trajectory),
        splits=("train", "held_out"),
    )
    with tempfile.TemporaryDirectory() as folder:
        save_dataset(dataset, Path(folder) / "data.npz")
        loaded = load_dataset(Path(folder) / "data.npz")
    assert loaded.description == description
    assert loaded.splits == dataset.splits
    assert loaded.observation_space == space
    for split in ("train", "held_out"):
        old, new = dataset.in_split(split)[0], loaded.in_split(split)[0]
        assert same_value(decode_columns(space, new.observations), found)
        assert same_value(
            decode_columns(space, new.actions), decode_columns(space, old.actions)
        )
        assert new.terminated.tolist() == old.terminated.tolist()
