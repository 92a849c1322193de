"""Constants that a program declares as holes: its `CONSTANTS`.

docs/program-contract.md has the convention.
"""

import ast
from collections.abc import Iterator

from cwm.programs.constants.holes import Hole
from cwm.programs.constants.syntax import (
    Places,
    is_whole,
    mentions_pi,
    number_of,
    parse,
)

DECLARATION = "CONSTANTS"


def declared_holes(source: str) -> tuple[list[Hole], list[str]]:
    """Returns the declared constants, and what is wrong with other declarations."""
    tree = parse(source)
    found = None if tree is None else declaration(tree)
    if not isinstance(found, ast.Dict):
        return [], []
    places = Places(source)
    holes: list[Hole] = []
    problems: list[str] = []
    for key, entry in zip(found.keys, found.values, strict=True):
        name = _text(key)
        if name is None:
            problems.append(f"Line {entry.lineno}: a constant's name must be a text.")
            continue
        hole = _hole(name, entry, places)
        if isinstance(hole, str):
            problems.append(f"{name}: {hole}")
        else:
            holes.append(hole)
    return holes, problems


def declaration(tree: ast.Module) -> ast.expr | None:
    """Returns what `CONSTANTS` is set to at module level."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="CONSTANTS")], value=value):
                return value
            case ast.AnnAssign(target=ast.Name(id="CONSTANTS"), value=value):
                return value
    return None


def _text(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def _hole(name: str, entry: ast.expr, places: Places) -> Hole | str:
    """Returns the hole of an entry, or what is wrong with it."""
    parts = dict(_parts(entry))
    if not {"value", "low", "high"} <= set(parts):
        return 'an entry must have "value", "low" and "high".'
    numbers = {key: number_of(parts[key]) for key in ("value", "low", "high")}
    value, low, high = numbers["value"], numbers["low"], numbers["high"]
    if value is None or low is None or high is None:
        return '"value", "low" and "high" must be plain numbers.'
    if not low <= value <= high or low == high:
        return f'"value" must be between "low" and "high", got {value:g}.'
    start, stop = places.span(parts["value"])
    return Hole(
        name=name,
        kind="declared",
        value=value,
        low=low,
        high=high,
        is_integer=all(is_whole(parts[key]) for key in numbers),
        is_angle=mentions_pi(parts["value"]),
        line=parts["value"].lineno,
        start=start,
        stop=stop,
    )


def _parts(entry: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(entry, ast.Dict):
        for key, value in zip(entry.keys, entry.values, strict=True):
            name = _text(key)
            if name is not None:
                yield name, value
