"""Problems of our own: scripts that read standard input, each with its tests.

They are small, need no package, and were written for this project: no model has been
trained on their solutions, which are not shipped.
"""

import json
from importlib import resources

from cwm.core.errors import ConfigError
from cwm.suites.problems import Problem

SUITE = "own"


def own_task_ids() -> tuple[str, ...]:
    """Returns the names of the problems."""
    folder = resources.files("cwm.suites") / "data"
    names = [entry.name for entry in folder.iterdir()]
    return tuple(
        sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))
    )


def load_own_task(problem_id: str) -> Problem:
    """Returns one problem.

    Raises:
        ConfigError: If there is none of this name.
    """
    known = own_task_ids()
    if problem_id not in known:
        raise ConfigError(f"No task called {problem_id!r}. Known: {', '.join(known)}.")
    file = resources.files("cwm.suites") / "data" / f"{problem_id}.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    return Problem.from_json(
        {
            "problem_id": problem_id,
            "suite": SUITE,
            "statement": data["statement"],
            "starter": "",
            "difficulty": data["difficulty"],
            "function": "",
            "check": None,
            "tests": data["tests"],
        }
    )


def load_own_tasks() -> tuple[Problem, ...]:
    """Returns all of them, by name."""
    return tuple(map(load_own_task, own_task_ids()))
