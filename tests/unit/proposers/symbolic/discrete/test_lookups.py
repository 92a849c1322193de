import numpy as np
import pytest

from cwm.proposers.symbolic.discrete.description_length import num_wrong
from cwm.proposers.symbolic.discrete.layout import IntArray
from cwm.proposers.symbolic.discrete.lookups import fit_lookup
from cwm.proposers.symbolic.discrete.model import Lookup
from cwm.proposers.symbolic.discrete.table import Table
from tests.unit.proposers.symbolic.discrete.tables import grid_table

SIZES = (4, 3, 5)


def inputs() -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Returns the three digits and the action of each row of `table_of`."""
    columns = grid_table(*SIZES).columns
    return columns["x0"], columns["x1"], columns["x2"], columns["action"]


def table_of(after: IntArray) -> Table:
    return grid_table(*SIZES, after={"x0": after})


@pytest.mark.parametrize("seed", range(4))
def test_a_digit_drawn_by_two_inputs_is_looked_up_by_them(seed: int) -> None:
    _, _, x2, action = inputs()
    drawn = np.random.default_rng(seed).integers(0, 4, (5, 3))
    table = table_of(drawn[x2, action])
    part = fit_lookup(table, "x0")
    assert part is not None
    assert part.family == "table"
    assert num_wrong(part, table) == 0
    (rule,) = part.rules
    assert isinstance(rule.outcome, Lookup)
    assert rule.outcome.features == ("action", "x2")


def test_a_digit_that_walls_stop_is_left_to_rules() -> None:
    x0, x1, _, action = inputs()
    moved = np.clip(x0 + np.array([-1, 1, 0])[action], 0, 3)
    after = np.where((moved == 2) & (x1 == 1), x0, moved)
    assert fit_lookup(table_of(after), "x0") is None


def test_a_digit_that_changes_in_one_place_only_is_left_to_rules() -> None:
    x0, x1, x2, action = inputs()
    after = np.where((x1 == 2) & (x2 == 3) & (action == 1), 3 - x0, x0)
    assert fit_lookup(table_of(after), "x0") is None


def test_a_digit_that_a_short_rule_explains_is_left_to_rules() -> None:
    x0, x1, x2, action = inputs()
    after = np.where(action == 2, x1, np.where(x2 >= 2, 3, x0))
    assert fit_lookup(table_of(after), "x0") is None


def test_a_digit_that_no_few_inputs_determine_is_left_to_rules() -> None:
    noise = np.random.default_rng(0).integers(0, 4, 2 * len(grid_table(*SIZES)))
    table = grid_table(*SIZES, after={"x0": noise}, copies=2)
    assert fit_lookup(table, "x0") is None
