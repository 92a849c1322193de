"""A generator goes on where it was saved."""

import json

import numpy as np
import pytest

from mcts.rng import rng_from_json, rng_to_json


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.PCG64DXSM])
def test_restored_generator_draws_the_same_numbers(
    kind: type[np.random.BitGenerator],
) -> None:
    rng = np.random.Generator(kind(5))
    # A 32-bit draw leaves half a word behind, which must be saved too.
    rng.integers(10, dtype=np.int32)
    restored = rng_from_json(json.loads(json.dumps(rng_to_json(rng))))
    expected = rng.integers(10, size=20, dtype=np.int32)
    assert restored.integers(10, size=20, dtype=np.int32).tolist() == expected.tolist()


def test_state_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bit_generator must be one of .*'Other'"):
        rng_from_json({"bit_generator": "Other"})
