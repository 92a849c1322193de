"""What the law of a coordinate does not explain: clips, wraps, walls, resets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cwm.programs.round_numbers import (
    round_significant,
    simplest_near,
    tidy,
)
from cwm.proposers.symbolic.continuous.fitting import rounding
from cwm.proposers.symbolic.continuous.laws import (
    Adjustment,
    Blueprint,
    Event,
    Rule,
    Sum,
)
from cwm.proposers.symbolic.continuous.regression import fit_sparse
from cwm.proposers.symbolic.continuous.rules import Feature, Mask, learn_rule
from cwm.proposers.symbolic.continuous.simulate import (
    dependencies,
    following,
    measure,
    raw,
    raw_variables,
    simulate,
)
from cwm.proposers.symbolic.continuous.terms import (
    CONSTANT,
    FloatArray,
    Term,
    atom_term,
    design_matrix,
)
from cwm.proposers.symbolic.continuous.view import View

_MIN_JUMP = 20.0
"""Typical error of the law where an event happens, in tolerances."""

_MIN_ROWS = 2
"""Rows that an event must explain before it is believed."""

_NEAR_BOUND = 0.25
"""Part of the way to a bound of the space from which on the bound is a clip: wide
bounds are often just large numbers."""


def adjustment_candidates(
    blueprint: Blueprint, view: View, name: str
) -> Iterator[Blueprint]:
    """Yields the blueprint with a clip or a wrap added to one coordinate."""
    if blueprint.adjustments.get(name):
        return
    value = raw_variables(blueprint, view)[raw(name)]
    clip = _find_clip(view, name, value)
    if clip is not None:
        for timed in _timings(blueprint, name, clip):
            yield _with_adjustment(blueprint, name, timed)
    wrap = _find_wrap(view, name, value)
    if wrap is not None:
        yield _with_adjustment(blueprint, name, wrap)


def _timings(
    blueprint: Blueprint, name: str, clip: Adjustment
) -> tuple[Adjustment, ...]:
    """Returns the clip before other laws read the value and, if any do, after."""
    graph = dependencies(blueprint)
    is_read = name in graph and graph.in_degree(name) > 0
    return (clip, replace(clip, is_late=True)) if is_read else (clip,)


def with_bounds(blueprint: Blueprint, view: View) -> Blueprint:
    """Returns the blueprint with laws kept inside the bounds of the space.

    Only where recorded values come near a bound: there the data may hold no row
    beyond it, and still the next step of a planner may lead there. And only once
    everything is right: a clip before that hides what a bounce starts from, and
    from laws that read the value before it is clipped.
    """
    if any(blueprint.fits[c.name] < 1.0 for c in view.coordinates):
        return blueprint
    for coordinate in view.coordinates:
        name = coordinate.name
        if blueprint.adjustments.get(name):
            continue
        for clip in _bound_clip(view, name):
            timings = _timings(blueprint, name, clip)
            options = [_with_adjustment(blueprint, name, timed) for timed in timings]
            harmless = [o for o in options if _keeps(o, blueprint, view)]
            blueprint = harmless[0] if harmless else blueprint
    return blueprint


def _keeps(changed: Blueprint, blueprint: Blueprint, view: View) -> bool:
    fits = measure(changed, view)
    return all(fits[part] >= blueprint.fits[part] for part in fits)


def _bound_clip(view: View, name: str) -> tuple[Adjustment, ...]:
    """Returns the clip at the bounds of the space; empty if they seem not to matter."""
    bounds = _bounds(view, name)
    if len(bounds) != 2:
        return ()
    low, high = bounds
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    reached = float(np.abs(view.targets[name] - middle).max())
    # Values beyond its bounds say that the space is not to be believed.
    if not _NEAR_BOUND * half <= reached <= half * (1.0 + 1e-6):
        return ()
    return (Adjustment("clip", tidy(low), tidy(high)),)


def _with_adjustment(blueprint: Blueprint, name: str, new: Adjustment) -> Blueprint:
    merged = {**blueprint.adjustments, name: (new,)}
    return replace(blueprint, adjustments=merged)


def _find_clip(view: View, name: str, value: FloatArray) -> Adjustment | None:
    """Returns the bounds at which the recorded values stop and the law goes on."""
    truth = view.targets[name]
    tolerance = view.tolerances[name]
    ends: list[float] = []
    for sign in (-1.0, 1.0):
        extreme = sign * float((sign * truth).max())
        beyond = sign * (value - extreme) > tolerance
        stopped = beyond & (np.abs(truth - extreme) <= tolerance)
        margin = float(rounding(view, name).max())
        hinted = any(abs(extreme - h) <= 1e-6 for h in _bounds(view, name))
        # That an extreme is a round number to the last digit is no chance either.
        hinted |= abs(round_significant(extreme, 2) - extreme) <= margin
        enough = stopped.sum() >= (1 if hinted else _MIN_ROWS)
        if enough and stopped.sum() >= 0.5 * beyond.sum():
            ends.append(simplest_near(extreme, margin))
        else:
            ends.append(sign * np.inf)
    if np.isinf(ends).all():
        return None
    return Adjustment("clip", *_complete(ends, _bounds(view, name)))


def _complete(ends: list[float], bounds: tuple[float, ...]) -> tuple[float, float]:
    """Returns both ends of a clip, the one that was not seen from the space.

    If one end is a bound of the space, the other one is taken to be a clip, too.
    """
    low, high = ends
    known = tuple(map(tidy, bounds))
    if len(known) == 2:
        if np.isinf(high) and abs(low - known[0]) <= 1e-6:
            high = known[1]
        elif np.isinf(low) and abs(high - known[1]) <= 1e-6:
            low = known[0]
    return low, high


def _bounds(view: View, name: str) -> tuple[float, ...]:
    elements = view.coordinate(name).elements
    if len(elements) != 1:
        return ()
    element = view.elements[elements[0]]
    return tuple(b for b in (element.low, element.high) if np.isfinite(b))


def _find_wrap(view: View, name: str, value: FloatArray) -> Adjustment | None:
    """Returns the interval into which a periodic coordinate is folded."""
    truth = view.targets[name]
    jump = value - truth
    off = np.abs(jump) > view.tolerances[name]
    if off.sum() < _MIN_ROWS:
        return None
    period = float(np.median(np.abs(jump[off])))
    folded = np.abs(np.abs(jump[off]) - period) <= 10.0 * view.tolerances[name][off]
    if period <= 0.0 or folded.mean() < 0.8:
        return None
    for whole in (2.0 * np.pi, 360.0, 1.0):
        if abs(period - whole) <= 1e-4 * whole:
            period = whole
    low = float(truth.min())
    for candidate in (-0.5 * period, 0.0):
        if abs(candidate - low) < 0.05 * period and candidate <= low:
            low = candidate
    return Adjustment("wrap", low, low + period)


def event_candidates(
    blueprint: Blueprint, view: View, name: str
) -> Iterator[Blueprint]:
    """Yields the blueprint with one event added to a coordinate.

    The rows that are still wrong tell what happens there: a fixed value (a
    reset), or another law (a bounce). The rule must fire on them and stay silent
    where the law is right and the event's value would be wrong.
    """
    result = simulate(blueprint, view)
    truth = view.targets[name]
    tolerance = view.tolerances[name]
    wrong = np.abs(result.variables[following(name)] - truth) > tolerance
    wrong |= ~np.isfinite(result.variables[following(name)])
    if wrong.sum() < 1:
        return
    features = event_features(blueprint, view, result.variables)
    for value in _event_values(view, name, wrong, result.variables):
        given = value.evaluate(result.variables, len(view))
        explained = wrong & (np.abs(given - truth) <= tolerance)
        harmed = ~wrong & (np.abs(given - truth) > tolerance)
        if explained.sum() < 0.2 * wrong.sum() or not explained.any():
            continue
        error = np.abs(result.variables[following(name)] - truth)[explained]
        if np.median(error / tolerance[explained]) < _MIN_JUMP:
            continue  # An inexact law, not an event.
        rule = learn_rule(features, explained, harmed, max_depth=3)
        if rule is not None and _is_earned(rule, features, int(explained.sum())):
            events = (*blueprint.events.get(name, ()), Event(rule, value))
            yield replace(blueprint, events={**blueprint.events, name: events})


def _is_earned(rule: Rule, features: Sequence[Feature], num_rows: int) -> bool:
    """Whether enough rows speak for a rule; one is enough at a known bound."""
    if num_rows >= _MIN_ROWS * rule.num_conditions:
        return True
    hints = {f.left: f.hints for f in features}
    conditions = [c for conjunction in rule.alternatives for c in conjunction]
    return len(conditions) == 1 and conditions[0].right in map(
        tidy, hints[conditions[0].left]
    )


def _event_values(
    view: View, name: str, wrong: Mask, variables: Mapping[str, FloatArray]
) -> Iterator[Sum]:
    """Yields what the coordinate may become in the rows that are wrong."""
    truth = view.targets[name]
    values, counts = np.unique(truth[wrong], return_counts=True)
    margin = float(rounding(view, name).max())
    for index in np.argsort(-counts)[:2]:
        value = simplest_near(float(values[index]), margin)
        if counts[index] >= _MIN_ROWS or value == 0.0:
            yield Sum((CONSTANT,), (value,))
    yield from _event_laws(view, name, wrong, variables)


def _event_laws(
    view: View, name: str, wrong: Mask, variables: Mapping[str, FloatArray]
) -> Iterator[Sum]:
    """Yields other laws for the wrong rows, in the law's own value or the inputs."""
    own = [atom_term(raw(name))]
    states = [atom_term(c.name) for c in view.coordinates]
    actions = [atom_term(a.name) for a in view.actions]
    later = [atom_term(raw(c.name)) for c in view.coordinates]
    libraries: list[list[Term]] = [
        own,
        [CONSTANT, *own],
        [CONSTANT, *states, *actions],
        [CONSTANT, *states, *actions, *later],
    ]
    truth, tolerance = view.targets[name][wrong], view.tolerances[name][wrong]
    for library in libraries:
        if wrong.sum() < len(library) + 6:
            continue
        fit = fit_sparse(design_matrix(library, variables)[wrong], truth, tolerance)
        if fit is None or fit.inlier_fraction < 0.3:
            continue
        scale = np.maximum(fit.standard_errors * 3.0, 1e-9)
        pairs = [
            (term, simplest_near(float(c), float(m)))
            for term, c, m in zip(library, fit.coefficients, scale, strict=True)
            if c != 0.0
        ]
        yield Sum(tuple(t for t, _ in pairs), tuple(c for _, c in pairs))


def event_features(
    blueprint: Blueprint, view: View, variables: Mapping[str, FloatArray]
) -> list[Feature]:
    """Returns what the condition of an event may look at: law values, inputs."""
    found: list[Feature] = []
    for coordinate in view.coordinates:
        hints = _bounds(view, coordinate.name)
        # What is clipped at a wall stands exactly there.
        clips = blueprint.adjustments.get(coordinate.name, ())
        ends = tuple(e for c in clips for e in (c.low, c.high) if np.isfinite(e))
        found.append(_feature(raw(coordinate.name), variables, (*ends, *hints)))
        found.append(_feature(coordinate.name, variables, hints))
    for element in view.actions:
        found.append(_feature(element.name, variables, ()))
    for coordinate in view.coordinates:
        if coordinate.is_angle:
            for index in coordinate.elements:
                found.append(_feature(view.elements[index].name, variables, ()))
    return found


def _feature(
    variable: str, variables: Mapping[str, FloatArray], hints: tuple[float, ...]
) -> Feature:
    return Feature(
        left=Sum((atom_term(variable),), (1.0,)),
        values=np.asarray(variables[variable], dtype=np.float64),
        hints=hints,
    )
