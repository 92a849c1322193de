"""A program: source text with an entry point, and where it came from."""

import ast
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ENTRY_POINT = "Environment"
"""Name of the class that a code world model defines; see docs/program-contract.md."""

_OWN_GENERATOR = re.compile(r"\brandom\.default_rng\b|\brng\.random\b")


_WORD = re.compile(r"\w+")


def uses_generator(source: str) -> bool:
    """Returns whether a source mentions `rng`, the generator that it is given."""
    return "rng" in source


def uses_global_generators(source: str) -> bool:
    """Returns whether a source mentions `random`, the process's own generators.

    `random.default_rng` and `rng.random` are no such mention.
    """
    return "random" in _OWN_GENERATOR.sub("", source)


_STEPPING = frozenset({"set_state", "step", "step_batch", "legal_actions"})


def may_draw(source: str) -> bool:
    """Returns whether what a step can reach mentions `random`.

    What only `__init__` draws, alone or by a method, is no draw of a step.
    Whatever is not a function, such as a name at module level, counts as reached.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    functions: dict[str, list[str]] = {}
    rest: list[str] = []
    for top in tree.body:
        for node in top.body if isinstance(top, ast.ClassDef) else [top]:
            if isinstance(node, ast.FunctionDef):
                functions.setdefault(node.name, []).append(ast.unparse(node))
            elif not isinstance(node, ast.Import):
                rest.append(ast.unparse(node))
    reached: set[str] = set()
    waiting = ["\n".join(rest), *(t for n in _STEPPING for t in functions.get(n, ()))]
    while waiting:
        text = waiting.pop()
        if uses_global_generators(text):
            return True
        for name in set(_WORD.findall(text)) - reached - {"__init__"}:
            reached.add(name)
            waiting += functions.get(name, ())
    return False


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
