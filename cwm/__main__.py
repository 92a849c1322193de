"""`python -m cwm`: the map of commands."""

import sys
from importlib.util import find_spec

from cwm import __version__

COMMANDS = {
    "synthesize": "find a Python program that simulates an environment",
    "plan": "act in an environment by planning in a program, and compare planners",
    "evaluate": "score a program file on recorded or fresh transitions",
    "fit": "set a program's constants to what fits transitions",
    "accelerate": "make a program step many states at once, for planning",
    "collect": "record transitions of an environment",
    "induce": "find rules of a world in words (WorldLLM)",
    "ppo": "train agents that act on what they read, and evaluate them (GLAM)",
    "knowledge": "text games with task and state knowledge, trained and used (WKM)",
    "benchmark": "run suites of tasks, report on them and compare results",
    "runs": "list, show, compare, export and remove runs",
    "mcp": "serve a run to coding agents (Model Context Protocol)",
    "report": "show runs in a browser: one HTML file, or live",
    "replay": "rebuild a run's search tree from its journal and check it",
}


def main() -> int:
    """Prints the commands that are installed; returns the exit code."""
    lines = [f"Code World Models {__version__}", "", "python -m cwm.COMMAND --help", ""]
    for name, purpose in COMMANDS.items():
        if find_spec(f"cwm.{name}") is not None:
            lines.append(f"  cwm.{name:<11} {purpose}")
    lines += ["", "To begin: python -m cwm.synthesize --env CartPole-v1"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
