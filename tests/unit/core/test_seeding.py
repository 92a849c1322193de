import pytest

from cwm.core.seeding import child_rng, child_seed


def test_a_stream_depends_on_its_names_only() -> None:
    first = child_rng(3, "collect", 1).random()
    child_rng(3, "other").random()
    assert child_rng(3, "collect", 1).random() == first


def test_streams_and_seeds_differ() -> None:
    seeds = {
        child_seed(s, name, i) for s in range(3) for name in "ab" for i in range(3)
    }
    assert len(seeds) == 18


def test_a_child_seed_fits_where_31_bits_are_allowed() -> None:
    assert all(0 <= child_seed(0, i) < 2**31 for i in range(200))


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        child_rng(-1, "collect")
