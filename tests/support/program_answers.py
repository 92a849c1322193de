"""Scripted answers to problems with unit tests: right, wrong, looping, cheating."""

from cwm.programs.tested_programs import CheckTest, StdinTest
from cwm.suites.problems import Problem
from sandbox.plain_values import decode_plain

LOOPING_SCRIPT = "while True:\n    pass\n"
WRONG_SCRIPT = "print('no idea')\n"
BROKEN = "print((1\n"


def fenced(source: str) -> str:
    """Returns an answer of a language model with a program in it."""
    return f"This is my program.\n\n```python\n{source}```\n"


def cheating_script(problem: Problem, num_tests: int | None = None) -> str:
    """Returns a script that has a table of visible tests, and nothing else."""
    seen = [problem.tests.tests[i] for i in problem.tests.visible[:num_tests]]
    table = {t.input: t.output for t in seen if isinstance(t, StdinTest)}
    return (
        f"import sys\nTABLE = {table!r}\n"
        "print(TABLE.get(sys.stdin.read(), 'who knows'))\n"
    )


def cheating_function(problem: Problem) -> str:
    """Returns a function that has a table of visible tests, and nothing else."""
    table = {}
    for position in problem.tests.visible:
        test = problem.tests.tests[position]
        assert isinstance(test, CheckTest)
        (call,) = test.calls
        arguments, _ = decode_plain(call)
        table[repr(tuple(arguments))] = test.output
    entries = ", ".join(f"{key!r}: {value}" for key, value in table.items())
    return (
        f"TABLE = {{{entries}}}\n"
        f"def {problem.tests.function}(*arguments):\n"
        "    return TABLE.get(repr(arguments), 'who knows')\n"
    )


def wrong_function(problem: Problem) -> str:
    """Returns a function whose results are never right."""
    return f"def {problem.tests.function}(*arguments):\n    return 'no idea'\n"


def looping_function(problem: Problem) -> str:
    """Returns a function that never ends."""
    return f"def {problem.tests.function}(*arguments):\n    while True: pass\n"
