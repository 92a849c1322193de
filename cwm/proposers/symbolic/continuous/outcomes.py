"""When the episode ends, and what a step is worth."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from cwm.programs.round_numbers import simplest_near
from cwm.proposers.symbolic.continuous import libraries
from cwm.proposers.symbolic.continuous.fitting import snap
from cwm.proposers.symbolic.continuous.laws import (
    Blueprint,
    Case,
    Sum,
)
from cwm.proposers.symbolic.continuous.libraries import action_terms, find_roles
from cwm.proposers.symbolic.continuous.regression import fit_sparse
from cwm.proposers.symbolic.continuous.rules import Feature, learn_rule
from cwm.proposers.symbolic.continuous.simulate import following, simulate
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

_MAX_VALUES = 8
"""Distinct rewards up to which they are told apart by rules."""


def true_variables(blueprint: Blueprint, view: View) -> dict[str, FloatArray]:
    """Returns inputs and outputs with true next values in place of predictions.

    Rules and rewards are learned from what really happened, so that they are
    right as soon as the laws are.
    """
    variables = dict(simulate(blueprint, view).variables)
    for name, values in view.targets.items():
        variables[following(name)] = values
    variables["terminated"] = view.terminated.astype(np.float64)
    return variables


def terminated_candidates(blueprint: Blueprint, view: View) -> Iterator[Blueprint]:
    """Yields the blueprint with a rule for the end of the episode."""
    variables = true_variables(blueprint, view)
    features = _terminal_features(view, variables)
    rule = learn_rule(features, view.terminated, ~view.terminated)
    if rule is not None:
        yield replace(blueprint, terminated=rule)


def _terminal_features(
    view: View, variables: Mapping[str, FloatArray]
) -> list[Feature]:
    found: list[Feature] = []
    for element in view.elements:
        variable = following(element.name)
        ends = [b for b in (element.low, element.high) if np.isfinite(b)]
        halves = tuple(0.5 * b for b in ends)
        symmetric = element.low == -element.high
        if symmetric:
            size = tuple(abs(h) for h in (*halves, *ends))
            found.append(_feature(Atom(variable, "abs"), variables, size))
        found.append(_feature(Atom(variable), variables, (*halves, *ends)))
        if not symmetric:
            found.append(_feature(Atom(variable, "abs"), variables, ()))
    for coordinate in view.coordinates:
        if coordinate.is_angle:
            found.append(_feature(Atom(coordinate.name), variables, ()))
    found += [_feature(Atom(e.name), variables, ()) for e in view.elements]
    found += [_feature(Atom(e.name), variables, ()) for e in view.actions]
    return found + _products(view, variables)


def _products(view: View, variables: Mapping[str, FloatArray]) -> list[Feature]:
    """Products of next cosines and sines: heights of jointed arms."""
    waves = [
        atom_term(following(view.elements[i].name))
        for c in view.coordinates
        if c.is_angle
        for i in c.elements
    ]
    pairs = [t for t in products(waves, 2) if t.degree == 2 and len(t.factors) == 2]
    return [
        Feature(left=Sum((t,), (1.0,)), values=t.evaluate(variables)) for t in pairs
    ]


def _feature(
    atom: Atom, variables: Mapping[str, FloatArray], hints: tuple[float, ...]
) -> Feature:
    return Feature(
        left=Sum((Term(((atom, 1),)),), (1.0,)),
        values=atom.evaluate(variables),
        hints=hints,
    )


def reward_candidates(blueprint: Blueprint, view: View) -> Iterator[Blueprint]:
    """Yields the blueprint with another reward, simple forms first."""
    variables = true_variables(blueprint, view)
    values = np.unique(view.reward)
    if len(values) == 1:
        yield _with_reward(blueprint, _constant(float(values[0])))
        return
    for terms in _reward_libraries(blueprint, view):
        found = _fit_reward(view, variables, terms)
        if found is not None:
            yield _with_reward(blueprint, found)
            yield from _split_reward(blueprint, view, variables, found)
    if len(values) <= _MAX_VALUES:
        yield from _reward_by_value(blueprint, view, variables)


def _constant(value: float) -> Sum:
    return Sum((CONSTANT,), (value,))


def _with_reward(blueprint: Blueprint, value: Sum) -> Blueprint:
    return replace(blueprint, reward=(Case(None, value),))


def _reward_libraries(blueprint: Blueprint, view: View) -> Iterator[list[Term]]:
    ended = atom_term("terminated")
    yield [CONSTANT, ended]
    actions = [
        *action_terms(view, indicators=False),
        *action_terms(view, indicators=True),
    ]
    yield [CONSTANT, ended, *dict.fromkeys(actions)]
    roles = find_roles(view, blueprint)
    now = libraries.polynomial(roles, 2)
    later = [_shift(t, view) for t in libraries.polynomial(roles, 2)]
    yield [ended, *now]
    yield [ended, *dict.fromkeys(later)]
    yield [ended, *dict.fromkeys([*now, *later])]
    yield [ended, *dict.fromkeys([*libraries.waves(roles), *now])]
    names = [c.name for c in view.coordinates]
    size = [atom_term(n, "abs") for n in (*names, *map(following, names))]
    size += [atom_term(a.name, "abs") for a in view.actions]
    yield [ended, *now, *size]


def _shift(term: Term, view: View) -> Term:
    """Returns the term with next values in place of present ones."""
    states = {*(e.name for e in view.elements), *(c.name for c in view.coordinates)}
    factors = [
        (Atom(following(a.variable), a.function, a.factor), p)
        if a.variable in states
        else (a, p)
        for a, p in term.factors
    ]
    return Term(tuple(factors))


def _fit_reward(
    view: View, variables: Mapping[str, FloatArray], terms: list[Term]
) -> Sum | None:
    design = design_matrix(terms, variables)
    fit = fit_sparse(design, view.reward, view.reward_tolerance)
    if fit is None or fit.inlier_fraction < 0.1:
        return None
    columns = np.flatnonzero(fit.active)
    refit = fit_sparse(design[:, columns], view.reward, view.reward_tolerance)
    if refit is None:
        return None
    numbers = snap(design[:, columns], view.reward, view.reward_tolerance, refit)
    kept = [i for i, c in enumerate(numbers) if c != 0.0]
    return Sum(
        tuple(terms[columns[i]] for i in kept),
        tuple(float(numbers[i]) for i in kept),
    )


def _split_reward(
    blueprint: Blueprint,
    view: View,
    variables: Mapping[str, FloatArray],
    value: Sum,
) -> Iterator[Blueprint]:
    """Yields a second case for the rows that a formula gets wrong."""
    given = value.evaluate(variables, len(view))
    wrong = np.abs(given - view.reward) > view.reward_tolerance
    if not 2 <= wrong.sum() <= 0.6 * len(view):
        return
    values, counts = np.unique(view.reward[wrong], return_counts=True)
    other = _constant(float(values[int(np.argmax(counts))]))
    if counts.max() < 0.9 * wrong.sum():
        fitted = _fit_reward(
            view.select(wrong),
            {k: v[wrong] for k, v in variables.items()},
            libraries.polynomial(find_roles(view, blueprint), 2),
        )
        if fitted is None:
            return
        other = fitted
    rule = learn_rule(_reward_features(view, variables), wrong, ~wrong)
    if rule is not None:
        yield replace(blueprint, reward=(Case(rule, other), Case(None, value)))


def _reward_features(view: View, variables: Mapping[str, FloatArray]) -> list[Feature]:
    features = [_feature(Atom("terminated"), variables, (0.5,))]
    features += _terminal_features(view, variables)
    for term in action_terms(view, indicators=True):
        left = Sum((term,), (1.0,))
        features.append(Feature(left=left, values=term.evaluate(variables)))
    return features


def _reward_by_value(
    blueprint: Blueprint, view: View, variables: Mapping[str, FloatArray]
) -> Iterator[Blueprint]:
    """Yields one case per distinct reward, the most frequent one last."""
    values, counts = np.unique(view.reward, return_counts=True)
    order = [float(values[i]) for i in np.argsort(counts)]
    features = _reward_features(view, variables)
    cases: list[Case] = []
    undecided = np.ones(len(view), dtype=np.bool_)
    for value in order[:-1]:
        positive = undecided & (view.reward == value)
        negative = undecided & (view.reward != value)
        rule = learn_rule(features, positive, negative)
        if rule is None:
            continue
        cases.append(Case(rule, _constant(value)))
        undecided &= view.reward != value
    if cases:
        yield replace(blueprint, reward=(*cases, Case(None, _constant(order[-1]))))


def frequent_reward(view: View) -> float:
    """Returns the most frequent reward."""
    values, counts = np.unique(view.reward, return_counts=True)
    return simplest_near(float(values[int(np.argmax(counts))]), 0.0)
