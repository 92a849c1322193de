"""Rules that were drawn and left out of a program are found to their digits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.programs.residual.config import ResidualConfig
from tests.support.lacking_rules import data, learned, world

few = settings(max_examples=8, deadline=None)


ANY = ResidualConfig(min_explained=0.0)
"""What is drawn may be most of what happens."""


def rounded(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: float(f"{value:.1e}"))


@pytest.mark.slow
@few
@given(bonus=rounded(0.1, 9.0), edge=rounded(-0.6, 0.6), seed=st.integers(0, 1_000))
def test_a_bonus_behind_an_edge(bonus: float, edge: float, seed: int) -> None:
    reward = f"-(x**2) + ({bonus!r} if x >= {edge!r} else 0.0)"
    batch = data(world(reward=reward), seed=seed)
    (term,) = learned(batch, config=ANY, seed=seed).terms
    start, _, value = term.text.rpartition(" ")
    assert start == f"reward + {bonus:.12g} where next observation[0] >="
    # The data know the edge up to the gap between two recorded values.
    seen = batch.next_observations[""][:, 0].astype(float)
    assert seen[seen < edge].max() < float(value) <= seen[seen >= edge].min()
    assert term.num_broken == 0


@pytest.mark.slow
@few
@given(friction=rounded(0.01, 0.3), seed=st.integers(0, 1_000))
def test_a_friction(friction: float, seed: int) -> None:
    batch = data(world(f"v = v - {friction!r} * self.v"), seed=seed)
    (term,) = learned(batch, config=ANY, seed=seed).terms
    assert term.text == f"next observation[1] - {friction:.12g} * observation[1]"


@pytest.mark.slow
@few
@given(cost=rounded(0.01, 0.5), seed=st.integers(0, 1_000))
def test_a_cost_of_two_numbers(cost: float, seed: int) -> None:
    reward = f"-(x**2) - {cost!r} * self.x * self.v"
    batch = data(world(reward=reward), seed=seed)
    (term,) = learned(batch, config=ANY, seed=seed).terms
    words = f"reward - {cost:.12g} * observation[0] * observation[1]"
    assert term.text == words


@pytest.mark.slow
@few
@given(limit=rounded(0.8, 1.1), seed=st.integers(0, 1_000))
def test_a_limit_of_both_sides(limit: float, seed: int) -> None:
    rule = f"v = min(max(v, -{limit!r}), {limit!r})"
    batch = data(world(rule), seed=seed)
    terms = learned(batch, config=ANY, seed=seed).terms
    assert [term.text for term in terms] == [
        f"next observation[1] at least -{limit:.12g} and at most {limit:.12g}"
    ]
