"""Random blueprints: laws, events, rules and rewards of every form there is."""

import numpy as np

from cwm.proposers.symbolic.continuous.laws import (
    Adjustment,
    Blueprint,
    Case,
    Condition,
    Event,
    Law,
    Ode,
    Rule,
    Sum,
)
from cwm.proposers.symbolic.continuous.terms import Atom, Term, atom_term
from cwm.proposers.symbolic.continuous.view import View

FUNCTIONS = ("identity", "sin", "cos", "abs", "sqrt_abs", "sign", "tanh")
SMOOTH = ("identity", "sin", "cos", "tanh")
COMPARISONS = (">=", "<=", ">", "<")


def random_blueprint(view: View, seed: int) -> Blueprint:
    """Returns a blueprint over the coordinates of a view."""
    rng = np.random.default_rng(seed)
    names = [c.name for c in view.coordinates]
    inputs = [*names, *(e.name for e in view.actions)]
    odes = ()
    if rng.random() < 0.3 and len(names) >= 2:
        odes = (_ode(rng, names[:2], inputs),)
    laws: dict[str, Law] = {}
    for name in names[2:] if odes else names:
        raws = [f"raw_{known}" for known in laws]
        laws[name] = _law(rng, name, [*inputs, *raws], list(laws))
    if len(laws) >= 2 and rng.random() < 0.4:
        laws = _coupled(rng, laws, inputs)
    later = [*inputs, *(f"raw_{n}" for n in names)]
    ends = [f"next_{n}" for n in names]
    return Blueprint(
        use_angles=any(c.is_angle for c in view.coordinates),
        laws=laws,
        odes=odes,
        adjustments={n: _adjustments(rng) for n in names if rng.random() < 0.5},
        events={n: (_event(rng, later),) for n in names if rng.random() < 0.4},
        terminated=_rule(rng, ends) if rng.random() < 0.8 else Rule(),
        reward=_reward(rng, [*inputs, *ends, "terminated"], view),
    )


def _pick(rng, values):
    return values[int(rng.integers(len(values)))]


def _number(rng):
    return float(np.round(rng.uniform(-1.5, 1.5), 3))


def _term(rng, variables):
    factors = {}
    for _ in range(int(rng.integers(1, 3))):
        name = _pick(rng, variables)
        # High powers of what was computed would make much of a difference in rounding.
        is_input = "_" not in name.removeprefix("angle_") and name != "terminated"
        function = _pick(rng, FUNCTIONS if is_input else SMOOTH)
        atom = Atom(name, function, _pick(rng, (1.0, 2.5)))
        factors[atom] = int(rng.integers(1, 3)) if is_input else 1
    return Term(tuple(factors.items()))


def _sum(rng, variables):
    terms = [_term(rng, variables) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.3:
        terms.append(Term())
    terms = list(dict.fromkeys(terms))
    return Sum(
        tuple(terms),
        tuple(_pick(rng, (1.0, -1.0, _number(rng))) or 0.5 for _ in terms),
    )


def _law(rng, name, variables, known):
    couplings = ()
    if known and rng.random() < 0.3:
        gain = Sum((atom_term(name, _pick(rng, SMOOTH)),), (0.3,))
        couplings = ((_pick(rng, known), gain),)
    base = _pick(rng, (name, name, None))
    return Law(base=base, change=_sum(rng, variables), couplings=couplings)


def _coupled(rng, laws, inputs):
    """Returns the laws with the last two depending on each other's change."""
    *_, first, second = laws
    pair = {
        name: Law(
            base=name,
            change=_sum(rng, inputs),
            couplings=((other, Sum((atom_term(name, "cos"),), (0.3,))),),
        )
        for name, other in ((first, second), (second, first))
    }
    return {**laws, **pair}


def _ode(rng, names, inputs):
    mass = Sum((Term(), atom_term(names[0], "cos")), (1.5, 0.25))
    return Ode(
        positions=(names[0],),
        velocities=(names[1],),
        mass=(_pick(rng, (mass, Sum((Term(),), (1.0,)))),),
        force=(Sum((atom_term(names[0], "sin"), atom_term(inputs[-1])), (-2.0, 0.5)),),
        time_step=0.05,
        num_substeps=int(rng.integers(1, 3)),
        scheme=_pick(rng, ("rk4", "euler", "semi_implicit")),
    )


def _adjustments(rng):
    clip = Adjustment("clip", -1.0, _pick(rng, (1.0, np.inf)), bool(rng.random() < 0.3))
    return (_pick(rng, (clip, Adjustment("wrap", -2.0, 2.0))),)


def _rule(rng, variables):
    def condition():
        comparison = _pick(rng, COMPARISONS)
        return Condition(_sum(rng, variables), comparison, _number(rng))

    return Rule(
        tuple(
            tuple(condition() for _ in range(int(rng.integers(1, 3))))
            for _ in range(int(rng.integers(1, 3)))
        )
    )


def _event(rng, variables):
    return Event(_rule(rng, variables), _sum(rng, variables))


def _reward(rng, variables, view):
    ended = Sum((atom_term("terminated"),), (_pick(rng, (1.0, -1.0, 100.0)),))
    chosen = [Term(((Atom(view.actions[0].name, "is", 1.0), 1),)), *ended.terms]
    indicators = Sum(tuple(chosen), (_pick(rng, (1.0, -1.0)), 1.0))
    values = [_sum(rng, variables), ended, indicators, Sum((Term(),), (-1.0,)), Sum()]
    cases = tuple(
        Case(_rule(rng, variables), _pick(rng, values))
        for _ in range(int(rng.integers(0, 3)))
    )
    return (*cases, Case(None, _pick(rng, values)))
