import numpy as np

from cwm.proposers.symbolic.discrete.conditions import learn_conjunction, learn_sets
from cwm.proposers.symbolic.discrete.evaluate import condition_mask
from cwm.proposers.symbolic.discrete.model import Compare, Member
from tests.unit.proposers.symbolic.discrete.tables import grid_table

FEATURES = ("action", "x0", "x1", "x2")


def test_a_box_is_found_as_a_conjunction() -> None:
    table = grid_table(4, 5, 2)
    row, column = table.columns["x0"], table.columns["x1"]
    positive = (row == 3) & (column >= 1) & (column <= 3)
    guard = learn_conjunction(table, FEATURES, positive, ~positive)
    assert guard is not None
    mask = np.ones(len(table), dtype=np.bool_)
    for condition in guard.conditions:
        mask &= condition_mask(condition, table)
    assert (mask == positive).all()
    assert len(guard.conditions) == 3
    assert guard.missed == guard.wrong == 0


def test_equal_digits_are_found_as_one_comparison() -> None:
    table = grid_table(4, 4, 2)
    positive = table.columns["x0"] == table.columns["x1"]
    guard = learn_conjunction(table, FEATURES, positive, ~positive)
    assert guard is not None
    assert guard.conditions == (Compare(feature="x0", operator="==", other="x1"),)


def test_rows_that_do_not_matter_allow_a_shorter_condition() -> None:
    table = grid_table(4, 5, 2)
    row, column = table.columns["x0"], table.columns["x1"]
    positive = (row == 3) & (column >= 1)
    negative = (row < 3) & (column >= 1)
    guard = learn_conjunction(table, FEATURES, positive, negative)
    assert guard is not None
    assert guard.conditions == (Compare(feature="x0", operator="==", value=3),)


def test_scattered_cells_are_found_as_a_set_of_the_fewest_features() -> None:
    table = grid_table(4, 5, 2)
    cells = {(0, 1), (2, 3), (3, 0)}
    pairs = zip(table.columns["x0"], table.columns["x1"], strict=True)
    positive = np.asarray([(int(r), int(c)) in cells for r, c in pairs])
    best = learn_sets(table, FEATURES, positive, ~positive)[0]
    assert len(best) == 1
    member = best[0].conditions[0]
    assert isinstance(member, Member)
    assert member.features == ("x0", "x1")
    assert set(member.keys) == cells


def test_walls_and_a_door_are_split_into_two_sets() -> None:
    table = grid_table(4, 5, 2)
    walls, door = {(0, 1), (2, 3)}, (3, 0)
    rows = zip(*(table.columns[n].tolist() for n in ("x0", "x1", "x2")), strict=True)
    positive = np.asarray(
        [(r, c) in walls or ((r, c) == door and key == 0) for r, c, key in rows]
    )
    options = learn_sets(table, FEATURES, positive, ~positive)
    coarse, fine = options[1]
    assert coarse.conditions == (Member(features=("x0", "x1"), keys=((0, 1), (2, 3))),)
    assert fine.conditions == (Member(features=("x0", "x1", "x2"), keys=((3, 0, 0),)),)


def test_a_set_that_leaves_errors_says_how_many() -> None:
    table = grid_table(2, 2, 2)
    positive = np.zeros(len(table), dtype=np.bool_)
    positive[:3] = True
    guard = learn_sets(table, ("x0",), positive, ~positive)[0][0]
    assert guard.missed + guard.wrong > 0
    assert guard.cost >= guard.bits + table.exception_bits
