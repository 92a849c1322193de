from collections.abc import Iterator
from typing import Any

import pytest

from cwm.core.errors import DataError
from cwm.core.proposals import ProgramExample
from cwm.programs.check_driver import CheckRequest
from cwm.programs.evaluation import Evaluation
from cwm.programs.program_runs import (
    ProgramTestConfig,
    ProgramTestRunner,
    open_test_sandbox,
    run_check,
)
from cwm.programs.program_tests import MAX_COUNTEREXAMPLES, ProgramTestEvaluator
from cwm.programs.tested_programs import (
    MAX_SHOWN_CHARS,
    CallTest,
    Check,
    CheckTest,
    ProgramTests,
    StdinTest,
)
from cwm.suites.human_eval import HumanEvalEntry, make_problem
from sandbox.outcome import Completed
from sandbox.pool import Sandbox
from sandbox.programs import CallResult, Returned

CONFIG = ProgramTestConfig(wall_s=0.5, total_wall_s=4.0)

DOUBLES = ProgramTests(
    tests=tuple(StdinTest(input=f"{n}\n", output=f"{2 * n}\n") for n in range(5))
)
ADDS = ProgramTests(
    function="add",
    tests=tuple(CallTest(arguments=(n, 1), accepted=(n + 1,)) for n in range(4)),
)

DOUBLE = "print(2 * int(input()))\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_test_sandbox(require="none") as opened:
        yield opened


def evaluate(sandbox: Sandbox, source: str, tests: ProgramTests) -> Evaluation:
    evaluator = ProgramTestEvaluator(tests, sandbox=sandbox, config=CONFIG)
    return evaluator.evaluate(source)


def test_the_first_half_is_visible_the_middle_one_included() -> None:
    assert DOUBLES.visible == (0, 1, 2)
    assert DOUBLES.hidden == (3, 4)
    one = ProgramTests(tests=DOUBLES.tests[:1])
    assert (one.visible, one.hidden) == ((0,), ())


def test_a_right_script_is_perfect(sandbox: Sandbox) -> None:
    result = evaluate(sandbox, DOUBLE, DOUBLES)
    assert (result.score, result.is_bug, result.is_perfect) == (1.0, False, True)
    assert result.counterexamples == ()
    assert Evaluation.from_json(result.to_json()) == result


def test_the_score_is_the_share_of_visible_tests(sandbox: Sandbox) -> None:
    # Right for 0 and 1 of 0, 1 and 2; 3 and 4 are not looked at.
    result = evaluate(sandbox, "n = int(input())\nprint(n + (n > 0))\n", DOUBLES)
    assert result.score == pytest.approx(2 / 3)
    assert not result.is_perfect
    assert result.unit_tests is not None
    assert result.unit_tests.failed == ("test 3",)
    (example,) = result.counterexamples
    assert example.example == ProgramExample(input="2\n", output="4\n")
    assert (example.output, example.message) == ("3\n", "")


def test_hidden_tests_are_only_run_when_they_are_asked_for(sandbox: Sandbox) -> None:
    cheat = "print({'0': 0, '1': 2, '2': 4}.get(input(), ''))\n"
    evaluator = ProgramTestEvaluator(DOUBLES, sandbox=sandbox, config=CONFIG)
    assert evaluator.evaluate(cheat).is_perfect
    hidden = evaluator.run_hidden(cheat)
    assert (hidden.num_passed, len(hidden.verdicts)) == (0, 2)


@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [
        ("x = 1\nprint(1", "raised", 2),
        ("  print(1)\n", "raised", 1),
        ("return 1\n", "raised", 1),
        ("import socket\n", "rejected", 1),
        ("x = '\0'\n", "rejected", None),
    ],
)
def test_a_script_that_cannot_be_compiled_is_a_bug(
    sandbox: Sandbox, source: str, kind: str, line: int | None
) -> None:
    result = evaluate(sandbox, source, DOUBLES)
    assert (result.is_bug, result.score, result.outcome_kind) == (True, 0.0, kind)
    assert result.failure_line == line
    assert result.feedback
    assert result.counterexamples == ()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise SyntaxError('mine')\n", "SyntaxError: mine\nLine 1: raise"),
        ("print(nothing)\n", "NameError: name 'nothing' is not defined"),
        ("while True: pass\n", "TimeLimit"),
        ("x = [0] * 10**10\n", "MemoryLimit"),
        ("import os\nos._exit(3)\n", ""),
        ("", ""),
    ],
)
def test_a_script_that_fails_its_tests_is_no_bug(
    sandbox: Sandbox, source: str, message: str
) -> None:
    result = evaluate(sandbox, source, DOUBLES)
    assert (result.is_bug, result.score) == (False, 0.0)
    assert len(result.counterexamples) == 3
    assert all(message in c.message for c in result.counterexamples)
    assert all((c.output is None) == bool(c.message) for c in result.counterexamples)


def test_one_test_that_never_ends_is_one_failed_test(sandbox: Sandbox) -> None:
    script = "n = int(input())\nwhile n == 1: pass\nprint(2 * n)\n"
    assert evaluate(sandbox, script, DOUBLES).score == pytest.approx(2 / 3)
    function = "def add(a, b):\n    while a == 1: pass\n    return a + b\n"
    result = evaluate(sandbox, function, ADDS)
    assert (result.is_bug, result.score) == (False, 0.5)
    assert "TimeLimit" in result.counterexamples[0].message


def test_a_program_that_never_ends_is_given_up_in_the_end(sandbox: Sandbox) -> None:
    tests = ProgramTests(
        function="add",
        tests=tuple(CallTest(arguments=(n, 1), accepted=(n,)) for n in range(40)),
    )
    config = ProgramTestConfig(wall_s=0.2, total_wall_s=0.5)
    runner = ProgramTestRunner(tests, sandbox=sandbox, config=config)
    found = runner.run("def add(a, b):\n    while True: pass\n", range(40))
    assert found.num_passed == 0
    assert sum("0.5 s" in v.message for v in found.verdicts) >= 35


def test_an_exit_code_is_not_judged(sandbox: Sandbox) -> None:
    source = "import sys\nprint(2 * int(input()))\nsys.exit(3)\n"
    assert evaluate(sandbox, source, DOUBLES).score == 1.0


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("def add(a, b): return", "completed"),
        ("def add(a, b) return", "raised"),
        ("def other(a, b): return a + b\n", "raised"),
        ("1 / 0\ndef add(a, b): return a + b\n", "raised"),
        ("while True: pass\n", "timed_out"),
        ("from os import fork\n", "rejected"),
    ],
)
def test_a_function_that_cannot_be_loaded_is_a_bug(
    sandbox: Sandbox, source: str, kind: str
) -> None:
    result = evaluate(sandbox, source, ADDS)
    assert (result.is_bug, result.outcome_kind) == (kind != "completed", kind)
    assert result.score == 0.0


def test_a_function_fails_call_by_call(sandbox: Sandbox) -> None:
    source = (
        "def add(a, b):\n    if a:\n        raise ValueError('odd')\n    return 1\n"
    )
    result = evaluate(sandbox, source, ADDS)
    assert result.score == 0.5
    (example,) = result.counterexamples
    assert example.example == ProgramExample(input="1, 1", output="2")
    assert example.output is None
    assert example.message == "ValueError: odd\nLine 3: raise ValueError('odd')"


def test_a_method_is_called_on_a_new_instance(sandbox: Sandbox) -> None:
    tests = ProgramTests(
        function="Solution.f",
        tests=(CallTest(arguments=([1, 2],), accepted=([2, 1],)),) * 2,
    )
    source = "class Solution:\n    def f(self, x): return tuple(x[::-1])\n"
    assert evaluate(sandbox, source, tests).is_perfect


CHECK = Check(
    setup="def doubled(x):\n    return 2 * x\n",
    source=(
        "import random\n"
        "def check(candidate):\n"
        "    assert True\n"
        "    assert candidate(1) == doubled(1), 'why'\n"
        "    assert not candidate(0)\n"
        "    for _ in range(2):\n"
        "        n = random.randint(3, 10**6)\n"
        "        found = candidate(n)\n"
        "        assert abs(found - doubled(n)) < 0.5\n"
    ),
)


@pytest.fixture(scope="module")
def checked(sandbox: Sandbox) -> ProgramTests:
    entry = HumanEvalEntry(
        task_id="ours/0", prompt=CHECK.setup, entry_point="twice", test=CHECK.source
    )
    return make_problem(entry, sandbox).tests


def test_every_assertion_about_a_result_is_a_test(checked: ProgramTests) -> None:
    examples = [test.example for test in checked.tests]
    assert len(examples) == 4
    assert examples[0] == ProgramExample(input="1", output="2")
    assert examples[1] == ProgramExample(input="0", output="False")
    assert "abs(found - doubled(n)) < 0.5" in examples[2].output
    assert examples[2].input != examples[3].input


def test_a_check_judges_what_came_back(sandbox: Sandbox, checked: ProgramTests) -> None:
    runner = ProgramTestRunner(checked, sandbox=sandbox, config=CONFIG)

    def passed(source: str) -> list[bool]:
        return [v.is_right for v in runner.run(source, range(4)).verdicts]

    assert passed("def twice(x): return 2.2 * x - 0.2 * x\n") == [True] * 4
    half = "def twice(x): return 2 * x if x < 3 else -1\n"
    assert passed(half) == [True, True, False, False]
    assert passed("def twice(x): return object()\n") == [False] * 4
    assert passed("def twice(x): return [[]] * x\n") == [False, True, False, False]
    # A check of its own, and a result that claims to equal everything.
    liar = (
        "def check(candidate): pass\n"
        "class Equal(int):\n"
        "    def __eq__(self, other): return True\n"
        "def twice(x): return Equal(7)\n"
    )
    assert passed(liar) == [False] * 4


def test_a_call_that_raises_passes_no_assertion(sandbox: Sandbox) -> None:
    check = (
        "def check(candidate):\n"
        "    assert candidate(1)\n"
        "    assert candidate(2) != candidate(3)\n"
    )
    entry = HumanEvalEntry(task_id="ours/1", prompt="", entry_point="f", test=check)
    tests = make_problem(entry, sandbox).tests
    runner = ProgramTestRunner(tests, sandbox=sandbox, config=CONFIG)
    for source in (
        "def f(x): raise ValueError\n",
        "def f(x): return object()\n",
        "def f(x):\n    while True: pass\n",
    ):
        assert runner.run(source, range(2)).num_passed == 0
    assert runner.run("def f(x): return x\n", range(2)).num_passed == 2


def test_a_forged_result_is_a_wrong_one(
    sandbox: Sandbox, checked: ProgramTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep: Any = 1
    for _ in range(80):
        deep = [deep]

    def forged(*arguments: Any, **rest: Any) -> Completed[CallResult]:
        return Completed(messages=(Returned(value=deep),) * len(arguments[3]))

    monkeypatch.setattr("cwm.programs.program_runs.run_calls", forged)
    runner = ProgramTestRunner(checked, sandbox=sandbox, config=CONFIG)
    assert runner.run("", range(4)).num_passed == 0


def test_what_a_check_draws_is_decided_by_the_seed(sandbox: Sandbox) -> None:
    def calls(seed: int) -> list[list[str]]:
        request = CheckRequest(
            setup=CHECK.setup,
            source=CHECK.source,
            function="twice",
            seed=seed,
            results=[],
        )
        outcome = run_check(sandbox, request)
        assert isinstance(outcome, Completed)
        return [judgement.calls for judgement in outcome.messages]

    assert calls(0) == calls(0) != calls(1)


def test_other_calls_than_the_recorded_ones_are_another_test(sandbox: Sandbox) -> None:
    check = (
        "def check(candidate):\n"
        "    if candidate(1) == 5:\n"
        "        assert candidate(2)\n"
        "    assert candidate(3)\n"
    )
    entry = HumanEvalEntry(task_id="ours/2", prompt="", entry_point="f", test=check)
    tests = make_problem(entry, sandbox).tests
    assert len(tests.tests) == 1
    runner = ProgramTestRunner(tests, sandbox=sandbox, config=CONFIG)
    assert runner.run("def f(x): return x\n", (0,)).num_passed == 1
    assert runner.run("def f(x): return 5\n", (0,)).num_passed == 0


def test_only_the_asked_tests_of_a_check_are_judged(
    sandbox: Sandbox, checked: ProgramTests
) -> None:
    runner = ProgramTestRunner(checked, sandbox=sandbox, config=CONFIG)
    found = runner.run("def twice(x): return 2 * x\n", (1, 3))
    assert [v.is_right for v in found.verdicts] == [True, True]


def test_nothing_that_is_due_enters_a_process_of_the_program(
    sandbox: Sandbox, checked: ProgramTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []
    run_all = Sandbox.run_all

    def spy(self: Sandbox, source: str, requests: Any, **rest: Any) -> Any:
        sent.extend((source, repr(request)) for request in requests)
        return run_all(self, source, requests, **rest)

    monkeypatch.setattr(Sandbox, "run_all", spy)
    secret = "tr0ub4dor"
    scripts = ProgramTests(tests=(StdinTest(input="a", output=secret),))
    calls = ProgramTests(
        function="f", tests=(CallTest(arguments=(1,), accepted=(secret,)),)
    )
    evaluate(sandbox, "print(1)\n", scripts)
    evaluate(sandbox, "def f(x): return x\n", calls)
    evaluate(sandbox, "def twice(x): return 2 * x\n", checked)
    with_program = [request for source, request in sent if source]
    assert len(with_program) == 3
    assert not any(secret in request for request in with_program)
    assert not any("assert" in request for request in with_program)
    # And the hidden tests' inputs are not even asked for.
    hidden = [call for i in checked.hidden for call in checked.tests[i].calls]  # type: ignore[union-attr]
    assert not any(call in request for call in hidden for request in with_program)
    # The check runs, in a process without a program.
    assert any("assert" in request for source, request in sent if not source)


def test_counterexamples_are_of_every_way_to_fail_and_small_first(
    sandbox: Sandbox,
) -> None:
    tests = ProgramTests(
        tests=tuple(
            StdinTest(input=f"{n}" + " " * (40 - n), output="no") for n in range(40)
        )
    )
    source = "n = int(input())\nprint(1 // (n - 17))\n"
    result = evaluate(sandbox, source, tests)
    assert len(result.counterexamples) == MAX_COUNTEREXAMPLES
    first, second, third, *_ = result.counterexamples
    assert {first.wrong_parts, second.wrong_parts} == {("test 18",), ("test 20",)}
    assert third.wrong_parts == ("test 19",)


def test_what_is_shown_is_cut_and_says_so(sandbox: Sandbox) -> None:
    text = "x" * (MAX_SHOWN_CHARS + 5)
    tests = ProgramTests(tests=(StdinTest(input=text, output=text),))
    (example,) = evaluate(sandbox, "print('y' * 9000)", tests).counterexamples
    assert example.example is not None
    assert example.example.input.endswith("... (5 more characters)")
    assert example.output is not None
    assert len(example.output) < MAX_SHOWN_CHARS + 50
    # The whole text is what is compared.
    assert evaluate(sandbox, "print(input())", tests).is_perfect


def test_tests_survive_json() -> None:
    mixed = ProgramTests(
        function="f",
        tests=(CallTest(arguments=({1: (2,)}, "a"), accepted=([1.5], None)),),
    )
    check = ProgramTests(
        function="f",
        tests=(CheckTest(calls=('[[1],{"k":2}]',), output="3"),),
        check=CHECK,
    )
    for tests in (DOUBLES, mixed, check):
        assert ProgramTests.from_json(tests.to_json()) == tests
    assert check.tests[0].example.input == "1, k=2"
    with pytest.raises(DataError, match="cannot be read"):
        ProgramTests.from_json({"tests": [{}], "function": "", "check": None})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tests": ()}, "at least one member"),
        ({"tests": (*DOUBLES.tests, *ADDS.tests), "function": "f"}, "one kind"),
        ({"tests": DOUBLES.tests, "function": "f"}, "function must be given unless"),
        ({"tests": ADDS.tests}, "function must be given unless"),
        ({"tests": ADDS.tests, "function": "f", "check": CHECK}, "check must be given"),
    ],
)
def test_tests_that_make_no_sense_are_refused(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ProgramTests(**values)


def test_settings_of_nothing_are_refused() -> None:
    for name in ("wall_s", "total_wall_s", "memory_mib"):
        with pytest.raises(ValueError, match=f"{name} must be positive"):
            ProgramTestConfig(**{name: 0})
