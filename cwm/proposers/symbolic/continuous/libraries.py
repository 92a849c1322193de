"""Which terms a law may be made of: libraries from small to large."""

from collections.abc import Iterable
from dataclasses import dataclass

from cwm.proposers.symbolic.continuous.laws import Blueprint
from cwm.proposers.symbolic.continuous.terms import (
    CONSTANT,
    Atom,
    Term,
    atom_term,
    products,
)
from cwm.proposers.symbolic.continuous.view import View

_MAX_TERMS = 220
"""Largest library; what exceeds it is cut from the complex end."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """What the variables of a view are, as far as the laws so far tell.

    Attributes:
        linear: Terms of all state variables: elements, and angles themselves.
        positions: State variables that no coordinate integrates.
        velocities: State variables that some coordinate integrates.
        waves: Sine and cosine terms: elements of angles, functions of positions.
        actions: Terms of the action: its number, or one indicator per value.
    """

    linear: tuple[Term, ...]
    positions: tuple[str, ...]
    velocities: tuple[str, ...]
    waves: tuple[Term, ...]
    actions: tuple[Term, ...]


def find_roles(
    view: View,
    blueprint: Blueprint,
    *,
    integrated: Iterable[str] = (),
    indicators: bool = False,
) -> Roles:
    """Returns the roles of a view's variables.

    Args:
        view: Training data.
        blueprint: Laws found so far; an integrator law tells position from velocity.
        integrated: Further coordinates that are known to be velocities.
        indicators: Whether a discrete action becomes one term per value.
    """
    velocities: dict[str, None] = dict.fromkeys(integrated)
    for law in blueprint.laws.values():
        if law.base is not None and len(law.change.terms) == 1 and not law.couplings:
            velocities.update(
                (v.removeprefix("raw_"), None) for v in law.change.variables
            )
    for ode in blueprint.odes:
        velocities.update(dict.fromkeys(ode.velocities))
    names = [c.name for c in view.coordinates]
    positions = tuple(n for n in names if n not in velocities)
    waves: list[Term] = []
    for coordinate in view.coordinates:
        if coordinate.is_angle:
            waves += [atom_term(view.elements[i].name) for i in coordinate.elements]
        elif coordinate.name in positions and _is_real(view, coordinate.name):
            waves += [atom_term(coordinate.name, f) for f in ("sin", "cos")]
    return Roles(
        linear=tuple(atom_term(n) for n in names),
        positions=positions,
        velocities=tuple(n for n in names if n in velocities),
        waves=tuple(waves),
        actions=action_terms(view, indicators=indicators),
    )


def _is_real(view: View, name: str) -> bool:
    return not any(e.name == name and e.is_integer for e in view.elements)


def action_terms(view: View, *, indicators: bool) -> tuple[Term, ...]:
    """Returns the terms of the action.

    Args:
        view: Training data.
        indicators: One term per value of a discrete action, the first left out.
    """
    if view.action_values and indicators:
        name = view.actions[0].name
        return tuple(
            Term(((Atom(name, "is", float(value)), 1),))
            for value in view.action_values[1:]
        )
    return tuple(atom_term(e.name) for e in view.actions)


def linear(roles: Roles) -> list[Term]:
    """Returns 1, state variables, waves of angles, actions."""
    return _unique([CONSTANT, *roles.linear, *roles.actions])


def polynomial(roles: Roles, degree: int) -> list[Term]:
    """Returns all products of state variables and actions up to a degree."""
    return _unique(products([*roles.linear, *roles.actions], degree))


def cubes(roles: Roles) -> list[Term]:
    """Returns the linear terms, and squares and cubes of state variables."""
    powers = [Term(((t.factors[0][0], p),)) for t in roles.linear for p in (2, 3)]
    return _unique([*linear(roles), *powers])


def waves(roles: Roles) -> list[Term]:
    """Returns the linear terms and waves, and waves times actions and waves."""
    plain = [*roles.waves, *roles.actions]
    return _unique([*linear(roles), *products(plain, 2)])


def mechanical(roles: Roles) -> list[Term]:
    """Returns terms of mechanical systems: waves, drag, centrifugal products."""
    speeds = [atom_term(n) for n in roles.velocities]
    squares = [t for t in products(speeds, 2) if t.degree == 2]
    return _unique(
        [
            *linear(roles),
            *roles.waves,
            *(w.times(s) for w in roles.waves for s in squares),
            *(w.times(a) for w in roles.waves for a in roles.actions),
        ]
    )


def mixed(roles: Roles) -> list[Term]:
    """Returns products of two of anything, and centrifugal products."""
    everything = [*roles.linear, *roles.waves, *roles.actions]
    return _unique([*products(everything, 2), *mechanical(roles)])


def functions(roles: Roles) -> list[Term]:
    """Returns absolute values, roots, exponentials, reciprocals, drag terms."""
    names = [t.factors[0][0].variable for t in roles.linear]
    kinds = ("abs", "sqrt_abs", "exp", "inverse", "tanh", "sign")
    unary = [atom_term(n, f) for n in names for f in kinds]
    drag = [atom_term(n).times(atom_term(n, "abs")) for n in names]
    cubes = [Term(((Atom(n), 3),)) for n in names]
    return _unique([*polynomial(roles, 2), *unary, *drag, *cubes])


def _unique(terms: Iterable[Term]) -> list[Term]:
    return list(dict.fromkeys(terms))[:_MAX_TERMS]
