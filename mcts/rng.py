"""Saving and restoring the state of a random generator as plain data."""

from collections.abc import Mapping
from typing import Any

import numpy as np

_BIT_GENERATORS: dict[str, type[np.random.BitGenerator]] = {
    "PCG64": np.random.PCG64,
    "PCG64DXSM": np.random.PCG64DXSM,
}


def rng_to_json(rng: np.random.Generator) -> dict[str, Any]:
    """Returns the generator's state, made of integers and text.

    Raises:
        ValueError: If the generator is not of a PCG64 kind, as
            `np.random.default_rng` makes it; other states hold arrays.
    """
    state: dict[str, Any] = dict(rng.bit_generator.state)
    if state["bit_generator"] not in _BIT_GENERATORS:
        raise ValueError(
            f"rng must be one of {', '.join(_BIT_GENERATORS)}, got "
            f"{state['bit_generator']}. Make it with np.random.default_rng."
        )
    return state


def rng_from_json(state: Mapping[str, Any]) -> np.random.Generator:
    """Returns a generator that continues where `rng_to_json` saw it.

    Raises:
        ValueError: If the state names an unknown bit generator.
    """
    name = state.get("bit_generator")
    if name not in _BIT_GENERATORS:
        raise ValueError(
            f"bit_generator must be one of {', '.join(_BIT_GENERATORS)}, got {name!r}."
        )
    bit_generator = _BIT_GENERATORS[name]()
    bit_generator.state = dict(state)
    return np.random.Generator(bit_generator)
