"""Scans of one constant, of functions that are written down here."""

from collections.abc import Callable

import numpy as np
import pytest

from cwm.programs.constants.holes import Hole
from cwm.programs.constants.objective import Point
from cwm.programs.constants.residuals import Residuals
from cwm.programs.constants.thresholds import (
    Scan,
    recorded_extremes,
    scan,
    values_at,
)


def hole(value: float, low: float, high: float) -> Hole:
    return Hole(
        name="limit",
        kind="declared",
        value=value,
        low=low,
        high=high,
        line=1,
        start=0,
        stop=1,
    )


class Costs:
    """An objective whose cost is a function of one value."""

    def __init__(self, one: Hole, cost: Callable[[float], float]) -> None:
        self.holes = (one,)
        self.low = np.array([one.to_search(one.low)])
        self.high = np.array([one.to_search(one.high)])
        self.num_tried = 0
        self._cost = cost

    def evaluate(self, coordinates: np.ndarray) -> list[Point]:
        self.num_tried += len(coordinates)
        return [self.point(row) for row in coordinates]

    def point(self, row: np.ndarray) -> Point:
        cost = self._cost(self.holes[0].from_search(float(row[0])))
        nothing = np.zeros((1, 1))
        return Point(
            at=np.array(row, dtype=np.float64),
            residuals=Residuals(
                values=nothing,
                errors=nothing,
                num_wrong=np.zeros(1, dtype=np.int64),
                is_right=np.zeros(1, dtype=np.bool_),
                cost=cost,
            ),
        )


def scanned(
    one: Hole, cost: Callable[[float], float], candidates: tuple[float, ...] = ()
) -> tuple[float, Scan, Costs]:
    objective = Costs(one, cost)
    found = scan(objective, objective.point(np.zeros(1)), 0, candidates=candidates)
    return one.from_search(float(found.point.at[0])), found, objective


def between(low: float, high: float) -> Callable[[float], float]:
    """As many errors as recorded values lie between the limit and where it is."""
    return lambda value: float(np.ceil(10 * max(low - value, value - high, 0.0)))


def test_the_roundest_value_of_the_best_interval_is_taken() -> None:
    value, found, _ = scanned(hole(2.4, 0.24, 24.0), between(1.671, 1.684))
    assert value == 1.68
    assert not found.is_point
    assert found.low <= 1.671 + 1e-4
    assert found.high >= 1.684 - 1e-4
    assert found.low == pytest.approx(1.671, abs=0.01)


def test_a_value_that_does_as_well_is_kept() -> None:
    value, found, objective = scanned(hole(2.4, 0.24, 24.0), between(1.9, 3.1))
    assert value == 2.4
    assert found.low <= 1.9 <= 3.1 <= found.high
    assert objective.num_tried < 80


def test_an_interval_without_end_is_known_at_its_one_end_only() -> None:
    value, found, _ = scanned(hole(1.0, 0.1, 10.0), between(1.52, 99.0))
    assert found.is_open_above
    assert not found.is_open_below
    # Not the roundest number anywhere above, which would be far from all data.
    assert 1.52 <= value <= 1.7


def test_a_cusp_is_found_to_many_digits() -> None:
    value, found, _ = scanned(hole(8.0, 0.8, 80.0), lambda v: np.log1p(abs(v - 6.613)))
    assert found.is_point
    assert value == pytest.approx(6.613, rel=1e-4)


def test_a_recorded_value_is_found_exactly() -> None:
    value, _, _ = scanned(
        hole(8.0, 0.8, 80.0), lambda v: np.log1p(abs(v - 6.613)), (6.613,)
    )
    assert value == pytest.approx(6.613, rel=1e-12)


def test_negative_constants_have_their_interval_the_right_way_round() -> None:
    value, found, _ = scanned(hole(-1.2, -12.0, -0.12), between(-0.905, -0.895))
    assert value == pytest.approx(-0.9, rel=1e-12)
    assert found.low <= -0.905 + 1e-3
    assert found.high >= -0.895 - 1e-3


def test_values_that_occur_again_at_an_end_are_recorded_extremes() -> None:
    column = np.array([-1.5, 0.0, 0.3, 1.5, 1.5, -1.5])
    assert recorded_extremes([column], hole(2.0, 0.2, 20.0)) == [1.5]
    assert recorded_extremes([column], hole(-2.0, -20.0, -0.2)) == [-1.5]
    assert recorded_extremes([np.array([0.0, 1.5])], hole(2.0, 0.2, 20.0)) == []


def test_values_of_wrong_events_are_tried_from_both_sides() -> None:
    column, wrong = np.array([0.5, -0.7, 0.9]), np.array([False, True, True])
    found = values_at([column], wrong, hole(1.0, 0.1, 10.0))
    assert found == pytest.approx([0.7, 0.7, 0.9, 0.9], rel=1e-4)
    assert found[0] < 0.7 < found[1]
    assert values_at([column], ~wrong & ~wrong, hole(1.0, 0.1, 10.0)) == pytest.approx(
        [0.5, 0.5], rel=1e-4
    )
