"""The texts of a program's classes, found from the classes as they run."""

import ast
from typing import Any


class ClassTexts:
    """Finds the text of a method.

    Of one name there may be several classes: a class may extend the one whose name it
    takes over.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._classes: dict[str, list[ast.ClassDef]] = {}
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                self._classes.setdefault(node.name, []).append(node)

    def method(self, kind: type, name: str) -> ast.FunctionDef | None:
        """Returns the text of a method that a class defines itself, if it has one."""
        texts = self._classes.get(kind.__name__, [])
        found = [
            node
            for text in texts
            for node in text.body
            if isinstance(node, ast.FunctionDef) and node.name == name
        ]
        if len(texts) < 2:
            return found[-1] if found else None
        line = _first_line(vars(kind).get(name))
        return next((node for node in found if _is_at(node, line)), None)


def _first_line(member: Any) -> int | None:
    """Returns the line at which a method begins, its decorators included."""
    for inner in ("__func__", "fget"):
        member = getattr(member, inner, member)
    code = getattr(member, "__code__", None)
    return None if code is None else int(code.co_firstlineno)


def _is_at(node: ast.FunctionDef, line: int | None) -> bool:
    first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
    return first == line
