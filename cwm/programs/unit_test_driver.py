"""Runs inside the sandbox: calls test functions with a candidate's class."""

import random  # noqa: TID251 - the candidate's, seeded so that it repeats
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from cwm.programs.draw_seeds import mix
from cwm.programs.wire_types import TestResult, TestsRequest
from cwm.programs.world_model_driver import find_class
from sandbox.child import CANDIDATE_FILE, Channel, describe_error

TESTS_FILE = "<tests>"


REQUEST = TestsRequest


def run(
    load: Callable[[], dict[str, Any]], tests: TestsRequest, channel: Channel
) -> None:
    """Runs every function of a request; emits one `TestResult` each.

    Raises:
        ContractViolation: If the program does not define its class.
    """
    program_class = find_class(load)
    namespace: dict[str, Any] = {"__name__": "tests"}
    code = compile(tests.source, TESTS_FILE, "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - inside the sandbox, like the candidate
    for index, name in enumerate(tests.names):
        word = mix(tests.seed, index)
        random.seed(word)
        np.random.seed(word & 0xFFFFFFFF)  # noqa: NPY002, TID251 - the candidate's
        channel.emit(_run_one(name, namespace[name], _seeded(program_class, word)))


def _seeded(program_class: Any, word: int) -> Callable[[], Any]:
    """Returns the class, its instances with the generator that the contract states."""

    def make() -> Any:
        instance = program_class()
        instance.rng = np.random.Generator(np.random.PCG64(word))
        return instance

    return make


def _run_one(name: str, test: Callable[[Any], object], argument: Any) -> TestResult:
    try:
        test(argument)
    except BaseException as error:  # noqa: BLE001 - a test may fail in any way
        failure = describe_error(error)
        return TestResult(
            name=name,
            passed=False,
            error_type=failure.error_type,
            message=failure.message,
            test_line=_last_line(error.__traceback__, TESTS_FILE),
            program_line=_last_line(error.__traceback__, CANDIDATE_FILE),
        )
    return TestResult(
        name=name, passed=True, error_type="", message="", test_line=0, program_line=0
    )


def _last_line(traceback: TracebackType | None, filename: str) -> int:
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == filename:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
