"""The induced model as data: what is stored as annotation and rendered as Python.

A model has one part per digit of the next observation, one for the reward and
one for `terminated`. A part is a base outcome and rules; the first rule whose
conditions all hold replaces the base. Everything is over named integers
("features"):

    action, action_1, ...   the action
    x0, x1, ...             digits of the observation
    moved:x0                digit x0 shifted as the model's `moves` say
    next:x0                 digit x0 of the next observation
    step:x0                 how digit x0 changes
    rel:0                   label that a learned relation gives, -1 without one
    terminated              for the reward only
    legal                   whether the program's own rules allow the action
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

NO_LABEL = -1
"""Value of a relation where it says nothing."""

Key: TypeAlias = tuple[int, ...]


class _Data(msgspec.Struct, frozen=True, tag_field="kind"):
    """Base of the JSON-able pieces."""


class Constant(_Data, frozen=True, kw_only=True, tag="constant"):
    """Always the same value."""

    value: int


class Feature(_Data, frozen=True, kw_only=True, tag="feature"):
    """The value of a feature."""

    name: str


class Lookup(_Data, frozen=True, kw_only=True, tag="lookup"):
    """A table by some features, and what holds for keys that it lacks."""

    features: tuple[str, ...]
    entries: tuple[tuple[Key, int], ...]
    default: Constant | Feature


class Shift(_Data, frozen=True, kw_only=True, tag="shift"):
    """A digit plus an offset from a table, clipped to or wrapped in a range.

    Attributes:
        feature: The digit.
        by: Features that the offset depends on.
        offsets: Offsets other than 0.
        low: Smallest result.
        high: Largest result.
        wraps: Whether results wrap around instead of being clipped.
    """

    feature: str
    by: tuple[str, ...]
    offsets: tuple[tuple[Key, int], ...]
    low: int
    high: int
    wraps: bool = False


class Draw(_Data, frozen=True, kw_only=True, tag="draw"):
    """A value drawn at random, with chances from a table by some features.

    Attributes:
        features: What the chances depend on.
        entries: For each key, `(value, count)` pairs; chances are proportional.
        default: Pairs for keys that the table lacks.
        relative_to: Feature that the drawn value is added to, if any.
        low: Smallest result; clipped to it.
        high: Largest result; clipped to it.
    """

    features: tuple[str, ...]
    entries: tuple[tuple[Key, tuple[tuple[int, int], ...]], ...]
    default: tuple[tuple[int, int], ...]
    relative_to: str | None = None
    low: int
    high: int


Outcome: TypeAlias = Constant | Feature | Lookup | Shift | Draw


class Compare(_Data, frozen=True, kw_only=True, tag="compare"):
    """A feature compared with a number, or with another feature.

    Attributes:
        feature: Left side.
        operator: One of `==`, `!=`, `<=`, `>=`.
        value: Right side, unless `other` is given.
        other: Feature on the right side.
    """

    feature: str
    operator: str
    value: int = 0
    other: str | None = None


class Member(_Data, frozen=True, kw_only=True, tag="member"):
    """Features whose values together are one of the listed keys."""

    features: tuple[str, ...]
    keys: tuple[Key, ...]


Condition: TypeAlias = Compare | Member


class Rule(_Data, frozen=True, kw_only=True, tag="rule"):
    """An outcome that holds where all conditions do.

    A `Lookup` outcome also needs its key to be in the table.
    """

    conditions: tuple[Condition, ...]
    outcome: Outcome


class Part(_Data, frozen=True, kw_only=True, tag="part"):
    """How one target comes about.

    Attributes:
        target: `"x0"` and so on for digits of the next observation, `"reward"`
            (as an index into the model's rewards) or `"terminated"` (0 or 1).
        base: Outcome where no rule holds.
        rules: Tried in order.
        family: Name of the step of the ladder that it is from.
        accuracy: Share of the training transitions that it explains; for a
            drawn part, the geometric mean of the probability it gives them.
    """

    target: str
    base: Outcome
    rules: tuple[Rule, ...] = ()
    family: str = "most frequent"
    accuracy: float = 0.0


class Relation(_Data, frozen=True, kw_only=True, tag="relation"):
    """A learned map from features to labels, such as cell -> place number."""

    features: tuple[str, ...]
    entries: tuple[tuple[Key, int], ...]


class Model(_Data, frozen=True, kw_only=True, tag="model"):
    """All parts of an induced world model.

    Attributes:
        radices: For each element of the observation, the radices of its digits.
        rewards: Values of the reward's codes, most frequent first.
        parts: In no special order; `render.ordered_parts` finds one.
        moves: The shifts behind the features `moved:x0` and so on.
        relations: Maps that rules refer to as `rel:0`, `rel:1`, ...
        lines: For each target, first and last line of its code in the source.
    """

    radices: tuple[tuple[int, ...], ...]
    rewards: tuple[float, ...]
    parts: tuple[Part, ...]
    moves: tuple[Shift, ...] = ()
    relations: tuple[Relation, ...] = ()
    lines: dict[str, tuple[int, int]] = {}

    def part(self, target: str) -> Part:
        """Returns the part of `target`."""
        return next(part for part in self.parts if part.target == target)

    def with_part(
        self, part: Part, relations: tuple[Relation, ...] | None = None
    ) -> "Model":
        """Returns the model with one part replaced (and new relations).

        The shift of a digit becomes its `moved` feature, unless another part
        already reads the feature with an earlier meaning.
        """
        parts = tuple(part if p.target == part.target else p for p in self.parts)
        kept = self.relations if relations is None else relations
        moves = self.moves
        if isinstance(part.base, Shift):
            name = f"moved:{part.target}"
            if not any(name in features_of_part(p) for p in parts):
                others = (m for m in moves if m.feature != part.target)
                moves = (*others, part.base)
        return msgspec.structs.replace(self, parts=parts, moves=moves, relations=kept)


def model_to_json(model: Model) -> dict[str, Any]:
    """Returns a JSON-able description; `model_from_json` is its inverse."""
    data = msgspec.json.decode(msgspec.json.encode(model))
    assert isinstance(data, dict), "A struct is encoded as an object."
    return data


def model_from_json(data: Any) -> Model:
    """Returns the model that `model_to_json` described.

    Raises:
        ValueError: If the data does not describe a model.
    """
    try:
        return msgspec.convert(data, Model)
    except msgspec.ValidationError as error:
        raise ValueError(f"The annotation must describe a model: {error}.") from error


def moved_down(data: Mapping[str, Any], by: int) -> dict[str, Any]:
    """Returns a model's description after lines went in above its code."""
    lines = {t: [first + by, last + by] for t, (first, last) in data["lines"].items()}
    return {**data, "lines": lines}


def features_of_outcome(outcome: Outcome) -> tuple[str, ...]:
    """Returns the names of the features that an outcome reads."""
    match outcome:
        case Constant():
            return ()
        case Feature(name=name):
            return (name,)
        case Lookup(features=features, default=default):
            return (*features, *features_of_outcome(default))
        case Shift(feature=feature, by=by):
            return (feature, *by)
        case Draw(features=features, relative_to=relative_to):
            return (*features, *([relative_to] if relative_to else []))


def features_of_condition(condition: Condition) -> tuple[str, ...]:
    """Returns the names of the features that a condition reads."""
    match condition:
        case Compare(feature=feature, other=other):
            return (feature, *([other] if other else []))
        case Member(features=features):
            return features


def features_of_part(part: Part) -> set[str]:
    """Returns the names of all features that a part reads."""
    names = set(features_of_outcome(part.base))
    for rule in part.rules:
        names.update(features_of_outcome(rule.outcome))
        for condition in rule.conditions:
            names.update(features_of_condition(condition))
    return names
