"""From the text of a completion to the source of a program, or the reason why not.

Covers: fenced blocks of any fence length, indented or not closed; several blocks;
    reasoning that was left in the text; programs in JSON, in HTML or without a fence;
    diffs and SEARCH/REPLACE blocks; answers that continue a prefix, or give only what
    comes after it; small damage (`mending`); programs with parts left out (`elision`).
Does not cover: running or judging the program; a syntax error is for the sandbox
    to report, which can name its line.
"""

from collections.abc import Iterator, Sequence

from cwm.core.proposals import ParseFailure, ProgramInterface
from prompts.blocks import (
    CodeBlock,
    code_blocks,
    fenced,
    split_lines,
    without_fences,
)
from prompts.edits import DIFF_TAGS, apply_edits, find_edits, looks_like_edits
from prompts.elision import elided_line
from prompts.joining import join, longest_head, with_what_it_lacks
from prompts.mending import mend, plain_text, without_reasoning
from prompts.syntax import MAX_CHECKED_CHARS, SyntaxReader
from prompts.unfenced import (
    cut_at_prose,
    program_in_prose,
    programs_in_json,
    programs_in_markup,
)
from prompts.wanted import ENTRY_POINT, Wanted

__all__ = [
    "ENTRY_POINT",
    "MAX_CHECKED_CHARS",
    "MAX_COMPLETION_CHARS",
    "CodeBlock",
    "code_blocks",
    "fenced",
    "parse_completion",
]

MAX_COMPLETION_CHARS = 1_000_000
"""Longer completions hold no program that is worth looking for."""

_MAX_BLOCKS = 200
"""Blocks that are looked at, the last ones."""

_MAX_ENDS_TRIED = 5

_CUT_OFF = (
    "The code block has no closing fence and stops in the middle of a statement: the "
    "completion was cut off. Give a shorter program."
)


def parse_completion(
    text: str,
    *,
    prefix: str = "",
    parent: str = "",
    continues: bool = False,
    program: ProgramInterface | None = None,
) -> str | ParseFailure:
    """Returns the program that a completion holds.

    It is the longest Python block after the last "correct code" heading, or the
    longest one of all if there is none after it. Blocks that define what is wanted
    (the class `Environment`) go before others, and tagged ones before untagged ones.
    Without such a block, edits of the parent's program are looked for, then programs
    in other wrappings. Nothing is guessed: edits must fit exactly, and a program with
    parts left out is refused.

    Args:
        text: The completion.
        prefix: First lines that the model was asked to continue from. The answer may
            give the complete program all the same. If it lacks the class, and becomes
            a program when it is joined to the prefix, then that is the program.
        parent: The program that an improve or fix started from.
        continues: Whether the answer was begun with the prefix (`Prompt.assistant`),
            so that the text goes on where that stops.
        program: How the program is called, if it is no world model.
    """
    if len(text) > MAX_COMPLETION_CHARS:
        return ParseFailure(
            f"The completion has {len(text)} characters, more than "
            f"{MAX_COMPLETION_CHARS}; a program needs far fewer."
        )
    answer, is_ended = without_reasoning(plain_text(text))
    if not answer.strip():
        what = (
            "empty" if answer == text or not text.strip() else "nothing but reasoning"
        )
        return ParseFailure(f"The completion is {what}; a program was expected.")
    parsed = _Reading(
        answer,
        prefix=plain_text(prefix),
        parent=plain_text(parent),
        wanted=Wanted.of(program),
    ).program(continues=continues and bool(prefix.strip()))
    if isinstance(parsed, ParseFailure) and not is_ended:
        return ParseFailure(
            "The completion does not end its reasoning, and no program stands in "
            f"what there is. {parsed.reason}"
        )
    return parsed


class _Reading:
    """One attempt to find the program in an answer."""

    def __init__(self, text: str, *, prefix: str, parent: str, wanted: Wanted) -> None:
        self._text = text
        self._prefix = prefix
        self._parent = parent
        self._wanted = wanted
        self._reader = SyntaxReader()
        self._blocks = code_blocks(text, self._reader)[-_MAX_BLOCKS:]
        self._known = {line.strip() for line in f"{parent}\n{prefix}".split("\n")}

    def program(self, *, continues: bool) -> str | ParseFailure:
        """Returns the program, or the reason that says most."""
        if continues and (continued := self._continued()) is not None:
            return continued
        in_block = self._in_block()
        edited = self._edited()
        if isinstance(in_block, str):
            # A block that only quotes the parent is not what is answered.
            is_quoted = in_block.strip() == self._parent.strip()
            return edited if is_quoted and isinstance(edited, str) else in_block
        if edited is not None:
            return edited
        for source in self._elsewhere():
            checked = self._check(source)
            if isinstance(checked, str) and self._is_program(checked):
                return checked
        if continues and not any(block.tag for block in self._blocks):
            return self._continued_badly()
        return in_block or ParseFailure(
            "The completion has no Python code block; the program must stand between "
            "```python and ```."
        )

    def _in_block(self) -> str | ParseFailure | None:
        """Reads the block that most likely is the program; `None` without any."""
        blocks = [
            block
            for block in self._blocks
            if block.may_be_python and not looks_like_edits(block.source)
        ]
        if not blocks:
            return None
        candidates = [b for b in blocks if b.is_final] or blocks
        index = max(range(len(candidates)), key=lambda i: self._rank(candidates[i], i))
        earlier = [block.source for block in candidates[:index]]
        return self._check(
            candidates[index].source,
            earlier=[part for part in earlier if not self._wanted.stands_in(part)],
            is_closed=candidates[index].is_closed,
        )

    def _rank(self, block: CodeBlock, index: int) -> tuple[bool, bool, bool, int, int]:
        defines = self._wanted.is_hinted_at(block.source)
        is_whole = not defines or self._elided(block.source) is None
        return (defines, is_whole, block.tag != "", len(block.source), index)

    def _check(
        self, source: str, *, earlier: Sequence[str] = (), is_closed: bool = True
    ) -> str | ParseFailure:
        """Returns the source, mended if need be, if it is what is wanted."""
        if self._prefix and not self._wanted.is_hinted_at(source):
            # Before it is mended: the indentation of remaining lines is right.
            joined = self._joined(source)
            if joined is not None:
                return self._whole(joined)
        source = mend(source, self._reader)
        if not is_closed and not self._reader.is_python(source):
            source = cut_at_prose(source, self._reader) or source
            if not self._reader.is_python(source):
                return ParseFailure(_CUT_OFF)
        if not source.strip():
            return ParseFailure("The code block is empty; a program was expected.")
        tree = self._reader.tree(source)
        if not self._defines(source):
            return ParseFailure(self._wanted.absence(tree))
        if tree is not None and (count := self._wanted.num_definitions(tree)) > 1:
            return ParseFailure(
                f"The code block defines {self._wanted.label} {count} times; it must "
                "do so once."
            )
        earlier = [longest_head(self._prefix, self._reader), *earlier]
        return self._whole(with_what_it_lacks(source, earlier, self._reader))

    def _defines(self, source: str) -> bool:
        tree = self._reader.tree(source)
        if tree is None:
            return self._wanted.stands_in(source)
        return self._wanted.num_definitions(tree) > 0

    def _is_program(self, source: str) -> bool:
        tree = self._reader.tree(source)
        return tree is not None and self._wanted.num_definitions(tree) == 1

    def _is_complete(self, source: str) -> bool:
        tree = self._reader.tree(source)
        return tree is not None and self._wanted.is_complete(tree)

    def _joined(self, rest: str) -> str | None:
        joined = join(self._prefix, rest, self._is_program, self._is_complete)
        return None if joined is None else mend(joined, self._reader)

    def _whole(self, source: str) -> str | ParseFailure:
        """Returns the source, if no part of it is only mentioned."""
        elided = self._elided(source)
        if elided is None:
            return source
        number, line = elided
        return ParseFailure(
            f"The program is not complete: line {number}, {line[:80]!r}, stands for "
            "code that is left out. Give the whole program."
        )

    def _elided(self, source: str) -> tuple[int, str] | None:
        return elided_line(source, self._reader.tree(source), self._known)

    def _edited(self) -> str | ParseFailure | None:
        """Applies the answer's edits to the parent; `None` if there are none."""
        diffs = [block.source for block in self._blocks if block.tag in DIFF_TAGS]
        edits = find_edits(self._text, diffs)
        if isinstance(edits, ParseFailure):
            return edits
        if not edits:
            return None
        if not self._parent.strip() and any(edit.old for edit in edits):
            return ParseFailure(
                "The completion edits a program, but there is none to edit; give the "
                "complete program."
            )
        changed = apply_edits(self._parent, edits)
        return changed if isinstance(changed, ParseFailure) else self._check(changed)

    def _elsewhere(self) -> Iterator[str]:
        """Yields programs that do not stand in a Python block."""
        texts = [self._text, *(block.source for block in self._blocks)]
        yield from programs_in_json(texts, self._wanted)
        yield from programs_in_markup(self._text, self._wanted)
        if not any(self._wanted.is_hinted_at(block.source) for block in self._blocks):
            text = without_fences(self._text)
            found = program_in_prose(text, self._wanted, self._reader)
            if found is not None:
                yield found

    def _continued(self) -> str | ParseFailure | None:
        """Joins the prefix and an answer that goes on where it stops."""
        for rest in self._rests():
            joined = self._joined(rest)
            if joined is not None:
                return self._whole(joined)
        return None

    def _rests(self) -> Iterator[str]:
        """Yields what may be the rest of a begun block: up to a fence that ends it."""
        lines = split_lines(self._text)
        ends = [i for i, line in enumerate(lines) if line.rstrip() in ("```", "~~~")]
        for end in ends[:_MAX_ENDS_TRIED]:
            yield "".join(lines[:end])
        if not ends:
            yield self._text if self._text.endswith("\n") else f"{self._text}\n"

    def _continued_badly(self) -> str | ParseFailure:
        """Says what is wrong with an answer that goes on, but to no program."""
        rest = next(self._rests())
        if not rest.strip():
            return ParseFailure(
                "The completion adds nothing to the lines it was given."
            )
        source = mend(f"{self._prefix}{rest}", self._reader)
        is_closed = len(rest) < len(self._text)
        return self._check(source, is_closed=is_closed)
