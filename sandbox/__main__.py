"""`python -m sandbox`: run a program with limits, or see how strong the walls are."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

from sandbox.errors import SandboxUnavailable
from sandbox.isolation import ADVICE, LEVELS, IsolationReport
from sandbox.outcome import Completed, Outcome
from sandbox.policy import PolicyMode
from sandbox.pool import Sandbox
from sandbox.programs import DRIVERS, STDIN_LIMITS, ProgramOutput, run_stdin_tests

DESCRIPTION = """\
Runs untrusted programs with limits, and says how strong the walls around them are.

  python -m sandbox run program.py --stdin input.txt --wall-s 2
  python -m sandbox doctor

Exit codes: 0 done, 1 failed, 2 usage, 3 no sandbox of the required strength, 130
interrupted.
"""

RUN_DESCRIPTION = """\
Runs a program from its standard input to its standard output, with limits.

  python -m sandbox run program.py --stdin input.txt --wall-s 2 --memory-mib 256
  python -m sandbox run program.py --json

Exit codes: 0 done, 1 the program failed or was stopped, 2 usage, 3 no sandbox of the
required strength, 130 interrupted.
"""

DOCTOR_DESCRIPTION = """\
Shows what keeps programs in on this machine, and how to reach a higher level.

  python -m sandbox doctor
  python -m sandbox doctor --json

Exit codes: 0 the level is kernel, 1 it is lower, 2 usage, 130 interrupted.
"""

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 3
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except SandboxUnavailable as error:
        return _fail(EXIT_UNAVAILABLE, f"SandboxUnavailable: {error}")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        return _fail(EXIT_USAGE, str(error))
    except KeyboardInterrupt:
        return _fail(EXIT_INTERRUPTED, "Interrupted.")
    return code


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(code: int, message: str) -> int:
    sys.stderr.write(message + "\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(
        commands.add_parser(
            "run",
            help="run a program, from its input to its output",
            description=RUN_DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    doctor = commands.add_parser(
        "doctor",
        help="show what keeps programs in, and how to reach a higher level",
        description=DOCTOR_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.add_argument("--json", action="store_true", help="Print the result as JSON.")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    limits = STDIN_LIMITS
    run.add_argument("file", type=Path, help="the program; - for standard input")
    run.add_argument(
        "--stdin", type=Path, help="file with its standard input (default: none)"
    )
    run.add_argument(
        "--wall-s",
        type=float,
        default=limits.wall_s,
        help="seconds by the clock (default: %(default)s)",
    )
    run.add_argument(
        "--memory-mib",
        type=int,
        default=limits.memory_mib,
        help="memory that it may add to the interpreter's (default: %(default)s)",
    )
    run.add_argument(
        "--max-stdout-kib",
        type=int,
        default=8192,
        help="output after which it is stopped (default: %(default)s)",
    )
    run.add_argument(
        "--policy",
        choices=get_args(PolicyMode),
        default="enforce",
        help="refuse what the check of the source finds, warn of it, or do not look",
    )
    run.add_argument(
        "--isolation",
        "--require",
        dest="require",
        choices=LEVELS,
        default="kernel",
        help="Weakest isolation of programs that is acceptable, where kernel is the "
        "strongest; with less, no program is run (default: %(default)s)",
    )
    run.add_argument("--json", action="store_true", help="Print the result as JSON.")
    run.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    source = _text(options.file)
    stdin = options.stdin.read_bytes() if options.stdin is not None else b""
    limits = replace(STDIN_LIMITS, wall_s=options.wall_s, memory_mib=options.memory_mib)
    with Sandbox(
        drivers=DRIVERS, limits=limits, policy=options.policy, require=options.require
    ) as sandbox:
        (outcome,) = run_stdin_tests(
            sandbox,
            source,
            [stdin],
            limits=limits,
            max_stdout_kib=options.max_stdout_kib,
        )
        report = sandbox.isolation
    if options.json:
        _print(json.dumps(_described(outcome, report), indent=2))
    else:
        _show(outcome)
    is_done = isinstance(outcome, Completed) and outcome.messages[0].exit_code == 0
    return EXIT_DONE if is_done else EXIT_FAILED


def _text(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read()
    return path.read_text(encoding="utf-8")


def _show(outcome: Outcome[ProgramOutput]) -> None:
    """Passes the program's output on; what happened to it goes to standard error."""
    for warning in outcome.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    if not isinstance(outcome, Completed):
        sys.stderr.write(outcome.feedback() + "\n")
        return
    (output,) = outcome.messages
    sys.stdout.buffer.write(output.stdout)
    sys.stdout.flush()
    sys.stderr.buffer.write(output.stderr)
    if output.exit_code:
        sys.stderr.write(f"The program's exit code was {output.exit_code}.\n")


def _described(
    outcome: Outcome[ProgramOutput], report: IsolationReport
) -> dict[str, object]:
    output = outcome.messages[0] if isinstance(outcome, Completed) else None
    return {
        "outcome": outcome.kind,
        "feedback": outcome.feedback(),
        "warnings": list(outcome.warnings),
        "stdout": output.stdout.decode(errors="replace") if output else None,
        "stderr": output.stderr.decode(errors="replace") if output else None,
        "exit_code": output.exit_code if output else None,
        "usage": asdict(outcome.usage),
        "isolation": report.to_json(),
    }


def _doctor(options: argparse.Namespace) -> int:
    with Sandbox(drivers=DRIVERS, require="none") as sandbox:
        report = sandbox.isolation
    if options.json:
        _print(json.dumps(report.to_json(), indent=2))
    else:
        _print("\n".join(diagnosis(report)))
    return EXIT_DONE if report.level == "kernel" else EXIT_FAILED


def diagnosis(report: IsolationReport) -> list[str]:
    """Returns the report in lines for people, with an action per missing layer."""
    lines = [
        f"level: {report.level}",
        f"platform: {report.platform}; candidates run as user {report.uid}",
        "",
        "layers",
        *(f"  {name:14} {state}" for name, state in report.layers.items()),
        "",
        "probes: what a locked process met when it tried what is forbidden",
        *(f"  {name:18} {found}" for name, found in report.probes.items()),
        "",
    ]
    if not report.missing:
        return [*lines, "No layer is missing; cgroup is only reported."]
    actions = [f"  {name}: {ADVICE[name]}" for name in report.missing]
    return [*lines, "to close what is missing", *actions]


if __name__ == "__main__":
    sys.exit(main())
