"""Prints differential equations as methods of a program."""

from cwm.proposers.symbolic.continuous.laws import Blueprint, Ode, Sum
from cwm.proposers.symbolic.continuous.terms import CONSTANT
from cwm.proposers.symbolic.continuous.view import View
from cwm.proposers.symbolic.continuous.writer import (
    INDENT,
    Writer,
    comment,
    write_adjustments,
)


def write_ode_step(writer: Writer, ode: Ode, blueprint: Blueprint, view: View) -> None:
    """Writes the call that advances the state by one step of an equation."""
    index = blueprint.odes.index(ode)
    names = (*ode.positions, *ode.velocities)
    for name in names:
        writer.add(comment(blueprint, name, f"{ode.scheme} step of an equation"))
    actions = "".join(f", {e.name}" for e in view.actions)
    writer.add(f"state = self._integrate_{index}(({', '.join(names)}){actions})")
    writer.add(", ".join(f"raw_{name}" for name in names) + " = state")
    for name in names:
        write_adjustments(writer, name, blueprint)


_SCHEMES = {
    "euler": ["k1 = rates(state)", "state = [x + h * k for x, k in zip(state, k1)]"],
    "rk4": [
        "k1 = rates(state)",
        "k2 = rates([x + 0.5 * h * k for x, k in zip(state, k1)])",
        "k3 = rates([x + 0.5 * h * k for x, k in zip(state, k2)])",
        "k4 = rates([x + h * k for x, k in zip(state, k3)])",
        "state = [",
        "    x + h / 6.0 * (p + 2.0 * q + 2.0 * r + s)",
        "    for x, p, q, r, s in zip(state, k1, k2, k3, k4)",
        "]",
    ],
}


def write_ode_methods(writer: Writer, ode: Ode, index: int, view: View) -> None:
    """Writes the integrator of an equation, and its rates of change."""
    actions = "".join(f", {e.name}" for e in view.actions)
    half = len(ode.positions)
    owner = f"ode{index}"
    step = writer.constant(f"{owner}_time_step", ode.time_step)
    writer.indent = "    "
    writer.add(f"def _integrate_{index}(self, state{actions}, xp=math):")
    writer.indent = INDENT
    writer.add('"""Returns the state after a step; xp is math, or np for arrays."""')
    writer.add("def rates(at):")
    writer.add(f"    return self._rates_{index}(at{actions}, xp)")
    writer.add("")
    writer.add(f"h = {step} / {ode.num_substeps}")
    writer.add(f"for _ in range({ode.num_substeps}):")
    if ode.scheme == "semi_implicit":
        lines = [
            f"acceleration = rates(state)[{half}:]",
            f"velocity = [x + h * k for x, k in zip(state[{half}:], acceleration)]",
            f"state = [x + h * v for x, v in zip(state[:{half}], velocity)] + velocity",
        ]
    else:
        lines = _SCHEMES[ode.scheme]
    for line in lines:
        writer.add(f"    {line}")
    writer.add("return state")
    writer.add("")
    _write_rates(writer, ode, index, actions)


def _is_identity(ode: Ode) -> bool:
    """Whether the mass matrix is the unit matrix."""
    size = len(ode.velocities)
    unit = Sum((CONSTANT,), (1.0,))
    return all(
        entry == (unit if k % (size + 1) == 0 else Sum())
        for k, entry in enumerate(ode.mass)
    )


def _by_xp(parts: list[str]) -> list[str]:
    """Returns terms with the functions of `xp`, which may be `math` or NumPy."""
    return [part.replace("math.", "xp.") for part in parts]


def _write_rates(writer: Writer, ode: Ode, index: int, actions: str) -> None:
    half, size = len(ode.positions), len(ode.velocities)
    owner = f"ode{index}"
    writer.indent = "    "
    writer.add(f"def _rates_{index}(self, state{actions}, xp):")
    writer.indent = INDENT
    names = (*ode.positions, *ode.velocities)
    writer.add(f"{', '.join(names)} = state")
    for i in range(size):
        for j in range(size if not _is_identity(ode) else 0):
            parts = writer.sum_parts(f"{owner}_m{i}{j}", ode.mass[i * size + j])
            writer.assign(f"m{i}{j}", _by_xp(parts))
        parts = writer.sum_parts(f"{owner}_f{i}", ode.force[i])
        writer.assign(f"f{i}", _by_xp(parts))
    velocities = "".join(f"{v}, " for v in ode.velocities[:half])
    if _is_identity(ode):
        forces = ", ".join(f"f{i}" for i in range(size))
        writer.add(f"return [{velocities}{forces}]")
    elif size == 1:
        writer.add(f"return [{velocities}f0 / m00]")
    elif size == 2:
        writer.add("determinant = m00 * m11 - m01 * m10")
        writer.add("acceleration_0 = (m11 * f0 - m01 * f1) / determinant")
        writer.add("acceleration_1 = (m00 * f1 - m10 * f0) / determinant")
        writer.add(f"return [{velocities}acceleration_0, acceleration_1]")
    else:
        rows = "], [".join(
            ", ".join(f"m{i}{j}" for j in range(size)) for i in range(size)
        )
        right = ", ".join(f"f{i}" for i in range(size))
        writer.add(f"acceleration = np.linalg.solve([[{rows}]], [{right}])")
        writer.add(f"return [{velocities}*acceleration.tolist()]")
    writer.add("")
