"""Which differential equations may be behind the data: libraries of terms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cwm.programs.round_numbers import simplest_near
from cwm.proposers.symbolic.continuous.families import Context
from cwm.proposers.symbolic.continuous.frequencies import search_frequency
from cwm.proposers.symbolic.continuous.libraries import action_terms
from cwm.proposers.symbolic.continuous.terms import (
    CONSTANT,
    Atom,
    FloatArray,
    Term,
    atom_term,
    design_matrix,
    products,
)
from cwm.proposers.symbolic.continuous.view import View

Scheme = Literal["rk4", "euler", "semi_implicit"]

_MAX_COORDINATES = 4


@dataclass(frozen=True, kw_only=True)
class Structure:
    """The unknowns of an equation: which terms may occur where.

    Attributes:
        positions: Coordinates whose rate is the velocity at the same index.
        velocities: Coordinates whose rate is to be found.
        force: Terms by velocity.
        mass: `(row, column, term)` entries beside the identity matrix.
        time_step: First guess of the length of a step, in the unit in which
            velocities are rates. With positions it is an unknown, too; without,
            it is 1 and the terms carry it.
        scheme: Integrator.
        num_substeps: Integrator steps per step.
    """

    positions: tuple[str, ...]
    velocities: tuple[str, ...]
    force: tuple[tuple[Term, ...], ...]
    mass: tuple[tuple[int, int, Term], ...]
    time_step: float
    scheme: Scheme = "rk4"
    num_substeps: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """All coordinates of the state, positions first."""
        return (*self.positions, *self.velocities)

    @property
    def num_terms(self) -> int:
        """Number of unknown coefficients."""
        return sum(len(terms) for terms in self.force) + len(self.mass)

    @property
    def num_parameters(self) -> int:
        """Number of unknowns: coefficients, and the time step last."""
        return self.num_terms + bool(self.positions)


def structures(context: Context) -> Iterator[Structure]:
    """Yields structures to try, small libraries first."""
    view = context.view
    pairs, time_step = find_pairs(view)
    if pairs and len(pairs) <= _MAX_COORDINATES:
        yield from _second_order(context, pairs, time_step)
        return
    names = tuple(c.name for c in view.coordinates)
    if len(names) > _MAX_COORDINATES:
        return
    actions = action_terms(view, indicators=False)
    linear = [*(atom_term(n) for n in names), *actions]
    for degree in (2, 3):
        library = tuple(products(linear, degree))
        base = Structure(
            positions=(),
            velocities=names,
            force=tuple(library for _ in names),
            mass=(),
            time_step=1.0,
        )
        yield base
        yield replace(base, num_substeps=2)


def _second_order(
    context: Context, pairs: Sequence[tuple[str, str]], time_step: float
) -> Iterator[Structure]:
    view = context.view
    positions = tuple(q for q, _ in pairs)
    velocities = tuple(v for _, v in pairs)
    libraries = [_jointed(view, positions, velocities)]
    if len(pairs) == 1:
        wave = _wave_terms(context, positions[0], velocities[0])
        libraries = [
            _single(view, positions[0], velocities[0], wave),
            *libraries,
        ]
    for library in libraries:
        base = Structure(
            positions=positions,
            velocities=velocities,
            force=tuple(library for _ in velocities),
            mass=tuple(_masses(positions)),
            time_step=time_step,
        )
        yield base
        yield replace(base, num_substeps=2)
        yield replace(base, scheme="semi_implicit", num_substeps=2)


def _wave_terms(context: Context, position: str, velocity: str) -> list[Term]:
    """Returns a wave whose frequency fits the acceleration at the midpoint."""
    view = context.view
    middle = {n: 0.5 * (view.inputs[n] + view.targets[n]) for n in (position, velocity)}
    middle.update({e.name: view.inputs[e.name] for e in view.actions})
    if view.coordinate(position).is_angle:
        return []
    terms = [
        CONSTANT,
        *(atom_term(n) for n in middle),
        Term(((Atom(position), 3),)),
    ]
    frequency = search_frequency(
        middle[position],
        design_matrix(terms, middle),
        view.change(velocity),
        seed=context.seed,
    )
    if frequency is None:
        return []
    simple = simplest_near(frequency, 0.02 * frequency)
    return [atom_term(position, f, simple) for f in ("sin", "cos")]


def _single(
    view: View, position: str, velocity: str, wave: Sequence[Term]
) -> tuple[Term, ...]:
    """Returns the terms of one mass in a field of force."""
    x, v = atom_term(position), atom_term(velocity)
    drag = v.times(atom_term(velocity, "abs"))
    straight = [] if view.coordinate(position).is_angle else [x, x.times(x)]
    straight += [x.times(x).times(x)] if straight else []
    own = [atom_term(position, f) for f in ("sin", "cos")]
    return tuple(
        dict.fromkeys(
            [
                CONSTANT,
                *action_terms(view, indicators=False),
                v,
                drag,
                *straight,
                *own,
                *wave,
            ]
        )
    )


def find_pairs(view: View) -> tuple[list[tuple[str, str]], float]:
    """Returns (position, velocity) pairs, and the time step that relates them.

    A position's change is nearly the time step times the mean of its velocity
    before and after; all pairs must agree on the time step.
    """
    found: list[tuple[str, str, float]] = []
    names = [c.name for c in view.coordinates]
    for position in names:
        change = view.change(position)
        best = (0.0, "", 0.0)
        for velocity in names:
            if velocity == position:
                continue
            mean = 0.5 * (view.inputs[velocity] + view.targets[velocity])
            slope, share = _proportional(mean, change)
            if share > best[0]:
                best = (share, velocity, slope)
        if best[0] > 0.99 and best[2] > 0.0:
            found.append((position, best[1], best[2]))
    used = [v for _, v, _ in found]
    found = [row for row in found if used.count(row[1]) == 1 and row[0] not in used]
    if not found:
        return [], 0.0
    slopes = np.array([s for _, _, s in found])
    middle = float(np.median(slopes))
    agreeing = [row for row in found if abs(row[2] - middle) < 0.05 * middle]
    return [(q, v) for q, v, _ in agreeing], simplest_near(middle, 0.03 * middle)


def _proportional(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Returns the slope through the origin and the share of variance explained.

    Walls, wraps and fast rows are left out: the best three quarters count.
    """
    keep = np.ones(len(x), dtype=np.bool_)
    slope = share = 0.0
    for _ in range(4):
        size = float(x[keep] @ x[keep])
        if size == 0.0:
            return 0.0, 0.0
        slope = float(x[keep] @ y[keep]) / size
        error = np.abs(y - slope * x)
        total = float(y[keep] @ y[keep])
        share = 1.0 - float(np.sum(error[keep] ** 2)) / total if total else 0.0
        keep = error <= np.quantile(error, 0.75)
    return slope, share


def _jointed(
    view: View, positions: Sequence[str], velocities: Sequence[str]
) -> tuple[Term, ...]:
    """Returns the terms of jointed bodies: gravity, drag, centrifugal forces."""
    waves = {q: [atom_term(q, f) for f in ("sin", "cos")] for q in positions}
    all_waves = [w for pair in waves.values() for w in pair]
    crossed = [
        a.times(b)
        for i, p in enumerate(positions)
        for q in positions[i + 1 :]
        for a in waves[p]
        for b in waves[q]
    ]
    speeds = [atom_term(v) for v in velocities]
    squares = [t for t in products(speeds, 2) if t.degree == 2]
    straight = [atom_term(q) for q in positions if not view.coordinate(q).is_angle]
    terms = [
        CONSTANT,
        *action_terms(view, indicators=False),
        *speeds,
        *straight,
        *all_waves,
        *crossed,
        *(w.times(v) for w in all_waves for v in squares),
    ]
    return tuple(dict.fromkeys(terms))


def _masses(positions: Sequence[str]) -> Iterator[tuple[int, int, Term]]:
    """Yields mass-matrix entries; one body needs none, its mass is the unit."""
    size = len(positions)
    if size == 1:
        return
    waves = [atom_term(q, f) for q in positions for f in ("cos", "sin")]
    for i in range(size):
        for j in range(size):
            if i != j:
                yield i, j, CONSTANT
            for wave in waves:
                yield i, j, wave
