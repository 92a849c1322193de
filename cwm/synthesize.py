"""`python -m cwm.synthesize`: from an environment to a program that simulates it."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import base_config, own_models, parse
from cwm.cli import EXIT_DONE, run_command
from cwm.config import PRESETS, RunConfig
from cwm.core.errors import BudgetExhausted, ConfigError, CwmError
from cwm.execution.options import shown_as
from cwm.execution.progress import Progress
from cwm.report.live import make_progress
from cwm.report.runs import BUDGET_SENTENCES, RunReport
from cwm.session import Session, make_quote, new_session, reopened_session

DESCRIPTION = """\
Finds a Python program that simulates an environment.

Transitions of the environment are collected (or read with --data), a tree search
asks for programs and runs each of them in a sandbox against the transitions, and
the best one is written to world_model.py in the run's folder. Without --llm the
programs are induced from the transitions alone: no key, no network, no model.

  python -m cwm.synthesize --env CartPole-v1
  python -m cwm.synthesize --env CartPole-v1 --set gravity=3.7 --seed 1
  python -m cwm.synthesize --data transitions.npz --call-budget 100
  python -m cwm.synthesize --env Taxi-v4 --llm openai:MODEL --base-url URL
  python -m cwm.synthesize --env Taxi-v4 --llm openai:MODEL --dry-run
  python -m cwm.synthesize --env Taxi-v4 --llm openai:MODEL --search worldcoder
  python -m cwm.synthesize --resume runs/2026-01-31-CartPole-v1-1

Exit codes: 0 done, 1 failed, 2 usage, 3 no program that runs within the budget,
130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        run: The settings of the run.
        preset: Named settings to start from: paper is the published search (50
            calls, no patience), quick makes 10 calls. A config file and the other
            options override them.
        config: JSON file of settings, such as the config.json of another run; the
            other options override it.
        out: Folder of the run; a new one in ./runs if not given.
        resume: Folder of a run to continue; it ends as if it had never stopped.
            Of the settings only budgets, --patience and --concurrency may be given
            again.
        dry_run: Say what the run would cost, and make no call.
        json: Print the result as JSON instead of tables.
        quiet: Show no progress.
    """

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    preset: Annotated[str, shown_as(f"{{{','.join(PRESETS)}}}")] = "default"
    config: Annotated[Path | None, shown_as("FILE")] = None
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    resume: Annotated[Path | None, shown_as("RUN")] = None
    dry_run: bool = False
    json: bool = False
    quiet: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(_parse(words)))


def _run(arguments: Arguments) -> int:
    if not arguments.dry_run:
        return synthesize(arguments)
    if arguments.resume is not None:
        raise ConfigError("dry_run is for a run that has not begun, got resume.")
    return show_quote(arguments)


def _parse(words: list[str]) -> Arguments:
    default = Arguments(run=base_config(words))
    arguments = parse(
        Arguments, words, command="synthesize", text=DESCRIPTION, default=default
    )
    return replace(arguments, run=own_models(arguments.run, default.run, words))


def show_quote(arguments: Arguments) -> int:
    """Shows what a run would cost, without a call, and returns the exit code.

    Raises:
        CwmError: If the run could not begin.
    """
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),
    ):
        quote = make_quote(arguments.run, progress=progress)
    lines = [json.dumps(quote.to_json(), indent=2)] if arguments.json else quote.lines()
    sys.stdout.write("\n".join(lines) + "\n")
    return EXIT_DONE


def synthesize(arguments: Arguments) -> int:
    """Makes or continues a run, shows how it ended, and returns the exit code.

    Raises:
        BudgetExhausted: If no program ran.
        CwmError: If the run failed; it can be continued if it has begun.
    """
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Environments print; the result stands alone.
    ):
        session = _open(arguments, progress)
        try:
            report = session.run(progress)
        except (KeyboardInterrupt, CwmError):
            progress.close()
            sys.stderr.write(
                f"{session.folder.path} keeps what was done. Continue with: "
                f"python -m cwm.synthesize --resume {session.folder.path}\n"
            )
            raise
    _show(report, as_json=arguments.json)
    if report.best is None:
        reason = BUDGET_SENTENCES.get(report.exhausted or "calls")
        raise BudgetExhausted(
            f"No program that runs after {report.num_calls} of {report.limits.calls} "
            f"calls: {reason}. Journal: {session.folder.journal}"
        )
    return 0


def _open(arguments: Arguments, progress: Progress) -> Session:
    if arguments.resume is None:
        return new_session(arguments.run, out=arguments.out, progress=progress)
    recorded = base_config(["--resume", str(arguments.resume)])
    config = arguments.run
    models = replace(config.models, concurrency=recorded.models.concurrency)
    same = replace(config, budget=recorded.budget, models=models)
    if same != recorded or arguments.out is not None:
        raise ConfigError(
            "A resumed run keeps its settings; only budgets, patience and concurrency "
            "may be given again."
        )
    budget = config.budget
    if budget.call_budget > recorded.budget.call_budget and budget.patience is None:
        # Who grants more calls wants them used.
        config = replace(config, budget=replace(budget, patience=0))
    return reopened_session(config, arguments.resume)


def _show(report: RunReport, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
