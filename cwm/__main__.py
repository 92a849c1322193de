"""`cwm` and `python -m cwm`: the map of commands, and a way to each of them."""

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec

from cwm import __version__
from cwm.cli import EXIT_DONE, run_command
from cwm.core.errors import ConfigError

GROUPS: Mapping[str, Mapping[str, str]] = {
    "From transitions to a program": {
        "synthesize": "find a Python program that simulates an environment",
        "collect": "record transitions of an environment",
        "evaluate": "score a program file on recorded or fresh transitions",
        "fit": "set a program's constants to what fits transitions",
    },
    "What a program is for": {
        "plan": "act in an environment by planning in a program, and compare planners",
        "accelerate": "make a program step many states at once, for planning",
    },
    "World models that are no programs": {
        "induce": "find rules of a world in words (WorldLLM)",
        "ppo": "train agents that act on what they read, and evaluate them (GLAM)",
        "knowledge": "text games with task and state knowledge, trained and used (WKM)",
    },
    "Runs": {
        "report": "show runs in a browser: one HTML file, or live",
        "runs": "list, show, compare, export and remove runs",
        "replay": "rebuild a run's search tree from its journal and check it",
        "mcp": "serve a run to coding agents (Model Context Protocol)",
    },
    "Measuring": {
        "benchmark": "run suites of tasks, report on them and compare results",
    },
}
"""Purpose of each command, by what it is for."""

COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}
"""Purpose of each command."""

SANDBOX = "sandbox"
"""A command of another package, which is reached from here as well."""


def main(argv: Sequence[str] | None = None) -> int:
    """Shows the map, or runs the command that is named; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(words))


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        return _write("\n".join(map_of_commands()))
    if words[0] == "--version":
        return _write(__version__)
    return command(words[0])(words[1:])


def _write(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return EXIT_DONE


def map_of_commands() -> list[str]:
    """Returns the lines of the map, of the commands that are installed."""
    lines = [f"Code World Models {__version__}", ""]
    lines += ["usage: cwm COMMAND ..., or python -m cwm.COMMAND ..."]
    for title, group in GROUPS.items():
        there = [name for name in group if find_spec(f"cwm.{name}") is not None]
        if there:
            lines += ["", title]
            lines += [f"  cwm.{name:<11} {group[name]}" for name in there]
    lines += [
        "",
        "Programs that nobody trusts",
        "  sandbox         run a program with limits, or see how strong the walls are",
        "",
        "Each has --help. To begin: cwm synthesize --env CartPole-v1",
    ]
    return lines


def command(name: str) -> Callable[[list[str]], int]:
    """Returns what runs a command, given the words after its name.

    Raises:
        ConfigError: If there is none of that name.
    """
    known = (*COMMANDS, SANDBOX)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"No command called {name!r}.{hint} Known: {', '.join(known)}."
        )
    run: Callable[[list[str]], int] = import_module(module_of(name)).main
    return run


def module_of(name: str) -> str:
    """Returns the module whose `main` a command is."""
    if name == SANDBOX:
        return f"{SANDBOX}.__main__"
    if name == "report":
        return "cwm.pages.command"  # `cwm.report` is what all commands show.
    spec = find_spec(f"cwm.{name}")
    is_folder = spec is not None and spec.submodule_search_locations is not None
    return f"cwm.{name}.command" if is_folder else f"cwm.{name}"


if __name__ == "__main__":
    sys.exit(main())
