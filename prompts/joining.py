"""Putting a program together from its first lines and what a model adds to them.

A model that is to continue a program may do so, may give the whole program, may
begin again with the line it was cut off in, or may lose the first blanks. Gluing its
answer to the prefix without looking makes most of these a syntax error.
"""

import tokenize
from collections.abc import Callable, Iterator, Sequence
from io import StringIO

from prompts.blocks import split_lines
from prompts.syntax import SyntaxReader, missing_names, module_names

_MAX_OVERLAP_LINES = 400
_MAX_HEADS_TRIED = 40


def join(
    prefix: str,
    rest: str,
    is_program: Callable[[str], bool],
    is_complete: Callable[[str], bool] | None = None,
) -> str | None:
    """Returns the program that begins with `prefix` and goes on with `rest`.

    Nothing stands in it twice: if the rest begins with all of the prefix, or with
    its last lines, they are not repeated. `None` if no way of joining the two gives
    a program.

    Args:
        prefix: First lines of the program.
        rest: What the model wrote.
        is_program: Whether a text is what was asked for.
        is_complete: Whether such a text has all that it should; the first way to
            join that gives this goes before others.
    """
    is_complete = is_complete or is_program
    possible = None
    for candidate in _candidates(prefix, rest):
        if is_program(candidate):
            if is_complete(candidate):
                return candidate
            possible = possible or candidate
    # Lines that are indented until they fit may fit anywhere.
    for candidate in _indented(prefix, rest):
        if is_program(candidate) and is_complete(candidate):
            return candidate
    return possible


def _candidates(prefix: str, rest: str) -> Iterator[str]:
    """Yields ways to join the two, the likeliest first."""
    first, second = split_lines(prefix), split_lines(rest)
    overlaps = [
        (_is_within_statement("".join(first[:-length])), "".join(second[stop:]))
        for length, stop in _overlaps(first, second)
    ]
    # A statement is hardly written twice on purpose. A line within one may be, such
    # as a row of a map.
    yield from (prefix + new for is_within, new in overlaps if not is_within)
    yield prefix + rest
    yield from (prefix + new for is_within, new in overlaps if is_within)


def _is_within_statement(head: str) -> bool:
    """Whether a bracket or a string is still open at the end of some lines."""
    try:
        for _ in tokenize.generate_tokens(StringIO(head).readline):
            pass
    except tokenize.TokenError as error:
        return "EOF" in str(error)
    except SyntaxError:
        return False
    return False


def _filled(lines: list[str]) -> list[str]:
    return [line.rstrip() for line in lines if line.strip()]


def _overlaps(first: list[str], second: list[str]) -> Iterator[tuple[int, int]]:
    """Yields repeated ends of the prefix, up to all of it; the longest first.

    As the number of its last lines, and that of the first lines of the rest.
    """
    tail = first[-_MAX_OVERLAP_LINES:]
    for length in range(len(tail), 0, -1):
        wanted = _filled(tail[-length:])
        if not wanted or not tail[-length].strip():
            continue
        count = stop = 0
        while stop < len(second) and count < len(wanted):
            if second[stop].strip():
                line = second[stop].rstrip()
                # A service may have stripped the blanks before the first line.
                if line != wanted[count] and (count or line != wanted[0].lstrip()):
                    break
                count += 1
            stop += 1
        if count == len(wanted):
            yield length, stop


def _indented(prefix: str, rest: str) -> Iterator[str]:
    """Gives the first line of the rest the blanks that a service has stripped."""
    first, second = split_lines(prefix), split_lines(rest)
    if not second or second[0][:1] in (" ", "\t", "\n", ""):
        return
    widths: list[int] = []
    last = next((line for line in reversed(first) if line.strip()), "")
    if last.rstrip().endswith(":"):
        widths.append(_width(last) + 4)
    widths += [_width(line) for line in (last, *second[1:4]) if line.strip()]
    widths += [4, 8]
    for width in dict.fromkeys(widths):
        if width:
            yield prefix + " " * width + "".join(second)


def _width(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def with_what_it_lacks(
    source: str, earlier: Sequence[str], reader: SyntaxReader
) -> str:
    """Returns the source after those earlier parts that define what it lacks.

    Models spread a program over several blocks, or leave out imports that stand in
    the prefix.

    Args:
        source: The program, as far as it is in one piece.
        earlier: Parts that may belong before it, in their order.
        reader: Parses them.
    """
    tree = reader.tree(source)
    missing = missing_names(tree) if tree is not None else set()
    chosen: list[str] = []
    # From the last to the first: a part may lack something itself.
    for part in reversed(earlier):
        part_tree = reader.tree(part)
        if part_tree is not None and missing & module_names(part_tree):
            chosen.insert(0, part if part.endswith("\n") else f"{part}\n")
            missing |= missing_names(part_tree)
            missing -= module_names(part_tree)
    if not chosen:
        return source
    return join("".join(chosen), source, reader.is_python) or source


def longest_head(prefix: str, reader: SyntaxReader) -> str:
    """Returns as many first lines of a prefix as are Python by themselves."""
    lines = split_lines(prefix)
    for stop in range(len(lines), max(0, len(lines) - _MAX_HEADS_TRIED), -1):
        head = "".join(lines[:stop])
        if reader.is_python(head):
            return head
    return ""
