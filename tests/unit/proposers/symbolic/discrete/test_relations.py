import numpy as np

from cwm.proposers.symbolic.discrete.model import Feature, Part, Relation
from cwm.proposers.symbolic.discrete.relations import find_relations
from cwm.proposers.symbolic.discrete.table import Table
from tests.unit.proposers.symbolic.discrete.tables import grid_table

PLACES = {(0, 0): 0, (0, 3): 1, (2, 1): 2}


def passenger_table(places: dict[tuple[int, int], int]) -> Table:
    """Digits row, column and passenger (3: inside); action 1 picks up."""
    table = grid_table(3, 4, 4, num_actions=2)
    cells = zip(table.columns["x0"], table.columns["x1"], strict=True)
    here = np.asarray([places.get((int(r), int(c)), -1) for r, c in cells])
    picked = (table.columns["action"] == 1) & (table.columns["x2"] == here)
    after = np.where(picked, 3, table.columns["x2"])
    return grid_table(3, 4, 4, num_actions=2, after={"x2": after})


def test_the_cell_of_each_place_is_learned_from_where_pick_ups_work() -> None:
    table = passenger_table(PLACES)
    part = Part(target="x2", base=Feature(name="x2"))
    found = find_relations(table, part, ("action", "x0", "x1", "x2"))
    assert Relation(features=("x0", "x1"), entries=tuple(PLACES.items())) in found


def test_a_part_without_errors_needs_no_relation() -> None:
    table = passenger_table({})
    part = Part(target="x2", base=Feature(name="x2"))
    assert find_relations(table, part, ("action", "x0", "x1", "x2")) == []


def test_one_place_alone_is_no_relation() -> None:
    table = passenger_table({(2, 1): 2})
    part = Part(target="x2", base=Feature(name="x2"))
    assert find_relations(table, part, ("x0", "x1")) == []
