"""Environments with changed physical constants.

A variant is the original class with other attribute values, set before the first
reset. Attributes that the original's constructor derives from others are derived
anew, or the change would be half a change (CartPole's `total_mass`).
"""

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


def make_variant(build: Callable[[], Env], changes: Mapping[str, Any]) -> Env:
    """Returns the environment that `build` makes, with changed attributes.

    The observation and action spaces stay those of the original: they are bounds,
    and our collector does not rely on them being tight. An exception is made where
    an attribute bounds the actions (`max_torque`, `min_action`).

    Args:
        build: Makes the original.
        changes: Attribute of the unwrapped environment -> value. A dotted name
            reaches into an attribute, such as `model.opt.gravity` for MuJoCo;
            arrays take lists or one number for all elements.

    Raises:
        ConfigError: If the environment has no such attribute, or the value is not
            of the attribute's kind.
    """
    env = build()
    for name, value in changes.items():
        _set(env, name, value)
    unwrapped = env.unwrapped
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
    setattr(holder, last, _like(name, old, value))


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
