"""What the best constants leave unexplained: which element, where, and with what.

For the author of the program: a wrong number shows as an error everywhere, a missing
rule as one that goes with something or stands in one place.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns
from cwm.core.trajectories import TransitionBatch
from cwm.programs.constants.residuals import Residuals, Truth

FloatArray = NDArray[np.float64]

_MIN_SHARE = 0.01
_MAX_ELEMENTS = 5
_MAX_FEATURES = 12
_MIN_ROWS = 8
_STRONG = 0.7
"""Correlation from which on it is worth telling."""

_CLEAR = 0.95
"""Share of wrong rows on one side of a value from which on a place is told."""


def describe_remainder(truth: Truth, residuals: Residuals) -> tuple[str, ...]:
    """Returns a sentence for each element that is often wrong, the worst first."""
    features = dict(_features(truth.batch))
    wrong = residuals.errors > 1.0
    shares = wrong.mean(axis=0)
    lines = [
        _element(name, wrong[:, e], residuals.values[:, e], features)
        for e, name in sorted(
            enumerate(truth.names), key=lambda item: -float(shares[item[0]])
        )[:_MAX_ELEMENTS]
        if shares[e] >= _MIN_SHARE
    ]
    exact = residuals.num_wrong > 0
    is_explained = np.asarray(wrong.any(axis=1))
    if exact.mean() >= _MIN_SHARE and not is_explained[exact].all():
        place = _place(exact, features)
        lines.append(
            f"Parts that are right or wrong, such as `terminated`, are wrong in "
            f"{exact.mean():.0%} of the transitions{place}."
        )
    return tuple(lines)


def _element(
    name: str,
    wrong: NDArray[np.bool_],
    errors: FloatArray,
    features: dict[str, FloatArray],
) -> str:
    size = float(np.median(np.abs(errors[wrong])))
    text = (
        f"`{name}` is off in {wrong.mean():.0%} of the transitions, there by "
        f"{size:.2g} standard deviations of its usual change"
    )
    return f"{text}{_place(wrong, features)}{_company(errors[wrong], wrong, features)}."


def _place(wrong: NDArray[np.bool_], features: dict[str, FloatArray]) -> str:
    """Returns where the wrong rows are, if they are somewhere in particular."""
    num_wrong = int(wrong.sum())
    if num_wrong < _MIN_ROWS or num_wrong > 0.9 * len(wrong):
        return ""
    for name, values in features.items():
        if "*" in name:
            continue
        for sign, word in ((1.0, "at least"), (-1.0, "at most")):
            edge = np.quantile(sign * values[wrong], 1.0 - _CLEAR)
            inside = sign * values >= edge
            if wrong[inside].mean() >= _CLEAR and inside.sum() >= _MIN_ROWS:
                return f", nearly always where {name} is {word} {sign * edge:.4g}"
    return ""


def _company(
    errors: FloatArray, wrong: NDArray[np.bool_], features: dict[str, FloatArray]
) -> str:
    """Returns what the errors go with, if there is anything."""
    if len(errors) < _MIN_ROWS or errors.std() == 0:
        return ""
    found = [
        (abs(r), -name.count("*"), name, r)
        for name, values in features.items()
        if (r := _correlation(errors, values[wrong])) is not None
    ]
    if not found:
        return ""
    strength, _, name, r = max(found)
    if strength < _STRONG:
        return ""
    return f"; its error goes with {name} (correlation {r:+.2f})"


def _correlation(a: FloatArray, b: FloatArray) -> float | None:
    if b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _features(batch: TransitionBatch) -> Iterator[tuple[str, FloatArray]]:
    """Yields numbers that errors may go with: elements, and products of two."""
    single = [
        *_columns("observation", batch.observations),
        *_columns("action", batch.actions),
    ][:_MAX_FEATURES]
    yield from single
    for i, (name, values) in enumerate(single):
        for other, others in single[i:]:
            yield f"{name}*{other}", values * others


def _columns(name: str, columns: Columns) -> Iterator[tuple[str, FloatArray]]:
    for path, column in columns.items():
        if not isinstance(column, np.ndarray):
            continue
        prefix = f"{name}/{path}" if path else name
        values = np.nan_to_num(column.astype(np.float64))
        if values.ndim == 1:
            yield prefix, values
            continue
        flat = values.reshape(len(values), -1)
        for e, index in enumerate(np.ndindex(*column.shape[1:])):
            yield f"{prefix}[{','.join(map(str, index))}]", flat[:, e]
