"""Every command of the project: its help, its options, and reading without running."""

import argparse
import re
import runpy
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from io import StringIO
from typing import Any
from unittest.mock import patch

import tyro

from cwm.__main__ import COMMANDS, SANDBOX, command, main, module_of


@dataclass(frozen=True)
class Option:
    """An option as `--help` shows it.

    Attributes:
        names: All its spellings.
        metavar: What follows it; empty for a flag.
        text: What is said of it.
    """

    names: tuple[str, ...]
    metavar: str
    text: str


class WasRead(Exception):  # noqa: N818 - an event, not a fault
    """A command line was read to its end; nothing was run."""


def every_command() -> list[tuple[str, ...]]:
    """The words before the options of each command, such as ("benchmark", "run")."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        parts = getattr(import_module(module_of(name)), "COMMANDS", None)
        found += [(name,)] if parts is None else [(name, part) for part in parts]
    return [*found, (SANDBOX, "run"), (SANDBOX, "doctor")]


def every_group() -> list[tuple[str, ...]]:
    """The commands that have others in them."""
    return list(dict.fromkeys(words[:1] for words in every_command() if words[1:]))


def help_of(words: Sequence[str]) -> str:
    """What a command says of itself, its frames taken out."""
    shown = StringIO()
    environment = {"COLUMNS": "120"}  # Wider, options stand beside each other.
    with (
        patch("sys.stdout", shown),
        patch.dict("os.environ", environment),
        suppress(SystemExit),
    ):
        command(words[0])([*words[1:], "--help"])
    return re.sub("[│╭╮╰╯─]", " ", shown.getvalue())


def options_in(text: str) -> dict[str, Option]:
    """The options of a help text, by each of their names."""
    found: dict[str, Option] = {}
    for head, said in _described(text):
        words = re.split(r",? ", head)
        names = tuple(word for word in words if word.startswith("--"))
        values = [word for word in words if not word.startswith("-")]
        plain = re.sub(r" ?\((default|repeatable|required)[^)]*\)", "", said)
        option = Option(names, values[0] if values else "", plain)
        found |= dict.fromkeys(names, option)
    return found


def _described(text: str) -> list[tuple[str, str]]:
    """The names of each option, as one text, and what is said of it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if re.match(r" {1,3}-+\w", line):
            head, _, said = re.sub(" {2,}", "\n", line.strip()).partition("\n")
            found.append((head, said))
        elif found and line.startswith(" " * 8):
            head, said = found.pop()
            found.append((head, f"{said} {line.strip()}".strip()))
    return found


def commands_in(text: str) -> list[str]:
    """The `python -m` and `cwm` lines of a page's blocks of code, without comments."""
    found: list[str] = []
    for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True) if is_command(line) else []
            if words:
                found.append(shlex.join(words))
    return found


def is_command(line: str) -> bool:
    """Whether a line of a block of code is a command of ours."""
    return re.match(r"(python -m (cwm|sandbox|benchmarks)\b|cwm )", line) is not None


def module_and_words(line: str) -> tuple[str, list[str]]:
    """What a command line runs, and the words after it."""
    words = shlex.split(line)
    if words[0] == "cwm":
        return "cwm", words[1:]
    assert words[:2] == ["python", "-m"], line
    module = words[2]
    if module.startswith("cwm."):
        return "cwm", [module.removeprefix("cwm."), *words[3:]]
    return ("cwm", words[2:]) if module == SANDBOX else (module, words[3:])


def read_only(line: str) -> None:
    """Lets a command read its command line, and stops it there.

    Raises:
        SystemExit: If it refuses it.
        AssertionError: If it ends without reading it.
    """
    module, words = module_and_words(line)
    with stopped_when_read():
        try:
            code = started(module, words)
        except WasRead:
            return
    raise AssertionError(f"{line} ended with {code} before its options were read")


@contextmanager
def stopped_when_read() -> Iterator[None]:
    """Both ways to read a command line raise when they have done so."""
    with (
        patch.object(tyro, "cli", partial(_read, tyro.cli)),
        patch.object(
            argparse.ArgumentParser,
            "parse_args",
            _reading(argparse.ArgumentParser.parse_args),
        ),
        warnings.catch_warnings(),
    ):
        # A benchmark that another test has imported is run as a command here.
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def started(module: str, words: list[str]) -> int:
    """Starts what a command line names, and returns its exit code."""
    if module == "cwm":
        return command(words[0])(words[1:]) if words else main(words)
    with patch.object(sys, "argv", [module, *words]):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def _read(read: Any, *arguments: Any, **options: Any) -> Any:
    read(*arguments, **options)
    raise WasRead


def _reading(read: Any) -> Any:
    def parse_args(self: Any, *arguments: Any, **options: Any) -> Any:
        read(self, *arguments, **options)
        raise WasRead

    return parse_args
