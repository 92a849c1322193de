import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.programs.constants.holes import Hole, to_values, with_names, with_values
from cwm.programs.constants.lifting import lifted_holes

SOURCE = 'ä = "é"; gravity = 9.8\nforces = [-1.0, 0.0, 1.0]  # 9.8\n'


def hole(value: float, low: float, high: float, *, is_integer: bool = False) -> Hole:
    return Hole(
        name="x",
        kind="declared",
        value=value,
        low=low,
        high=high,
        is_integer=is_integer,
        line=1,
        start=0,
        stop=1,
    )


def test_only_the_text_of_numbers_that_changed_is_another() -> None:
    holes = lifted_holes(SOURCE)
    assert [h.name for h in holes] == ["gravity", "forces[0]", "forces[2]"]
    assert (
        with_values(SOURCE, holes, [9.8, -2.5, 1.0])
        == 'ä = "é"; gravity = 9.8\nforces = [-2.5, 0.0, 1.0]  # 9.8\n'
    )


def test_a_source_with_names_does_the_same_with_its_own_values() -> None:
    holes = lifted_holes(SOURCE)
    text, name = with_names(SOURCE, holes)
    namespace = {name: [h.value for h in holes]}
    exec(text, namespace)
    assert namespace["gravity"] == 9.8
    assert namespace["forces"] == [-1.0, 0.0, 1.0]


def test_the_name_of_the_values_is_one_that_the_source_does_not_have() -> None:
    _, name = with_names("HOLE_VALUES = 3.5\n", [])
    assert name == "HOLE_VALUES_"


@given(st.lists(st.floats(0.1, 1e6), min_size=3, max_size=3))
def test_written_values_are_read_as_what_they_are(values: list[float]) -> None:
    signed = [values[0], -values[1], values[2]]
    changed = with_values(SOURCE, lifted_holes(SOURCE), signed)
    assert [h.value for h in lifted_holes(changed)] == signed


def test_a_value_of_one_sign_is_searched_by_factors() -> None:
    found = hole(2.0, 0.5, 8.0)
    assert found.is_logarithmic
    assert found.from_search(1.0) == pytest.approx(2.0 * math.e)
    assert found.from_search(9.0) == 8.0
    assert found.to_search(1.0) == pytest.approx(-math.log(2.0))


def test_a_value_that_may_be_zero_is_searched_by_differences() -> None:
    found = hole(4.0, -10.0, 10.0)
    assert not found.is_logarithmic
    assert found.from_search(-1.5) == -2.0
    assert found.to_search(-2.0) == -1.5
    assert hole(0.0, -10.0, 10.0).from_search(1.0) == 2.0


def test_no_change_is_the_very_value_that_was_written() -> None:
    found = hole(0.1 + 0.2, 0.01, 5.0)
    assert to_values([found], np.zeros(1)) == [0.1 + 0.2]


def test_integers_are_written_as_integers() -> None:
    source = 'CONSTANTS = {"n": {"value": 3, "low": 1, "high": 9}}\n'
    from cwm.programs.constants.declared import declared_holes  # noqa: PLC0415

    holes, _ = declared_holes(source)
    assert '"value": 5,' in with_values(source, holes, [5.0])
