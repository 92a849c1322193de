"""Training transitions as named scalar columns, typed from the data alone.

Every number of an observation becomes a variable `s0, s1, ...`, every number of
an action `a` (or `a0, a1, ...`). Two elements on the unit circle are the cosine
and sine of one angle: the angle becomes a coordinate (`angle_0`) whose change is
modelled, and the elements follow from it.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns
from cwm.core.spaces import (
    BoxSpec,
    DiscreteSpec,
    LeafSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    leaves,
)
from cwm.core.trajectories import TransitionBatch
from cwm.programs.round_numbers import spacing
from cwm.proposers.symbolic.continuous.terms import FloatArray

_STRICT_FRACTION = 1e-4
_STRICT_ULPS = 8
_CIRCLE_TOLERANCE = 1e-5
_MIN_MOVING_ROWS = 100


@dataclass(frozen=True, slots=True)
class Element:
    """One number of an observation or action.

    Attributes:
        name: Name of the variable.
        path: Path of its leaf in the space.
        position: Index in the flattened leaf; `None` for a scalar leaf.
        dtype: NumPy dtype of the leaf.
        low: Smallest value by the space.
        high: Largest value by the space.
    """

    name: str
    path: str
    position: int | None
    dtype: str
    low: float
    high: float

    @property
    def is_integer(self) -> bool:
        """Whether the element holds integers."""
        return np.dtype(self.dtype).kind in "iub"


@dataclass(frozen=True, slots=True)
class Coordinate:
    """What a law predicts: one element, or the angle of a cosine-sine pair.

    Attributes:
        name: `s2` for an element, `angle_0` for an angle.
        elements: Indices of the elements it stands for: one, or cosine and sine.
    """

    name: str
    elements: tuple[int, ...]

    @property
    def is_angle(self) -> bool:
        """Whether the coordinate is an angle given by its cosine and sine."""
        return len(self.elements) == 2


@dataclass(frozen=True, kw_only=True)
class View:
    """Columns of `N` training transitions under the names that programs use.

    Attributes:
        elements: Elements of the observation, in order.
        actions: Elements of the action, in order.
        coordinates: What laws predict, in order.
        inputs: Known before the step: elements, angles, actions. `[N]` each.
        targets: True next value of each element and coordinate, `[N]` each; an
            angle's is unwrapped to within half a turn of the present angle.
        tolerances: Strict tolerance of each element and coordinate, `[N]`.
        reward: `[N]`.
        reward_tolerance: `[N]`.
        terminated: `[N]` of `bool`.
        action_values: Values of a discrete action, empty for a continuous one.
        trajectory: `[N]`, which trajectory a row is from.
    """

    elements: tuple[Element, ...]
    actions: tuple[Element, ...]
    coordinates: tuple[Coordinate, ...]
    inputs: dict[str, FloatArray]
    targets: dict[str, FloatArray]
    tolerances: dict[str, FloatArray]
    reward: FloatArray
    reward_tolerance: FloatArray
    terminated: NDArray[np.bool_]
    action_values: tuple[int, ...] = ()
    trajectory: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, int))

    def __len__(self) -> int:
        return len(self.reward)

    def select(self, rows: NDArray[np.bool_]) -> "View":
        """Returns the view of the rows where a mask is true."""
        return replace(
            self,
            inputs={k: v[rows] for k, v in self.inputs.items()},
            targets={k: v[rows] for k, v in self.targets.items()},
            tolerances={k: v[rows] for k, v in self.tolerances.items()},
            reward=self.reward[rows],
            reward_tolerance=self.reward_tolerance[rows],
            terminated=self.terminated[rows],
            trajectory=self.trajectory[rows],
        )

    @cached_property
    def moving(self) -> NDArray[np.bool_]:
        """Rows in which some coordinate changes, `[N]`; all, if these are few.

        What stands still (at a wall, at rest) is explained by any law of standing
        still, and says nothing about the law of motion.
        """
        rows = np.zeros(len(self), dtype=np.bool_)
        for coordinate in self.coordinates:
            rows |= self.change(coordinate.name) != 0.0
        if rows.sum() < _MIN_MOVING_ROWS:
            return np.ones(len(self), dtype=np.bool_)
        return rows

    def change(self, name: str) -> FloatArray:
        """Returns the true change of a coordinate per step, `[N]`."""
        return self.targets[name] - self.inputs[name]

    def coordinate(self, name: str) -> Coordinate:
        """Returns a coordinate by name."""
        return next(c for c in self.coordinates if c.name == name)


def make_view(batch: TransitionBatch, *, use_angles: bool = True) -> View:
    """Returns the typed view of a batch.

    Args:
        batch: Training transitions; every leaf of its spaces must be numeric.
        use_angles: Whether pairs on the unit circle become angles.
    """
    elements = _elements(batch.observation_space, "s")
    actions = _elements(batch.action_space, "a")
    inputs = _columns(elements, batch.observations)
    targets = _columns(elements, batch.next_observations)
    tolerances = {
        e.name: _tolerance(targets[e.name], targets[e.name] - inputs[e.name], e.dtype)
        for e in elements
    }
    pairs = _angle_pairs(elements, inputs, targets) if use_angles else []
    for index, (cosine, sine) in enumerate(pairs):
        name = f"angle_{index}"
        c, s = elements[cosine].name, elements[sine].name
        inputs[name] = np.arctan2(inputs[s], inputs[c])
        following = np.arctan2(targets[s], targets[c])
        turn = 2.0 * np.pi
        change = (following - inputs[name] + np.pi) % turn - np.pi
        targets[name] = inputs[name] + change
        tolerances[name] = np.minimum(tolerances[c], tolerances[s])
    inputs.update(_columns(actions, batch.actions))
    discrete = isinstance(batch.action_space, DiscreteSpec)
    return View(
        elements=elements,
        actions=actions,
        coordinates=_coordinates(elements, pairs),
        inputs=inputs,
        targets=targets,
        tolerances=tolerances,
        reward=batch.rewards,
        reward_tolerance=_tolerance(batch.rewards, _spread(batch.rewards), "float64"),
        terminated=batch.terminated,
        action_values=_values(batch.action_space) if discrete else (),
        trajectory=batch.trajectory,
    )


def _values(space: SpaceSpec) -> tuple[int, ...]:
    assert isinstance(space, DiscreteSpec)
    return tuple(range(space.start, space.start + space.num_values))


def _spread(values: FloatArray) -> FloatArray:
    return np.diff(values, prepend=values[:1])


def _tolerance(values: FloatArray, change: FloatArray, dtype: str) -> FloatArray:
    """Returns the strict tolerance of each row, `[N]` (docs/scoring.md)."""
    relative = _STRICT_FRACTION * float(np.std(change))
    if np.dtype(dtype).kind != "f":
        return np.full(len(values), 1e-9)
    return np.maximum(relative, _STRICT_ULPS * spacing(values, dtype))


def _elements(space: SpaceSpec, prefix: str) -> tuple[Element, ...]:
    rows: list[tuple[str, int | None, str, float, float]] = []
    for path, leaf in leaves(space):
        rows.extend((path, *row) for row in _leaf_elements(leaf))
    single = prefix == "a" and len(rows) == 1
    return tuple(
        Element(prefix if single else f"{prefix}{i}", *row)
        for i, row in enumerate(rows)
    )


def _leaf_elements(leaf: LeafSpec) -> list[tuple[int | None, str, float, float]]:
    match leaf:
        case DiscreteSpec(num_values=num_values, start=start):
            return [(None, "int64", float(start), float(start + num_values - 1))]
        case MultiDiscreteSpec(num_values=counts):
            return [(i, "int64", 0.0, float(n - 1)) for i, n in enumerate(counts)]
        case BoxSpec(dtype=dtype):
            low, high = leaf.bounds()
            return [(i, dtype, float(low[i]), float(high[i])) for i in range(leaf.size)]
        case _:
            raise ValueError(f"Every leaf must be numeric, got {leaf!r}.")


def _columns(elements: tuple[Element, ...], columns: Columns) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    for element in elements:
        column = np.asarray(columns[element.path], dtype=np.float64)
        if element.position is not None:
            column = column.reshape(len(column), -1)[:, element.position]
        found[element.name] = column
    return found


def _angle_pairs(
    elements: tuple[Element, ...],
    inputs: dict[str, FloatArray],
    targets: dict[str, FloatArray],
) -> list[tuple[int, int]]:
    """Returns index pairs (cosine, sine) of elements that lie on the unit circle.

    Neighbours are tried first. Which of the two is the cosine is a convention:
    the first one, as environments write it.
    """
    pairs: list[tuple[int, int]] = []
    free = [i for i, e in enumerate(elements) if not e.is_integer]
    candidates = sorted(
        ((i, j) for i in free for j in free if i < j), key=lambda p: p[1] - p[0]
    )
    used: set[int] = set()
    for i, j in candidates:
        if used & {i, j}:
            continue
        a, b = elements[i].name, elements[j].name
        on_circle = all(
            np.all(np.abs(v[a] ** 2 + v[b] ** 2 - 1.0) < _CIRCLE_TOLERANCE)
            for v in (inputs, targets)
        )
        if on_circle and np.std(inputs[a]) > 0 and np.std(inputs[b]) > 0:
            pairs.append((i, j))
            used |= {i, j}
    return sorted(pairs)


def _coordinates(
    elements: tuple[Element, ...], pairs: list[tuple[int, int]]
) -> tuple[Coordinate, ...]:
    by_element = {i: n for n, pair in enumerate(pairs) for i in pair}
    rows: dict[str, Coordinate] = {}
    for i, element in enumerate(elements):
        if i in by_element:
            n = by_element[i]
            rows.setdefault(f"angle_{n}", Coordinate(f"angle_{n}", pairs[n]))
        else:
            rows[element.name] = Coordinate(element.name, (i,))
    return tuple(rows.values())
