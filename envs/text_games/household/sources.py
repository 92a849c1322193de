"""ALFWorld's data: what can hold what, what can be done with it, 120 floor plans.

Read from the installed package `alfworld`, whose code is not run: most of it needs
packages that are not. Its constants are a module of their own without imports of that
kind.
"""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from cwm.core.errors import PrerequisiteError

PACKAGE = "alfworld"

INSTALL_LINE = "pip install --no-deps alfworld"
"""Its dependencies are large, and not needed."""

Pose: TypeAlias = tuple[float, ...]
"""Where one stands to use a piece of furniture: x, z, direction, angle of view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What kinds of furniture and objects there are.

    Attributes:
        holds: Kind of furniture -> kinds of objects that can be put there.
        openable: Kinds of furniture that can be opened.
        containers: Kinds of objects that could hold others.
        abilities: Kind of object -> what can be done with it: "heat", "cool", "clean",
            "slice", "use".
    """

    holds: Mapping[str, frozenset[str]]
    openable: frozenset[str]
    containers: frozenset[str]
    abilities: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """What a room has.

    Attributes:
        kinds: Kinds of furniture and objects.
        poses: Piece of furniture, as `Kind|x|y|z` -> where one stands to use it.
    """

    kinds: frozenset[str]
    poses: Mapping[str, Pose]


_ABILITIES = {
    "heat": "Heatable",
    "cool": "Coolable",
    "clean": "Cleanable",
    "slice": "Sliceable",
    "use": "Toggleable",
}


@lru_cache(maxsize=1)
def read_facts() -> Facts:
    """Returns what kinds there are.

    Raises:
        PrerequisiteError: If the package is not installed.
    """
    constants = _constants(_folder() / "gen" / "constants.py")
    containers = frozenset(constants.MOVABLE_RECEPTACLES)
    actions: dict[str, set[str]] = constants.VAL_ACTION_OBJECTS
    kinds = set().union(*actions.values(), *constants.VAL_RECEPTACLE_OBJECTS.values())
    return Facts(
        holds={
            kind: frozenset(held)
            for kind, held in constants.VAL_RECEPTACLE_OBJECTS.items()
            if kind not in containers
        },
        openable=frozenset(constants.OPENABLE_CLASS_LIST) - containers,
        containers=containers,
        abilities={
            kind: frozenset(a for a, key in _ABILITIES.items() if kind in actions[key])
            for kind in kinds
        },
    )


@lru_cache(maxsize=128)
def read_floor_plan(number: int) -> FloorPlan:
    """Returns one of ALFWorld's floor plans.

    Raises:
        PrerequisiteError: If the package is not installed.
    """
    folder = _folder() / "gen" / "layouts"
    kinds: list[str] = _read(folder / f"FloorPlan{number}-objects.json")
    poses: dict[str, list[float]] = _read(folder / f"FloorPlan{number}-openable.json")
    return FloorPlan(
        kinds=frozenset(kinds),
        poses={name: tuple(pose) for name, pose in poses.items()},
    )


def _folder() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise PrerequisiteError(
            f"Household games need the data of {PACKAGE}, which is not installed. "
            f"Run: {INSTALL_LINE}"
        )
    return Path(found.submodule_search_locations[0])


def _constants(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("_alfworld_constants", path)
    assert spec is not None, "a path of Python source has a spec"
    assert spec.loader is not None, "and a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
