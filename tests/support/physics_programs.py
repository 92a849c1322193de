"""The hand-written skeletons of the physics engine, with numbers that are right."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks" / "data"

PENDULUM = FOLDER / "physics_inverted_pendulum.py"


def with_values(source: str, values: Mapping[str, float]) -> str:
    """Returns a program with other values of its constants."""
    for name, value in values.items():
        pattern = rf'("{name}": {{"value": )[^,]+,'
        source, count = re.subn(pattern, rf"\g<1>{value!r},", source)
        assert count == 1, f"{name} is no constant"
    return source


def pendulum_values() -> dict[str, float]:
    """Returns the numbers of Gymnasium's InvertedPendulum, in the skeleton's units.

    There, cart and pole are capsules of density 1,000, and the pole's top stands a
    millimetre aside. The skeleton's thin rod moves alike if it has the same ratio of
    moment of inertia to first moment, and the same share of all mass times distance.
    """
    cart = _capsule_mass(0.1, 0.2)
    length, radius = math.hypot(0.6, 0.001), 0.049
    pole, centre = _capsule_mass(radius, length), length / 2
    inertia = _capsule_inertia(radius, length) + pole * centre**2
    rod = 1.5 * inertia / (pole * centre)
    share = pole * centre / (cart + pole)
    rod_mass = share / (rod / 2 - share)
    unit = (1 + rod_mass) / (cart + pole)
    return {
        "gravity": 9.81,
        "time_step": 0.02,
        "push": 100 * unit,
        "rail_damping": unit,
        "hinge_damping": unit,
        "pole_mass": rod_mass,
        "pole_length": rod,
        "pole_lean": rod / 2 * 0.001 / 0.6,
        "rail_end": 1.0,
    }


def exact_pendulum() -> str:
    """Returns the skeleton of InvertedPendulum with the right numbers."""
    return with_values(PENDULUM.read_text(encoding="utf-8"), pendulum_values())


def _capsule_mass(radius: float, length: float) -> float:
    return 1000 * math.pi * radius**2 * (length + 4 / 3 * radius)


def _capsule_inertia(radius: float, length: float) -> float:
    """Returns the moment about an axis across the middle."""
    tube = 1000 * math.pi * radius**2 * length
    ball = 1000 * math.pi * radius**3 * 4 / 3
    of_ends = 0.4 * radius**2 + (length / 2) ** 2 + 3 / 8 * length * radius
    return tube * (length**2 / 12 + radius**2 / 4) + ball * of_ends
