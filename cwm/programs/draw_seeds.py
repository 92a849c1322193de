"""Seeds of a program's draws, inside the sandbox: one for each transition and draw.

Making a `numpy.random.Generator` from a seed takes as long as a step of a small
program, nearly all of it in `numpy.random.SeedSequence`. What that would come to is
worked out here for many seeds at once; the generators are the same, bit for bit.
"""

import random  # noqa: TID251 - the candidate's, seeded so that it repeats
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISpawnableSeedSequence
from numpy.typing import NDArray

from cwm.programs.wire_types import StepsRequest

MAX_AT_ONCE = 4096
"""Seeds that are worked out together; they take a few hundred KiB."""

_MASK = (1 << 64) - 1
_UINT32 = (1 << 32) - 1
_POOL_SIZE = 4

# O'Neill's seed_seq (https://www.pcg-random.org/posts/developing-a-seed_seq-alternative.html)
# as NumPy has it: constants and steps of `numpy/random/bit_generator.pyx`.
_INIT_A, _MULTIPLIER_A = 0x43B0D7E5, 0x931E8875
_INIT_B, _MULTIPLIER_B = 0x8B51F9DD, 0x58F38DED
_MIX_LEFT, _MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
_SHIFT = np.uint32(16)


class Seeder:
    """Seeds what is random from (seed, number of the transition, draw).

    Attributes:
        is_needed: Whether the program mentions anything random.

    Args:
        steps: Which transitions, how often each, and what to seed.
    """

    def __init__(self, steps: StepsRequest) -> None:
        self.is_needed = steps.uses_generator or steps.uses_random
        self._uses_generator = steps.uses_generator
        self._uses_random = steps.uses_random
        self._seed = steps.seed
        self._indices = steps.indices.astype(np.uint64)
        self._num_draws = steps.num_draws
        self._start = self._stop = 0
        self._words: list[int] = []
        self._states: NDArray[np.uint64] = np.empty((0, 4), dtype=np.uint64)

    def seed(self, environment: Any, index: int, draw: int) -> None:
        """Seeds for one draw of one row of the request."""
        position = index * self._num_draws + draw
        if not self._start <= position < self._stop:
            self._work_out(position)
        word = self._words[position - self._start]
        if self._uses_generator:
            # NumPy's stubs know of fewer seeds than its bit generators take.
            seed: Any = _Seed(word, self._states[position - self._start])
            environment.rng = np.random.Generator(np.random.PCG64(seed))
        if self._uses_random:
            random.seed(word)
            np.random.seed(word & _UINT32)  # noqa: NPY002, TID251 - the candidate's

    def _work_out(self, start: int) -> None:
        """Works the seeds out from one position on."""
        self._start = start
        self._stop = min(start + MAX_AT_ONCE, len(self._indices) * self._num_draws)
        positions = np.arange(start, self._stop)
        rows, draws = np.divmod(positions, self._num_draws)
        numbers = self._indices[rows] * np.uint64(self._num_draws)
        words = mix_many(self._seed, numbers + draws.astype(np.uint64))
        self._words = words.tolist()
        if self._uses_generator:
            self._states = generator_states(words)


def mix(seed: int, number: int) -> int:
    """Returns 64 well-mixed bits of two numbers (the finaliser of SplitMix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + (number + 1) * 0xD1342543DE82EF95) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def mix_many(seed: int, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns `mix` of one seed and many numbers modulo 2**64, `[N]`."""
    z = (numbers + np.uint64(1)) * np.uint64(0xD1342543DE82EF95)
    z += np.uint64(seed * 0x9E3779B97F4A7C15 & _MASK)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def generator_states(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns what bit generators are made of from seeds `[N]`, as `[N, 4]`.

    Each row is `np.random.SeedSequence(word).generate_state(4, np.uint64)`.
    """
    low, high = words.astype(np.uint32), (words >> np.uint64(32)).astype(np.uint32)
    none = np.zeros_like(low)
    hashed = _Hash(_INIT_A, _MULTIPLIER_A)
    pool = [hashed(part) for part in (low, high, none, none)]
    for source in range(_POOL_SIZE):
        for target in range(_POOL_SIZE):
            if source != target:
                mixed = _MIX_LEFT * pool[target] - _MIX_RIGHT * hashed(pool[source])
                pool[target] = mixed ^ (mixed >> _SHIFT)
    hashed = _Hash(_INIT_B, _MULTIPLIER_B)
    parts = [hashed(pool[index % _POOL_SIZE]) for index in range(8)]
    # Two words of 32 bits are one of 64, the lower bits first.
    return np.ascontiguousarray(np.stack(parts, axis=1), dtype="<u4").view(np.uint64)


def generator_of(word: int) -> np.random.Generator:
    """Returns a generator made from 64 bits, in half of NumPy's time.

    It is another one than NumPy makes from them, and as good.
    """
    state = np.array([mix(word, index) for index in range(4)], dtype=np.uint64)
    # NumPy's stubs know of fewer seeds than its bit generators take.
    seed: Any = _Seed(word, state)
    return np.random.Generator(np.random.PCG64(seed))


class _Hash:
    """The hash of a seed sequence: its constant changes from call to call."""

    def __init__(self, first: int, multiplier: int) -> None:
        self._constant = first
        self._multiplier = multiplier

    def __call__(self, values: NDArray[np.uint32]) -> NDArray[np.uint32]:
        before = np.uint32(self._constant)
        self._constant = self._constant * self._multiplier & _UINT32
        mixed = (values ^ before) * np.uint32(self._constant)
        return np.asarray(mixed ^ (mixed >> _SHIFT))


class _Seed(ISpawnableSeedSequence):
    """The seed sequence of a word whose state has been worked out before."""

    def __init__(self, word: int, state: NDArray[np.uint64]) -> None:
        self._word = word
        self._state = state
        self._sequence: np.random.SeedSequence | None = None

    def generate_state(
        self, n_words: int, dtype: Any = np.uint32
    ) -> NDArray[np.uint32 | np.uint64]:
        if n_words == len(self._state) and dtype is np.uint64:
            return self._state
        return self._whole().generate_state(n_words, dtype)

    def spawn(self, n_children: int) -> list[Any]:
        return self._whole().spawn(n_children)

    def _whole(self) -> np.random.SeedSequence:
        """Returns NumPy's own, for the few programs that ask for more."""
        if self._sequence is None:
            self._sequence = np.random.SeedSequence(self._word)
        return self._sequence
