import numpy as np
import pytest

from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.proposers.symbolic.discrete.radix import rank_decodings
from cwm.proposers.symbolic.discrete.table import gather_facts
from tests.unit.proposers.symbolic.discrete.tables import grid_table
from tests.unit.proposers.symbolic.discrete.worlds import World, record, task_of


def chain(*rewards: float) -> World:
    def outcome(
        state: tuple[int, ...], action: int
    ) -> tuple[tuple[int, ...], float, bool]:
        return ((state[0] + 1) % 3,), rewards[state[0]], False

    return World(sizes=(3,), num_actions=1, starts=((0,),), outcome=outcome)


def test_rewards_are_coded_by_how_frequent_they_are() -> None:
    facts = gather_facts(task_of(record(chain(5.0, -1.0, -1.0), seed=0, num_steps=30)))
    assert facts.rewards == (-1.0, 5.0)


def test_repeated_transitions_count_once_where_nothing_varies() -> None:
    facts = gather_facts(task_of(record(chain(0.0, 1.0, 2.0), seed=0, num_steps=30)))
    assert facts.is_deterministic
    assert len(facts.inputs) == 3


def test_repeated_transitions_are_kept_where_outcomes_vary() -> None:
    space = DiscreteSpec(2)
    steps = [
        Transition(0, 0, 1, 0.0, False, False),
        Transition(1, 0, 0, 0.0, False, False),
        Transition(0, 0, 0, 0.0, False, False),
        Transition(0, 0, 1, 0.0, False, False),
    ]
    trajectory = make_trajectory(steps, observation_space=space, action_space=space)
    facts = gather_facts(task_of(batch_trajectories([trajectory], space, space)))
    assert not facts.is_deterministic
    assert len(facts.inputs) == 4
    assert facts.table(((2,),)).exception_bits < grid_table(2).exception_bits


def test_codes_and_keys_are_inverse() -> None:
    table = grid_table(4, 5, 2)
    features = ("x1", "action", "step:x0")
    codes = table.codes(features)
    for row in (0, 7, len(table) - 1):
        key = tuple(int(table.columns[name][row]) for name in features)
        assert table.decode_key(features, int(codes[row])) == key
        assert table.encode_key(features, key) == codes[row]


def test_a_key_outside_the_ranges_has_no_code() -> None:
    assert grid_table(4, 5).encode_key(("x0", "x1"), (4, 0)) == -1


def test_too_many_keys_are_refused() -> None:
    table = grid_table(2).with_column("wide", np.zeros(6, np.int64), (0, 2**61))
    with pytest.raises(ValueError, match="must have at most"):
        table.codes(("wide", "wide"))


def test_a_code_of_two_digits_that_move_by_one_is_split_in_two() -> None:
    def outcome(
        state: tuple[int, ...], action: int
    ) -> tuple[tuple[int, ...], float, bool]:
        row = min(max(state[0] + (1, -1, 0, 0)[action], 0), 3)
        column = min(max(state[1] + (0, 0, 1, -1)[action], 0), 5)
        return (row, column), 0.0, False

    world = World(sizes=(4, 6), num_actions=4, starts=((0, 0),), outcome=outcome)
    facts = gather_facts(task_of(record(world, seed=1, num_steps=600)))
    assert rank_decodings(facts)[0] == ((4, 6),)


def test_a_code_with_no_inner_structure_is_left_whole() -> None:
    world = World(
        sizes=(12,),
        num_actions=2,
        starts=((0,),),
        outcome=lambda s, a: (((s[0] + (1, 5)[a]) % 12,), 0.0, False),
    )
    facts = gather_facts(task_of(record(world, seed=1, num_steps=300)))
    assert rank_decodings(facts)[0] == ((12,),)
