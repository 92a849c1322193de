"""Fits a program's constants to recorded transitions before the program is judged.

Covers: finding the constants, the search in the sandbox, what the data say of each, and
writing the values into the source, where only the text of numbers changes. Does not
cover: how the program computes, which is nobody's business here; stochastic tasks,
where one recorded outcome says little about one draw.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

from cwm.core.constants import FittedConstant
from cwm.core.trajectories import TransitionBatch
from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.declared import declared_holes
from cwm.programs.constants.fit import Fit, FitReport
from cwm.programs.constants.holes import Hole, with_names, with_values
from cwm.programs.constants.identifiability import Knowledge, identify
from cwm.programs.constants.lifting import lifted_holes
from cwm.programs.constants.messages import FIT_DRIVER
from cwm.programs.constants.objective import BudgetSpent, Objective, Point
from cwm.programs.constants.remainder import describe_remainder
from cwm.programs.constants.residuals import Truth
from cwm.programs.constants.running import ConstantRunner
from cwm.programs.constants.sampling import sample_rows
from cwm.programs.constants.searching import Search, search
from cwm.programs.constants.simplifying import simplify
from cwm.programs.round_numbers import simplest_near
from cwm.programs.tolerances import Tolerances
from sandbox.pool import Sandbox

DRIVER = FIT_DRIVER
"""What a sandbox must be made with for fits."""

_KEPT_BACK = 0.3
"""Share of the steps that are left for what the data say, and for round numbers."""

_MOST_LOST = 0.5
"""Share of rows without a prediction above which a program is left as it is."""

_WRITTEN = 1e-13
"""Relative difference up to which a number is another way to write a rounder one."""


class ConstantFitter:
    """Fits the constants of programs to one batch; remembers what came of each.

    Any number of threads may use it; they take turns, since a fit holds workers.

    Args:
        batch: The training transitions. Others must not be given: what a program's
            author gets to read follows from them.
        sandbox: Made with `DRIVER`.
        config: Settings.
        seed: Seed of rows, starts, and whatever is random in programs.
        tolerances: Of the training transitions; made of the batch if not given.
    """

    def __init__(
        self,
        batch: TransitionBatch,
        *,
        sandbox: Sandbox,
        config: FitConfig | None = None,
        seed: int = 0,
        tolerances: Tolerances | None = None,
    ) -> None:
        self._batch = batch
        self._sandbox = sandbox
        self._config = config or FitConfig()
        self._seed = seed
        self._tolerances = tolerances or Tolerances.from_batch(batch)
        self._known: dict[str, Fit] = {}
        self._lock = threading.Lock()
        self._sample = sample_rows(
            batch, self._config.num_rows, horizon=self._config.horizon, seed=seed
        )

    def fit(self, source: str) -> Fit:
        """Returns the program with constants that fit, and what was found.

        Raises:
            SandboxUnavailable: If the sandbox does not work; never for a fault of
                the program's.
        """
        with self._lock:
            if source not in self._known:
                found = self._fit(source)
                self._known[source] = found
            return self._known[source]

    def _fit(self, source: str) -> Fit:
        holes, problems = find_holes(source, self._config)
        if not holes or self._sample is None:
            return Fit(source=source, report=FitReport(problems=tuple(problems)))
        text, values_name = with_names(source, holes)
        with ConstantRunner(
            self._sandbox,
            text,
            values_name=values_name,
            are_whole=[hole.is_integer for hole in holes],
            batch=self._batch,
            sample=self._sample,
            seed=self._seed,
        ) as runner:
            objective = Objective(
                runner,
                Truth(self._batch.select(runner.rows), self._tolerances),
                holes,
                max_steps=self._config.max_steps,
                max_seconds=self._config.max_seconds,
            )
            found = self._solve(objective)
        report = replace(found, problems=tuple(problems))
        values = [c.after for c in report.constants]
        return Fit(
            source=with_values(source, holes, values) if values else source,
            report=replace(
                report,
                constants=tuple(sorted(report.constants, key=lambda c: c.line)),
            ),
        )

    def _solve(self, objective: Objective) -> FitReport:
        base = objective.best
        if base.residuals.num_lost > _MOST_LOST * len(objective.truth.batch):
            # It does not run: there is nothing that numbers could mend.
            return FitReport(num_steps=objective.num_steps)
        objective.keep_back(_KEPT_BACK)
        found = search(objective, num_starts=self._config.num_starts, seed=self._seed)
        objective.keep_back(0.0)
        is_better = (
            found.point.cost < base.cost
            and found.point.residuals.strict >= base.residuals.strict
        )
        if not is_better:
            found = Search(point=base, effects=found.effects)
        knowledge = _what_is_known(objective, found)
        point = found.point
        if knowledge is not None and is_better:
            point = simplify(objective, point, knowledge)
        return FitReport(
            constants=_constants(objective.holes, found, point, knowledge),
            strict_before=base.residuals.strict,
            strict_after=point.residuals.strict,
            cost_before=base.cost,
            cost_after=point.cost,
            num_steps=objective.num_steps,
            is_complete=found.is_complete,
            remainder=describe_remainder(objective.truth, point.residuals),
        )


def fit(
    source: str,
    batch: TransitionBatch,
    *,
    sandbox: Sandbox,
    config: FitConfig | None = None,
    seed: int = 0,
) -> Fit:
    """Returns a program with constants that fit transitions; see `ConstantFitter`."""
    fitter = ConstantFitter(batch, sandbox=sandbox, config=config, seed=seed)
    return fitter.fit(source)


def find_holes(source: str, config: FitConfig) -> tuple[list[Hole], list[str]]:
    """Returns the constants of a source that are fitted, and what was wrong.

    The declared ones come first, then those with a name, up to `max_constants`.
    """
    if config.mode == "off":
        return [], []
    declared, problems = declared_holes(source)
    lifted = [] if config.mode == "declared" else lifted_holes(source)
    order = {"declared": 0, "named": 1, "literal": 2}
    holes = sorted([*declared, *lifted], key=lambda hole: order[hole.kind])
    return holes[: config.max_constants], problems


def _what_is_known(objective: Objective, found: Search) -> Knowledge | None:
    if found.effects is None:
        return None
    events = {i for i, one in found.scans.items() if not one.is_point}
    followed = {*found.effects.smooth, *found.scans} - events
    free = sorted(followed)
    # Numbers in formulas that were left alone are part of the law.
    free = [
        i for i in free if objective.holes[i].kind != "literal" or found.point.at[i]
    ]
    try:
        return identify(objective, found.point, free)
    except BudgetSpent:
        return None


def _constants(
    holes: Sequence[Hole], found: Search, point: Point, knowledge: Knowledge | None
) -> tuple[FittedConstant, ...]:
    """Returns what is said of each constant, in the order of the holes."""
    return tuple(
        _constant(holes, index, found, point, knowledge) for index in range(len(holes))
    )


def _constant(
    holes: Sequence[Hole],
    index: int,
    found: Search,
    point: Point,
    knowledge: Knowledge | None,
) -> FittedConstant:
    hole = holes[index]
    value = hole.from_search(float(point.at[index]))
    if value != hole.value:
        value = simplest_near(value, _WRITTEN * abs(value))
    constant = FittedConstant(
        name=hole.name,
        kind=hole.kind,
        line=hole.line,
        before=hole.value,
        after=float(round(value)) if hole.is_integer else value,
        verdict="kept",
    )
    if found.effects is not None and index in found.effects.inert:
        return replace(constant, verdict="no effect")
    scanned = found.scans.get(index)
    if scanned is not None and not scanned.is_point:
        return replace(
            constant,
            verdict="fitted" if constant.is_changed else "kept",
            low=None if scanned.is_open_below else scanned.low,
            high=None if scanned.is_open_above else scanned.high,
        )
    if knowledge is None or index not in knowledge.free:
        return constant
    told = _with_interval(constant, holes, index, found.point, knowledge)
    if scanned is not None and told.verdict == "undetermined" and not told.others:
        # Wherever it matters there is a limit near: no derivative tells of it.
        return replace(told, verdict="fitted", low=scanned.low, high=scanned.high)
    return told


def _with_interval(
    constant: FittedConstant,
    holes: Sequence[Hole],
    index: int,
    best: Point,
    knowledge: Knowledge,
) -> FittedConstant:
    half = float(knowledge.half_widths[knowledge.free.tolist().index(index)])
    if half == float("inf"):
        others = {i for group in knowledge.groups if index in group for i in group}
        names = tuple(holes[i].name for i in sorted(others - {index}))
        return replace(constant, verdict="undetermined", others=names)
    hole = holes[index]
    ends = sorted(hole.from_search(float(best.at[index]) + s * half) for s in (-1, 1))
    return replace(constant, verdict="fitted", low=ends[0], high=ends[1])
