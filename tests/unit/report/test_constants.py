import pytest

from cwm.core.constants import FittedConstant, Verdict, undetermined_groups
from cwm.programs.constants.fit import FitReport
from cwm.report.constants import constants_lines, every_constant


def constant(
    name: str,
    *,
    after: float = 2.0,
    verdict: Verdict = "fitted",
    low: float | None = None,
    high: float | None = None,
    others: tuple[str, ...] = (),
) -> FittedConstant:
    return FittedConstant(
        name=name,
        kind="named",
        line=1,
        before=2.0,
        after=after,
        verdict=verdict,
        low=low,
        high=high,
        others=others,
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (None, None, "g = 3 (was 2)"),
        (2.9, 3.1, "g = 3 (was 2), between 2.9 and 3.1"),
        (2.9, None, "g = 3 (was 2), at least 2.9"),
        (None, 3.1, "g = 3 (was 2), at most 3.1"),
    ],
)
def test_a_constant_is_told_with_what_is_known_of_it(
    low: float | None, high: float | None, expected: str
) -> None:
    assert constant("g", after=3.0, low=low, high=high).sentence() == expected


def test_what_did_not_change_says_so() -> None:
    assert constant("g").sentence() == "g = 2 (unchanged)"


def test_constants_that_hang_together_are_one_group() -> None:
    found = undetermined_groups(
        (
            constant("a", verdict="undetermined", others=("b",)),
            constant("x"),
            constant("b", verdict="undetermined", others=("a", "c")),
            constant("c", verdict="undetermined", others=("b",)),
            constant("d", verdict="undetermined"),
        )
    )
    assert [[c.name for c in group] for group in found] == [["a", "b", "c"], ["d"]]


REPORT = FitReport(
    constants=(
        constant("g", after=3.0, low=2.9, high=3.1),
        constant("mass", after=1.5, verdict="undetermined", others=("force",)),
        constant("force", verdict="undetermined", others=("mass",)),
        constant("alone", verdict="undetermined"),
        constant("spare", verdict="no effect"),
    ),
    problems=("x: no bounds.",),
)


def test_a_run_tells_what_changed() -> None:
    assert constants_lines(REPORT) == [
        "constants, fitted to training transitions:",
        "  g = 3 (was 2), between 2.9 and 3.1",
        "  only together: mass = 1.5 (was 2), force = 2 (unchanged)",
    ]
    assert constants_lines(None) == []
    assert constants_lines(FitReport(constants=(constant("g"),))) == []


def test_the_command_tells_of_every_constant() -> None:
    assert every_constant(REPORT) == [
        "g = 3 (was 2), between 2.9 and 3.1",
        "only together: mass = 1.5 (was 2), force = 2 (unchanged)",
        "not told: alone = 2 (unchanged)",
        "no effect: spare",
        "not fitted: x: no bounds.",
    ]
    assert every_constant(FitReport()) == ["no constants were found"]
