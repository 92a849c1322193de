import re
from pathlib import Path

import pytest

from cwm.core import errors

ROOT = Path(__file__).parents[2]


def error_tree() -> list[str]:
    """Draws the exceptions of `cwm.core.errors`, as its docstring does."""

    def draw(parent: type[BaseException], indent: str) -> list[str]:
        children = [
            value
            for value in vars(errors).values()
            if isinstance(value, type) and value.__bases__ == (parent,)
        ]
        lines = []
        for child in children:
            is_last = child is children[-1]
            lines.append(f"{indent}{'└── ' if is_last else '├── '}{child.__name__}")
            lines += draw(child, indent + ("    " if is_last else "│   "))
        return lines

    return ["CwmError", *draw(errors.CwmError, "")]


def test_the_drawing_of_the_errors_shows_the_classes() -> None:
    drawn = re.search(r"::\n\n((?:    .*\n)+)", errors.__doc__ or "")
    assert drawn is not None
    lines = [line.removeprefix("    ") for line in drawn[1].splitlines()]
    assert lines == error_tree()


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("mcts", r"llm|prompt|gym"),
        ("sandbox", r"llm|prompt|gymnasium|mcts"),
    ],
)
def test_a_leaf_package_does_not_know_what_it_is_used_for(
    package: str, words: str
) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(words, line, re.I)
    ]
    assert found == []


def test_no_file_is_named_after_nothing() -> None:
    empty = {"utils.py", "helpers.py", "common.py", "misc.py"}
    packages = ("cwm", "mcts", "sandbox", "envs", "prompts", "planners")
    found = [
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if path.name in empty
    ]
    assert found == []


def test_an_end_of_an_episode_is_never_called_done() -> None:
    """`terminated` and `truncated` are; only the published metric joins them."""
    pattern = re.compile(r"\bdones?\b\s*(:\s*bool|=\s*\(?(terminated|truncated))")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for package in ("cwm/core", "envs", "planners")
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def test_every_term_of_the_glossary_is_explained() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert len(rows) > 30
    assert all(
        len([cell for cell in row.split("|") if cell.strip()]) >= 2 for row in rows
    )
