"""The families of laws that an improve request tries on one coordinate.

Each family is a library of terms, or a small search of its own. All of them
answer with laws; the shortest description of the data wins, not the first hit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from cwm.proposers.symbolic.continuous import libraries
from cwm.proposers.symbolic.continuous.fitting import LawFit, fit_law, free_rows
from cwm.proposers.symbolic.continuous.frequencies import search_frequency
from cwm.proposers.symbolic.continuous.laws import Blueprint
from cwm.proposers.symbolic.continuous.libraries import Roles, find_roles
from cwm.proposers.symbolic.continuous.simulate import (
    dependencies,
    measure,
    raw,
    raw_variables,
)
from cwm.proposers.symbolic.continuous.terms import (
    CONSTANT,
    FloatArray,
    Term,
    atom_term,
    design_matrix,
)
from cwm.proposers.symbolic.continuous.view import View

MANY = 6
"""With more coordinates than these, less is tried on each.

Libraries grow with their square or cube, and each has fits of its own: a robot would
take hours a call. Only the likeliest inputs are tried then, and only small libraries.
"""

_TOO_MANY = 24
"""With more coordinates than these, sums of inputs are all that is tried."""

_NUM_LIKELY = 8
"""Inputs of which a coordinate with many others may be the integral."""

_NUM_SCREENED = 48
"""Terms of a library that are left where coordinates are many."""

_SCREENED_ROWS = 1_000

_ROUNDING = 1e-9
"""Share of a column's size up to which its variation is rounding."""

_BULK = 0.5
"""Share of rows from which on a law is trusted as an input of other laws."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the families work on.

    Attributes:
        view: Training data.
        blueprint: The program so far.
        fits: Share of the rows in which something moves that the program
            predicts, by part.
        variables: Inputs, `raw_x` of each coordinate (its law's value where the
            law is trusted, else the true next value) and true `change_x`.
        integrated: Coordinates whose next value, as recorded, is what another one
            changes by: velocities of a semi-implicit step. The law of the position
            says nothing before theirs is found, so their role must be known first.
        seed: Seed of subsampling.
    """

    view: View
    blueprint: Blueprint
    fits: dict[str, float]
    variables: dict[str, FloatArray]
    integrated: tuple[str, ...] = ()
    seed: int = 0

    @property
    def is_large(self) -> bool:
        """Whether there are too many coordinates to try everything on each."""
        return len(self.view.coordinates) > MANY


def make_context(view: View, blueprint: Blueprint, seed: int) -> Context:
    """Returns the context of a request."""
    fits = measure(blueprint, view.select(view.moving))
    computed = raw_variables(blueprint, view)
    variables = dict(view.inputs)
    for coordinate in view.coordinates:
        name = coordinate.name
        trusted = fits[name] >= _BULK
        value = computed[raw(name)] if trusted else view.targets[name]
        variables[raw(name)] = np.where(np.isfinite(value), value, 0.0)
        variables[f"change_{name}"] = view.change(name)
    context = Context(
        view=view, blueprint=blueprint, fits=fits, variables=variables, seed=seed
    )
    return replace(context, integrated=_integrated(context))


def _integrated(context: Context) -> tuple[str, ...]:
    names = [c.name for c in context.view.coordinates]
    lawless = [n for n in names if context.fits[n] < _BULK]
    likely = {n: _likely(context, n, [raw(v) for v in lawless]) for n in lawless}
    found = []
    for velocity in lawless:
        for position in lawless:
            if position == velocity or raw(velocity) not in likely[position]:
                continue
            fit = _fit(context, position, [atom_term(raw(velocity))], "integrator")
            if fit is not None and fit.is_exact:
                found.append(velocity)
                break
    return tuple(found)


def _likely(context: Context, name: str, variables: Sequence[str]) -> list[str]:
    """Returns the variables that go with a coordinate's change, in their order.

    All of them, unless there are many coordinates.
    """
    if not context.is_large or len(variables) <= _NUM_LIKELY:
        return list(variables)
    columns = np.stack([context.variables[v] for v in variables], axis=1)
    chosen = _correlated(columns, context.view.change(name), _NUM_LIKELY)
    return [variables[index] for index in chosen]


def _correlated(columns: FloatArray, target: FloatArray, number: int) -> list[int]:
    """Returns the places of the columns that correlate most with a target.

    Screening by marginal correlation (Fan and Lv, 2008). Columns that do not vary are
    left out.
    """
    step = max(1, len(target) // _SCREENED_ROWS)
    x, y = columns[::step], target[::step]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        whole = np.linalg.norm(x, axis=0)
        x, y = x - x.mean(axis=0), y - y.mean()
        size = np.linalg.norm(x, axis=0)
        # What is left of a constant is rounding.
        varies = size > _ROUNDING * whole
        strength = np.where(varies, np.abs(y @ x) / size, -1.0)
    strength = np.nan_to_num(strength, nan=-1.0)
    order = np.argsort(-strength, kind="stable")[:number]
    return sorted(order[strength[order] >= 0.0].tolist())


def readable(context: Context, name: str) -> list[str]:
    """Returns the coordinates whose raw value the law of `name` may read.

    Those whose own laws do not depend on `name`, so that no cycle arises.
    """
    graph = dependencies(context.blueprint)
    found = []
    for coordinate in context.view.coordinates:
        other = coordinate.name
        if other == name:
            continue
        reachable = nx.descendants(graph, other) if other in graph else set()
        if name not in reachable:
            found.append(other)
    return found


def law_candidates(context: Context, name: str) -> Iterator[LawFit]:
    """Yields laws of one coordinate from all families, simple ones first."""
    for family in (*SIMPLE_FAMILIES, *RICH_FAMILIES):
        yield from family(context, name)


def integrator_candidates(context: Context, name: str) -> Iterator[LawFit]:
    """Yields laws `change = constant * variable`, before or after its own step."""
    names = [c.name for c in context.view.coordinates if c.name != name]
    names += [raw(other) for other in readable(context, name)]
    for variable in _likely(context, name, names):
        fit = _fit(context, name, [atom_term(variable)], "integrator")
        if fit is not None:
            yield fit


def _fit(
    context: Context,
    name: str,
    terms: Sequence[Term],
    family: str,
    couplings: Sequence[tuple[str, Term]] = (),
) -> LawFit | None:
    if context.is_large and len(terms) > _NUM_SCREENED:
        design = design_matrix(terms, context.variables)
        chosen = _correlated(design, context.view.change(name), _NUM_SCREENED)
        constant = [CONSTANT] if CONSTANT in terms else []
        terms = [*constant, *(terms[index] for index in chosen)]
    return fit_law(
        context.view,
        name,
        context.variables,
        terms,
        family=family,
        couplings=couplings,
        seed=context.seed,
    )


def _role_variants(context: Context) -> list[Roles]:
    """Returns the roles with the action as a number, then as indicators."""
    flags = (False,) if len(context.view.action_values) <= 2 else (False, True)
    return [
        find_roles(
            context.view,
            context.blueprint,
            integrated=context.integrated,
            indicators=indicators,
        )
        for indicators in flags
    ]


def _library_family(
    label: str, build: Callable[[Roles], list[Term]], *, up_to: float = MANY
) -> Callable[[Context, str], Iterator[LawFit]]:
    def family(context: Context, name: str) -> Iterator[LawFit]:
        if len(context.view.coordinates) > up_to:
            return
        later = [atom_term(raw(other)) for other in readable(context, name)]
        for roles in _role_variants(context):
            terms = build(roles)
            for library in (terms, [*terms, *later]):
                fit = _fit(context, name, library, label)
                if fit is not None:
                    yield fit

    return family


def _frequencies(context: Context, name: str) -> Iterator[LawFit]:
    """A wave `sin(k x)`, `cos(k x)` of unknown frequency beside other terms."""
    if context.is_large:
        return
    view = context.view
    free = free_rows(view, name)
    target = view.change(name)[free]
    for roles in _role_variants(context):
        for base in (libraries.linear(roles), libraries.cubes(roles)):
            design = design_matrix(base, context.variables)[free]
            for variable in roles.positions:
                x = context.variables[variable][free]
                frequency = search_frequency(x, design, target, seed=context.seed)
                if frequency is None:
                    continue
                pair = [atom_term(variable, f, frequency) for f in ("sin", "cos")]
                fit = _fit(context, name, [*base, *pair], "wave")
                if fit is not None:
                    yield fit


Family = Callable[[Context, str], Iterator[LawFit]]

SIMPLE_FAMILIES: tuple[Family, ...] = (
    integrator_candidates,
    _library_family("linear", libraries.linear, up_to=np.inf),
    _library_family(
        "polynomial", lambda r: libraries.polynomial(r, 2), up_to=_TOO_MANY
    ),
    _library_family("waves", libraries.waves),
    _library_family("mechanical", libraries.mechanical),
    _frequencies,
)
"""Families that take milliseconds, tried first."""

RICH_FAMILIES: tuple[Family, ...] = (
    _library_family("mixed", libraries.mixed),
    _library_family("cubic", lambda r: libraries.polynomial(r, 3)),
    _library_family("functions", libraries.functions),
)


def coupled_candidates(context: Context) -> Iterator[dict[str, LawFit]]:
    """Yields joint laws of coordinates whose changes depend on each other.

    `change_i = f_i(x) + sum of g_ij(x) * change_j`: each of them is linear in
    the unknowns, since the data show every change (CartPole's cart and pole; in
    general `mass(q) * acceleration = force`).
    """
    if context.is_large:
        return
    for roles in _role_variants(context):
        group = [c for c in roles.velocities if _open(context, c)]
        if len(group) < 2:
            group = [c.name for c in context.view.coordinates if _open(context, c.name)]
        if not 2 <= len(group) <= 4:
            continue
        for build in (libraries.mechanical, libraries.waves):
            found: dict[str, LawFit] = {}
            for member in group:
                couplings = [
                    (other, term)
                    for other in group
                    if other != member
                    for term in (CONSTANT, *roles.waves)
                ]
                fit = _fit(context, member, build(roles), "coupled", couplings)
                if fit is not None:
                    found[member] = fit
            # One that depends on no other can be found alone, and first.
            coupled = [fit for fit in found.values() if fit.law.couplings]
            if len(coupled) == len(group):
                yield found


def follower_candidates(context: Context, name: str) -> Iterator[LawFit]:
    """Yields laws of one coordinate in the changes of others that are known.

    `change = f(x) + sum of g_j(x) * change_j`, where the other laws do not read
    this one: what is left of a coupled pair once one law was found alone.
    """
    if context.is_large:
        return
    known = [n for n in readable(context, name) if not _open(context, n)]
    for roles in _role_variants(context):
        couplings = [
            (other, term)
            for other in known
            if other in roles.velocities
            for term in (CONSTANT, *roles.waves)
        ]
        if couplings:
            for build in (libraries.mechanical, libraries.waves):
                fit = _fit(context, name, build(roles), "coupled", couplings)
                if fit is not None:
                    yield fit


def _open(context: Context, name: str) -> bool:
    return context.fits[name] < 0.98


def rational_candidates(context: Context, name: str) -> Iterator[LawFit]:
    """Yields laws `change * (1 + g(x)) = f(x)`: quotients of sums."""
    if context.is_large:
        return
    for roles in _role_variants(context):
        squares = [w.times(w) for w in roles.waves]
        own = [*roles.waves, *squares, *roles.linear]
        couplings = [(name, term) for term in own]
        for label, build in (
            ("rational", libraries.waves),
            ("rational", libraries.mixed),
            ("rational", lambda r: libraries.polynomial(r, 2)),
        ):
            fit = _fit(context, name, build(roles), label, couplings)
            if fit is not None and fit.law.couplings:
                yield fit
