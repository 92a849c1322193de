"""Values of Python's own kinds as text, and back; nothing else gets through.

None, bool, int, float, str, bytes, list, tuple, set and dict, nested as deep as
`MAX_DEPTH`. The text is JSON, with NaN and integers of any size; what JSON lacks is
an object with one key that begins with `$`.
"""

import base64
import binascii
import json
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from sandbox.errors import ProtocolError

MAX_DEPTH = 32
"""Deepest nesting of containers."""

MAX_ITEMS = 200_000
"""Most values in one text, containers included."""

MAX_TEXT_CHARS = 1 << 20
"""Longest text."""

MAX_RARE_KEYS = 2_000
"""Most keys and members of sets that are tuples or integers beyond 64 bits."""

_TAGS = frozenset({"$bytes", "$dict", "$set", "$tuple"})


def encode_plain(value: object) -> str:
    """Returns the text of a value.

    NumPy's scalars and arrays become numbers and lists, instances of subclasses what
    their base holds.

    Raises:
        ValueError: If it is nested too deeply, has too many parts, or too long a
            text comes out.
        TypeError: If there is anything else in it.
    """
    text = json.dumps(_Plain().of(value, MAX_DEPTH), separators=(",", ":"))
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError(
            f"a value must have at most {MAX_TEXT_CHARS} characters as text, "
            f"got {len(text)}."
        )
    return text


class _Plain:
    """Turns a value into what `json` writes; counts its parts."""

    def __init__(self) -> None:
        self._num_left = MAX_ITEMS

    def of(self, value: object, depth: int) -> Any:
        self._num_left -= 1
        if self._num_left < 0:
            raise ValueError(f"a value must have at most {MAX_ITEMS} parts.")
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()
        if value is None or isinstance(value, bool):
            return value
        # Without subclasses, whose own ways `json` might follow.
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, bytes | bytearray):
            return {"$bytes": base64.b64encode(value).decode()}
        return self._container(value, depth - 1)

    def _container(self, value: object, depth: int) -> Any:
        if depth < 0:
            raise ValueError(f"a value must be nested at most {MAX_DEPTH} deep.")
        if isinstance(value, list):
            return [self.of(item, depth) for item in value]
        if isinstance(value, tuple):
            return {"$tuple": [self.of(item, depth) for item in value]}
        if isinstance(value, AbstractSet):
            return {"$set": [self.of(item, depth) for item in value]}
        if isinstance(value, dict):
            if all(type(key) is str and key[:1] != "$" for key in value):
                return {key: self.of(item, depth) for key, item in value.items()}
            return {"$dict": [[self.of(x, depth) for x in p] for p in value.items()]}
        raise TypeError(f"a value of type {type(value).__name__} is not plain data.")


def decode_plain(text: str) -> Any:
    """Returns the value of a text, which may come from a child.

    Raises:
        ProtocolError: If it is none that `encode_plain` returns.
    """
    num_items = text.count(",") + text.count("[") + text.count("{")
    if len(text) > MAX_TEXT_CHARS or num_items > 4 * MAX_ITEMS:
        raise ProtocolError("a plain value is too large.")
    try:
        return _Revival().of(json.loads(text), 3 * MAX_DEPTH)
    except ProtocolError:
        raise
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise ProtocolError(f"{type(error).__name__} in a plain value.") from error


class _Revival:
    """Turns what `json` read into a value; counts keys that could be chosen to clash.

    Numbers of more than 64 bits and tuples can be made to have the same hash: some
    ten thousand of them would keep a dict busy for minutes.
    """

    def __init__(self) -> None:
        self._num_left = MAX_RARE_KEYS

    def of(self, value: Any, depth: int) -> Any:
        if depth < 0:
            raise ProtocolError("a plain value is nested too deeply.")
        if isinstance(value, list):
            return [self.of(item, depth - 1) for item in value]
        if not isinstance(value, dict):
            return value
        tag = next(iter(value), "")
        if tag[:1] != "$":
            return {key: self.of(item, depth - 1) for key, item in value.items()}
        if len(value) != 1 or tag not in _TAGS:
            raise ProtocolError("a plain value has an unknown tag.")
        return self._tagged(tag, value[tag], depth - 1)

    def _tagged(self, tag: str, held: Any, depth: int) -> Any:
        if tag == "$bytes":
            return base64.b64decode(held, validate=True)
        items = self.of(held, depth)
        if not isinstance(items, list):
            raise ProtocolError("a plain value's container holds no list.")
        if tag == "$tuple":
            return tuple(items)
        if tag == "$set":
            return {self._key(item) for item in items}
        return {self._key(key): item for key, item in items}

    def _key(self, key: Any) -> Any:
        is_usual = key is None or isinstance(key, str | bytes | float)
        if not is_usual and not (isinstance(key, int) and -(1 << 63) <= key < 1 << 63):
            self._num_left -= 1
            if self._num_left < 0:
                raise ProtocolError("a plain value has too many unusual keys.")
        return key
