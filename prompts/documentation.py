"""An environment's documentation, without what costs tokens and says nothing."""

import re

_MIN_TABLE_LINES = 3
_PADDING = re.compile(r"[ \t]{2,}")
_DASHES = re.compile(r"-{4,}")


def compact(markdown: str) -> str:
    """Returns a Markdown text whose tables are not padded into columns.

    Also without blanks at line ends, and without more than one empty line in a row.
    A table is known by its rule (`|---|---|`), so that a map drawn with bars is left
    as it is.
    """
    lines = [line.rstrip() for line in markdown.splitlines()]
    found: list[str] = []
    index = 0
    while index < len(lines):
        end = index
        while end < len(lines) and lines[end].lstrip().startswith("|"):
            end += 1
        block = lines[index:end] or [lines[index]]
        is_table = len(block) >= _MIN_TABLE_LINES and any(
            "---" in line and not line.strip("|-: \t") for line in block
        )
        found += [_row(line) for line in block] if is_table else block
        index += len(block)
    kept = (
        line
        for number, line in enumerate(found)
        if line or number == 0 or found[number - 1]
    )
    return "\n".join(kept).strip()


def _row(line: str) -> str:
    return _DASHES.sub("---", _PADDING.sub(" ", line.strip()))
