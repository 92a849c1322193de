"""`python -m cwm.synthesize`: from an environment to a program that simulates it."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import base_config, own_models, parse
from cwm.cli import EXIT_DONE, run_command
from cwm.config import PRESETS, RunConfig
from cwm.core.errors import BudgetExhausted, ConfigError, CwmError
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.options import shown_as
from cwm.execution.progress import Progress
from cwm.execution.run_folder import create_run_folder
from cwm.online import ONLINE_COLLECT, OnlineConfig, OnlineSynthesis
from cwm.opening import RUNS, make_quote, new_session, reopened_session
from cwm.report.live import make_progress
from cwm.report.online import OnlineReport
from cwm.report.runs import BUDGET_SENTENCES, RunReport
from cwm.session import Session
from envs.collect import CollectConfig

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
  python -m cwm.synthesize --env CartPole-v1 --online 3
  python -m cwm.synthesize --resume runs/2026-01-31-CartPole-v1-1
  python -m cwm.synthesize --env Taxi-v4 --llm openai:MODEL --concurrency 16 \\
      --executor ray --ray-address HOST:6379

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
            Of the settings only budgets, --patience, --concurrency and where programs
            are run (--executor) may be given again.
        online: Rounds at most of searching, acting with the program found, and adding
            what it predicted wrong to the transitions; ends when a whole round is
            predicted right. It begins with random episodes only, and goes on where it
            was when --out names its folder again.
        acting: How an online run acts.
        execution: Where programs are run.
        dry_run: Say what the run would cost, and make no call.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    preset: Annotated[str, shown_as(f"{{{','.join(PRESETS)}}}")] = "default"
    config: Annotated[Path | None, shown_as("FILE")] = None
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    resume: Annotated[Path | None, shown_as("RUN")] = None
    online: Annotated[int | None, shown_as("ROUNDS")] = None
    acting: OnlineConfig = field(default_factory=OnlineConfig)
    execution: Annotated[ExecutorConfig, tyro.conf.arg(name="")] = field(
        default_factory=ExecutorConfig
    )
    dry_run: bool = False
    json: bool = False
    quiet: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(_parse(words)))


def _run(arguments: Arguments) -> int:
    if arguments.resume is not None and (arguments.dry_run or arguments.online):
        raise ConfigError(
            "dry_run and online are for a run that has not begun, got resume. An "
            "online run goes on when --out names its folder."
        )
    arguments.execution.check()
    if arguments.online is not None and arguments.execution.is_ray:
        raise ConfigError(
            "online is for the executor local, got ray: its rounds are of few calls "
            "each. Leave --executor out."
        )
    if arguments.dry_run:
        return show_quote(arguments)
    return synthesize(arguments) if arguments.online is None else learn(arguments)


def _parse(words: list[str]) -> Arguments:
    run = base_config(words)
    if _is_online(words) and run.source.collect == CollectConfig():
        run = replace(run, source=replace(run.source, collect=ONLINE_COLLECT))
    default = Arguments(run=run)
    arguments = parse(
        Arguments, words, command="synthesize", text=DESCRIPTION, default=default
    )
    return replace(arguments, run=own_models(arguments.run, default.run, words))


def _is_online(words: Sequence[str]) -> bool:
    return any(word.partition("=")[0] == "--online" for word in words)


def learn(arguments: Arguments) -> int:
    """Makes or continues an online run, shows it, and returns the exit code.

    Raises:
        BudgetExhausted: If no round found a program that runs.
        CwmError: If the run failed; it can be continued if it has begun.
    """
    assert arguments.online is not None, "asked only then"
    run = OnlineSynthesis(
        config=arguments.run,
        acting=arguments.acting,
        num_rounds=arguments.online,
        folder=arguments.out or Path(),
    )
    if arguments.out is None:
        today = datetime.now().astimezone().date()
        name = f"{arguments.run.source.env}-online"
        folder = create_run_folder(name, out=None, runs=RUNS, today=today).path
        run = replace(run, folder=folder)
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),
    ):
        try:
            report = run.run(progress)
        except (KeyboardInterrupt, CwmError):
            progress.close()
            sys.stderr.write(
                f"{run.folder} keeps what was done. Continue with the same command and "
                f"--out {run.folder}\n"
            )
            raise
    _show(report, as_json=arguments.json)
    if not report.has_program:
        raise BudgetExhausted(
            f"No program that runs after {len(report.rows)} rounds: the budgets of "
            "their searches are used."
        )
    return EXIT_DONE


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
        return new_session(
            arguments.run,
            out=arguments.out,
            progress=progress,
            execution=arguments.execution,
        )
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
    return reopened_session(config, arguments.resume, execution=arguments.execution)


def _show(report: RunReport | OnlineReport, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
