"""First estimates of an equation: accelerations at the middle of a step."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cwm.proposers.symbolic.continuous.one_step import change_scale
from cwm.proposers.symbolic.continuous.structures import Structure
from cwm.proposers.symbolic.continuous.terms import FloatArray
from cwm.proposers.symbolic.continuous.view import View

_MIN_MIDDLE_ROWS = 60


def midpoint_start(view: View, structure: Structure, share: float) -> FloatArray | None:
    """Returns parameters from a regression of accelerations at the midpoint.

    Args:
        view: Training data.
        structure: The unknowns.
        share: Share of the rows that the regression is judged by.
    """
    names = (*structure.positions, *structure.velocities)
    middle = {n: 0.5 * (view.inputs[n] + view.targets[n]) for n in names}
    middle.update({e.name: view.inputs[e.name] for e in view.actions})
    acceleration = [view.change(v) / structure.time_step for v in structure.velocities]
    size = np.zeros(len(view))
    for name in names:
        size += np.abs(view.change(name)) / change_scale(view, name)
    calm = size <= np.quantile(size, 0.6)
    starts = _starts(view, structure, calm)
    forces: list[FloatArray] = []
    masses = np.zeros(len(structure.mass))
    for i, terms in enumerate(structure.force):
        columns = [np.broadcast_to(t.evaluate(middle), len(view)) for t in terms]
        own = [k for k, entry in enumerate(structure.mass) if entry[0] == i]
        for k in own:
            _, j, term = structure.mass[k]
            columns.append(-term.evaluate(middle) * acceleration[j])
        design = np.stack(columns, axis=1)[calm]
        if not np.isfinite(design).all() or len(design) < design.shape[1] + 10:
            return None
        scale = np.sqrt(np.mean(design**2, axis=0)) + 1e-12
        ridge = 1e-3 * np.sqrt(len(design)) * np.eye(design.shape[1])
        left = np.concatenate([design / scale, ridge])
        right = np.concatenate([acceleration[i][calm], np.zeros(design.shape[1])])
        solution = _trimmed_solution(left, right, starts, share) / scale
        forces.append(solution[: len(terms)])
        masses[own] = solution[len(terms) :]
    steps = [structure.time_step] if structure.positions else []
    return np.concatenate([*forces, masses, steps])


def _trimmed_solution(
    design: FloatArray,
    target: FloatArray,
    starts: Sequence[NDArray[np.bool_]],
    share: float,
) -> FloatArray:
    """Returns the regression with the least median error from several starts.

    Contacts can make up much of the data, so each start is refined by
    concentration steps: refit on the rows that fit best (least trimmed squares,
    Rousseeuw and Van Driessen, 2006). The last rows, as many as there are
    columns, are the ridge and always stay.

    Args:
        design: `[N + K, K]`, the ridge last.
        target: `[N + K]`.
        starts: Rows to begin with, `[N]` each.
        share: Share of the rows that is fitted.
    """
    tail = design.shape[1]
    best = (np.inf, np.zeros(tail))
    for start in starts:
        keep = np.concatenate([start, np.ones(tail, dtype=np.bool_)])
        for _ in range(8):
            found = np.linalg.lstsq(design[keep], target[keep], rcond=None)[0]
            error = np.abs(design @ found - target)
            keep = error <= np.quantile(error[:-tail], share)
            keep[-tail:] = True
        loss = float(np.quantile(error[:-tail], share))
        if loss < best[0]:
            best = (loss, np.asarray(found, dtype=np.float64))
    return best[1]


def _starts(
    view: View, structure: Structure, calm: NDArray[np.bool_]
) -> list[NDArray[np.bool_]]:
    """Returns rows to start a regression from: all, and the middle of the range."""
    middle = calm.copy()
    for name in structure.positions or structure.velocities:
        values = view.inputs[name]
        low, high = np.quantile(values, [0.25, 0.75])
        middle &= (values >= low) & (values <= high)
    enough = middle.sum() >= _MIN_MIDDLE_ROWS
    return [np.ones(int(calm.sum()), dtype=np.bool_)] + (
        [middle[calm]] if enough else []
    )
