"""Outcomes and conditions as Python expressions, with the tables that they need."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cwm.proposers.symbolic.discrete.model import (
    NO_LABEL,
    Compare,
    Condition,
    Constant,
    Draw,
    Feature,
    Key,
    Lookup,
    Member,
    Outcome,
    Relation,
    Rule,
    Shift,
)
from cwm.proposers.symbolic.discrete.table import REWARD, TERMINATED

LINE_LENGTH = 88


@dataclass(kw_only=True)
class Expressions:
    """Writes expressions; collects the tables that have to be defined for them.

    Attributes:
        names: Python name of every feature.
        rewards: Expression of each reward code.
        moves: Shifts that have a variable of their own.
        tables: Name -> literal, in order of first use. Equal tables are shared.
        draws: Whether anything is drawn at random.
    """

    names: dict[str, str]
    rewards: Sequence[str]
    moves: Sequence[Shift] = ()
    tables: dict[str, str] = field(default_factory=dict)
    draws: bool = False

    def target_name(self, target: str) -> str:
        """Returns the variable that holds what is predicted for a target."""
        return self.names[
            target if target in (REWARD, TERMINATED) else f"next:{target}"
        ]

    def outcome(self, outcome: Outcome, target: str) -> str:
        """Returns the expression of an outcome of `target`."""
        match outcome:
            case Constant(value=value):
                return self._value(value, target)
            case Feature(name=name):
                return self.names[name]
            case Lookup(features=features, default=default):
                table = self._lookup_table(outcome, target)
                otherwise = self.outcome(default, target)
                return f"{table}.get({self._key(features)}, {otherwise})"
            case Shift():
                if outcome in self.moves:
                    return f"moved_{self.names[outcome.feature]}"
                return self.shift(outcome)
            case Draw():
                return self._draw(outcome, target)

    def item(self, outcome: Lookup, target: str) -> str:
        """Returns the expression of a table's value for a key that it has."""
        return f"{self._lookup_table(outcome, target)}[{self._key(outcome.features)}]"

    def shift(self, shift: Shift) -> str:
        """Returns the expression of a shifted digit."""
        title = self.names[shift.feature]
        if shift.by:
            entries = {k: str(step) for k, step in shift.offsets}
            table = self._table(f"{title}_OFFSET", _dict_text(entries))
            moved = f"{title} + {table}.get({self._key(shift.by)}, 0)"
        else:
            moved = f"{title} + {shift.offsets[0][1]}"
        if shift.wraps:
            span = shift.high - shift.low + 1
            inner = f"({moved} - {shift.low})" if shift.low else f"({moved})"
            return f"{inner} % {span}" + (f" + {shift.low}" if shift.low else "")
        return f"min(max({moved}, {shift.low}), {shift.high})"

    def relation(self, relation: Relation, index: int) -> str:
        """Returns the expression of a relation's label."""
        entries = {key: str(label) for key, label in relation.entries}
        table = self._table(f"PLACE_{index}", _dict_text(entries))
        return f"{table}.get({self._key(relation.features)}, {NO_LABEL})"

    def condition(self, rule: Rule, target: str) -> str:
        """Returns the expression of when a rule applies."""
        texts = _join_bounds(
            [c for c in rule.conditions if isinstance(c, Compare)], self.names
        )
        for condition in rule.conditions:
            if isinstance(condition, Member):
                texts.append(self._member(condition, target))
        if isinstance(rule.outcome, Lookup):
            table = self._lookup_table(rule.outcome, target)
            texts.append(f"{self._key(rule.outcome.features)} in {table}")
        return " and ".join(texts) or "True"

    def _member(self, member: Member, target: str) -> str:
        text = _wrap("{", [_key_text(key) for key in sorted(member.keys)], "}")
        if not member.keys:
            return "False"
        table = self._table(f"{self.names[target]}_CASES", text)
        return f"{self._key(member.features)} in {table}"

    def _lookup_table(self, outcome: Lookup, target: str) -> str:
        entries = {key: self._value(value, target) for key, value in outcome.entries}
        return self._table(f"{self.names[target]}_BY_KEY", _dict_text(entries))

    def _draw(self, draw: Draw, target: str) -> str:
        self.draws = True

        def pairs(counts: tuple[tuple[int, int], ...]) -> str:
            relative = draw.relative_to is not None
            texts = [
                f"({value if relative else self._value(value, target)}, {count})"
                for value, count in counts
            ]
            return _wrap("[", texts, "]", indent=8 if draw.features else 4)

        title = self.names[target]
        default = self._table(f"{title}_CHANCES", pairs(draw.default))
        chances = default
        if draw.features:
            entries = {key: pairs(counts) for key, counts in draw.entries}
            table = self._table(f"{title}_CHANCES_BY_KEY", _dict_text(entries))
            chances = f"{table}.get({self._key(draw.features)}, {default})"
        if draw.relative_to is None:
            return f"draw(self.rng, {chances})"
        moved = f"{self.names[draw.relative_to]} + draw(self.rng, {chances})"
        return f"min(max({moved}, {draw.low}), {draw.high})"

    def _value(self, value: int, target: str) -> str:
        if target == REWARD:
            return self.rewards[value]
        return str(bool(value)) if target == TERMINATED else str(value)

    def _key(self, features: tuple[str, ...]) -> str:
        texts = [self.names[name] for name in features]
        return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"

    def _table(self, wanted: str, text: str) -> str:
        """Returns the name of a table, defining it unless an equal one exists."""
        wanted = wanted.upper()
        for name, known in self.tables.items():
            if known == text:
                return name
        name, number = wanted, 1
        while name in self.tables:
            number += 1
            name = f"{wanted}_{number}"
        self.tables[name] = text
        return name


def _join_bounds(conditions: Sequence[Condition], names: dict[str, str]) -> list[str]:
    """Returns comparisons as texts, lower and upper bounds of a feature joined."""
    texts: list[str] = []
    bounds: dict[str, dict[str, int]] = {}
    for condition in conditions:
        assert isinstance(condition, Compare), "Only comparisons have bounds."
        left, operator = names[condition.feature], condition.operator
        if condition.other is not None:
            texts.append(f"{left} {operator} {names[condition.other]}")
        elif operator in ("<=", ">="):
            known = bounds.setdefault(left, {})
            tighter = min if operator == "<=" else max
            known[operator] = tighter(
                known.get(operator, condition.value), condition.value
            )
        else:
            texts.append(f"{left} {operator} {condition.value}")
    for left, known in bounds.items():
        low = f"{known['>=']} <= " if ">=" in known and "<=" in known else ""
        if low:
            texts.append(f"{low}{left} <= {known['<=']}")
        else:
            texts.extend(f"{left} {op} {value}" for op, value in known.items())
    return texts


def _key_text(key: Key) -> str:
    return str(key[0]) if len(key) == 1 else str(tuple(key))


def _dict_text(entries: dict[Key, str]) -> str:
    items = [f"{_key_text(key)}: {entries[key]}" for key in sorted(entries)]
    return _wrap("{", items, "}")


def _wrap(left: str, items: list[str], right: str, *, indent: int = 4) -> str:
    """Returns items between brackets, on several lines where one is too short."""
    flat = f"{left}{', '.join(items)}{right}"
    if len(flat) + indent + 16 <= LINE_LENGTH:
        return flat
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 2 <= LINE_LENGTH:
            lines[-1] += f" {item},"
        else:
            lines.append(f"{' ' * indent}{item},")
    close = " " * (indent - 4) + right
    return left + "\n" + "\n".join(lines) + "\n" + close
