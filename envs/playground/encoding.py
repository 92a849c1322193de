"""A scene as the numbers that learned policies see, and which actions they may take.

The published encoding: 4 roles x 13 types x 2 (grown or not) x 4 categories, flat.
Types are numbered from 1, in the order of `envs.playground.things.TYPES`.
"""

import numpy as np
from numpy.typing import NDArray

from envs.playground.rules import NUM_ACTIONS, Scene, inventory, under, visible
from envs.playground.things import (
    BIG,
    CATEGORY,
    NAMES,
    PLANT,
    SMALL,
    SUPPLY,
    TYPES,
    Thing,
    type_of,
)

SHAPE = (4, len(TYPES) + 1, 2, 4)
NUM_FEATURES = int(np.prod(SHAPE))
"""416."""

VISIBLE, UNDERNEATH, FIRST_ITEM, SECOND_ITEM = range(4)
"""Roles: how many lie about, what is under the agent, what it holds by name."""

_CATEGORIES = (BIG, PLANT, SMALL, SUPPLY)


def _feature_of(one: Thing) -> int:
    name = type_of(one)
    category = CATEGORY[name]
    is_grown = one & 1 or category == SUPPLY
    places = 0, 1 + TYPES.index(name), int(is_grown), _CATEGORIES.index(category)
    return int(np.ravel_multi_index(places, SHAPE))


_FEATURES = tuple(map(_feature_of, range(len(NAMES))))
"""The feature of each thing in the first role."""

_ROLE_SIZE = NUM_FEATURES // SHAPE[0]


def encode(scene: Scene) -> NDArray[np.int8]:
    """Returns the features of a scene, `[416]`: counts, then flags."""
    features = np.zeros(NUM_FEATURES, dtype=np.int8)
    for one in visible(scene):
        features[_feature(VISIBLE, one)] += 1
    at = under(scene)
    if at is not None:
        features[_feature(UNDERNEATH, scene.things[at])] = 1
    for role, one in enumerate(inventory(scene), start=FIRST_ITEM):
        features[_feature(role, one)] = 1
    return features


def _feature(role: int, one: Thing) -> int:
    return role * _ROLE_SIZE + _FEATURES[one]


def action_mask(legal: tuple[int, ...]) -> NDArray[np.bool_]:
    """Returns which of all actions are legal, `[30]`."""
    mask = np.zeros(NUM_ACTIONS, dtype=np.bool_)
    mask[list(legal)] = True
    return mask
