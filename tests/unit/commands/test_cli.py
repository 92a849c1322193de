import os
import subprocess
import sys

import pytest

from cwm.cli import run_command
from cwm.core.errors import (
    BudgetExhausted,
    ConfigError,
    DataError,
    InternalError,
    LLMError,
    PrerequisiteError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a"), 2),
        (DataError("a"), 1),
        (PrerequisiteError("a"), 1),
        (LLMError("a", retryable=True), 1),
        (BudgetExhausted("a"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise error

    assert run_command(command) == code
    assert capsys.readouterr().err in ("a\n", "Interrupted.\n")


def test_a_command_ends_with_its_own_code() -> None:
    assert run_command(lambda: 3) == 3


@pytest.mark.parametrize("bug", [InternalError("ours"), ZeroDivisionError("ours")])
def test_a_bug_of_ours_keeps_its_traceback(bug: Exception) -> None:
    def command() -> int:
        raise bug

    with pytest.raises(type(bug), match="ours"):
        run_command(command)


@pytest.mark.parametrize("command", ["synthesize", "evaluate", "collect", "replay"])
def test_a_reader_that_has_seen_enough_gets_no_traceback(command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed_pipe:
        ended = subprocess.run(
            [sys.executable, "-m", f"cwm.{command}", "--help"],
            stdout=closed_pipe,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (ended.returncode, ended.stderr) == (1, b"")
