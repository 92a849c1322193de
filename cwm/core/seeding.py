"""Named random streams: one integer seed in, independent generators out."""

import hashlib

import numpy as np


def seed_sequence(seed: int, *names: str | int) -> np.random.SeedSequence:
    """Returns the seed sequence of the stream `names` under `seed`.

    A stream depends on its names only, not on which other streams exist or in
    what order they were made, so adding one never changes another.

    Args:
        seed: The run's seed; at least 0.
        names: What the stream is for, such as `"collect", 3`.

    Raises:
        ValueError: If `seed` is negative.
    """
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}.")
    text = "/".join(str(name) for name in names)
    digest = hashlib.sha256(text.encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.SeedSequence([seed, *words])


def child_rng(seed: int, *names: str | int) -> np.random.Generator:
    """Returns the generator of the stream `names` under `seed`."""
    return np.random.default_rng(seed_sequence(seed, *names))


def child_seed(seed: int, *names: str | int) -> int:
    """Returns a 31-bit integer seed of the stream `names` under `seed`."""
    return int(seed_sequence(seed, *names).generate_state(1)[0] >> 1)
