"""Seeds of draws: those of NumPy's own seed sequences, worked out together."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cwm.core.spaces import DiscreteSpec, space_to_json
from cwm.programs import draw_seeds
from cwm.programs.draw_seeds import (
    Seeder,
    generator_of,
    generator_states,
    mix,
    mix_many,
)
from cwm.programs.program import uses_generator, uses_global_generators
from cwm.programs.wire_types import StepsRequest

SEED = 987_654_321
WORDS = (0, 1, 7, (1 << 32) - 1, 1 << 32, 1 << 63, (1 << 64) - 1)


def steps(num_draws: int, *, uses_random: bool = False) -> StepsRequest:
    rng = np.random.default_rng(0)
    space = space_to_json(DiscreteSpec(2))
    return StepsRequest(
        observation_space=space,
        action_space=space,
        observations={"": np.zeros(9, dtype=np.int64)},
        actions={"": np.zeros(9, dtype=np.int64)},
        indices=rng.integers(1 << 62, size=9),
        seed=SEED,
        num_draws=num_draws,
        message_rows=10,
        uses_generator=True,
        uses_random=uses_random,
    )


def seeded(seeder: Seeder, index: int, draw: int) -> np.random.Generator:
    environment: Any = SimpleNamespace()
    seeder.seed(environment, index, draw)
    rng = environment.rng
    assert isinstance(rng, np.random.Generator)
    return rng


def reference(request: StepsRequest, index: int, draw: int) -> np.random.Generator:
    number = int(request.indices[index]) * request.num_draws + draw
    return np.random.Generator(np.random.PCG64(mix(request.seed, number)))


def test_states_are_those_of_seed_sequences() -> None:
    drawn = np.random.default_rng(1).integers(1 << 64, size=200, dtype=np.uint64)
    words = [*WORDS, *drawn.tolist()]
    states = generator_states(np.asarray(words, dtype=np.uint64))
    for word, state in zip(words, states, strict=True):
        expected = np.random.SeedSequence(word).generate_state(4, np.uint64)
        np.testing.assert_array_equal(state, expected)


def test_many_numbers_are_mixed_as_each_of_them_is() -> None:
    mixed = mix_many(SEED, np.asarray(WORDS, dtype=np.uint64))
    assert mixed.tolist() == [mix(SEED, word) for word in WORDS]


@pytest.mark.parametrize("num_draws", [1, 5])
@pytest.mark.parametrize("at_once", [1, 4, draw_seeds.MAX_AT_ONCE])
def test_generators_are_the_same_in_whatever_order_and_blocks(
    monkeypatch: pytest.MonkeyPatch, num_draws: int, at_once: int
) -> None:
    monkeypatch.setattr(draw_seeds, "MAX_AT_ONCE", at_once)
    request = steps(num_draws)
    seeder = Seeder(request)
    pairs = [(index, draw) for index in range(9) for draw in range(num_draws)]
    for index, draw in [*pairs, *reversed(pairs)]:
        got, expected = seeded(seeder, index, draw), reference(request, index, draw)
        assert got.bit_generator.state == expected.bit_generator.state


def test_generators_have_the_children_that_numpy_gives_them() -> None:
    request = steps(1)
    got, expected = seeded(Seeder(request), 3, 0), reference(request, 3, 0)
    for _ in range(2):
        for one, other in zip(got.spawn(2), expected.spawn(2), strict=True):
            assert one.random() == other.random()


def test_global_generators_are_seeded_by_the_same_word() -> None:
    request = steps(2, uses_random=True)
    seeder = Seeder(request)
    word = mix(SEED, int(request.indices[4]) * 2 + 1)
    seeded(seeder, 4, 1)
    drawn = np.random.random()  # noqa: NPY002 - what programs may use
    assert drawn == np.random.RandomState(word & 0xFFFFFFFF).random()


@pytest.mark.parametrize(
    ("source", "is_global"),
    [
        ("import random\n", True),
        ("from numpy.random import default_rng\n", True),
        ("np.random.normal()", True),
        ("np.random.default_rng(0) + np.random.normal()", True),
        ("my_rng.random()", True),
        ("np.random.default_rng_of_mine", True),
        ("self.rng = np.random.default_rng(0)", False),
        ("self.rng.random() < 0.5", False),
    ],
)
def test_a_generator_of_ones_own_is_no_mention_of_the_global_ones(
    source: str, is_global: bool
) -> None:
    assert uses_global_generators(source) is is_global


def test_whatever_mentions_no_global_generator_still_mentions_its_own() -> None:
    # Else a program that draws would be taken for one that does not.
    for source in ("np.random.default_rng()", "x = self.rng.random()"):
        assert uses_generator(source)


def test_generators_of_words_repeat_and_differ() -> None:
    draws = [generator_of(word).random(3).tolist() for word in (1, 2, (1 << 64) - 1)]
    assert draws == [
        generator_of(word).random(3).tolist() for word in (1, 2, (1 << 64) - 1)
    ]
    assert len({value for row in draws for value in row}) == 9
    (child,) = generator_of(1).spawn(1)
    assert child.random() != generator_of(1).random()
