"""Which games TextWorld makes: kinds, their settings, their seeds by split."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, TypeAlias

from envs.text_games.base import Split

Setting: TypeAlias = bool | int | str
"""Value of a setting of a generator."""


class Choice(NamedTuple):
    """What a setting can be.

    Attributes:
        default: Where it is not named; all values have its type.
        values: All of them.
    """

    default: Setting
    values: Collection[Setting]


def _flag(default: bool) -> Choice:
    return Choice(default, (False, True))


KINDS: dict[str, dict[str, Choice]] = {
    "coin_collector": {"level": Choice(5, range(1, 301))},
    "treasure_hunter": {"level": Choice(5, range(1, 31))},
    "simple": {
        "rewards": Choice("dense", ("dense", "balanced", "sparse")),
        "goal": Choice("detailed", ("detailed", "brief", "none")),
    },
    "cooking": {
        "recipe": Choice(1, range(1, 6)),
        "take": Choice(1, range(6)),
        "go": Choice(6, (1, 6, 9, 12)),
        "open": _flag(True),
        "cook": _flag(True),
        "cut": _flag(True),
        "drop": _flag(False),
    },
    "custom": {
        "world_size": Choice(5, range(1, 21)),
        "nb_objects": Choice(10, range(1, 51)),
        "quest_length": Choice(5, range(1, 11)),
    },
}
"""Kind -> its settings, named as in `tw-make`."""

SEEDS: dict[Split, range] = {
    "train": range(900),
    "seen": range(900, 1_000),
    "unseen": range(20_000, 21_000),
}
"""Split -> the seeds of its games, of whatever kind."""

MAX_ROOMS = 100
"""Most rooms that fit into a compiled game."""


def checked(kind: str, settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Returns all settings of a kind of game: those given, and defaults.

    Raises:
        ValueError: If there is no such kind or setting, or a value is out of range.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    choices = KINDS[kind]
    for name, value in settings.items():
        if name not in choices:
            raise ValueError(
                f"{name} is no setting of {kind!r}, got {value!r}. "
                f"Its settings: {', '.join(choices)}."
            )
        default, values = choices[name]
        if type(value) is not type(default) or value not in values:
            raise ValueError(f"{name} must be {_rule(values)}, got {value!r}.")
    found = {name: choice.default for name, choice in choices.items()} | dict(settings)
    _check_together(kind, found)
    return found


def of_generator(
    kind: str, settings: Mapping[str, Setting], split: Split
) -> dict[str, Setting]:
    """Returns what the generator of a kind gets: its settings, and those of the split.

    Recipes of unseen games of `cooking` have food, or ways to prepare it, that are in
    no other; unseen games of `simple` ask for food that no other has. Those of the
    other kinds differ in their seeds only, which this is not about.

    Args:
        kind: One of `KINDS`.
        settings: As from `checked`.
        split: Of the games.
    """
    added: dict[str, Setting] = {}
    if kind == "cooking":
        added = {"split": "test" if split == "unseen" else "train", "recipe_seed": 0}
    elif kind == "simple":
        added = {"test": split == "unseen"}
    return {**settings, **added}


def _rule(values: Collection[Setting]) -> str:
    if isinstance(values, range):
        return f"from {values[0]} to {values[-1]}"
    return f"one of {', '.join(map(str, values))}"


def _check_together(kind: str, settings: Mapping[str, Setting]) -> None:
    if kind == "cooking" and int(settings["take"]) > int(settings["recipe"]):
        raise ValueError(
            f"take must be at most recipe ({settings['recipe']}), "
            f"got {settings['take']}."
        )
    if kind == "coin_collector":
        rooms = rooms_of_level(int(settings["level"]))
        if rooms > MAX_ROOMS:
            raise ValueError(
                f"level must make at most {MAX_ROOMS} rooms, got {settings['level']}, "
                f"which makes {rooms}."
            )


def rooms_of_level(level: int) -> int:
    """Returns how many rooms a level of `coin_collector` has.

    The last two digits are the length of the way; from 101 and from 201 on each
    room on it has one and two more.
    """
    per_room, others = divmod(level - 1, 100)
    return (per_room + 1) * (others + 1)
