"""Whether two programs are the same, whatever their comments and layout.

Covers: comments, docstrings and other text that stands alone, blank lines, line
    breaks, brackets that change nothing, quotes, the way a number is written.
Does not cover: anything that would need thought, such as other names for variables
    or statements in another order; such programs count as different.
"""

import ast
import hashlib
import threading
import warnings
from functools import lru_cache

MAX_CHARS = 200_000
"""Longer text is not parsed, which needs memory in proportion."""

_NUM_REMEMBERED = 1_024

_PARSING = threading.Lock()
"""The filter of warnings is the process's, not the thread's."""


def normalised_source(source: str) -> str | None:
    """Returns the canonical text of a program's syntax tree.

    Two programs with the same text do the same, unless they read their own
    docstrings. It is not Python source, and may differ between versions of Python.
    `None` if the source is not Python, is longer than `MAX_CHARS` or is nested too
    deeply.
    """
    if len(source) > MAX_CHARS:
        return None
    try:
        with _PARSING, warnings.catch_warnings():
            # An odd escape in the candidate's text is not ours to report.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        for node in ast.walk(tree):
            _drop_idle_text(node)
        return ast.dump(tree, annotate_fields=False)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@lru_cache(maxsize=_NUM_REMEMBERED)
def program_hash(source: str) -> str | None:
    """Returns the SHA-256 of a program's normalised text; `None` if it has none."""
    text = normalised_source(source)
    if text is None:
        return None
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _drop_idle_text(node: ast.AST) -> None:
    """Removes from a node what no run of the program can notice."""
    if isinstance(node, ast.Constant):
        node.kind = None  # `u"..."` is `"..."`.
    for name in ("body", "orelse", "finalbody"):
        statements = getattr(node, name, None)
        if not isinstance(statements, list) or not statements:
            continue  # The body of a lambda is an expression.
        kept = [s for s in statements if not _is_text(s)]
        # A block must not become empty.
        setattr(node, name, kept or ([] if isinstance(node, ast.Module) else _PASS))


_PASS = [ast.Pass()]


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
