"""A program: source text with an entry point, and where it came from."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ENTRY_POINT = "Environment"
"""Name of the class that a code world model defines; see docs/program-contract.md."""

_OWN_GENERATOR = re.compile(r"\brandom\.default_rng\b|\brng\.random\b")


def uses_generator(source: str) -> bool:
    """Returns whether a source mentions `rng`, the generator that it is given."""
    return "rng" in source


def uses_global_generators(source: str) -> bool:
    """Returns whether a source mentions `random`, the process's own generators.

    `random.default_rng` and `rng.random` are no such mention.
    """
    return "random" in _OWN_GENERATOR.sub("", source)


@dataclass(frozen=True, kw_only=True)
class Program:
    """Source text of a code world model.

    Attributes:
        source: The text.
        entry_point: Name of the class in it that is the world model.
        origin: Who wrote it and how, for people and tables; JSON-able.
    """

    source: str
    entry_point: str = ENTRY_POINT
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.entry_point.isidentifier():
            raise ValueError(
                f"entry_point must be an identifier, got {self.entry_point!r}."
            )

    @property
    def digest(self) -> str:
        """SHA-256 of the source, hexadecimal: equal texts are equal programs."""
        return hashlib.sha256(
            self.source.encode("utf-8", "backslashreplace")
        ).hexdigest()
