import numpy as np
import pytest

from envs.tabular import NoveltyValues, TransitionTable


def chain(length: int) -> TransitionTable:
    """States 0 .. length - 1; action 1 goes on, 0 stays; the last step ends."""
    table = TransitionTable(num_actions=2)
    for state in range(length):
        table.state(state)
    for state in range(length - 1):
        is_end = state == length - 2
        table.add(state, 1, state + 1, 5.0 if is_end else 0.0, is_end)
        table.add(state, 0, state, 0.0, False)
    return table


def test_values_of_a_chain_are_powers_of_the_discount() -> None:
    table = chain(5)
    gain = table.expected(table.outcomes["reward"].copy())
    values = table.solve(gain, discount=0.5).max(axis=1)
    assert values == pytest.approx([5 / 8, 5 / 4, 5 / 2, 5.0, 0.0], abs=1e-5)


def test_nothing_comes_after_an_end() -> None:
    table = TransitionTable(num_actions=1)
    for name in "ab":
        table.state(name)
    table.add(0, 0, 1, 1.0, True)
    table.add(1, 0, 0, 100.0, False)
    gain = table.expected(table.outcomes["reward"].copy())
    assert table.solve(gain, discount=0.9)[0, 0] == 1.0


def test_expected_values_are_means_over_what_was_counted() -> None:
    table = TransitionTable(num_actions=1)
    for name in "ab":
        table.state(name)
    for reward in (0.0, 4.0, 4.0, 4.0):
        table.add(0, 0, 1, reward, False)
    mean = table.expected(table.outcomes["reward"].copy())
    assert mean.tolist() == [[3.0], [0.0]]
    assert table.was_tried().tolist() == [[True], [False]]


def test_the_table_grows_beyond_its_first_buffer() -> None:
    table = chain(200)
    assert len(table.outcomes) == 398
    assert table.outcomes["count"].sum() == 398


@pytest.mark.parametrize("is_stochastic", [False, True])
def test_the_least_tried_pair_is_worth_most(is_stochastic: bool) -> None:
    table = chain(4)
    novelty = NoveltyValues(table, is_stochastic=is_stochastic)
    for state in range(4):
        for action in range(2):
            if (state, action) != (2, 0):
                novelty.tried(state, action)
    values = novelty.action_values(num_sweeps=200)
    assert values[0].argmax() == 1
    assert values[1].argmax() == 1
    assert values[2].argmax() == 0


def test_counts_survive_new_states() -> None:
    table = chain(3)
    novelty = NoveltyValues(table, is_stochastic=False)
    novelty.tried(0, 1)
    table.state("new")
    assert novelty.action_values(num_sweeps=3).shape == (4, 2)
    assert novelty.counts[0, 1] == 1.0
    assert np.all(novelty.counts[3] == 0)
