"""When more simulations would change nothing."""

import pytest

from mcts.uct_nodes import UctNode
from planners.root_race import MIN_VISITS, RootRace


def node(num_actions: int = 2) -> UctNode[int]:
    return UctNode(
        state=0,
        depth=0,
        terminated=False,
        leaf_value=0.0,
        limit_value=0.0,
        actions=list(range(num_actions)),
        prior=[1.0 / num_actions] * num_actions,
        is_terminal=False,
        child_visit_counts=[0] * num_actions,
        child_value_sums=[0.0] * num_actions,
        child_values=[float("nan")] * num_actions,
        rewards=[0.0] * num_actions,
        children=[None] * num_actions,
    )


def visit(race: RootRace, index: int, value: float) -> None:
    race.root.child_visit_counts[index] += 1
    race.root.child_value_sums[index] += value
    race.record()


def test_lead_that_cannot_be_made_up_decides() -> None:
    race = RootRace(node(3), float("inf"))
    for index, count in enumerate((7, 3, 1)):
        for _ in range(count):
            visit(race, index, 0.0)
    assert race.is_decided(3)
    assert not race.is_decided(4)


@pytest.mark.parametrize(
    ("gap", "deviations", "is_decided"),
    # Returns of +-1: a standard error of 1/10 each, of the difference 0.141.
    [(0.5, 3.0, True), (0.5, 4.0, False), (0.2, 1.0, True), (0.2, 2.0, False)],
)
def test_difference_of_means_is_measured_in_its_standard_error(
    gap: float, deviations: float, is_decided: bool
) -> None:
    race = RootRace(node(), deviations)
    for time in range(100):
        visit(race, 0, gap + (-1.0) ** time)
        visit(race, 1, (-1.0) ** time)
    visit(race, 0, gap)
    assert race.is_decided(1_000) is is_decided


def test_few_visits_say_nothing() -> None:
    race = RootRace(node(), 0.0)
    for _ in range(MIN_VISITS):
        visit(race, 0, 1.0)
    for _ in range(MIN_VISITS - 1):
        visit(race, 1, 0.0)
    assert not race.is_decided(1_000)
    visit(race, 1, 0.0)
    visit(race, 0, 1.0)
    assert race.is_decided(1_000)


def test_visits_of_the_decision_before_are_no_sample_of_this_one() -> None:
    root = node()
    root.child_visit_counts, root.child_value_sums = [500, 500], [500.0, 0.0]
    race = RootRace(root, 1.0)
    assert not race.is_decided(1_000)
