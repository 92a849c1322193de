"""Rules for legal actions: learned from what was legal, and written as source."""

from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.proposals import Task
from cwm.core.spaces import DiscreteSpec, MultiDiscreteSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.proposers.symbolic.discrete.inducer import DiscreteInducer
from cwm.proposers.symbolic.discrete.layout import element_values, elements
from cwm.proposers.symbolic.discrete.legal import (
    Groups,
    LegalRules,
    allowed,
    find_groups,
    learn_legal,
    patterns_of,
)
from cwm.proposers.symbolic.discrete.legal_source import legal_source
from tests.unit.proposers.symbolic.discrete.worlds import load, request

OBJECTS = MultiDiscreteSpec((3, 2) * 4)
ACTIONS = DiscreteSpec(4)


def legal_in(state: tuple[int, ...]) -> tuple[int, ...]:
    """Action 3 always; 0, 1, 2 where an object of that kind lies there (1)."""
    things = list(zip(state[::2], state[1::2], strict=True))
    return (*[kind for kind in range(3) if (kind, 1) in things], 3)


def task_of(
    states: list[tuple[int, ...]], *, ends: bool = False, legal: Any = legal_in
) -> Task:
    """Walks through states; what is legal in each is recorded."""
    pairs = list(pairwise(states))
    steps = [
        Transition(
            np.array(before),
            number % 4,
            np.array(after),
            float(number % 4 in legal_in(before) and number % 4 < 3),
            ends and number == len(pairs) - 1,
            False,
        )
        for number, (before, after) in enumerate(pairs)
    ]
    found = make_trajectory(steps, observation_space=OBJECTS, action_space=ACTIONS)
    found = replace(found, legal_actions=tuple(legal(state) for state in states))
    batch = batch_trajectories([found], OBJECTS, ACTIONS)
    return Task(
        environment_id="",
        description="",
        observation_space=OBJECTS,
        action_space=ACTIONS,
        train=batch,
        next_legal_actions=batch.next_legal_actions,
    )


def drawn(number: int, seed: int = 0) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(seed)
    return [tuple(int(x) for x in rng.integers((3, 2) * 4)) for _ in range(number)]


def program_of(rules: LegalRules) -> Any:
    return load(
        f"import numpy as np\nclass Environment:\n{legal_source(rules, ACTIONS)}"
    )


def test_a_group_fits_what_it_is_and_what_leaves_numbers_open() -> None:
    assert list(patterns_of((1, 2))) == [(1, 2), (1, None), (None, 2)]


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ((3, 2) * 4, Groups(size=2, count=4)),
        (((13, 2, 4) * 8 + (2, 2)), Groups(size=3, count=8)),
        ((5, 5, 5, 5), Groups(size=1, count=0)),
        ((3, 2, 3, 2), Groups(size=1, count=0)),
        ((3, 2, 3, 2, 3, 2, *range(4, 12)), Groups(size=1, count=0)),
    ],
    ids=["pairs", "with a rest", "all alike", "too few", "mostly rest"],
)
def test_groups_are_found_by_the_sizes_of_numbers(
    sizes: tuple[int, ...], found: Groups
) -> None:
    assert find_groups(elements(MultiDiscreteSpec(sizes))) == found


def test_a_rule_about_any_object_holds_in_states_that_were_never_seen() -> None:
    states = drawn(120)
    rules = learn_legal(task_of(states))
    assert rules is not None
    assert rules.num_wrong == 0
    assert rules.cases[3] == ((),)
    environment = program_of(rules)
    every = list(product(*[range(n) for n in (3, 2) * 4]))
    assert len(every) > 10 * len(set(states))
    for state in every:
        environment.state = np.array(state)
        assert environment.legal_actions() == list(legal_in(state))


def test_what_no_rule_says_is_counted_as_wrong() -> None:
    rng = np.random.default_rng(1)
    noise = {s: tuple(np.flatnonzero(rng.random(4) < 0.5)) for s in drawn(120)}
    rules = learn_legal(task_of(drawn(120), legal=lambda state: noise[state]))
    assert rules is not None
    assert 0 < rules.num_wrong < rules.num_observations


def test_what_is_legal_after_the_end_plays_no_part() -> None:
    states = drawn(60)

    def legal(state: tuple[int, ...]) -> tuple[int, ...]:
        return () if state == states[-1] else legal_in(state)

    rules = learn_legal(task_of(states, ends=True, legal=legal))
    assert rules is not None
    assert rules.num_wrong == 0


def test_there_are_no_rules_where_all_is_legal_or_nothing_was_recorded() -> None:
    assert learn_legal(task_of(drawn(20), legal=lambda state: (0, 1, 2, 3))) is None
    task = task_of(drawn(20))
    bare = replace(
        task,
        train=replace(task.train, next_legal_actions=None),
        next_legal_actions=None,
    )
    assert learn_legal(bare) is None


@given(st.integers(0, 2**31), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_the_source_allows_what_its_vectorised_twin_allows(
    seed: int, action: int
) -> None:
    rules = learn_legal(task_of(drawn(40, seed=seed % 7)))
    assert rules is not None
    states = drawn(20, seed=seed)
    observed = elements(OBJECTS)
    before = element_values(observed, {"": np.array(states)})
    found = allowed(rules, observed, before, np.full(len(states), action))
    environment = program_of(rules)
    for state, here in zip(states, found, strict=True):
        environment.state = np.array(state)
        assert (action in environment.legal_actions()) == bool(here)


def test_where_rules_name_nothing_all_is_allowed() -> None:
    rules = LegalRules(
        groups=Groups(size=2, count=4), cases={}, num_wrong=0, num_observations=1
    )
    environment = program_of(rules)
    environment.state = np.zeros(8, dtype=np.int64)
    assert environment.legal_actions() == [0, 1, 2, 3]
    before = np.zeros((1, 8), dtype=np.int64)
    assert allowed(rules, elements(OBJECTS), before, np.array([2])) == [1]


def test_the_first_program_has_a_reward_that_depends_on_what_is_legal() -> None:
    task = task_of(drawn(150))
    answer = DiscreteInducer().generate(request("generate", task))
    environment = load(answer.text)
    for state in drawn(30, seed=9):
        for action in range(4):
            environment.set_state(np.array(state))
            assert environment.legal_actions() == list(legal_in(state))
            _, reward, _ = environment.step(action)
            assert reward == float(action in legal_in(state) and action < 3)
