"""Names that the rendered program gives to features."""

import keyword
import re

from cwm.core.spaces import DictSpec, SpaceSpec
from cwm.proposers.symbolic.discrete.layout import Digit, Element
from cwm.proposers.symbolic.discrete.model import Model, Shift
from cwm.proposers.symbolic.discrete.table import action_names

RESERVED = {
    "action",
    "observation",
    "reward",
    "terminated",
    "self",
    "np",
    "draw",
    "legal",
}


def feature_names(
    model: Model,
    *,
    observation_space: SpaceSpec,
    observed: tuple[Element, ...],
    digits: tuple[Digit, ...],
    num_actions: int,
) -> dict[str, str]:
    """Returns the Python name of every feature of a model.

    Two digits that different actions move by one are called `row` and `col`; the
    keys of a dict keep their names; other digits are numbered.
    """
    names = {name: name for name in action_names(num_actions)}
    chosen = [_plain_name(d, i, observed, digits) for i, d in enumerate(digits)]
    if isinstance(observation_space, DictSpec):
        chosen = [
            _key_name(observed[d.element].path) or plain if not d.radix else plain
            for d, plain in zip(digits, chosen, strict=True)
        ]
    for index, name in zip(_grid_digits(model), ("row", "col"), strict=False):
        if name not in chosen:
            chosen[index] = name
    for i, name in enumerate(chosen):
        names[f"x{i}"] = name
        names[f"moved:x{i}"] = f"moved_{name}"
        names[f"next:x{i}"] = f"next_{name}"
        names[f"step:x{i}"] = f"(next_{name} - {name})"
    for i in range(len(model.relations)):
        names[f"rel:{i}"] = f"place_{i}"
    names["terminated"] = "terminated"
    names["reward"] = "reward"
    names["legal"] = "legal"
    return names


def _plain_name(
    digit: Digit, index: int, observed: tuple[Element, ...], digits: tuple[Digit, ...]
) -> str:
    if len(digits) == 1:
        return "state"
    return f"digit_{index}" if len(observed) == 1 else f"element_{index}"


def _key_name(path: str) -> str | None:
    """Returns a dict key as an identifier, if it can be one."""
    name = re.sub(r"\W+", "_", path).strip("_").lower()
    if not name.isidentifier() or keyword.iskeyword(name) or name in RESERVED:
        return None
    if name.startswith(("next_", "moved_", "place_", "action_")):
        return None
    return name


def _grid_digits(model: Model) -> list[int]:
    """Returns the two digits that look like a position, or none."""
    found = sorted(
        (move for move in model.moves if _moves_by_one(move)),
        key=lambda move: int(move.feature[1:]),
    )
    if len(found) != 2:
        return []
    first, second = ({key for key, _ in move.offsets} for move in found)
    return [] if first & second else [int(move.feature[1:]) for move in found]


def _moves_by_one(move: Shift) -> bool:
    return move.by == ("action",) and {step for _, step in move.offsets} == {-1, 1}
