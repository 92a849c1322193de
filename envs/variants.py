"""Environments with changed physical constants.

A variant is the original class with other attribute values, set before the first
reset. What the original derives from them is derived anew, or the change would be half
a change: CartPole's `total_mass`, the constants that MuJoCo computes from masses, the
bounds of observations.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from cwm.core.errors import ConfigError
from envs.spec import Env

DERIVED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "total_mass": ("masspole masscart", lambda env: env.masspole + env.masscart),
    "polemass_length": ("masspole length", lambda env: env.masspole * env.length),
}
"""Derived attribute -> the names it depends on, and how it follows from them."""

OBSERVED: dict[str, float] = {
    "max_speed": 1.0,
    "MAX_VEL_1": 1.0,
    "MAX_VEL_2": 1.0,
    "x_threshold": 2.0,
    "theta_threshold_radians": 2.0,
}
"""Attribute that bounds elements of the observation -> bound / attribute."""

TIMES = "times"
"""Key of a change that is relative to the original's value: `{"times": 1.3}`."""


def make_variant(build: Callable[[], Env], changes: Mapping[str, Any]) -> Env:
    """Returns the environment that `build` makes, with changed attributes.

    The bounds of actions follow a changed actuator limit (`max_torque`,
    `min_action`). Elements of the observation whose bounds a changed attribute sets
    have none in the variant: the original's would be wrong, and the new ones would
    tell what is changed.

    Args:
        build: Makes the original.
        changes: Attribute of the unwrapped environment -> value. A dotted name
            reaches into an attribute, such as `model.opt.gravity` for MuJoCo;
            arrays take lists or one number for all elements. `{"times": factor}`
            multiplies the original's value; of arrays, a list has one factor for
            each row.

    Raises:
        ConfigError: If the environment has no such attribute, or the value is not
            of the attribute's kind.
    """
    env = build()
    unwrapped: Any = env.unwrapped
    _free_observation_bounds(unwrapped, changes)
    for name, value in changes.items():
        _set(env, name, value)
    if any(name.startswith("model.") for name in changes):
        _derive_model_constants(unwrapped)
    for name, (sources, derive) in DERIVED.items():
        is_affected = any(source in changes for source in sources.split())
        if is_affected and name not in changes and hasattr(unwrapped, name):
            setattr(unwrapped, name, derive(unwrapped))
    _fit_action_bounds(env, changes)
    return env


def _set(env: Env, name: str, value: Any) -> None:
    holder: Any = env.unwrapped
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part, None)
    if holder is None or not hasattr(holder, last):
        known = sorted(_changeable(env.unwrapped))
        raise ConfigError(
            f"A changed attribute must exist, got {name!r}. "
            f"{type(env.unwrapped).__name__} has: {', '.join(known)}."
        )
    old = getattr(holder, last)
    if isinstance(value, Mapping):
        value = _times(name, old, value)
    setattr(holder, last, _like(name, old, value))


def _times(name: str, old: Any, value: Mapping[str, Any]) -> Any:
    """Returns the attribute's present value times a factor."""
    is_number = isinstance(old, int | float) and not isinstance(old, bool)
    if set(value) != {TIMES} or not (is_number or isinstance(old, np.ndarray)):
        raise ConfigError(
            f'{name} must be a value of its own kind, or {{"{TIMES}": factor}} of '
            f"numbers, got {dict(value)!r}."
        )
    try:
        factor = np.asarray(value[TIMES], dtype=np.float64)
        if factor.ndim:
            factor = factor.reshape(factor.shape + (1,) * (np.ndim(old) - factor.ndim))
        product = old * factor
        if np.shape(product) != np.shape(old):
            raise ValueError(f"it would have shape {np.shape(product)}")
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"The factors of {name} must fit its shape {np.shape(old)}, "
            f"got {value[TIMES]!r}: {error}."
        ) from error
    return product if isinstance(old, np.ndarray) else float(product)


def _like(name: str, old: Any, value: Any) -> Any:
    """Returns `value` in the form of the attribute's present value."""
    if isinstance(old, np.ndarray):
        try:
            return np.broadcast_to(np.asarray(value, dtype=old.dtype), old.shape).copy()
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{name} must have shape {old.shape}, got {value!r}."
            ) from error
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(old, bool | str):
        if type(value) is not type(old):
            raise ConfigError(f"{name} must be a {type(old).__name__}, got {value!r}.")
    elif isinstance(old, int | float) and not is_number:
        raise ConfigError(f"{name} must be a number, got {value!r}.")
    return value


def _changeable(env: Any) -> set[str]:
    names = {*vars(env), *(n for n in vars(type(env)) if not n.startswith("_"))}
    return {
        name
        for name in names
        if isinstance(getattr(env, name, None), int | float)
        and not isinstance(getattr(env, name), bool)
        and not name.startswith(("_", "screen", "SCREEN"))
    }


def _derive_model_constants(unwrapped: Any) -> None:
    """Has MuJoCo compute anew what it derives from masses, positions and the like."""
    model, data = getattr(unwrapped, "model", None), getattr(unwrapped, "data", None)
    if type(model).__name__ == "MjModel" and type(data).__name__ == "MjData":
        # An extra; only an environment that has made MuJoCo objects gets here.
        importlib.import_module("mujoco").mj_setConst(model, data)


def _free_observation_bounds(unwrapped: Any, changes: Mapping[str, Any]) -> None:
    """Removes the bounds that follow from attributes which are about to change."""
    space = unwrapped.observation_space
    names = [name for name in OBSERVED if name in changes and hasattr(unwrapped, name)]
    if not names or not isinstance(space, gymnasium.spaces.Box):
        return
    low, high = space.low.copy(), space.high.copy()
    for name in names:
        bound = np.float32(OBSERVED[name] * getattr(unwrapped, name))
        is_bound = (high == bound) & (low == -bound)
        low[is_bound], high[is_bound] = -np.inf, np.inf
    unwrapped.observation_space = gymnasium.spaces.Box(
        low=low, high=high, shape=space.shape, dtype=np.float32
    )


def _fit_action_bounds(env: Env, changes: Mapping[str, Any]) -> None:
    """Makes the declared action bounds follow a changed actuator limit."""
    unwrapped: Any = env.unwrapped
    if not isinstance(unwrapped.action_space, gymnasium.spaces.Box):
        return
    low, high = unwrapped.action_space.low, unwrapped.action_space.high
    if "max_torque" in changes:
        low, high = -unwrapped.max_torque, unwrapped.max_torque
    if "min_action" in changes or "max_action" in changes:
        low, high = unwrapped.min_action, unwrapped.max_action
    unwrapped.action_space = gymnasium.spaces.Box(
        low=low, high=high, shape=unwrapped.action_space.shape, dtype=np.float32
    )
