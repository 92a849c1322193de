"""In which order a program's constants are looked for.

Least squares on what changes smoothly and a scan of what only events read take turns,
since each is blind for what the other does. Constants with a name come first: numbers
in formulas are most often part of the law.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from cwm.core.constants import HoleKind
from cwm.core.seeding import child_rng
from cwm.programs.constants.effects import Effects, find_effects
from cwm.programs.constants.objective import BudgetSpent, Objective, Point
from cwm.programs.constants.smooth import fit_smooth
from cwm.programs.constants.thresholds import Scan, recorded_extremes, scan, values_at
from cwm.programs.tolerances import observed_columns

_STAGES: tuple[tuple[HoleKind, ...], ...] = (
    ("declared", "named"),
    ("declared", "named", "literal"),
)
_MAX_TURNS = 3
_IMPROVEMENT = 0.98
"""A turn that leaves more of the cost than this share is the last."""

_ENOUGH = 0.98
"""Share of right rows from which on no further constants are tried."""

_NUM_DRAWS = 12
_SPREAD = 0.6
"""Standard deviation of drawn starts, of a coordinate."""

_WORTH_A_CHANGE = 1e-3
"""Cost that another value must save: a limit at the largest value recorded saves the
rounding of one prediction, and means nothing."""


@dataclass(slots=True)
class Search:
    """What a search has come to; also when its steps are used up.

    Attributes:
        point: The best point.
        effects: What each constant changes; `None` if that was not looked at.
        scans: What was found about constants that only events read.
        is_complete: Whether it came to its end.
    """

    point: Point
    effects: Effects | None = None
    scans: dict[int, Scan] = field(default_factory=dict)
    is_complete: bool = False


def search(objective: Objective, *, num_starts: int, seed: int) -> Search:
    """Returns the best point that was found; the program's own if it is exact.

    Args:
        objective: What is searched.
        num_starts: Values that least squares begins from, at most.
        seed: Seed of the starts.
    """
    found = Search(point=objective.best)
    try:
        _search(objective, found, num_starts=num_starts, seed=seed)
        found.is_complete = True
    except BudgetSpent:
        if objective.best.cost < found.point.cost:
            found.point = objective.best
    return found


def _search(objective: Objective, found: Search, *, num_starts: int, seed: int) -> None:
    if found.point.residuals.strict == 1.0:
        return
    effects = found.effects = find_effects(objective, found.point)
    done: Effects | None = None
    for stage, kinds in enumerate(_STAGES):
        chosen = effects.among(_of_kinds(objective, kinds))
        if chosen == done:
            return
        done = chosen
        _take_turns(objective, found, chosen)
        if found.point.residuals.strict < _ENOUGH:
            _start_elsewhere(objective, found, chosen, num_starts, seed + stage)
        if found.point.residuals.strict >= _ENOUGH:
            return


def _of_kinds(objective: Objective, kinds: Iterable[HoleKind]) -> list[int]:
    chosen = set(kinds)
    return [i for i, hole in enumerate(objective.holes) if hole.kind in chosen]


def _take_turns(objective: Objective, found: Search, effects: Effects) -> None:
    """Fits and scans until nothing is left or nothing gets better."""
    for _ in range(_MAX_TURNS):
        before = found.point.cost
        fitted = fit_smooth(objective, found.point, effects.smooth)
        found.point = min(fitted, found.point, key=lambda p: p.cost)
        if found.point.residuals.strict == 1.0:
            return
        for index in effects.events:
            _scan(objective, found, index)
        if found.point.residuals.strict == 1.0:
            return
        if found.point.cost > _IMPROVEMENT * before:
            return


def _scan(objective: Objective, found: Search, index: int) -> None:
    hole = objective.holes[index]
    batch = objective.truth.batch
    columns = [batch.rewards] + [
        column[:, element]
        for values in (batch.next_observations, batch.actions)
        for column in observed_columns(values).values()
        for element in range(column.shape[1])
    ]
    wrong = found.point.residuals.num_wrong > 0
    candidates = recorded_extremes(columns, hole) + values_at(columns, wrong, hole)
    result = scan(objective, found.point, index, candidates=candidates)
    is_moved = bool(result.point.at[index] != found.point.at[index])
    if is_moved and result.point.cost > found.point.cost - _WORTH_A_CHANGE:
        return
    found.point = result.point
    found.scans[index] = result


def _start_elsewhere(
    objective: Objective, found: Search, effects: Effects, num_starts: int, seed: int
) -> None:
    """Begins anew from the best of some drawn points."""
    if num_starts < 2 or not effects.smooth:
        return
    smooth = list(effects.smooth)
    rng = child_rng(seed, "starts")
    drawn = np.tile(found.point.at, (_NUM_DRAWS, 1))
    drawn[:, smooth] = rng.normal(0.0, _SPREAD, size=(_NUM_DRAWS, len(smooth)))
    drawn = np.clip(drawn, objective.low, objective.high)
    ranked = sorted(objective.evaluate(drawn), key=lambda p: p.cost)
    for start in ranked[: num_starts - 1]:
        point = fit_smooth(objective, start, smooth)
        if point.cost < found.point.cost:
            found.point = point
            _take_turns(objective, found, effects)
        if found.point.residuals.strict >= _ENOUGH:
            return
