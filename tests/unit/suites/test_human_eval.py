import gzip
import json
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from cwm.core.errors import DataError, PrerequisiteError
from cwm.programs.program_runs import (
    ProgramTestConfig,
    ProgramTestRunner,
    open_test_sandbox,
)
from cwm.suites.human_eval import (
    HumanEvalEntry,
    data_file,
    load_human_eval,
    make_problem,
    read_entries,
)
from cwm.suites.problems import Problem
from sandbox.pool import Sandbox
from tests.support.human_eval import human_eval_solutions, needs_human_eval


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_test_sandbox(require="none") as opened:
        yield opened


def entry(test: str, prompt: str = "") -> HumanEvalEntry:
    return HumanEvalEntry(task_id="ours/1", prompt=prompt, entry_point="f", test=test)


def test_without_the_package_the_install_line_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", absent)
    with pytest.raises(PrerequisiteError, match=r"\[humaneval\].*pip install 'human-"):
        data_file()


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "HumanEval.jsonl.gz"
    for content in (b"", gzip.compress(b"{}\n"), gzip.compress(b"no")):
        path.write_bytes(content)
        if not content:
            assert read_entries(path) == {}
            continue
        with pytest.raises(DataError, match="must hold the problems of HumanEval"):
            read_entries(path)


def test_solutions_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "HumanEval.jsonl.gz"
    line = {
        "task_id": "HumanEval/0",
        "prompt": "def f(x):\n    'Adds.'\n",
        "entry_point": "f",
        "canonical_solution": "secret",
        "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    }
    path.write_bytes(gzip.compress(json.dumps(line).encode()))
    assert "secret" not in repr(read_entries(path))


def test_a_problem_is_its_documentation_and_its_first_lines(sandbox: Sandbox) -> None:
    prompt = 'def g():\n    pass\n\ndef f(x):\n    """Adds one."""\n'
    test = "def check(candidate):\n    assert candidate([1], y=2) == (3, {4})\n"
    problem = make_problem(entry(test, prompt), sandbox)
    assert (problem.statement, problem.starter) == ("Adds one.", prompt)
    assert problem.tests.function == "f"
    (example,) = [t.example for t in problem.tests.tests]
    assert (example.input, example.output) == ("[1], y=2", "(3, {4})")


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("def check(candidate):\n    raise OSError('no')\n", "does not run: OSError"),
        ("def check(candidate):\n    while True: pass\n", "does not run: TimeLimit"),
        ("x = 1\n", "does not run: KeyError"),
        (
            "def check(candidate):\n    assert candidate(candidate(1)) == 1\n",
            "does not run: TypeError",
        ),
        ("def check(candidate):\n    pass\n", "each of its 0 assertions"),
        ("def check(candidate):\n    assert 1 + 1 == 2\n", "before each of its 1"),
    ],
)
def test_a_check_that_says_nothing_is_refused(
    sandbox: Sandbox, test: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cwm.programs.program_runs._CHECK_LIMITS",
        ProgramTestConfig(wall_s=0.5).limits(),
    )
    with pytest.raises(DataError, match=message):
        make_problem(entry(test), sandbox)


@needs_human_eval
@pytest.mark.humaneval
def test_nothing_of_the_package_is_imported(sandbox: Sandbox) -> None:
    next(load_human_eval(sandbox))
    assert not [name for name in sys.modules if name.split(".")[0] == "human_eval"]


@needs_human_eval
@pytest.mark.humaneval
def test_an_unknown_problem_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(DataError, match="HumanEval/0 to HumanEval/163"):
        list(load_human_eval(sandbox, ["HumanEval/164"]))


@needs_human_eval
@pytest.mark.humaneval
@pytest.mark.slow
def test_the_solutions_of_the_package_pass_every_test(sandbox: Sandbox) -> None:
    problems = list(load_human_eval(sandbox))
    assert len(problems) == 164
    solutions = human_eval_solutions()
    failed = []
    for problem in problems:
        runner = ProgramTestRunner(
            problem.tests, sandbox=sandbox, config=ProgramTestConfig(wall_s=20.0)
        )
        num_tests = len(problem.tests.tests)
        found = runner.run(solutions[problem.problem_id], range(num_tests))
        if found.num_passed < num_tests:
            failed.append((problem.problem_id, found.bug and found.bug.kind))
        assert Problem.from_json(problem.to_json()) == problem
    # Its solution calls eval, which programs may not.
    assert failed == [("HumanEval/160", "rejected")]
    assert sum(len(p.tests.tests) for p in problems) == 1534
