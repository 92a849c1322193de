"""One-step prediction error of a differential equation in its parameters."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cwm.proposers.symbolic.continuous.fitting import rounding
from cwm.proposers.symbolic.continuous.laws import Ode, Sum
from cwm.proposers.symbolic.continuous.structures import Structure
from cwm.proposers.symbolic.continuous.terms import CONSTANT, FloatArray, Term
from cwm.proposers.symbolic.continuous.view import View


def build(structure: Structure, parameters: FloatArray) -> Ode:
    """Returns the equation with the given coefficients, zero ones left out."""
    size = len(structure.velocities)
    time_step = float(parameters[-1]) if structure.positions else structure.time_step
    forces: list[Sum] = []
    offset = 0
    for terms in structure.force:
        values = parameters[offset : offset + len(terms)]
        forces.append(_sparse_sum(terms, values))
        offset += len(terms)
    entries: list[list[tuple[Term, float]]] = [[] for _ in range(size * size)]
    for i in range(size):
        entries[i * size + i].append((CONSTANT, 1.0))
    for (i, j, term), value in zip(
        structure.mass, parameters[offset : structure.num_terms], strict=True
    ):
        if value != 0.0:
            entries[i * size + j].append((term, float(value)))
    mass = tuple(
        Sum(tuple(t for t, _ in row), tuple(c for _, c in row)) for row in entries
    )
    return Ode(
        positions=structure.positions,
        velocities=structure.velocities,
        mass=mass,
        force=tuple(forces),
        time_step=time_step,
        num_substeps=structure.num_substeps,
        scheme=structure.scheme,
    )


def _sparse_sum(terms: Sequence[Term], values: FloatArray) -> Sum:
    kept = [(t, float(c)) for t, c in zip(terms, values, strict=True) if c != 0.0]
    return Sum(tuple(t for t, _ in kept), tuple(c for _, c in kept))


class OneStepError:
    """One-step prediction error of a structure as a function of its parameters."""

    def __init__(
        self, view: View, structure: Structure, rows: NDArray[np.intp]
    ) -> None:
        self.structure = structure
        names = (*structure.positions, *structure.velocities)
        self.start = np.stack([view.inputs[n][rows] for n in names])
        self.end = np.stack([view.targets[n][rows] for n in names])
        self.fixed = {e.name: view.inputs[e.name][rows] for e in view.actions}
        self.scale = np.array([change_scale(view, n) for n in names])[:, np.newaxis]
        self.exact = exact_error(view, structure)

    def residuals(self, parameters: FloatArray) -> FloatArray:
        """Returns the scaled errors of all outputs, flattened; `[P]` or `[B, P]`."""
        with np.errstate(all="ignore"):  # A wild guess may overflow; it is clipped.
            return self._residuals(parameters)

    def _residuals(self, parameters: FloatArray) -> FloatArray:
        batch = np.atleast_2d(parameters)
        state = np.broadcast_to(
            self.start[:, np.newaxis],
            (len(self.start), len(batch), self.start.shape[1]),
        )
        lengths = np.full((len(batch), 1), self.structure.time_step)
        if self.structure.positions:
            lengths = batch[:, -1:]
        step = lengths / self.structure.num_substeps
        for _ in range(self.structure.num_substeps):
            state = self._advance(state, batch, step)
        error = (state - self.end[:, np.newaxis]) / self.scale[:, np.newaxis]
        flat: FloatArray = np.clip(np.nan_to_num(error, nan=1e3), -1e3, 1e3)
        flat = flat.transpose(1, 0, 2).reshape(len(batch), -1)
        return flat if parameters.ndim == 2 else flat[0]

    def jacobian(self, parameters: FloatArray) -> FloatArray:
        """Returns forward differences, `[R, P]`."""
        step = 1e-6 * np.maximum(np.abs(parameters), 1e-2)
        batch = parameters + np.diag(step)
        base = self.residuals(parameters)
        chunks = [self.residuals(batch[i : i + 16]) for i in range(0, len(batch), 16)]
        slopes: FloatArray = (np.concatenate(chunks) - base) / step[:, np.newaxis]
        return slopes.T

    def _advance(
        self, state: FloatArray, batch: FloatArray, h: FloatArray
    ) -> FloatArray:
        rate = self._rate
        if self.structure.scheme == "euler":
            return state + h * rate(state, batch)
        half = len(self.structure.positions)
        if self.structure.scheme == "semi_implicit":
            velocity = state[half:] + h * rate(state, batch)[half:]
            position = state[:half] + h * velocity[:half]
            return np.concatenate([position, velocity])
        k1 = rate(state, batch)
        k2 = rate(state + 0.5 * h * k1, batch)
        k3 = rate(state + 0.5 * h * k2, batch)
        k4 = rate(state + h * k3, batch)
        return state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    def _rate(self, state: FloatArray, batch: FloatArray) -> FloatArray:
        """Returns the time derivative, `[S, B, N]`."""
        structure = self.structure
        half = len(structure.positions)
        columns = self._terms(state)
        size = len(structure.velocities)
        force = np.zeros((size, *state.shape[1:]))
        offset = 0
        for i, terms in enumerate(structure.force):
            for term in terms:
                force[i] += batch[:, offset, np.newaxis] * columns[term]
                offset += 1
        mass = np.zeros((size, size, *state.shape[1:]))
        for i in range(size):
            mass[i, i] = 1.0
        for i, j, term in structure.mass:
            mass[i, j] += batch[:, offset, np.newaxis] * columns[term]
            offset += 1
        acceleration = _solve_small(mass, force) if structure.mass else force
        return np.concatenate([state[half : 2 * half], acceleration])

    def _terms(self, state: FloatArray) -> dict[Term, FloatArray]:
        names = (*self.structure.positions, *self.structure.velocities)
        variables: dict[str, FloatArray] = dict(zip(names, state, strict=True))
        variables.update(self.fixed)
        needed = dict.fromkeys(t for terms in self.structure.force for t in terms)
        needed.update(dict.fromkeys(t for _, _, t in self.structure.mass))
        cache: dict[object, FloatArray] = {}
        found: dict[Term, FloatArray] = {}
        for term in needed:
            product: FloatArray = np.ones(())
            for atom, power in term.factors:
                if atom not in cache:
                    cache[atom] = atom.evaluate(variables)
                value = cache[atom]
                product = product * (value if power == 1 else value**power)
            found[term] = product
        return found


def _solve_small(mass: FloatArray, force: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        if len(force) == 1:
            return np.asarray(force / mass[0], dtype=np.float64)
        if len(force) == 2:
            determinant = mass[0, 0] * mass[1, 1] - mass[0, 1] * mass[1, 0]
            first = (mass[1, 1] * force[0] - mass[0, 1] * force[1]) / determinant
            second = (mass[0, 0] * force[1] - mass[1, 0] * force[0]) / determinant
            return np.stack([first, second])
    matrices = np.moveaxis(mass, (0, 1), (-2, -1))
    right = np.moveaxis(force, 0, -1)[..., np.newaxis]
    try:
        solution = np.asarray(np.linalg.solve(matrices, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.full_like(force, np.nan)
    return np.moveaxis(solution[..., 0], -1, 0)


def change_scale(view: View, name: str) -> float:
    """Returns the standard deviation of a coordinate's change per step."""
    return max(float(np.std(view.change(name))), 1e-9)


def exact_error(view: View, structure: Structure) -> float:
    """Returns the median error that rounding of the recorded numbers explains.

    In standard deviations of the change per step, as all errors here.
    """
    shares = [
        float(np.median(rounding(view, name))) / change_scale(view, name)
        for name in structure.names
    ]
    return 2.0 * max(shares)
