"""Identifies differential equations through the integrator that steps them.

Some environments advance `mass(q) * acceleration = force(q, v, action)` by a
Runge-Kutta step (Acrobot), so that no algebraic law of the step is short. Here
the equation itself is the unknown: a library of force and mass terms, started
from a midpoint estimate of the accelerations, fitted through the integrator by
Levenberg-Marquardt steps on the one-step prediction error, then thinned out.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from cwm.programs.round_numbers import simplest_near
from cwm.proposers.symbolic.continuous.families import Context
from cwm.proposers.symbolic.continuous.fitting import free_rows
from cwm.proposers.symbolic.continuous.laws import Blueprint, Ode
from cwm.proposers.symbolic.continuous.midpoint import midpoint_start
from cwm.proposers.symbolic.continuous.one_step import (
    OneStepError,
    build,
    change_scale,
    exact_error,
)
from cwm.proposers.symbolic.continuous.structures import Structure, structures
from cwm.proposers.symbolic.continuous.terms import FloatArray, Term
from cwm.proposers.symbolic.continuous.view import View

_FIT_ROWS = 500
_MIN_ROWS = 100
_RETUNE_ROWS = 200
_MAX_PARAMETERS = 90
_CONVERGED = 1e-3
"""Median error, in standard deviations of the change, of a found equation."""

_POLISH_STEPS = 6
"""Steps from a start that rounding alone could explain."""

_MAX_ROUNDS = 3
"""Fits of an equation, each on the rows that the last one does not rule out."""

_TRIM_SHARES = (0.95, 0.8, 0.6)
"""Shares of rows that midpoint regressions are judged by."""

_TYPICAL = 5.0
"""Error, in medians, beyond which a row is taken for a contact."""

_NO_WORSE = 1.05
"""Factor by which no output's error may grow when a term goes or is rounded."""

_PULL = 1e-8
"""Weight of the pull of parameters to zero."""


def ode_candidates(context: Context) -> Iterator[Blueprint]:
    """Yields the blueprint with an equation for all coordinates that have no law."""
    found: list[tuple[float, Ode]] = []
    for structure in structures(context):
        if structure.num_parameters > _MAX_PARAMETERS:
            continue
        result = identify(context.view, structure, seed=context.seed)
        if result is not None:
            found.append(result)
            if result[0] < exact_error(context.view, structure):
                break
    for _, ode in sorted(found, key=lambda item: item[0]):
        names = {*ode.positions, *ode.velocities}
        laws = {k: v for k, v in context.blueprint.laws.items() if k not in names}
        yield replace(
            context.blueprint,
            laws=laws,
            odes=(*context.blueprint.odes, ode),
            adjustments=_without(context.blueprint.adjustments, names),
            events=_without(context.blueprint.events, names),
        )


def _without(mapping: dict, names: set[str]) -> dict:  # type: ignore[type-arg]
    return {k: v for k, v in mapping.items() if k not in names}


def identify(
    view: View, structure: Structure, *, seed: int
) -> tuple[float, Ode] | None:
    """Returns the equation of a structure that predicts the data, if there is one.

    Args:
        view: Training data.
        structure: Terms that may occur.
        seed: Chooses the rows that are fitted.

    Returns:
        The median error of its predictions in standard deviations of the change
        per step, and the equation.
    """
    rows = _fit_rows(view, structure, seed)
    if len(rows) < _MIN_ROWS:
        return None
    start = _best_start(view, structure, rows)
    if start is None:
        return None
    rows = _typical(OneStepError(view, structure, rows), start, rows)
    calm = _calm_first(view, structure, rows)
    parameters = _levenberg(OneStepError(view, structure, calm), start, 15)
    for _ in range(_MAX_ROUNDS):
        problem = OneStepError(view, structure, rows)
        parameters = _levenberg(problem, parameters, 40)
        if _rms(problem, parameters) < problem.exact or len(rows) < 2 * _MIN_ROWS:
            break
        # The better the fit, the clearer which rows are contacts.
        rows = _typical(problem, parameters, rows)
    if not _rms(problem, parameters) < _CONVERGED:
        return None
    if _rms(problem, parameters) > problem.exact:
        structure, parameters = _retune(view, structure, parameters, rows)
    structure, parameters = _thin_out(view, structure, parameters, rows)
    parameters = _round(view, structure, parameters, rows)
    error = _rms(OneStepError(view, structure, rows), parameters)
    return error, build(structure, parameters)


def _retune(
    view: View, structure: Structure, parameters: FloatArray, rows: NDArray[np.intp]
) -> tuple[Structure, FloatArray]:
    """Refines the frequency of a wave, which the library only had roughly."""
    factors = {
        atom.factor
        for terms in structure.force
        for term in terms
        for atom, _ in term.factors
        if atom.factor != 1.0
    }
    if len(factors) != 1:
        return structure, parameters
    rough = factors.pop()
    few = rows[:_RETUNE_ROWS]

    def refit(frequency: float) -> tuple[float, FloatArray]:
        problem = OneStepError(view, _with_factor(structure, frequency), few)
        fitted = _levenberg(problem, parameters, 8)
        return _rms(problem, fitted), fitted

    found = optimize.minimize_scalar(
        lambda k: refit(float(k))[0],
        bounds=(0.94 * rough, 1.06 * rough),
        method="bounded",
        options={"xatol": 1e-7 * rough, "maxiter": 30},
    )
    best = float(found.x)
    simple = simplest_near(best, 1e-3 * best)
    frequency = simple if refit(simple)[0] <= 1.5 * float(found.fun) else best
    tuned = _with_factor(structure, frequency)
    problem = OneStepError(view, tuned, rows)
    fitted = _levenberg(problem, refit(frequency)[1], 40)
    if _rms(problem, fitted) < _rms(OneStepError(view, structure, rows), parameters):
        return tuned, fitted
    return structure, parameters


def _with_factor(structure: Structure, factor: float) -> Structure:
    """Returns the structure with another frequency in place of the rough one."""

    def changed(term: Term) -> Term:
        factors = [
            (replace(atom, factor=factor) if atom.factor != 1.0 else atom, power)
            for atom, power in term.factors
        ]
        return Term(tuple(factors))

    force = tuple(tuple(changed(t) for t in terms) for terms in structure.force)
    return replace(structure, force=force)


def _fit_rows(view: View, structure: Structure, seed: int) -> NDArray[np.intp]:
    rows = np.flatnonzero(free_rows(view, structure.names[0]))
    if len(rows) > _FIT_ROWS:
        rows = np.random.default_rng(seed).choice(rows, _FIT_ROWS, replace=False)
    return rows


def _calm_first(
    view: View, structure: Structure, rows: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Returns the half of the rows that moves least: the start is best there."""
    size = np.zeros(len(rows))
    for name in (*structure.positions, *structure.velocities):
        size += np.abs(view.change(name)[rows]) / change_scale(view, name)
    return rows[np.argsort(size)[: max(len(rows) // 2, _MIN_ROWS)]]


def _best_start(
    view: View, structure: Structure, rows: NDArray[np.intp]
) -> FloatArray | None:
    """Returns the midpoint estimate that predicts best through the integrator.

    How many rows are contacts is not known, so several shares are left out.
    """
    problem = OneStepError(view, structure, rows)
    starts = [midpoint_start(view, structure, share) for share in _TRIM_SHARES]
    known = [start for start in starts if start is not None]
    return min(known, key=lambda start: _rms(problem, start)) if known else None


def _typical(
    problem: OneStepError, parameters: FloatArray, rows: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Returns the rows without contacts: those predicted about as well as most."""
    error = problem.residuals(parameters).reshape(-1, len(rows))
    worst = np.abs(error).max(axis=0)
    half, most = np.quantile(worst, [0.5, 0.8])
    best: NDArray[np.intp] = rows[worst <= min(_TYPICAL * half, most)]
    return best


def _levenberg(problem: OneStepError, start: FloatArray, max_steps: int) -> FloatArray:
    """Returns fitted parameters.

    Equations can be multiplied and added without changing the motion, so the
    parameters are not unique; a very weak pull to zero keeps them from drifting
    along the directions that the data do not see.
    """
    if _rms(problem, start) < problem.exact:
        max_steps = min(max_steps, _POLISH_STEPS)
    pull = _PULL * np.eye(len(start))

    def residuals(parameters: FloatArray) -> FloatArray:
        own = problem.residuals(parameters)
        return np.concatenate([own, _PULL * parameters])

    def jacobian(parameters: FloatArray) -> FloatArray:
        return np.concatenate([problem.jacobian(parameters), pull])

    result = optimize.least_squares(
        residuals,
        start,
        jac=jacobian,
        method="trf",
        x_scale="jac",
        loss="soft_l1",
        f_scale=0.05,
        max_nfev=max_steps,
        ftol=1e-14,
        xtol=1e-14,
        gtol=1e-14,
    )
    found: FloatArray = result.x
    return found


def _output_errors(
    problem: OneStepError, parameters: FloatArray, rows: NDArray[np.intp]
) -> FloatArray:
    """Returns the error of each output over the rows that fit best, `[S]`."""
    squares = problem.residuals(parameters).reshape(-1, len(rows)) ** 2
    best = np.sort(squares, axis=1)[:, : int(0.8 * len(rows))]
    errors: FloatArray = np.sqrt(best.mean(axis=1))
    return errors


def _rms(problem: OneStepError, parameters: FloatArray) -> float:
    residual = problem.residuals(parameters)
    return float(np.sqrt(np.median(residual**2)))


def _thin_out(
    view: View, structure: Structure, parameters: FloatArray, rows: NDArray[np.intp]
) -> tuple[Structure, FloatArray]:
    """Drops terms while the refitted equation predicts as well as before."""
    problem = OneStepError(view, structure, rows)
    limit = _output_errors(problem, parameters, rows) * _NO_WORSE + 1e-12
    share = 0.5
    while structure.num_terms > 1 and share > 0.01:
        cost = _dropping_cost(OneStepError(view, structure, rows), parameters)
        weight = cost[: structure.num_terms]
        count = max(1, int(share * len(weight)))
        drop = np.argsort(weight)[:count]
        smaller, start = _drop(structure, parameters, drop)
        trial_problem = OneStepError(view, smaller, rows)
        trial = _levenberg(trial_problem, start, 20)
        if np.all(_output_errors(trial_problem, trial, rows) <= limit):
            structure, parameters = smaller, trial
        else:
            share *= 0.5
            if count == 1:
                break
    return structure, parameters


def _dropping_cost(problem: OneStepError, parameters: FloatArray) -> FloatArray:
    """Returns how much the squared error grows without a parameter, `[P]`.

    To second order and with the others refitted: `p**2 / inverse(J'J)` on the
    diagonal (optimal brain surgeon, Hassibi and Stork, 1993).
    """
    jacobian = problem.jacobian(parameters)
    scale = np.sqrt(np.sum(jacobian**2, axis=0)) + 1e-12
    scaled = jacobian / scale
    gram = scaled.T @ scaled + 1e-10 * np.eye(len(parameters))
    spread = np.diag(np.linalg.inv(gram)) / scale**2
    cost: FloatArray = parameters**2 / spread
    return cost


def _drop(
    structure: Structure, parameters: FloatArray, drop: NDArray[np.intp]
) -> tuple[Structure, FloatArray]:
    keep = np.ones(len(parameters), dtype=np.bool_)
    keep[drop] = False
    offset = 0
    force: list[tuple[Term, ...]] = []
    for terms in structure.force:
        force.append(tuple(t for k, t in enumerate(terms) if keep[offset + k]))
        offset += len(terms)
    mass = tuple(m for k, m in enumerate(structure.mass) if keep[offset + k])
    return replace(structure, force=tuple(force), mass=mass), parameters[keep]


def _round(
    view: View, structure: Structure, parameters: FloatArray, rows: NDArray[np.intp]
) -> FloatArray:
    """Rounds one parameter after the other while nothing is lost."""
    problem = OneStepError(view, structure, rows)
    limit = _output_errors(problem, parameters, rows) * _NO_WORSE + 1e-12
    residual = problem.residuals(parameters)
    errors = np.sqrt(np.mean(residual**2)) / np.sqrt(
        np.sum(problem.jacobian(parameters) ** 2, axis=0)
    )
    rounded = parameters.copy()
    for index in np.argsort(errors / np.maximum(np.abs(parameters), 1e-12)):
        trial = rounded.copy()
        trial[index] = simplest_near(float(rounded[index]), 5.0 * float(errors[index]))
        if np.all(_output_errors(problem, trial, rows) <= limit):
            rounded = trial
    return rounded
