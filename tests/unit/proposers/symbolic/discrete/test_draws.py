import numpy as np
import pytest

from cwm.proposers.symbolic.discrete.draws import (
    code_bits,
    draws,
    fit_draw_table,
    fit_draw_tree,
    mean_probability,
    varying_length,
)
from cwm.proposers.symbolic.discrete.model import Constant, Draw, Part
from cwm.proposers.symbolic.discrete.table import VARYING_EXCEPTION_BITS, Table
from tests.unit.proposers.symbolic.discrete.tables import grid_table


def noisy_table() -> Table:
    """Action 0 leaves the digit; action 1 adds 0, 1 or 2 with equal chances."""
    before = np.repeat(np.repeat(np.arange(20), 2), 60)
    action = np.repeat(np.tile([0, 1], 20), 60)
    steps = np.tile(np.arange(60) % 3, 40) * action
    return grid_table(
        20,
        num_actions=2,
        after={"x0": np.minimum(before + steps, 19)},
        copies=60,
        exception_bits=VARYING_EXCEPTION_BITS,
    )


def test_a_sure_outcome_takes_no_bits() -> None:
    assert code_bits(np.asarray([5.0])) == pytest.approx(0.0)


def test_lengths_agree_with_the_chances_of_one_outcome_after_another() -> None:
    # Two outcomes with weight 1/2 each: first 1/2, then 3/4, then 0.5 / 3.
    assert code_bits(np.asarray([1.0, 0.0])) == pytest.approx(1.0)
    assert code_bits(np.asarray([2.0, 0.0])) == pytest.approx(1.0 - np.log2(0.75))
    expected = 1.0 - np.log2(0.75) - np.log2(0.5 / 3)
    assert code_bits(np.asarray([2.0, 1.0])) == pytest.approx(expected)


def test_a_tree_of_chances_finds_what_is_sure_and_what_is_drawn() -> None:
    table = noisy_table()
    part = fit_draw_tree(table, "x0", ("action", "x0"))
    assert draws(part)
    drawn = [
        outcome
        for outcome in (part.base, *(rule.outcome for rule in part.rules))
        if isinstance(outcome, Draw) and outcome.relative_to == "x0"
    ]
    # Away from the border each of the three steps is equally frequent.
    shares = {count for draw in drawn[:1] for _, count in draw.default}
    assert len(shares) == 1
    # Of 40 inputs 20 are sure, and so is 19 + step; 18 + step is 18 or else 19.
    nats = 18 * np.log(1 / 3) + np.log(1 / 3) / 3 + np.log(2 / 3) * 2 / 3
    assert mean_probability(part, table) == pytest.approx(np.exp(nats / 40), abs=1e-3)


def test_chances_by_key_name_only_what_they_depend_on() -> None:
    table = noisy_table()
    part = fit_draw_table(table, "x0", ("action",))
    assert isinstance(part.base, Draw)
    assert part.base.features == ("action",)
    assert part.base.relative_to == "x0"


def test_drawing_is_shorter_than_a_constant_for_what_varies() -> None:
    table = noisy_table()
    drawn = fit_draw_tree(table, "x0", ("action", "x0"))
    assert varying_length(drawn, table) < varying_length(
        Part(target="x0", base=Constant(value=0)), table
    )


def test_chances_of_outcomes_that_are_clipped_together_add_up() -> None:
    table = grid_table(3, num_actions=1)
    draw = Draw(
        features=(),
        entries=(),
        default=((1, 1), (2, 1)),
        relative_to="x0",
        low=0,
        high=2,
    )
    part = Part(target="x0", base=draw)
    # From 0 nothing recorded (it stayed), from 1 neither, from 2 both lead to 2.
    assert mean_probability(part, table) == pytest.approx(
        (1e-6 * 1e-6 * 1.0) ** (1 / 3)
    )
