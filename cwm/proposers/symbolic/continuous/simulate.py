"""Evaluates a blueprint on columns of data: what its program would predict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from cwm.proposers.symbolic.continuous.laws import Blueprint, Law, Ode
from cwm.proposers.symbolic.continuous.terms import FloatArray, Variables
from cwm.proposers.symbolic.continuous.view import Coordinate, View


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What a blueprint predicts on the rows of a view.

    Attributes:
        variables: All variables by name, `[N]` each: inputs, `raw_*`, `next_*`,
            `terminated`.
        terminated: `[N]` of `bool`.
        reward: `[N]`.
    """

    variables: dict[str, FloatArray]
    terminated: NDArray[np.bool_]
    reward: FloatArray


def raw(name: str) -> str:
    """Returns the variable that holds what a coordinate's law gives."""
    return f"raw_{name}"


def following(name: str) -> str:
    """Returns the variable that holds a coordinate's predicted next value."""
    return f"next_{name}"


def simulate(blueprint: Blueprint, view: View) -> Simulation:
    """Returns the blueprint's predictions on the rows of a view."""
    num_rows = len(view)
    with np.errstate(all="ignore"):
        variables = raw_variables(blueprint, view)
        for coordinate in view.coordinates:
            name = raw(coordinate.name)
            variables[name] = _adjust(
                blueprint, coordinate.name, variables[name], is_late=True
            )
        for coordinate in view.coordinates:
            value = variables[raw(coordinate.name)]
            for event in blueprint.events.get(coordinate.name, ()):
                fires = event.rule.evaluate(variables, num_rows)
                value = np.where(
                    fires, event.value.evaluate(variables, num_rows), value
                )
            variables[following(coordinate.name)] = value
        add_elements(variables, view.coordinates, view)
        terminated = blueprint.terminated.evaluate(variables, num_rows)
        variables["terminated"] = terminated.astype(np.float64)
        reward = evaluate_reward(blueprint, variables, num_rows)
    return Simulation(variables=variables, terminated=terminated, reward=reward)


def raw_variables(blueprint: Blueprint, view: View) -> dict[str, FloatArray]:
    """Returns the inputs and every coordinate's law value, as other laws read it."""
    variables: dict[str, FloatArray] = dict(view.inputs)
    for ode in blueprint.odes:
        for name, value in integrate(ode, variables).items():
            variables[raw(name)] = _adjust(blueprint, name, value)
    for group in law_order(blueprint, view.coordinates):
        changes = _solve_group(blueprint, group, variables, len(view))
        for name, value in changes.items():
            variables[raw(name)] = _adjust(blueprint, name, value)
    return variables


def add_elements(
    variables: dict[str, FloatArray], coordinates: Iterable[Coordinate], view: View
) -> None:
    """Adds the next cosine and sine of each angle."""
    for coordinate in coordinates:
        if coordinate.is_angle:
            angle = variables[following(coordinate.name)]
            cosine, sine = (view.elements[i].name for i in coordinate.elements)
            variables[following(cosine)] = np.cos(angle)
            variables[following(sine)] = np.sin(angle)


def evaluate_reward(
    blueprint: Blueprint, variables: Variables, num_rows: int
) -> FloatArray:
    """Returns the reward in each row, `[N]`."""
    reward = np.zeros(num_rows)
    decided = np.zeros(num_rows, dtype=np.bool_)
    for case in blueprint.reward:
        fires = ~decided
        if case.rule is not None:
            fires &= case.rule.evaluate(variables, num_rows)
        reward = np.where(fires, case.value.evaluate(variables, num_rows), reward)
        decided |= fires
    return reward


def _adjust(
    blueprint: Blueprint, name: str, value: FloatArray, *, is_late: bool = False
) -> FloatArray:
    for adjustment in blueprint.adjustments.get(name, ()):
        if adjustment.is_late == is_late:
            value = adjustment.apply(value)
    return value


def law_reads(law: Law) -> frozenset[str]:
    """Returns the names of all variables that a law reads."""
    names = set(law.change.variables)
    for other, coupling in law.couplings:
        names |= coupling.variables | {f"change_{other}"}
    return frozenset(names)


def dependencies(blueprint: Blueprint) -> "nx.DiGraph[str]":
    """Returns the graph of coordinates: an edge from each to what it reads."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(blueprint.laws)
    for name, law in blueprint.laws.items():
        for read in law_reads(law):
            kind, _, other = read.partition("_")
            if kind in ("raw", "change") and other in blueprint.laws:
                graph.add_edge(name, other)
    return graph


def law_order(
    blueprint: Blueprint, coordinates: Sequence[Coordinate]
) -> list[tuple[str, ...]]:
    """Returns coordinates in an order in which their laws can be evaluated.

    Coordinates whose changes are coupled both ways form one group.
    """
    graph = dependencies(blueprint)
    rank = {c.name: i for i, c in enumerate(coordinates)}
    condensed = nx.condensation(graph)
    order = reversed(list(nx.lexicographical_topological_sort(condensed)))
    return [
        tuple(sorted(condensed.nodes[i]["members"], key=rank.__getitem__))
        for i in order
    ]


def _solve_group(
    blueprint: Blueprint,
    group: tuple[str, ...],
    variables: Variables,
    num_rows: int,
) -> dict[str, FloatArray]:
    """Returns the law values of coordinates that are solved together."""
    laws = [blueprint.laws[name] for name in group]
    right = np.zeros((num_rows, len(group)))
    matrix = np.broadcast_to(np.eye(len(group)), (num_rows, *[len(group)] * 2)).copy()
    for i, law in enumerate(laws):
        right[:, i] = law.change.evaluate(variables, num_rows)
        for other, coupling in law.couplings:
            value = coupling.evaluate(variables, num_rows)
            if other in group:
                matrix[:, i, group.index(other)] -= value
            else:
                right[:, i] += value * (variables[raw(other)] - variables[other])
    changes = right if not _is_coupled(laws, group) else solve_rows(matrix, right)
    return {
        name: changes[:, i] + (variables[law.base] if law.base else 0.0)
        for i, (name, law) in enumerate(zip(group, laws, strict=True))
    }


def _is_coupled(laws: Sequence[Law], group: tuple[str, ...]) -> bool:
    return any(other in group for law in laws for other, _ in law.couplings)


def solve_rows(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Returns the solutions of `N` small linear systems; NaN where singular.

    Args:
        matrix: `[N, D, D]`.
        right: `[N, D]`.
    """
    finite = np.asarray(np.isfinite(right).all(axis=1), dtype=np.bool_)
    finite &= np.asarray(np.isfinite(matrix).all(axis=(1, 2)))
    solvable = finite.copy()
    solvable[finite] = np.abs(np.linalg.det(matrix[finite])) > 1e-12
    solution = np.full(right.shape, np.nan)
    if solvable.any():
        solution[solvable] = np.linalg.solve(
            matrix[solvable], right[solvable][..., np.newaxis]
        )[..., 0]
    return solution


def integrate(ode: Ode, variables: Variables) -> dict[str, FloatArray]:
    """Returns positions and velocities after one step of an equation, `[N]` each."""
    state = np.stack([variables[n] for n in (*ode.positions, *ode.velocities)], axis=1)
    step = ode.time_step / ode.num_substeps
    for _ in range(ode.num_substeps):
        state = _substep(ode, state, variables, step)
    names = (*ode.positions, *ode.velocities)
    return {name: state[:, i] for i, name in enumerate(names)}


def _substep(
    ode: Ode, state: FloatArray, variables: Variables, step: float
) -> FloatArray:
    def rate(at: FloatArray) -> FloatArray:
        return derivative(ode, at, variables)

    if ode.scheme == "euler":
        return state + step * rate(state)
    if ode.scheme == "semi_implicit":
        half = len(ode.positions)
        velocity = state[:, half:] + step * rate(state)[:, half:]
        return np.concatenate([state[:, :half] + step * velocity, velocity], axis=1)
    k1 = rate(state)
    k2 = rate(state + 0.5 * step * k1)
    k3 = rate(state + 0.5 * step * k2)
    k4 = rate(state + step * k3)
    return state + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)


def derivative(ode: Ode, state: FloatArray, variables: Variables) -> FloatArray:
    """Returns the time derivative of positions and velocities, `[N, 2 D]`."""
    half, size = len(ode.positions), len(ode.velocities)
    names = (*ode.positions, *ode.velocities)
    local: Mapping[str, FloatArray] = {
        **variables,
        **{name: state[:, i] for i, name in enumerate(names)},
    }
    num_rows = len(state)
    mass = np.stack([m.evaluate(local, num_rows) for m in ode.mass], axis=1)
    force = np.stack([f.evaluate(local, num_rows) for f in ode.force], axis=1)
    acceleration = solve_rows(mass.reshape(num_rows, size, size), force)
    return np.concatenate([state[:, half : 2 * half], acceleration], axis=1)


def measure(blueprint: Blueprint, view: View) -> dict[str, float]:
    """Returns the share of rows predicted within tolerance, by part.

    Parts are the coordinates, `"reward"` and `"terminated"`.
    """
    result = simulate(blueprint, view)
    fits = {
        c.name: float(element_hits(result.variables, c, view).mean())
        for c in view.coordinates
    }
    hits = np.abs(result.reward - view.reward) <= view.reward_tolerance
    fits["reward"] = float(hits.mean())
    fits["terminated"] = float((result.terminated == view.terminated).mean())
    return fits


def element_hits(
    variables: Variables, coordinate: Coordinate, view: View
) -> NDArray[np.bool_]:
    """Returns where all elements of a coordinate are within tolerance, `[N]`."""
    hits = np.ones(len(view), dtype=np.bool_)
    for index in coordinate.elements:
        name = view.elements[index].name
        error = np.abs(variables[following(name)] - view.targets[name])
        hits &= error <= view.tolerances[name]
    return hits
