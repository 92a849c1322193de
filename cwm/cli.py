"""How every command ends: exit codes, and messages without a traceback.

Exit codes: 0 done, 1 failed, 2 usage or settings, 3 the budget ended without a
candidate, 130 interrupted by Ctrl-C.
"""

import os
import select
import sys
from collections.abc import Callable, Mapping

from cwm.core.errors import BudgetExhausted, ConfigError, CwmError, InternalError

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BUDGET = 3
EXIT_INTERRUPTED = 130


def exit_code(error: BaseException) -> int:
    """Returns the exit code that reports `error`."""
    match error:
        case KeyboardInterrupt():
            return EXIT_INTERRUPTED
        case BudgetExhausted():
            return EXIT_BUDGET
        case ConfigError():
            return EXIT_USAGE
        case _:
            return EXIT_FAILED


def run_command(function: Callable[[], int]) -> int:
    """Runs a command and returns its exit code.

    Errors of ours become one message on standard error. Whatever else is raised
    is a bug of ours: its traceback is shown, as is that of an `InternalError`.

    Args:
        function: The command; returns its own exit code.
    """
    try:
        code = function()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever reads (`| head`) has seen enough. Python flushes once more at exit.
        if not _is_closed_pipe():
            raise
        return EXIT_FAILED
    except InternalError:
        raise
    except CwmError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)
    except KeyboardInterrupt as error:
        sys.stderr.write("Interrupted.\n")
        return exit_code(error)


def run_subcommand(
    command: str,
    words: list[str],
    subcommands: Mapping[str, Callable[[list[str]], int]],
    *,
    text: str,
) -> int:
    """Runs what the first word names, with the others, and returns its exit code.

    Args:
        command: Name of the whole, as in `python -m <command>`.
        words: The command line without it.
        subcommands: By name.
        text: What `--help` says.

    Raises:
        ConfigError: If there is none of that name.
    """
    name = words[0] if words else ""
    if name in ("-h", "--help"):
        sys.stdout.write(text)
        return EXIT_DONE
    if name not in subcommands:
        raise ConfigError(
            f"{command} needs the name of a command, got {name!r}. Known: "
            f"{', '.join(subcommands)}."
        )
    return subcommands[name](words[1:])


def _is_closed_pipe() -> bool:
    """Returns whether nobody reads standard output; what is left goes nowhere then."""
    descriptor = sys.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not any(events & select.POLLERR for _, events in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    return True
