import numpy as np
import pytest

from cwm.proposers.symbolic.discrete.description_length import (
    condition_bits,
    description_length,
    entries_bits,
    listed_length,
    name_bits,
    part_bits,
    shared_bits,
)
from cwm.proposers.symbolic.discrete.model import (
    Compare,
    Constant,
    Feature,
    Member,
    Part,
    Rule,
)
from tests.unit.proposers.symbolic.discrete.tables import grid_table

# One digit of 4 values: columns action, x0, next:x0, step:x0, reward, terminated.
TABLE = grid_table(4, num_actions=2)
NAME = np.log2(7)


def test_a_name_costs_the_logarithm_of_how_many_there_are() -> None:
    assert name_bits(TABLE) == pytest.approx(NAME)


def test_a_copy_costs_its_kind_and_its_part() -> None:
    copy = Part(target="x0", base=Feature(name="x0"))
    assert part_bits(copy, TABLE) == pytest.approx(3 + 2)


def test_a_constant_costs_its_value_and_each_exception_its_price() -> None:
    constant = Part(target="x0", base=Constant(value=1))
    # 8 rows, 2 of which have the value 1: 6 are wrong.
    assert description_length(constant, TABLE) == pytest.approx(3 + 2 + 2 + 6 * 40)


def test_a_list_of_exceptions_costs_a_row_and_a_value_for_each() -> None:
    constant = Part(target="x0", base=Constant(value=1))
    row = np.log2(9)
    assert listed_length(constant, TABLE) == pytest.approx(3 + 2 + 2 + 6 * (row + 2))


def test_a_comparison_costs_a_name_an_operator_and_a_value() -> None:
    compare = Compare(feature="x0", operator="<=", value=2)
    assert condition_bits(compare, TABLE) == pytest.approx(2 + NAME + 2)


def test_a_table_is_listed_or_written_out_whichever_is_shorter() -> None:
    # Key of 2 bits, value of 3: two entries listed, or four cells of 3 bits.
    listed = entries_bits(TABLE, ("x0",), 2, 3.0)
    assert listed == pytest.approx(NAME + np.log2(4) + 2 * 5)
    dense = entries_bits(TABLE, ("x0",), 4, 3.0)
    assert dense == pytest.approx(NAME + np.log2(6) + 4 * 3)


def test_a_condition_that_two_parts_share_is_paid_for_once() -> None:
    condition = Member(features=("x0",), keys=((1,), (2,)))
    rule = Rule(conditions=(condition,), outcome=Constant(value=0))
    parts = [
        Part(target=target, base=Constant(value=0), rules=(rule,))
        for target in ("x0", "reward")
    ]
    saved = condition_bits(condition, TABLE) - NAME
    assert shared_bits(parts, TABLE) == pytest.approx(saved)
    assert shared_bits(parts[:1], TABLE) == 0.0
