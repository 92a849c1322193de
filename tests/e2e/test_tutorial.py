"""The tutorial as it stands on its page: files, commands and what they print."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.installed import Installed, run

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


@dataclass(frozen=True)
class Block:
    """A block of the page: a Python file, commands, or what the last one printed."""

    language: str
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.lines[0].removeprefix("# ")


def blocks(page: str) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.M | re.S)
    return [Block(language, tuple(text.splitlines())) for language, text in found]


def not_there(shown: Iterable[str], real: str) -> list[str]:
    """Lines of a shown text, its gaps left out, that are not in the real one."""
    there = {plain(line) for line in real.splitlines()}
    return [line for line in map(plain, shown) if line not in {"...", "", *there}]


def plain(line: str) -> str:
    """A line without the time that it begins with, and with single spaces."""
    return " ".join(re.sub(r"^\[\d+:\d\d\] ", "", line).split())


def test_a_line_that_was_not_printed_is_found() -> None:
    shown = ["...", "call 1  score 1.0", "call 2  score 1.0"]
    assert not_there(shown, "[0:01] call 1 score 1.0\nend") == ["call 2 score 1.0"]


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(installed: Installed, tmp_path: Path) -> None:
    printed, wrong = "", []
    for block in blocks(PAGE.read_text()):
        if block.language == "text":
            wrong += not_there(block.lines, printed)
        elif block.language == "" and block.lines:
            for line in block.lines:
                done = run([installed.python, *shlex.split(line)[1:]], cwd=tmp_path)
                printed = done.stdout + done.stderr
        elif (tmp_path / block.name).exists():
            wrong += not_there(block.lines[1:], (tmp_path / block.name).read_text())
        else:
            text = "\n".join(block.lines[1:]) + "\n"
            (tmp_path / block.name).write_text(text)
    assert wrong == []
    assert (tmp_path / "runs" / "room" / "world_model.py").is_file()


def test_the_environment_of_the_tutorial_has_twenty_lines() -> None:
    (puck,) = [b for b in blocks(PAGE.read_text()) if b.lines[0] == "# puck.py"]
    assert len([line for line in puck.lines[1:] if line]) == 20
