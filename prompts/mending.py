"""Small damage that answers and their transport do to a program, undone.

Covers: reasoning left in the text, Windows line ends, quoted Markdown; and, only
    where a source is not Python without it: indentation of the whole, prompts of
    the interpreter (`>>>`), line numbers, HTML escapes, escaped line ends, mixed tabs
    and spaces, odd blanks, quotes and minus signs outside of strings.
Does not cover: mistakes of the program's author. Whatever is changed must be such
    that the text becomes Python.
"""

import html
import re
import textwrap
from collections.abc import Callable, Iterator

from prompts.syntax import MAX_CHECKED_CHARS, SyntaxReader, missing_names

_REASONING = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad"
_OPENED = re.compile(rf"<(?:{_REASONING})>|\[THINK\]|◁think▷", re.IGNORECASE)
_CLOSED = re.compile(rf"</(?:{_REASONING})>|\[/THINK\]|◁/think▷", re.IGNORECASE)


def plain_text(text: str) -> str:
    """Returns a completion without what no program can need.

    That is a byte order mark, carriage returns at line ends, and the `> ` of an
    answer that is quoted as a whole.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    lines = text.split("\n")
    if not any(line.startswith(("> ```", ">```")) for line in lines):
        return text
    if any(line.startswith("```") for line in lines):
        return text
    return "\n".join(_unquoted(line) for line in lines)


def _unquoted(line: str) -> str:
    if not line.startswith(">") or line.startswith(">>>"):
        return line
    return line[1:].removeprefix(" ")


def without_reasoning(text: str) -> tuple[str, bool]:
    """Returns the text after a model's thoughts, and whether those were ended.

    Thoughts stand in tags such as `<think>`. Where the last of them is not closed,
    only the tag is removed: the answer may follow all the same.
    """
    end = 0
    for match in _CLOSED.finditer(text):
        end = match.end()
    text = text[end:]
    opened = _OPENED.search(text)
    if opened is None:
        return text, True
    return text[: opened.start()] + text[opened.end() :], False


def mend(source: str, reader: SyntaxReader) -> str:
    """Returns the source, mended if it is not Python but becomes so.

    The remedies are tried one after another, each on what the former ones gave. If
    none helps, the source comes back as it was.
    """
    tree = reader.tree(source)
    if tree is not None:
        # `a &lt; b` is Python: the names `a & lt`, and `b`.
        if _ENTITY.search(source) and missing_names(tree) & _ENTITY_NAMES:
            unescaped = html.unescape(source)
            return unescaped if reader.is_python(unescaped) else source
        return source
    if len(source) > MAX_CHECKED_CHARS:
        return source
    text = source
    for remedy in _REMEDIES:
        changed = text
        for changed in remedy(text):
            if changed != text and reader.is_python(changed):
                return changed
        # What a remedy changes is wrong in any case, so the next one starts there.
        text = changed
    return source


def _dedented(source: str) -> Iterator[str]:
    yield textwrap.dedent(source)


def _without_prompts(source: str) -> Iterator[str]:
    """Removes `>>> ` and `... `, if every statement begins with the former."""
    lines = source.split("\n")
    filled = [line for line in lines if line.strip()]
    if filled and filled[0].lstrip().startswith(">>>"):
        kept = (line for line in lines if _PROMPT.match(line))
        yield "\n".join(_PROMPT.sub("", line, count=1) for line in kept) + "\n"
    else:
        yield source


_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")


def _without_numbers(source: str) -> Iterator[str]:
    """Removes line numbers such as `12 | `, if they count up by one."""
    lines = source.rstrip("\n").split("\n")
    found = [_NUMBER.match(line) for line in lines]
    numbers = [int(match[1]) for match in found if match]
    if len(numbers) == len(lines) and numbers == list(
        range(numbers[0], numbers[0] + len(lines))
    ):
        yield "".join(f"{_NUMBER.sub('', line, count=1)}\n" for line in lines)
    else:
        yield source


_NUMBER = re.compile(r"[> \t]{0,8}(\d{1,6})[ \t]{0,4}[|:\t] ?")


def _unescaped_html(source: str) -> Iterator[str]:
    yield html.unescape(source) if _ENTITY.search(source) else source


_ENTITY_NAMES = {"lt", "gt", "amp", "quot", "apos"}
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#\d{1,5}|#x[0-9a-fA-F]{1,4});")


def _unescaped_lines(source: str) -> Iterator[str]:
    """Makes line ends of escaped ones, if the whole program is one line."""
    if source.strip().count("\n") == 0 and "\\n" in source:
        text = source.strip().strip('"')
        for escaped, plain in (("\\n", "\n"), ("\\t", "\t"), ('\\"', '"')):
            text = text.replace(escaped, plain)
        yield f"{text}\n"
    else:
        yield source


def _spaced(source: str) -> Iterator[str]:
    """Makes spaces of the tabs that indent, four or eight of each."""
    for width in (8, 4):
        yield "\n".join(_spaced_line(line, width) for line in source.split("\n"))


def _spaced_line(line: str, width: int) -> str:
    rest = line.lstrip(" \t")
    return line[: len(line) - len(rest)].expandtabs(width) + rest


_BLANKS = dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000", " ") | {
    chr(code): " " for code in range(0x2000, 0x200B)
}
_NOTHING = dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", "")
_SIGNS = {"\u2212": "-", "\u2013": "-", "\u2014": "-"}
_OUTSIDE = _BLANKS | _NOTHING | _SIGNS
_DOUBLE, _SINGLE = "\u201c\u201d\u201e\u201f", "\u2018\u2019\u201a\u201b"
_CODE = re.compile(
    r"(?P<comment>#[^\n]*)"
    r"|(?P<long>\"{3}|'{3})"
    r"|(?P<short>[\"'])"
    rf"|(?P<typographic>[{_DOUBLE}{_SINGLE}])"
    rf"|(?P<odd>[{''.join(_OUTSIDE)}])"
)


def _plain_characters(source: str) -> Iterator[str]:
    """Replaces blanks, signs and quotes that Python does not know, in code alone."""
    parts: list[str] = []
    position = 0
    while (match := _CODE.search(source, position)) is not None:
        parts.append(source[position : match.start()])
        position = match.end()
        if match.lastgroup == "odd":
            parts.append(_OUTSIDE[match[0]])
        elif match.lastgroup == "comment":
            parts.append(match[0])
        else:
            mark = _plain_quote(match[0])
            end = _string_end(source, position, match[0])
            body = source[position:end]
            if match.lastgroup == "typographic" and body:
                body = body[:-1] + _plain_quote(body[-1])
            parts += [mark, body]
            position = end
    yield "".join([*parts, source[position:]])


def _plain_quote(mark: str) -> str:
    if mark in _DOUBLE:
        return '"'
    return "'" if mark in _SINGLE else mark


def _string_end(source: str, start: int, opening: str) -> int:
    """Returns where the string ends whose opening quote ends at `start`."""
    for match in _ENDS[opening].finditer(source, start):
        if match[0] == "\n":
            return match.start()  # It was not closed.
        if not match[0].startswith("\\"):
            return match.end()
    return len(source)


def _ends(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\\.|{pattern}", re.DOTALL)


_ENDS = {
    '"""': _ends('"""'),
    "'''": _ends("'''"),
    '"': _ends(r"[\"\n]"),
    "'": _ends(r"['\n]"),
    **dict.fromkeys(_DOUBLE, _ends(rf"[\"\n{_DOUBLE}]")),
    **dict.fromkeys(_SINGLE, _ends(rf"['\n{_SINGLE}]")),
}

_REMEDIES: tuple[Callable[[str], Iterator[str]], ...] = (
    _without_prompts,
    _without_numbers,
    _unescaped_lines,
    _unescaped_html,
    _plain_characters,
    _dedented,
    _spaced,
)
