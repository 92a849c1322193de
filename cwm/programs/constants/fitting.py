"""Fits a program's constants to transitions: the whole of it, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cwm.core.seeding import child_rng
from cwm.core.trajectories import TransitionBatch
from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.declared import declared_holes
from cwm.programs.constants.holes import Hole, with_names, with_values
from cwm.programs.constants.lifting import lifted_holes
from cwm.programs.constants.objective import BudgetSpent, Objective, Point
from cwm.programs.constants.residuals import Truth
from cwm.programs.constants.running import ConstantRunner
from cwm.programs.constants.sampling import sample_rows
from cwm.programs.constants.smooth import STEP, fit_smooth
from cwm.programs.constants.thresholds import recorded_extremes, scan
from cwm.programs.tolerances import Tolerances, observed_columns
from sandbox.pool import Sandbox

_PROBES = (-1.8, -0.6, STEP, 0.6)
import os, time
V = bool(os.environ.get("VERB"))

def find_holes(source, config):
    declared, problems = declared_holes(source)
    lifted = lifted_holes(source) if config.mode == "all" else []
    order = {"declared": 0, "named": 1, "literal": 2}
    holes = sorted([*declared, *lifted], key=lambda h: order[h.kind])
    return holes[: config.max_constants]

def fit(source, batch, *, sandbox, config=FitConfig(), seed=0, tolerances=None):
    holes = find_holes(source, config)
    text, name = with_names(source, holes)
    sample = sample_rows(batch, config.num_rows, horizon=config.horizon, seed=seed)
    tol = tolerances or Tolerances.from_batch(batch)
    t0=time.perf_counter()
    with ConstantRunner(sandbox, text, values_name=name, are_whole=[h.is_integer for h in holes], batch=batch, sample=sample, seed=seed) as runner:
        truth = Truth(batch.select(runner.rows), tol)
        obj = Objective(runner, truth, holes, max_steps=config.max_steps, max_seconds=config.max_seconds)
        base = obj.best
        try:
            _search(obj, config, seed)
        except BudgetSpent:
            print("BUDGET")
        best = obj.best
        vals = [h.from_search(float(c)) for h, c in zip(holes, best.at)]
        print("cost", base.cost, "->", best.cost, "strict", base.residuals.strict, best.residuals.strict, "steps", obj.num_steps, "s", round(time.perf_counter()-t0,2))
        print({h.name: (h.value, v) for h, v in zip(holes, vals) if v != h.value})
        return with_values(source, holes, vals)

def _search(obj, config, seed):
    base = obj.best
    P = obj.size
    moved = np.tile(base.at, (len(_PROBES)*P, 1))
    for k, pr in enumerate(_PROBES):
        for i in range(P):
            moved[k*P+i, i] = np.clip(pr, obj.low[i], obj.high[i])
    pts = obj.evaluate(moved)
    def changed(p):
        return (np.abs(p.residuals.values-base.residuals.values) > 1e-9).any(axis=1) | (p.residuals.num_wrong != base.residuals.num_wrong)
    share = np.array([[changed(pts[k*P+i]).mean() for i in range(P)] for k in range(len(_PROBES))])
    active = [i for i in range(P) if share[:, i].max() > 0]
    if V: print({obj.holes[i].name: share[:, i].round(3).tolist() for i in active}, "inert", [obj.holes[i].name for i in range(P) if i not in active])
    cols = [c[:, e] for c in observed_columns(obj.truth.batch.next_observations).values() for e in range(c.shape[1])]
    point = base
    for kinds in (("declared", "named"), ("declared", "named", "literal")):
        idx = [i for i in active if obj.holes[i].kind in kinds]
        smooth = [i for i in idx if share[2, i] > 0.02]
        events = [i for i in idx if share[2, i] < 0.5]
        for round_ in range(3):
            a = obj.num_steps
            point = fit_smooth(obj, obj.best, smooth)
            if V: print(kinds[-1], round_, "smooth", point.cost, point.residuals.strict, obj.num_steps-a)
            for i in events:
                a = obj.num_steps
                s = scan(obj, obj.best, i, candidates=recorded_extremes(cols, obj.holes[i]))
                if V: print("  scan", obj.holes[i].name, s.low, s.high, "->", obj.holes[i].from_search(s.point.at[i]), s.point.cost, s.point.residuals.strict, obj.num_steps-a)
            point = obj.best
            if point.residuals.strict == 1: return
