"""Whether `step_batch` of an induced program equals its `step`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec
from cwm.core.trajectories import TransitionBatch
from cwm.programs.acceleration.samples import anywhere, near

TOLERANCE = 1e-9
"""Relative error of real numbers, beside one unit of a shorter type's last place.

NumPy's sines and powers may differ from those of `math` in the last bit.
"""

MAX_ROWS = 20_000
"""Training transitions that are compared; of more, as many in even distances."""

NUM_DRAWN = 500
"""Pairs near the training transitions, and pairs anywhere within the bounds."""

MAX_PAIRS = 20_000
"""Observations times actions up to which simply all are compared."""

Array = NDArray[Any]


def disagreement(source: str, train: TransitionBatch) -> str:
    """Returns in what `step_batch` and `step` of a program differ; empty if nowhere.

    Both are run in this process: the program is one that a renderer of this package
    wrote. Compared are the training transitions, others near them, and others drawn
    within the bounds of the spaces. What `step` raises on is left out.
    """
    states, actions = pairs(train)
    namespace: dict[str, Any] = {"__name__": "world_model"}
    try:
        exec(compile(source, "<induced>", "exec"), namespace)  # noqa: S102 - our own
        environment = namespace["Environment"]()
        with np.errstate(all="ignore"):
            return _compare(environment, states, actions, train.observation_space)
    except Exception as error:  # noqa: BLE001 - whatever it raises, it is left out
        return f"{type(error).__name__}: {error}"


def pairs(train: TransitionBatch) -> tuple[Array, Array]:
    """Returns the observations and actions that are compared, `[N, ...]` each."""
    rng = np.random.default_rng(0)
    spaces = (train.observation_space, train.action_space)
    step = -(-len(train) // MAX_ROWS)
    states = np.asarray(train.observations[""])[::step]
    actions = np.asarray(train.actions[""])[::step]
    drawn = [(states, actions)]
    if len(states):
        rows = rng.integers(len(states), size=NUM_DRAWN)
        close = near(spaces[0], states, rows, rng), near(spaces[1], actions, rows, rng)
        drawn += [close, (close[0], anywhere(spaces[1], actions, NUM_DRAWN, rng))]
        far = anywhere(spaces[0], states, NUM_DRAWN, rng)
        drawn.append((far, anywhere(spaces[1], actions, NUM_DRAWN, rng)))
    drawn += _all_pairs(*spaces)
    return (
        np.concatenate([np.asarray(pair[0]) for pair in drawn]),
        np.concatenate([np.asarray(pair[1]) for pair in drawn]),
    )


def _all_pairs(
    observation_space: SpaceSpec, action_space: SpaceSpec
) -> list[tuple[Array, Array]]:
    match observation_space, action_space:
        case DiscreteSpec(), DiscreteSpec():
            number, choices = observation_space.num_values, action_space.num_values
            if number * choices <= MAX_PAIRS:
                states, actions = np.divmod(np.arange(number * choices), choices)
                return [
                    (states + observation_space.start, actions + action_space.start)
                ]
    return []


def _compare(environment: Any, states: Array, actions: Array, space: SpaceSpec) -> str:
    """Returns the first difference between single steps and batches of them."""
    rows, wanted = _single_steps(environment, states, actions)
    if not rows:
        return "step raises on every row"
    states, actions = states[rows], actions[rows]
    dtype = space.dtype if isinstance(space, BoxSpec) else "int64"
    for number in (1, len(rows)):
        expected = (
            np.stack([np.asarray(row[0]) for row in wanted[:number]]),
            np.asarray([row[1] for row in wanted[:number]], dtype=np.float64),
            np.asarray([row[2] for row in wanted[:number]], dtype=np.bool_),
        )
        given = states[:number].copy(), actions[:number].copy()
        found = environment.step_batch(*given)
        for part, got, want, kind in zip(
            ("observation", "reward", "terminated"),
            found,
            expected,
            (dtype, "float64", "bool"),
            strict=True,
        ):
            if got.shape != want.shape or got.dtype != np.dtype(kind):
                return f"{part}: {got.dtype} {got.shape}, not {kind} {want.shape}"
            if not _is_equal(got, want):
                return f"{part}: other values than those of step"
        if not all(map(np.array_equal, given, (states[:number], actions[:number]))):
            return "step_batch changes its inputs"
    return ""


def _single_steps(
    environment: Any, states: Array, actions: Array
) -> tuple[list[int], list[tuple[Any, float, bool]]]:
    """Returns the rows that `step` does not raise on, and what it returns."""
    rows: list[int] = []
    results: list[tuple[Any, float, bool]] = []
    for i, (state, action) in enumerate(zip(states, actions, strict=True)):
        try:
            environment.set_state(int(state) if states.ndim == 1 else state)
            result = environment.step(int(action) if actions.ndim == 1 else action)
        except Exception:  # noqa: BLE001 - not a row to compare
            continue
        rows.append(i)
        results.append(result)
    return rows, results


def _is_equal(got: Array, want: Array) -> bool:
    """Returns whether values are equal but for the last bits of real ones."""
    if want.dtype.kind != "f":
        return bool(np.array_equal(got, want))
    sizes = np.where(np.isfinite(want), np.abs(want), 0.0).astype(np.float64)
    allowed = TOLERANCE * (sizes + sizes.mean(axis=0))
    if want.dtype != np.float64:
        allowed += 1.01 * np.spacing(sizes.astype(want.dtype))
    error = np.abs(got.astype(np.float64) - want.astype(np.float64))
    same = (got == want) | (np.isnan(got) & np.isnan(want)) | (error <= allowed)
    return bool(same.all())
