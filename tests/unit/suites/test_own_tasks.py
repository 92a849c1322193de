from collections.abc import Iterator

import pytest

from cwm.core.errors import ConfigError
from cwm.programs.program_runs import (
    ProgramTestConfig,
    ProgramTestRunner,
    open_test_sandbox,
)
from cwm.programs.tested_programs import StdinTest
from cwm.suites.own_tasks import load_own_task, load_own_tasks, own_task_ids
from sandbox.pool import Sandbox
from tests.support.own_solutions import SOLUTIONS


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_test_sandbox(require="none") as opened:
        yield opened


def test_there_are_a_dozen_with_their_solutions_kept_elsewhere() -> None:
    assert len(own_task_ids()) == 12
    assert set(own_task_ids()) == set(SOLUTIONS)


@pytest.mark.parametrize("problem_id", sorted(SOLUTIONS))
def test_a_right_solution_passes_every_test(sandbox: Sandbox, problem_id: str) -> None:
    tests = load_own_task(problem_id).tests
    config = ProgramTestConfig(wall_s=20.0)
    runner = ProgramTestRunner(tests, sandbox=sandbox, config=config)
    found = runner.run(SOLUTIONS[problem_id], range(len(tests.tests)))
    assert found.bug is None
    assert [v for v in found.verdicts if not v.is_right] == []


def test_every_task_has_enough_tests_and_no_input_twice() -> None:
    for problem in load_own_tasks():
        inputs = [t.input for t in problem.tests.tests if isinstance(t, StdinTest)]
        assert len(inputs) == len(set(inputs)) >= 8
        assert len(problem.tests.hidden) >= 4
        assert problem.difficulty in ("easy", "medium", "hard")


def test_no_single_output_is_right_for_half_of_the_tests() -> None:
    # Otherwise a constant program would look as if it had understood something.
    for problem in load_own_tasks():
        outputs = [t.output for t in problem.tests.tests if isinstance(t, StdinTest)]
        assert max(map(outputs.count, outputs)) < len(outputs) / 2


def test_a_proposer_is_shown_the_visible_half_only() -> None:
    problem = load_own_task("coins")
    task = problem.task()
    assert task.family == "program"
    assert task.program is not None
    shown = [example.input for example in task.program.examples]
    assert shown == [problem.tests.tests[i].example.input for i in range(5)]


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(ConfigError, match=r"No task called 'coin'\. Known: arithmetic"):
        load_own_task("coin")
