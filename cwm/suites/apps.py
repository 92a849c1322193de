"""Problems in the format of APPS (Hendrycks et al., 2021), from a local folder.

Each problem is a folder with `question.txt` and `input_output.json`; there may be
`metadata.json` (difficulty), `starter_code.py`, and `solutions.json`, which is never
read. The problem folders lie in the folder that is given, or one level further down,
as in `test/0000`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cwm.core.errors import DataError
from cwm.programs.tested_programs import (
    CallTest,
    ProgramTest,
    ProgramTests,
    StdinTest,
)
from cwm.suites.problems import Problem

SUITE = "apps"

_QUESTION = "question.txt"
_TESTS = "input_output.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppsFolders:
    """Where the problems of a folder lie.

    Attributes:
        root: The folder.
        problems: Folders of the problems that have tests, by name.
        num_without_tests: Problems that have none; the published test split has some.
    """

    root: Path
    problems: tuple[Path, ...]
    num_without_tests: int

    def load(self, difficulty: str | None = None) -> Iterator[Problem]:
        """Yields the problems, one read at a time.

        Args:
            difficulty: Only those of this one, such as `competition`.

        Raises:
            DataError: If a problem cannot be read.
        """
        for path in self.problems:
            if difficulty in (None, _difficulty(path)):
                yield load_apps_problem(path, str(path.relative_to(self.root)))


def find_apps(root: Path) -> AppsFolders:
    """Returns where the problems of a folder lie.

    Raises:
        DataError: If there is none with tests.
    """
    found = sorted({*root.glob(f"*/{_QUESTION}"), *root.glob(f"*/*/{_QUESTION}")})
    if (root / _QUESTION).is_file():
        # The folder of one problem.
        root, found = root.parent, [root / _QUESTION]
    paths = [path.parent for path in found]
    problems = tuple(path for path in paths if (path / _TESTS).is_file())
    if not problems:
        raise DataError(
            f"{str(root)!r} must hold problems in the format of APPS, folders with "
            f"{_QUESTION} and {_TESTS}; got {len(paths)} folders with {_QUESTION}, "
            f"none of them with {_TESTS}."
        )
    return AppsFolders(
        root=root, problems=problems, num_without_tests=len(paths) - len(problems)
    )


def load_apps_problem(path: Path, problem_id: str | None = None) -> Problem:
    """Returns the problem in a folder.

    Args:
        path: The folder.
        problem_id: What to call it; its folder's name by default.

    Raises:
        DataError: If it cannot be read, or has no tests.
    """
    content = _read_json(path / _TESTS)
    try:
        inputs, outputs = content["inputs"], content["outputs"]
        function = content.get("fn_name") or ""
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{str(path / _TESTS)!r} must be an object with inputs and outputs."
        ) from error
    is_list = isinstance(inputs, list) and isinstance(outputs, list)
    if not is_list or len(inputs) != len(outputs) or not inputs:
        raise DataError(
            f"{str(path / _TESTS)!r} must have as many outputs as inputs, and one at "
            "least."
        )
    starter = _read_text(path / "starter_code.py", is_optional=True)
    tests: tuple[ProgramTest, ...]
    if function:
        tests = _call_tests(inputs, outputs, path)
        if "class Solution" in starter:
            function = f"Solution.{function}"
    else:
        tests = tuple(
            StdinTest(input=_joined(given), output=_joined(due))
            for given, due in zip(inputs, outputs, strict=True)
        )
    return Problem(
        problem_id=problem_id or path.name,
        suite=SUITE,
        statement=_read_text(path / _QUESTION),
        tests=ProgramTests(tests=tests, function=function),
        starter=starter,
        difficulty=_difficulty(path),
    )


def _call_tests(
    inputs: list[Any], outputs: list[Any], path: Path
) -> tuple[CallTest, ...]:
    """Returns tests of a function.

    In some problems every output is wrapped into a list of its own, in others none
    is, and nothing says which: a result may be equal to either.
    """
    are_wrapped = all(isinstance(due, list) and len(due) == 1 for due in outputs)
    tests = []
    for given, due in zip(inputs, outputs, strict=True):
        if not isinstance(given, list):
            raise DataError(f"{str(path / _TESTS)!r} must give arguments as lists.")
        output = _with_whole_keys(due)
        accepted: tuple[Any, ...] = (output,)
        if isinstance(output, list) and output:
            inner = _with_whole_keys(output[0])
            accepted = (inner, output) if are_wrapped else (output, inner)
        arguments = tuple(given)
        if len(arguments) == 1:
            arguments = (_with_whole_keys(arguments[0]),)
        tests.append(CallTest(arguments=arguments, accepted=accepted))
    return tuple(tests)


def _with_whole_keys(value: Any) -> Any:
    """Returns a dictionary with numbers for keys, which JSON had to make texts."""
    if not isinstance(value, dict):
        return value
    try:
        return {int(key): item for key, item in value.items()}
    except ValueError:
        return value


def _joined(text: Any) -> str:
    """Returns a text that may have been recorded as its lines."""
    if isinstance(text, list):
        return "\n".join(map(str, text))
    return str(text)


def _difficulty(path: Path) -> str:
    file = path / "metadata.json"
    if not file.is_file():
        return ""
    data = _read_json(file)
    return str(data.get("difficulty", "")) if isinstance(data, dict) else ""


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{str(path)!r} must hold JSON: {error}.") from error


def _read_text(path: Path, *, is_optional: bool = False) -> str:
    if is_optional and not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
