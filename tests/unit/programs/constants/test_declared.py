from cwm.programs.constants.declared import declared_holes

SOURCE = """
import math

CONSTANTS = {
    "gravity": {"value": 9.8, "low": 0.0, "high": 100.0},
    "angle": {"value": math.pi / 4, "low": 0.1, "high": math.pi},
    "count": {"value": 3, "low": 1, "high": 9},
}
"""


def test_declared_constants_have_values_bounds_and_places() -> None:
    holes, problems = declared_holes(SOURCE)
    assert problems == []
    assert [(h.name, h.value, h.low, h.high) for h in holes[::2]] == [
        ("gravity", 9.8, 0.0, 100.0),
        ("count", 3.0, 1.0, 9.0),
    ]
    assert [SOURCE[h.start : h.stop] for h in holes] == ["9.8", "math.pi / 4", "3"]
    assert [h.line for h in holes] == [5, 6, 7]
    assert [h.kind for h in holes] == ["declared"] * 3


def test_only_constants_of_integers_stay_integers() -> None:
    holes, _ = declared_holes(SOURCE)
    assert [h.is_integer for h in holes] == [False, False, True]


def test_degrees_are_round_for_what_is_written_with_pi() -> None:
    holes, _ = declared_holes(SOURCE)
    assert [h.is_angle for h in holes] == [False, True, False]


def test_a_declaration_without_bounds_is_told_and_left_alone() -> None:
    source = 'CONSTANTS = {"mass": {"value": 1.0}, "g": 9.8}\n'
    holes, problems = declared_holes(source)
    assert holes == []
    assert problems == [
        'mass: an entry must have "value", "low" and "high".',
        'g: an entry must have "value", "low" and "high".',
    ]


def test_a_value_outside_its_bounds_is_told() -> None:
    source = 'CONSTANTS = {"mass": {"value": 5.0, "low": 0.0, "high": 2.0}}\n'
    assert declared_holes(source) == (
        [],
        ['mass: "value" must be between "low" and "high", got 5.'],
    )


def test_what_is_computed_is_no_plain_number() -> None:
    source = 'CONSTANTS = {"mass": {"value": f(2), "low": 0.0, "high": 2.0}}\n'
    _, problems = declared_holes(source)
    assert problems == ['mass: "value", "low" and "high" must be plain numbers.']


def test_a_source_that_is_no_python_declares_nothing() -> None:
    assert declared_holes("CONSTANTS = {") == ([], [])
    assert declared_holes("x = 1") == ([], [])
