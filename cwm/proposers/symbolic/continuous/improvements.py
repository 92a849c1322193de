"""One bounded change to a program at a time: which part, which family.

An improve request changes the law of one coordinate (or of coordinates whose
changes are coupled), or one adjustment, one event, the terminal rule, or the
reward. Exact laws of simple families come before laws of richer ones, over all
coordinates, so that a complicated approximation never stands where a simple
exact law would have been found in terms of another coordinate.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import networkx as nx
import numpy as np

from cwm.proposers.symbolic.continuous.equations import ode_candidates
from cwm.proposers.symbolic.continuous.events import (
    adjustment_candidates,
    event_candidates,
    with_bounds,
)
from cwm.proposers.symbolic.continuous.families import (
    RICH_FAMILIES,
    SIMPLE_FAMILIES,
    Context,
    coupled_candidates,
    follower_candidates,
    integrator_candidates,
    law_candidates,
    make_context,
    rational_candidates,
)
from cwm.proposers.symbolic.continuous.fitting import LawFit
from cwm.proposers.symbolic.continuous.laws import Blueprint, Law, num_terms
from cwm.proposers.symbolic.continuous.outcomes import (
    reward_candidates,
    terminated_candidates,
)
from cwm.proposers.symbolic.continuous.simulate import dependencies, measure
from cwm.proposers.symbolic.continuous.view import View

_SOLVED = 1.0 - 1e-9
"""Share of rows from which on a part is left alone."""

_LAW_GAIN = 0.1
"""Share of rows that a new law must gain at once: one that would be right only
if another coordinate were predicted, too, has to wait for it."""

_ROW_GAIN = 1e-4
"""Share of rows that any other change must gain."""

_SLACK_BITS = 0.5
"""Bits per row by which a law may be longer than another one that is as exact."""

_BULK = 0.5
"""Share of rows from which on a law counts as the rule and not the exception."""

_TRUSTED = 0.98
"""Share of rows below which a law may give way to an equation."""

_MOSTLY_MOVING = 0.9
"""Share of rows in which something moves from which on repairs can wait."""

_MAX_REPAIRS = 4
"""Clips and events that come with a law where much stands still."""

_REPAIRABLE = 0.2
"""Share of rows from which on clips and events are looked for."""


def improvements(blueprint: Blueprint, view: View, seed: int) -> Iterator[Blueprint]:
    """Yields blueprints with one change each that makes a part fit better.

    Laws that are not exact, or need many terms, come only if nothing else helps:
    they score well and would keep the exact ones out.

    Args:
        blueprint: The program so far.
        view: Training data.
        seed: Seed of subsampling.
    """
    context = make_context(view, blueprint, seed)
    found = False
    for stage in _STAGES:
        if found and stage.is_last_resort:
            return
        for changed in stage.changes(context):
            if stage.is_law:
                moving = measure(changed, view.select(view.moving))
                if _gain(moving, context.fits) <= stage.least_gain:
                    continue
                changed = _repaired(changed, view, seed)  # noqa: PLW2901
            fits = measure(changed, view)
            if _gain(fits, blueprint.fits) > stage.least_gain * (not stage.is_law):
                found = True
                yield prune(with_bounds(replace(changed, fits=fits), view), view)


def _gain(new: Mapping[str, float], old: Mapping[str, float]) -> float:
    """Returns the largest gain of a part, or 0 if other parts lose as much."""
    gains = [new[part] - old.get(part, 0.0) for part in new]
    return max(gains) if sum(gains) > 0.0 else 0.0


def _repaired(changed: Blueprint, view: View, seed: int) -> Blueprint:
    """Returns the blueprint with what its new law needs where nothing moves.

    A body that stands at a wall was predicted by standing still; its law of
    motion needs the wall at once, or most rows could be lost.
    """
    if view.moving.mean() > _MOSTLY_MOVING:
        return changed
    for _ in range(_MAX_REPAIRS):
        fits = measure(changed, view)
        context = make_context(view, replace(changed, fits=fits), seed)
        options = list(_repairs(context))
        totals = [sum(measure(option, view).values()) for option in options]
        if not totals or max(totals) <= sum(fits.values()) + _ROW_GAIN:
            break
        changed = options[int(np.argmax(totals))]
    return changed


def prune(blueprint: Blueprint, view: View) -> Blueprint:
    """Returns the blueprint without events that no longer earn their place."""
    for name, events in list(blueprint.events.items()):
        for event in events:
            rest = tuple(e for e in blueprint.events[name] if e is not event)
            lean = replace(blueprint, events={**blueprint.events, name: rest})
            fits = measure(lean, view)
            if all(fits[part] >= blueprint.fits[part] for part in fits):
                blueprint = replace(lean, fits=fits)
    return blueprint


def _unsolved(context: Context) -> list[str]:
    fits = context.blueprint.fits
    names = [c.name for c in context.view.coordinates]
    return [n for n in names if fits.get(n, 0.0) < _SOLVED]


def _lawless(context: Context) -> list[str]:
    """Returns coordinates without a law that holds for most rows."""
    fits = context.fits
    covered = {n for o in context.blueprint.odes for n in (*o.positions, *o.velocities)}
    return [
        n for n in _unsolved(context) if fits.get(n, 0.0) < _BULK and n not in covered
    ]


def with_law(blueprint: Blueprint, name: str, law: Law) -> Blueprint:
    """Returns the blueprint with another law, and what belonged to the old gone."""
    adjustments = {k: v for k, v in blueprint.adjustments.items() if k != name}
    events = {k: v for k, v in blueprint.events.items() if k != name}
    return replace(
        blueprint,
        laws={**blueprint.laws, name: law},
        adjustments=adjustments,
        events=events,
    )


def _simple_laws(context: Context) -> Iterator[Blueprint]:
    """Exact laws of cheap families, alone or coupled, the shortest first.

    The shortest law is the one in terms of which the others are short. A law
    that needs more bits than another one for the same coordinate is not offered:
    it is an approximation that happens to pass.
    """
    entries: list[dict[str, LawFit]] = []
    short: list[tuple[int, str, LawFit]] = []
    for name in _lawless(context):
        fits = [f for f in integrator_candidates(context, name) if f.is_exact]
        short += [(num_terms(f.law), name, f) for f in fits]
    for _, name, fit in sorted(short, key=lambda item: item[:2]):
        yield with_law(context.blueprint, name, fit.law)
    for name in _lawless(context):
        families = (*SIMPLE_FAMILIES, follower_candidates)
        fits = [f for family in families for f in family(context, name)]
        exact = [f for f in fits if f.is_exact]
        if exact:
            entries.append({name: min(exact, key=lambda f: f.bits)})
    if _lawless(context):
        for group in coupled_candidates(context):
            if all(f.is_exact for f in group.values()):
                entries.append(group)
    least = {
        name: min(e[name].bits for e in entries if name in e)
        for entry in entries
        for name in entry
    }
    slack = _SLACK_BITS * len(context.view)
    best = [
        entry
        for entry in entries
        if all(fit.bits <= least[n] + slack for n, fit in entry.items())
    ]
    for entry in sorted(best, key=_mean_terms):
        changed = context.blueprint
        for name, fit in entry.items():
            changed = with_law(changed, name, fit.law)
        yield changed


def _mean_terms(entry: Mapping[str, LawFit]) -> float:
    return float(np.mean([num_terms(fit.law) for fit in entry.values()]))


def _rich_laws(context: Context) -> Iterator[Blueprint]:
    """Exact laws of large libraries, and quotients."""
    for name in _lawless(context):
        fits = [f for family in RICH_FAMILIES for f in family(context, name)]
        fits += list(rational_candidates(context, name))
        exact = [f for f in fits if f.is_exact]
        if exact:
            best = min(exact, key=lambda f: f.bits)
            yield with_law(context.blueprint, name, best.law)


def _repairs_and_outcomes(context: Context) -> Iterator[Blueprint]:
    """What happens beside the laws, the changes that help most rows first."""
    changes = [*_repairs(context), *_outcomes(context)]
    totals = [-sum(measure(changed, context.view).values()) for changed in changes]
    for index in np.argsort(totals, kind="stable"):
        yield changes[index]


def _repairs(context: Context) -> Iterator[Blueprint]:
    """Clips and wraps, then events, where a law holds for many rows.

    Coordinates that others read come first: their repair may be all it takes. An
    event makes a coordinate right, but not those that read its law; only a clip
    or a wrap does, so these are looked for there, too.
    """
    graph = dependencies(context.blueprint)
    names = [n for n in _unsolved(context) if context.fits[n] >= _REPAIRABLE]
    read = {r for n in names if n in graph for r in nx.descendants(graph, n)}
    names.sort(key=lambda n: len(nx.descendants(graph, n)) if n in graph else 0)
    for name in [*sorted(read.difference(names)), *names]:
        yield from adjustment_candidates(context.blueprint, context.view, name)
    for name in names:
        yield from event_candidates(context.blueprint, context.view, name)


def _outcomes(context: Context) -> Iterator[Blueprint]:
    fits = context.blueprint.fits
    if fits.get("terminated", 0.0) < 1.0:
        yield from terminated_candidates(context.blueprint, context.view)
    if fits.get("reward", 0.0) < _SOLVED:
        found = []
        for changed in reward_candidates(context.blueprint, context.view):
            fit = measure(changed, context.view)["reward"]
            if fit >= _SOLVED:
                yield changed
                return
            found.append((fit, changed))
        for _, changed in sorted(found, key=lambda item: -item[0])[:2]:
            yield changed


def _systems(context: Context) -> Iterator[Blueprint]:
    """Differential equations, where a law is missing or does not always hold."""
    if context.is_large:
        return
    fits = context.fits
    if any(fits.get(c.name, 0.0) < _TRUSTED for c in context.view.coordinates):
        yield from ode_candidates(context)


def _approximations(context: Context) -> Iterator[Blueprint]:
    """The best law that is not exact, for coordinates that have none."""
    for name in _lawless(context):
        fits = [*law_candidates(context, name), *rational_candidates(context, name)]
        fits = [f for f in fits if f.fraction > 0.02 and np.isfinite(f.bits)]
        if fits:
            best = min(fits, key=lambda f: f.bits)
            yield with_law(context.blueprint, name, best.law)


class _Stage(NamedTuple):
    """One kind of change.

    Attributes:
        changes: Yields changed blueprints.
        least_gain: Share of rows that some part must gain.
        is_law: Whether it is judged where something moves, and repaired where
            nothing does.
        is_last_resort: Whether it waits until no other kind helps.
    """

    changes: Callable[[Context], Iterator[Blueprint]]
    least_gain: float
    is_law: bool = False
    is_last_resort: bool = False


_STAGES = (
    _Stage(_simple_laws, _LAW_GAIN, is_law=True),
    _Stage(_repairs_and_outcomes, _ROW_GAIN),
    _Stage(_systems, _ROW_GAIN, is_law=True, is_last_resort=True),
    _Stage(_rich_laws, _LAW_GAIN, is_law=True, is_last_resort=True),
    _Stage(_approximations, _ROW_GAIN, is_last_resort=True),
)
