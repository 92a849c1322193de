import json
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import DataError
from cwm.core.proposals import ProgramExample
from cwm.programs.tested_programs import CallTest, StdinTest
from cwm.suites.apps import find_apps, load_apps_problem
from cwm.suites.problems import Problem


def make(
    folder: Path,
    content: Any = None,
    *,
    difficulty: str | None = "interview",
    starter: str = "",
) -> Path:
    folder.mkdir(parents=True)
    (folder / "question.txt").write_text("Double it.")
    (folder / "solutions.json").write_text("this is never read")
    if content is not None:
        (folder / "input_output.json").write_text(json.dumps(content))
    if difficulty is not None:
        metadata = {"difficulty": difficulty, "url": "https://example.org"}
        (folder / "metadata.json").write_text(json.dumps(metadata))
    if starter:
        (folder / "starter_code.py").write_text(starter)
    return folder


DOUBLES = {"inputs": ["1\n", ["2", "3"]], "outputs": ["2\n", ["4", "6"]]}


def test_a_problem_of_standard_input(tmp_path: Path) -> None:
    problem = load_apps_problem(make(tmp_path / "0007", DOUBLES))
    assert (problem.problem_id, problem.suite) == ("0007", "apps")
    assert (problem.statement, problem.difficulty) == ("Double it.", "interview")
    assert problem.tests.function == ""
    # Texts that were recorded as their lines are joined.
    assert problem.tests.tests == (
        StdinTest(input="1\n", output="2\n"),
        StdinTest(input="2\n3", output="4\n6"),
    )
    assert Problem.from_json(problem.to_json()) == problem


def test_a_problem_of_a_function_whose_outputs_are_wrapped(tmp_path: Path) -> None:
    content = {
        "fn_name": "f",
        "inputs": [[1, "a"], [2, "b"]],
        "outputs": [["1a"], ["2b"]],
    }
    problem = load_apps_problem(make(tmp_path / "0", content))
    assert problem.tests.function == "f"
    first = problem.tests.tests[0]
    assert first == CallTest(arguments=(1, "a"), accepted=("1a", ["1a"]))
    assert first.example == ProgramExample(input="1, 'a'", output="'1a'")


def test_a_method_whose_outputs_are_not_wrapped(tmp_path: Path) -> None:
    content = {"fn_name": "g", "inputs": [[[1]], [[]]], "outputs": [[1, 2], []]}
    starter = "class Solution:\n    def g(self, x):\n"
    problem = load_apps_problem(make(tmp_path / "0", content, starter=starter))
    assert problem.tests.function == "Solution.g"
    assert problem.starter == starter
    accepted = [t.accepted for t in problem.tests.tests if isinstance(t, CallTest)]
    assert accepted == [([1, 2], 1), ([],)]


def test_numbers_that_json_made_texts_of_are_keys_again(tmp_path: Path) -> None:
    content = {"fn_name": "g", "inputs": [[{"1": 2}]], "outputs": [[{"3": 4}]]}
    problem = load_apps_problem(make(tmp_path / "0", content))
    (test,) = problem.tests.tests
    assert test == CallTest(arguments=({1: 2},), accepted=({3: 4}, [{"3": 4}]))


def test_folders_are_found_one_or_two_levels_down(tmp_path: Path) -> None:
    make(tmp_path / "test" / "0001", DOUBLES)
    make(tmp_path / "test" / "0000", DOUBLES, difficulty="competition")
    make(tmp_path / "test" / "0002")
    found = find_apps(tmp_path)
    assert found.num_without_tests == 1
    assert [p.problem_id for p in found.load()] == ["test/0000", "test/0001"]
    assert [p.problem_id for p in found.load("competition")] == ["test/0000"]
    below = find_apps(tmp_path / "test")
    assert [p.problem_id for p in below.load()] == ["0000", "0001"]
    alone = find_apps(tmp_path / "test" / "0001")
    assert [p.problem_id for p in alone.load()] == ["0001"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "must be an object with inputs and outputs"),
        ({"inputs": []}, "must be an object with inputs and outputs"),
        ({"inputs": [], "outputs": []}, "one at least"),
        ({"inputs": ["1"], "outputs": []}, "as many outputs as inputs"),
        ({"fn_name": "f", "inputs": [1], "outputs": [1]}, "arguments as lists"),
    ],
)
def test_a_problem_that_is_not_of_the_format_is_named(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_apps_problem(make(tmp_path / "0042", content))
    assert "0042" in str(caught.value)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got 0 folders with question"):
        find_apps(tmp_path)
    make(tmp_path / "0000")
    with pytest.raises(DataError, match="got 1 folders with question"):
        find_apps(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        load_apps_problem(tmp_path / "0000")
    (tmp_path / "0000" / "input_output.json").write_text("{")
    with pytest.raises(DataError, match="must hold JSON"):
        load_apps_problem(tmp_path / "0000")
