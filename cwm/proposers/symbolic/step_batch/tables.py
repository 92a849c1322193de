"""Dicts and sets with integer keys as arrays, read for all rows at once."""

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from cwm.proposers.symbolic.step_batch.values import (
    Kind,
    NoArrayForm,
    Value,
    boolean,
    expression,
    joined,
)

MAX_CELLS = 100_000
"""Most cells of an array; every process that loads the program makes it."""

AS_ARRAY = '''
def as_array(table, shape, default):
    """Returns a table as an array over all keys; negative keys count from its end."""
    values = np.array([default, *table.values()])
    array = np.full(shape, values[0])
    for key, value in table.items():
        array[key] = value
    return array
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A dict or set of the program whose keys are integers.

    Attributes:
        name: Its name.
        keys: Its keys.
        values: Its values; empty for a set.
    """

    name: str
    keys: tuple[tuple[int, ...], ...]
    values: tuple[Value, ...]


@dataclass(kw_only=True)
class _Array:
    """An array that stands for a table: its definition, and how far its keys reach."""

    table: str
    default: str
    lows: list[int]
    highs: list[int]

    def described(self) -> tuple[str, str, int]:
        """Returns what makes it another array: table, default, parts of a key."""
        return self.table, self.default, len(self.lows)

    def cover(self, lows: Iterable[int], highs: Iterable[int]) -> None:
        self.lows = [min(pair) for pair in zip(self.lows, lows, strict=True)]
        self.highs = [max(pair) for pair in zip(self.highs, highs, strict=True)]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes; negative keys count from the end, behind the others."""
        pairs = zip(self.lows, self.highs, strict=True)
        return tuple(high + 1 - min(low, 0) for low, high in pairs)


@dataclass(kw_only=True)
class TableArrays:
    """The arrays that a program needs for look-ups in its tables.

    Attributes:
        tables: The program's tables by name.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    _arrays: dict[str, _Array] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Returns the definitions of the arrays, in order of first use."""
        return [
            f"{name} = as_array({array.table}, {array.shape}, {array.default})"
            for name, array in self._arrays.items()
        ]

    def item(self, name: str, keys: list[Value], default: Value | None) -> Value:
        """Returns `table[keys]`, with a default for keys that the table lacks.

        Args:
            name: The table.
            keys: The parts of the key.
            default: `None` if the table has every key that is asked for.
        """
        table = self._table(name)
        keys = [_as_index(key) for key in keys]
        if not table.values:
            return default or boolean(ast.Constant(value=False), is_array=False)
        filler = _filler(table)
        is_constant = default is None or not default.is_array
        fill = filler if default is None or not is_constant else default.text
        node = self._look_up(table, name.lower(), keys, name, fill)
        if is_constant:
            return joined(
                node, [*table.values, *([default] if default else [])], is_array=True
            )
        assert default is not None, "What is no constant is given."
        known = self.contains(name, keys)
        chosen = f"np.where({known.text}, {ast.unparse(node)}, {default.text})"
        return joined(expression(chosen), [*table.values, default], is_array=True)

    def contains(self, name: str, keys: list[Value]) -> Value:
        """Returns `keys in table`."""
        table = self._table(name)
        keys = [_as_index(key) for key in keys]
        attribute = f"in_{name.lower()}" if table.values else name.lower()
        source = f"dict.fromkeys({name}, True)"
        node = self._look_up(table, attribute, keys, source, "False")
        return boolean(node, is_array=True)

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            raise NoArrayForm(f"{name} is no table with integer keys.")
        return self.tables[name]

    def _look_up(
        self, table: Table, wanted: str, keys: list[Value], source: str, default: str
    ) -> ast.expr:
        lows, highs = _reach(table, keys)
        attribute, number = wanted, 1
        # One empty table may be looked up with keys of several lengths.
        while attribute in self._arrays and (
            self._arrays[attribute].described() != (source, default, len(lows))
        ):
            number += 1
            attribute = f"{wanted}_{number}"
        array = self._arrays.setdefault(
            attribute, _Array(table=source, default=default, lows=lows, highs=highs)
        )
        array.cover(lows, highs)
        if math.prod(array.shape) > MAX_CELLS:
            raise NoArrayForm(f"{table.name} has too many possible keys.")
        return expression(f"self.{attribute}[{', '.join(key.text for key in keys)}]")


def _as_index(key: Value) -> Value:
    """Returns a truth value as 0 or 1: an array of booleans would choose rows."""
    if key.kind != "bool" or not key.is_array:
        return key
    node = expression("x.astype(int)", x=key.node)
    return Value(node=node, kind="int", is_array=True, low=key.low, high=key.high)


def _reach(table: Table, keys: list[Value]) -> tuple[list[int], list[int]]:
    """Returns the bounds of each part of the key, asked for or in the table."""
    if any(len(key) != len(keys) for key in table.keys):
        raise NoArrayForm(f"{table.name} has keys of other lengths.")
    lows, highs = [], []
    for i, key in enumerate(keys):
        is_known = math.isfinite(key.low) and math.isfinite(key.high)
        if key.kind != "int" or not key.is_array or not is_known:
            raise NoArrayForm(f"It is not known which integers {key.text} can be.")
        own = [known[i] for known in table.keys]
        lows.append(min([int(key.low), *own]))
        highs.append(max([int(key.high), *own]))
    return lows, highs


def _filler(table: Table) -> str:
    """Returns what stands in cells that are never read."""
    fillers: dict[Kind, str] = {"bool": "False", "int": "0", "float": "0.0"}
    return fillers[table.values[0].kind]
