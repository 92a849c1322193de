"""Recognising that a program is not complete: parts of it are only mentioned."""

import ast
import re
from collections.abc import Set

_CODE = (
    r"(?:code|program|file|script|module|class(?:es)?|methods?|functions?|imports?|"
    r"implementations?|definitions?|constants?|helpers?|logic|body)\b"
)
_OTHER_CODE = (
    rf"(?:the\s+)?(?:(?:rest|remainder)\s+of\s+(?:\w+\s+){{0,3}}{_CODE}"
    rf"|(?:remaining|other|existing|previous|original|unchanged)\s+(?:\w+\s+){{0,2}}{_CODE})"
)
_UNCHANGED = (
    r"(?:unchanged|as\s+(?:before|above)|omitted|(?:remains?|stays?|is|are)\s+(?:the\s+)?"
    r"(?:same|identical))\b"
)
_DOTS = r"(?:\.{3}|…)"
_START = r"[(\[<]?\s*"
_END = r"\s*[.)\]>…]*\s*$"
_MISSING = (
    # "... rest of the class", "... same as before", "... omitted for brevity"
    rf"(?:{_DOTS}\s*[(\[]?\s*(?:.{{0,20}}\b)?(?:rest|remainder|remaining|existing|"
    rf"previous|unchanged|same|omitted|keep|as before|as above|{_CODE})"
    # "rest of the code remains the same", "existing methods ..."
    rf"|{_OTHER_CODE}(?:.{{0,30}}?\b{_UNCHANGED}|.{{0,20}}?{_DOTS})"
    # "rest unchanged", "the rest is as before"
    rf"|(?:the\s+)?(?:rest|everything\s+else)\s+(?:is\s+|are\s+|remains?\s+|stays?\s+)?"
    rf"(?:(?:the\s+)?same\b|{_UNCHANGED}))"
)
_COMMENT = re.compile(rf"#\s*{_START}{_MISSING}", re.IGNORECASE)
"""A comment that stands for code wherever it stands."""

_PERHAPS = re.compile(
    rf"#\s*{_START}(?:unchanged|no\s+changes?(?:\s+here)?|same\s+as\s+(?:before|"
    rf"above|(?:in\s+)?the\s+original)|(?!other|original)"
    rf"{_OTHER_CODE}|{_OTHER_CODE}\s+(?:goes\s+here|follows|here|remains?)"
    rf"|{_CODE}\s+(?:{_UNCHANGED}|(?:goes\s+)?here).{{0,30}}){_END}",
    re.IGNORECASE,
)
"""A comment that may describe what follows it; it stands for code if nothing does."""

_ONLY_DOTS = re.compile(rf"#\s*{_START}{_DOTS}{_END}")
_WORDS = re.compile(rf"{_START}(?:{_MISSING}|…\s*$)", re.IGNORECASE)
_MAX_LINE_CHARS = 120


def elided_line(
    source: str, tree: ast.Module | None, known: Set[str] = frozenset()
) -> tuple[int, str] | None:
    """Returns the number and text of the first line that stands for missing code.

    Comments such as `# ... rest unchanged`, and `...` among other statements. A
    comment that merely describes what follows it is none.

    Args:
        source: The program.
        tree: Its syntax tree; `None` if it is not Python.
        known: Lines, without blanks around them, that are not counted, such as
            those of the parent program.
    """
    lines = source.split("\n")
    dots = _dots(tree) if tree is not None else set()
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if len(text) > _MAX_LINE_CHARS or text in known:
            continue
        is_missing = number in dots or (
            text.startswith("#") and _mentions(text, lines, number)
        )
        # Words that are no comment make a program fail to be Python.
        is_words = tree is None and _WORDS.match(text) is not None
        if is_missing or is_words:
            return number, text
    return None


def _mentions(text: str, lines: list[str], number: int) -> bool:
    """Whether a comment, in line `number`, stands for code."""
    if _COMMENT.match(text):
        return True
    if _ONLY_DOTS.match(text):
        # Within a longer comment they are part of what it says.
        around = (*lines[max(0, number - 2) : number - 1], *lines[number : number + 1])
        return not any(line.strip().startswith("#") for line in around)
    return _PERHAPS.match(text) is not None and _ends_a_body(lines, number)


def _ends_a_body(lines: list[str], number: int) -> bool:
    """Whether nothing follows the line in its body but a definition."""
    indentation = _indentation(lines[number - 1])
    for line in lines[number : number + 50]:
        text = line.strip()
        if text and not text.startswith("#"):
            is_definition = text.startswith(("def ", "class ", "@", "async def "))
            is_nothing = text in ("pass", "...")
            return _indentation(line) < indentation or is_definition or is_nothing
    return True


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dots(tree: ast.Module) -> set[int]:
    """Returns the lines of `...` that stand among other statements.

    Alone it is the body of something that is left out on purpose.
    """
    found: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        values = [_constant(statement) for statement in body]
        if any(value is not Ellipsis and type(value) is not str for value in values):
            found.update(
                statement.lineno
                for statement, value in zip(body, values, strict=True)
                if value is Ellipsis
            )
    return found


def _constant(statement: ast.stmt) -> object:
    """Returns the constant that a statement consists of; `None` if it is none."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value.value
    return None
