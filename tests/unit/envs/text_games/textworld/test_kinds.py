import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.text_games.textworld.kinds import (
    KINDS,
    SEEDS,
    checked,
    of_generator,
    rooms_of_level,
)


def test_seeds_of_the_splits_have_nothing_in_common() -> None:
    for left, right in itertools.combinations(SEEDS.values(), 2):
        assert not set(left) & set(right)
    assert {split: len(seeds) for split, seeds in SEEDS.items()} == {
        "train": 900,
        "seen": 100,
        "unseen": 1_000,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_named_is_the_default(kind: str) -> None:
    defaults = {name: choice.default for name, choice in KINDS[kind].items()}
    assert checked(kind, {}) == defaults
    for default, values in KINDS[kind].values():
        assert default in values


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("chess", {}, "kind must be one of coin_collector, treasure_hunter, "),
        (
            "simple",
            {"level": 3},
            "level is no setting of 'simple', got 3. Its settings: rewards, goal.",
        ),
        ("coin_collector", {"level": 0}, "level must be from 1 to 300, got 0."),
        ("coin_collector", {"level": True}, "level must be from 1 to 300, got True."),
        (
            "coin_collector",
            {"level": 151},
            "level must make at most 100 rooms, got 151, which makes 102.",
        ),
        ("treasure_hunter", {"level": 31}, "level must be from 1 to 30, got 31."),
        ("cooking", {"go": 7}, "go must be one of 1, 6, 9, 12, got 7."),
        ("cooking", {"open": 1}, "open must be one of False, True, got 1."),
        ("cooking", {"recipe": 6}, "recipe must be from 1 to 5, got 6."),
        ("cooking", {"take": 2}, "take must be at most recipe (1), got 2."),
        ("simple", {"goal": ""}, "goal must be one of detailed, brief, none, got ''."),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_value(
    kind: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        checked(kind, settings)


def test_settings_that_fit_only_together_are_taken() -> None:
    found = checked("cooking", {"take": 3, "recipe": 3})
    assert (found["take"], found["recipe"]) == (3, 3)


@pytest.mark.parametrize(
    ("level", "rooms"),
    # As in the generator's documentation: 1, 2 and 3 times the length of the way.
    [(1, 1), (5, 5), (100, 100), (101, 2), (150, 100), (201, 3), (233, 99)],
)
def test_rooms_follow_from_the_level(level: int, rooms: int) -> None:
    assert rooms_of_level(level) == rooms


@given(st.integers(1, 300))
def test_levels_are_taken_where_their_rooms_fit(level: int) -> None:
    if rooms_of_level(level) <= 100:
        assert checked("coin_collector", {"level": level}) == {"level": level}
    else:
        with pytest.raises(ValueError, match="at most 100 rooms"):
            checked("coin_collector", {"level": level})


def test_generators_hear_of_a_split_only_where_it_has_other_food() -> None:
    settings = checked("cooking", {})
    train = of_generator("cooking", settings, "train")
    assert train == settings | {"split": "train", "recipe_seed": 0}
    assert of_generator("cooking", settings, "seen") == train
    assert of_generator("cooking", settings, "unseen")["split"] == "test"
    simple = checked("simple", {})
    assert not of_generator("simple", simple, "seen")["test"]
    assert of_generator("simple", simple, "unseen")["test"]
    assert of_generator("custom", {"world_size": 3}, "unseen") == {"world_size": 3}
