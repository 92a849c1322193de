"""What a program imports, by its text."""

import ast

from sandbox.policy import parse_quietly


def imported_modules(source: str) -> tuple[str, ...]:
    """Returns the modules that a program names, sorted; none if it is no Python."""
    try:
        tree = parse_quietly(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return tuple(sorted(found))
