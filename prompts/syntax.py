"""Python text as a syntax tree, within a limit, and the names in it."""

import ast
import builtins
import threading
import warnings
from collections.abc import Iterable, Iterator

MAX_CHECKED_CHARS = 200_000
"""Longer text is not parsed as Python, which needs memory in proportion."""

MAX_PARSED_CHARS = 600_000
"""All texts together that are parsed for one completion: about two seconds."""

_CHARS_PER_PARSE = 200
"""What an attempt counts for at least, so that their number is limited, too."""

_REPEATS_PER_PARSE = 20
"""Questions about a known text that count as one attempt."""

_PARSING = threading.Lock()
"""The filter of warnings is the process's, not the thread's."""


class SyntaxReader:
    """Parses Python text for one completion; never more than a certain amount.

    Attributes:
        chars_left: Characters that may still be parsed; not above 0 once a text
            was too much.
    """

    def __init__(self, max_chars: int = MAX_PARSED_CHARS) -> None:
        self.chars_left = max_chars
        self._known: dict[str, ast.Module | None] = {}

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more is parsed."""
        return self.chars_left <= 0

    def tree(self, source: str) -> ast.Module | None:
        """Returns the syntax tree; `None` if the text is not Python, or too long."""
        if len(source) > MAX_CHECKED_CHARS:
            return None
        cost = max(len(source), _CHARS_PER_PARSE)
        if source in self._known:
            cost //= _REPEATS_PER_PARSE
        self.chars_left -= cost
        if self.is_exhausted:
            return self._known.get(source)
        if source not in self._known:
            self._known[source] = _parse(source)
        return self._known[source]

    def is_python(self, source: str) -> bool:
        """Whether the text is known to be Python."""
        return self.tree(source) is not None


def _parse(source: str) -> ast.Module | None:
    try:
        with _PARSING, warnings.catch_warnings():
            # An odd escape in the candidate's text is not ours to report.
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def missing_names(tree: ast.Module) -> set[str]:
    """Returns names that are read somewhere and come from nowhere in the source.

    Scopes are not told apart: a name that is bound anywhere is not missing.
    """
    read: set[str] = set()
    bound: set[str] = set(vars(builtins)) | {"__name__", "__file__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            read.add(node.id)
        elif isinstance(node, ast.alias) and node.name == "*":
            return set()  # Whatever is missing may come from there.
        else:
            bound.update(_bound_by(node))
    return read - bound


def module_names(tree: ast.Module) -> set[str]:
    """Returns the names that a module's own statements bind."""
    found: set[str] = set()
    for statement in tree.body:
        found.update(_bound_by(statement))
        if not isinstance(
            statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ):
            for node in ast.walk(statement):
                found.update(_bound_by(node))
    return found


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yields the names that one node binds, without those of the nodes below."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            yield name
        case ast.AsyncFunctionDef(name=name):
            yield name
        case ast.arg(arg=name):
            yield name
        case ast.alias(name=name, asname=asname):
            yield asname or name.partition(".")[0]
        case ast.ExceptHandler(name=str(name)):
            yield name
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case _:
            yield from ()


def classes_with(tree: ast.Module, methods: Iterable[str]) -> list[str]:
    """Returns the names of the module's classes that define all these methods."""
    wanted = set(methods)
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and wanted
        <= {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    ]
