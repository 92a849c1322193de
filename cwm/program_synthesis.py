"""A search for a program that passes the tests of a problem, with its run folder.

The search sees the visible half of the tests. The best program meets the hidden half
once, when the search is over. A run that was killed goes on from its journal.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cwm.config import config_from_json
from cwm.core.errors import ConfigError, DataError
from cwm.core.journal import Journal
from cwm.core.proposals import Proposer
from cwm.core.seeding import child_rng
from cwm.execution.prerequisites import no_sandbox
from cwm.execution.progress import Progress
from cwm.execution.provenance import environment_report
from cwm.execution.run_folder import RunFolder, create_run_folder
from cwm.llm.chat import Closable
from cwm.programs.program_runs import ProgramTestConfig, open_test_sandbox
from cwm.programs.program_tests import ProgramTestEvaluator
from cwm.proposers.config import LanguageModelConfig
from cwm.report.programs import ProblemReport
from cwm.suites.problems import Problem
from cwm.synthesis import records
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.config import BudgetConfig, SynthesisConfig, TreeConfig
from cwm.synthesis.loop import SynthesisLoop
from cwm.synthesis.results import SynthesisResult
from cwm.synthesis.search import ProgramSearch
from mcts.export import write_graphml
from mcts.registry import new_search
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import Level
from sandbox.pool import Sandbox

PAPER_CALL_BUDGET = 20
"""Calls for each problem in the paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRunConfig:
    """Everything that decides what a run on one problem does.

    Attributes:
        models: Who writes the programs; at least one language model.
        seed: Seed of everything random in the run; at least 0.
        budget: What it may spend; 20 calls, as in the paper, if nothing is said.
        synthesis: How programs are asked for.
        tree: The search.
        tests: How programs are run on the tests, and what counts as right.
        isolation: Weakest isolation of programs that is acceptable.
    """

    models: LanguageModelConfig = field(default_factory=LanguageModelConfig)
    seed: int = 0
    budget: BudgetConfig = field(
        default_factory=lambda: BudgetConfig(call_budget=PAPER_CALL_BUDGET)
    )
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)
    tree: TreeConfig = field(default_factory=TreeConfig)
    tests: ProgramTestConfig = field(default_factory=ProgramTestConfig)
    isolation: Level = "kernel"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        plain = json.loads(json.dumps(asdict(self), default=_path_text))
        assert isinstance(plain, dict), "a dataclass becomes a dict"
        return plain


@dataclass(frozen=True, slots=True)
class ProgramFolder(RunFolder):
    """The files of a run on one problem."""

    @property
    def problem(self) -> Path:
        """The problem with all its tests, as it was when the run began."""
        return self.path / "problem.json"

    @property
    def program(self) -> Path:
        """The best program so far."""
        return self.path / "program.py"


def solve(
    problem: Problem,
    config: ProgramRunConfig,
    out: Path,
    progress: Progress,
    *,
    proposer: Proposer | None = None,
    sandbox: Sandbox | None = None,
) -> ProblemReport:
    """Searches for a program that solves a problem, and scores the best one.

    A run that is in `out` is continued; one that has come to its end with these
    settings is taken as it is, and nothing is asked or run.

    Args:
        problem: The problem.
        config: The settings. A run may be given more to spend later.
        out: The run's folder.
        progress: Told of every call.
        proposer: Who writes the programs, for runs that share one; it is not closed.
            Made from the settings if not given.
        sandbox: Where programs run, for runs that share one; made with
            `program_runs.DRIVERS`, and not closed.

    Raises:
        ConfigError: If a setting is wrong, no language model is named, or the folder
            cannot be written.
        DataError: If the folder holds another run, or its files cannot be read.
        PrerequisiteError: If programs cannot be run safely on this machine, or a
            package is missing.
        LLMError: If the language model failed; called again, the run goes on.
    """
    if not config.models.llm and proposer is None:
        raise ConfigError(
            "Programs with unit tests are written by a language model: name one with "
            "--llm. Symbolic induction has no transitions to work on here."
        )
    folder, is_done = _open(problem, config, out)
    if is_done:
        return ProblemReport.from_json(folder.read_json(folder.result))
    with (
        _closed(proposer, config) as writer,
        _opened(sandbox, config.isolation) as box,
        Journal(folder.journal) as journal,
    ):
        run = _Run(folder, problem, config, writer)
        run.begin(journal)
        evaluator = ProgramTestEvaluator(
            problem.tests, sandbox=box, config=config.tests
        )
        return run.search(journal, evaluator, progress)


def is_program_run(path: Path) -> bool:
    """Returns whether a folder is that of a run on one problem."""
    return ProgramFolder(path).problem.is_file()


def recorded_search(path: Path) -> tuple[RunFolder, ProgramSearch]:
    """Returns the folder of a run on one problem, and its search without any call.

    Raises:
        DataError: If its files cannot be read.
    """
    folder = ProgramFolder(path)
    problem = Problem.from_json(folder.read_json(folder.problem))
    return folder, make_program_search(problem, _read_config(folder))


def make_program_search(problem: Problem, config: ProgramRunConfig) -> ProgramSearch:
    """Returns the search of a run, without any call."""
    tree = config.tree
    return ProgramSearch(
        problem.task(),
        tree=new_search(
            tree.search,
            child_rng(config.seed, "search"),
            config=tree.search_config(),
        ),
        config=config.synthesis,
        seed=config.seed,
        num_models=max(1, len(config.models.llm)),
    )


class _Run:
    """One run on one problem, new or continued."""

    def __init__(
        self,
        folder: ProgramFolder,
        problem: Problem,
        config: ProgramRunConfig,
        proposer: Proposer,
    ) -> None:
        self._folder = folder
        self._problem = problem
        self._config = config
        self._proposer = proposer

    def begin(self, journal: Journal) -> None:
        """Writes or checks the first record.

        Raises:
            DataError: If another run began this journal.
        """
        body = {
            "problem": self._problem.problem_id,
            "proposer": self._proposer.name,
            "content": hashlib.sha256(self._folder.problem.read_bytes()).hexdigest(),
            "settings": _lasting(self._config.to_json()),
        }
        if not journal.records:
            journal.append(records.RUN_STARTED, body)
            return
        first = journal.records[0]
        if (first.kind, first.body) != (records.RUN_STARTED, body):
            known = first.body if first.kind == records.RUN_STARTED else {}
            differing = sorted(name for name in body if known.get(name) != body[name])
            raise DataError(
                f"Journal {str(journal.path)!r} was begun by another run: it differs "
                f"in {', '.join(differing)}."
            )

    def search(
        self, journal: Journal, evaluator: ProgramTestEvaluator, progress: Progress
    ) -> ProblemReport:
        """Searches, and scores the best program on the hidden tests."""
        folder, config = self._folder, self._config
        progress.phase(f"{self._problem.problem_id}: {self._proposer.name}")
        search = make_program_search(self._problem, config)
        loop = SynthesisLoop(
            search=search,
            proposer=self._proposer,
            evaluator=evaluator,
            journal=journal,
            limits=config.budget.limits(),
            concurrency=config.models.concurrency,
            max_stalled_calls=config.budget.patience or 0,
            progress=progress,
            on_best=self._keep,
        )
        # It may have been given more to spend; until it ends, only the journal counts.
        folder.write_json(folder.config, config.to_json())
        for path in (folder.tree, folder.graph, folder.result):
            path.unlink(missing_ok=True)
        result = loop.run()
        folder.write_json(folder.tree, search.tree.to_json())
        write_graphml(search.tree.tree, folder.graph)
        report = self._report(result, evaluator)
        folder.write_json(folder.result, report.to_json())
        return report

    def _report(
        self, result: SynthesisResult, evaluator: ProgramTestEvaluator
    ) -> ProblemReport:
        problem, best = self._problem, result.best
        visible_passed = hidden_passed = 0
        hidden_bug = ""
        if best is not None:
            assert best.evaluation.unit_tests is not None, "what runs was tested"
            visible_passed = best.evaluation.unit_tests.num_passed
            hidden = evaluator.run_hidden(best.source)
            hidden_passed = hidden.num_passed
            hidden_bug = "" if hidden.bug is None else hidden.bug.kind
        return ProblemReport(
            problem_id=problem.problem_id,
            suite=problem.suite,
            difficulty=problem.difficulty,
            made_by=self._proposer.name,
            search=self._config.tree.search,
            seed=self._config.seed,
            num_visible=len(problem.tests.visible),
            num_hidden=len(problem.tests.hidden),
            visible_passed=visible_passed,
            hidden_passed=hidden_passed,
            hidden_bug=hidden_bug,
            num_calls=result.num_calls,
            num_bugs=sum(one.evaluation.is_bug for one in result.candidates),
            best_call=None if best is None else best.call_index,
            stopped_by=result.stopped_by,
            exhausted=result.exhausted,
            usage=result.usage,
            folder=str(self._folder.path),
        )

    def _keep(self, best: Candidate) -> None:
        self._folder.write_text(self._folder.program, best.source)


def _path_text(value: object) -> str:
    assert isinstance(value, Path), "all other settings are JSON"
    return str(value)


def _open(
    problem: Problem, config: ProgramRunConfig, out: Path
) -> tuple[ProgramFolder, bool]:
    """Returns the run's folder, and whether the run in it is done."""
    folder = ProgramFolder(out)
    if not folder.config.exists():
        today = datetime.now().astimezone().date()
        create_run_folder(problem.problem_id, out=out, runs=out.parent, today=today)
        folder.write_json(folder.problem, problem.to_json())
        folder.write_json(folder.environment, environment_report())
        # Last: a folder with settings has all that a run needs.
        folder.write_json(folder.config, config.to_json())
        return folder, False
    known = _read_config(folder)
    if Problem.from_json(folder.read_json(folder.problem)) != problem:
        raise DataError(
            f"{str(out)!r} holds a run on another problem, or on other tests, than "
            f"{problem.problem_id}."
        )
    if _lasting(known.to_json()) != _lasting(config.to_json()):
        raise DataError(f"{str(out)!r} holds a run with other settings.")
    return folder, known == config and folder.result.exists()


def _read_config(folder: ProgramFolder) -> ProgramRunConfig:
    return config_from_json(
        folder.read_json(folder.config), ProgramRunConfig(), name=str(folder.config)
    )


def _lasting(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings that a run keeps: it may be given more to spend."""
    models = {k: v for k, v in settings["models"].items() if k != "concurrency"}
    kept = {name: value for name, value in settings.items() if name != "budget"}
    return {**kept, "models": models}


@contextmanager
def _closed(given: Proposer | None, config: ProgramRunConfig) -> Iterator[Proposer]:
    """Yields the proposer; one that is made here is closed here."""
    if given is not None:
        yield given
        return
    # It brings packages that are needed for nothing else.
    from cwm.proposers.making import make_proposer  # noqa: PLC0415

    proposer = make_proposer(
        config.models, needs_prices=config.budget.cost_budget is not None
    )
    try:
        yield proposer
    finally:
        if isinstance(proposer, Closable):
            proposer.close()


@contextmanager
def _opened(given: Sandbox | None, isolation: Level) -> Iterator[Sandbox]:
    """Yields the sandbox; one that is made here is closed here."""
    try:
        with (
            nullcontext(given)
            if given
            else open_test_sandbox(require=isolation) as sandbox
        ):
            yield sandbox
    except SandboxUnavailable as error:
        raise no_sandbox(error) from error
