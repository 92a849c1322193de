"""`python -m cwm.benchmark run`: a suite, many tasks x searches x seeds."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import base_config, option, own_models, parse
from cwm.benchmark.induction import HYPOTHESES, induction_named
from cwm.benchmark.plan import (
    PROBLEM_SUITES,
    SUITE_NAMES,
    ResultsFolder,
    SuiteConfig,
    chosen,
)
from cwm.benchmark.provider_rows import ROWS, ProvidersConfig
from cwm.benchmark.reading import read_report
from cwm.benchmark.suite import SuiteRun
from cwm.benchmark.words import (
    listed,
    provider_rows_in,
    searches_or_rules_in,
    seeds_in,
    suite_first,
)
from cwm.cli import EXIT_DONE, EXIT_FAILED
from cwm.config import PRESETS, RunConfig
from cwm.core.errors import ConfigError
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.options import shown_as
from cwm.program_synthesis import PAPER_CALL_BUDGET
from cwm.programs.program_runs import ProgramTestConfig
from cwm.report.live import make_progress
from cwm.suites.providers import SUITE as PROVIDERS
from cwm.suites.words import SUITE as WORDS

PROVIDERS_CALL_BUDGET = 10
"""Calls for each program of the suite providers."""

CALL_BUDGETS = {
    **dict.fromkeys(PROBLEM_SUITES, PAPER_CALL_BUDGET),
    PROVIDERS: PROVIDERS_CALL_BUDGET,
}
"""Suite -> its usual budget of calls, where that is not cwm.synthesize's."""

DESCRIPTION = f"""\
Runs a suite: each task with each search and each seed is a cell, in a process of its
own, and all results go into one folder.

  python -m cwm.benchmark run cwmb-r
  python -m cwm.benchmark run cwmb-r --envs CartPole,Taxi --quick
  python -m cwm.benchmark run cwmb-s --seeds 0,1,2 --llm openai:MODEL \\
      --searches gif-mcts,best-of-n --call-budget 10
  python -m cwm.benchmark run cwmb-s --seeds 0,1,2 --executor ray --ray-address auto
  python -m cwm.benchmark run words --quick
  python -m cwm.benchmark run providers --envs playground
  python -m cwm.benchmark run own --llm openai:MODEL
  python -m cwm.benchmark run apps --data FOLDER --llm openai:MODEL

SUITE is one of {", ".join(SUITE_NAMES)}. Started again with the same settings and
folder, the command takes cells that are done as they are, and continues the others;
tasks, searches and seeds may be added. Without --llm, world models are induced from
the transitions, and in words, where states are sentences, rules are, as cwm.induce
does it. In providers, --searches are its rows: {", ".join(ROWS)}.
In --llm, {{task}}, {{search}} and {{seed}} stand for those of the cell:
scripted:answers/{{task}}.json.

Exit codes: 0 done, 1 some cell failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        suite: Name of the suite; --suite NAME does as well.
        run: The settings of all runs, as in cwm.synthesize; the suite says which
            environments and transitions there are, and --seed and --search are
            --seeds and --searches here. --data is the folder of apps. Problems with
            unit tests have 20 calls each unless --call-budget is given, and programs
            of providers 10.
        envs: Names of tasks or problems, with commas between them; all if not given.
        searches: Searches, with commas between them; gif-mcts if not given. In words
            also hypotheses, which is hypothesis induction, and what is done there if
            not given. In providers: rows, all if not given.
        seeds: Seeds, with commas between them. Of cwmb-s each seed draws constants of
            its own.
        quick: Little data and few, short episodes, or four problems: to try things
            out.
        full: Episodes go on to their own end if they have one, and there are 10 at
            least; otherwise those of MuJoCo are 5 of 200 steps.
        program_tests: How programs with unit tests are run.
        workers: Cells at a time, each in a process of its own; by default 2, and on a
            cluster as many as it has processors.
        execution: Where cells are run. A cluster needs --out, and --data-folder if
            given, on a file system that all nodes have at the same place.
        cell_seconds: After so many seconds a cell is ended and has failed.
        ask_model: Held-out transitions that the language model itself is asked to
            predict, beside its program.
        offline_steps: Gradient steps of an offline-RL policy that is learnt from the
            same transitions; needs the extra [offline].
        induction: Settings of hypothesis induction: a preset of cwm.induce, or a JSON
            file such as the config.json of one of its runs. World and seed are those
            of the cell; if no model is named there, that of --llm takes all roles.
        providers: What the rows of the suite providers are made with.
        preset: Named settings to start from, as in cwm.synthesize. A config file and
            the other options override them.
        config: JSON file of settings, such as the config.json of another run; the
            other options override it.
        out: Folder of the results; runs/benchmark-SUITE if not given.
        data_folder: Folder of the transitions, and of the returns of random actions
            and of the oracle; those of --out if not given. Several results may share
            one: names have digests of what decides the content.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    suite: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SUITE")]
    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    envs: Annotated[str | None, shown_as("NAME,NAME,...")] = None
    searches: Annotated[str | None, shown_as("NAME,NAME,...")] = None
    seeds: Annotated[str, shown_as("INT,INT,...")] = "0"
    quick: bool = False
    full: bool = False
    program_tests: ProgramTestConfig = field(default_factory=ProgramTestConfig)
    workers: Annotated[int | None, shown_as("INT")] = None
    execution: Annotated[ExecutorConfig, tyro.conf.arg(name="")] = field(
        default_factory=ExecutorConfig
    )
    cell_seconds: Annotated[float | None, shown_as("SECONDS")] = None
    ask_model: int = 0
    offline_steps: int = 0
    induction: Annotated[str | None, shown_as("NAME|FILE")] = None
    providers: ProvidersConfig = field(default_factory=ProvidersConfig)
    preset: Annotated[str, shown_as(f"{{{','.join(PRESETS)}}}")] = "default"
    config: Annotated[Path | None, shown_as("FILE")] = None
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    data_folder: Annotated[Path | None, shown_as("FOLDER")] = None
    json: bool = False
    quiet: bool = False

    def suite_run(self) -> SuiteRun:
        """Returns what is to be run.

        Raises:
            CwmError: If a setting is wrong, or problems cannot be read.
        """
        config = SuiteConfig(
            suite=self.suite,
            is_quick=self.quick,
            is_full=self.full,
            # Each cell has its own.
            run=replace(self.run, seed=0, tree=self.run.tree.of("gif-mcts")),
            tests=self.program_tests,
            asks_model=self.ask_model,
            offline_steps=self.offline_steps,
            induction=induction_named(self.induction),
            providers=self.providers,
        )
        names = () if self.envs is None else listed(self.envs, "--envs")
        return SuiteRun(
            config=config,
            tasks=chosen(config.task_names(), names),
            searches=self._searches(),
            seeds=seeds_in(self.seeds),
            folder=ResultsFolder(self.out or Path(f"runs/benchmark-{self.suite}")),
            num_workers=self.workers,
            cell_seconds=self.cell_seconds,
            data_folder=self.data_folder,
            execution=self.execution,
        )

    def _searches(self) -> tuple[str, ...]:
        if self.suite == PROVIDERS:
            return provider_rows_in(self.searches)
        usual = HYPOTHESES if self.suite == WORDS else "gif-mcts"
        return searches_or_rules_in(usual if self.searches is None else self.searches)


def run_suite(words: list[str]) -> int:
    """Runs a suite, shows its report and returns the exit code.

    Raises:
        CwmError: If a setting is wrong, or a file cannot be read or written. What a
            single cell does is none of these.
    """
    arguments = arguments_of(words)
    suite_run = arguments.suite_run()
    suite_run.execution.check()
    suite_run.check_proposer()
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),
    ):
        try:
            has_all = suite_run.run(progress)
        except KeyboardInterrupt:
            progress.close()
            sys.stderr.write(
                f"{suite_run.folder.path} keeps what was done; the same command "
                "continues it.\n"
            )
            raise
    report = read_report(suite_run.folder)
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    return EXIT_DONE if has_all else EXIT_FAILED


def arguments_of(words: Sequence[str]) -> Arguments:
    """Returns what a command line says, in whatever order.

    Raises:
        ConfigError: If an option would be ignored, or a file cannot be read.
        SystemExit: If the command line is wrong.
    """
    words = suite_first(words)
    base = base_config(words)
    arguments = _parse(words, base)
    is_plain = option(words, "--preset") is None and option(words, "--config") is None
    if is_plain and arguments.suite in CALL_BUDGETS:
        # What the default is can be known only when the suite is.
        budget = replace(base.budget, call_budget=CALL_BUDGETS[arguments.suite])
        base = replace(base, budget=budget)
        arguments = _parse(words, base)
    _check_unused(arguments)
    return replace(arguments, run=own_models(arguments.run, base, words))


def _parse(words: Sequence[str], base: RunConfig) -> Arguments:
    return parse(
        Arguments,
        words,
        command="benchmark run",
        text=DESCRIPTION,
        default=Arguments(suite=tyro.MISSING, run=base),
    )


def _check_unused(arguments: Arguments) -> None:
    """Refuses settings of a single run, given or in a file, which would be ignored."""
    plain = RunConfig()
    if arguments.run.seed != plain.seed:
        raise ConfigError(
            f"seed is for a single run, got {arguments.run.seed}: give --seeds."
        )
    if arguments.run.tree.search != plain.tree.search:
        raise ConfigError(
            f"search is for a single run, got {arguments.run.tree.search!r}: give "
            "--searches."
        )
