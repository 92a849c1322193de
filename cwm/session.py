"""Putting a run together: transitions, proposer, sandbox, search, and its folder."""

import hashlib
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from cwm.assessing import AssessingConfig, open_assessors
from cwm.config import RunConfig, config_to_json
from cwm.core.errors import ConfigError, DataError
from cwm.core.journal import Journal
from cwm.core.proposals import Proposer
from cwm.core.seeding import child_rng
from cwm.core.trajectories import Dataset
from cwm.execution.budget import Resource
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.progress import Progress
from cwm.execution.run_folder import RunFolder
from cwm.llm.chat import Closable
from cwm.programs.acceleration.files import FastFiles
from cwm.programs.evaluation import ProgramEvaluator
from cwm.report.residual import LAW
from cwm.report.runs import ModelReport, RunReport
from cwm.report.scores import ScoreRow
from cwm.scoring import (
    baseline_rows,
    make_corrector,
    make_fitter,
    make_task,
    open_evaluator,
    program_row,
)
from cwm.sources import Source
from cwm.synthesis import records
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.fitted import Ahead, Evaluator, Fitter
from cwm.synthesis.loop import SynthesisLoop
from cwm.synthesis.results import SynthesisResult
from cwm.synthesis.search import ProgramSearch
from mcts.export import write_graphml
from mcts.registry import new_search


def make_proposer(config: RunConfig) -> Proposer:
    """Returns who writes the programs of a run.

    Raises:
        ConfigError: If a language model is of an unknown kind, or its price is needed
            and not known.
        PrerequisiteError: If a package that it needs is missing.
    """
    # Each brings heavy packages that the other does not need.
    if not config.models.llm:
        from cwm.proposers.symbolic.proposer import SymbolicProposer  # noqa: PLC0415

        return SymbolicProposer()
    from cwm.proposers.making import make_proposer  # noqa: PLC0415

    return make_proposer(
        config.models, needs_prices=config.budget.cost_budget is not None
    )


def check_spaces(config: RunConfig, dataset: Dataset) -> None:
    """Refuses transitions that the proposer of a run cannot work on.

    Raises:
        ConfigError: If they are not for it; the message says what is.
    """
    if not config.models.llm:
        from cwm.proposers.symbolic.proposer import refusal  # noqa: PLC0415

        reason = refusal(dataset.observation_space, dataset.action_space)
        if reason is not None:
            raise ConfigError(reason)


def make_search(config: RunConfig, dataset: Dataset) -> ProgramSearch:
    """Returns the search of a run, without any call."""
    tree = config.tree
    return ProgramSearch(
        make_task(dataset, config.capabilities),
        tree=new_search(
            tree.search,
            child_rng(config.seed, "search"),
            config=tree.search_config(),
        ),
        config=config.synthesis,
        seed=config.seed,
        num_models=max(1, len(config.models.llm)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Who fits and evaluates the programs of a run."""

    evaluator: Evaluator
    fitter: Fitter | None = None
    ahead: Ahead | None = None


@dataclass(frozen=True, kw_only=True)
class Session:
    """A run that can be started or continued.

    Attributes:
        folder: Its files.
        config: Its settings.
        source: Its transitions.
        proposer: Who writes its programs.
        tests: Text of the user's unit tests, if there are any.
        start: When the command began, by `perf_counter`.
        execution: Where its programs are run; no part of what it is.
    """

    folder: RunFolder
    config: RunConfig
    source: Source
    proposer: Proposer
    tests: str | None
    start: float
    execution: ExecutorConfig = field(default_factory=ExecutorConfig)

    def run(self, progress: Progress) -> RunReport:
        """Searches, scores the best program on held-out data, and reports.

        Raises:
            CwmError: If the proposer, the sandbox or the disk failed.
        """
        result, rows = self._search(self.proposer, progress)
        progress.close()
        report = RunReport(
            dataset=self.source.dataset,
            proposer=self.proposer.name,
            stopped_by=result.stopped_by,
            exhausted=result.exhausted,
            num_calls=result.num_calls,
            num_repeated=result.num_repeated,
            limits=self.config.budget.limits(),
            search=self.config.tree.search,
            tree=result.tree,
            models=self._models(result),
            candidates=result.candidates,
            best=result.best,
            residual=None if result.corrected is None else result.corrected.report,
            rows=rows,
            folder=self.folder.path,
            world_model=self.folder.world_model,
            seed=self.config.seed,
            next_commands=self._next_commands(result.best, result.exhausted),
            seconds=perf_counter() - self.start,
        )
        self.folder.write_json(self.folder.result, report.to_json())
        return report

    def _search(
        self, proposer: Proposer, progress: Progress
    ) -> tuple[SynthesisResult, tuple[ScoreRow, ...]]:
        """Returns how the search ended, and the rows of the final table."""
        dataset, config = self.source.dataset, self.config
        search = make_search(config, dataset)
        with (
            Journal(self.folder.journal) as journal,
            open_evaluator(
                dataset,
                isolation=config.isolation,
                capabilities=config.capabilities,
                limits=config.limits,
                tests=self.tests,
                seed=config.seed,
            ) as evaluator,
            self._assessing(evaluator, progress) as parts,
        ):
            self._begin(journal, proposer)
            progress.phase(f"Searching for a program with {proposer.name}")
            loop = SynthesisLoop(
                search=search,
                proposer=proposer,
                evaluator=parts.evaluator,
                fitter=parts.fitter,
                corrector=make_corrector(
                    evaluator, config.correcting, seed=config.seed
                ),
                ahead=parts.ahead,
                journal=journal,
                limits=config.budget.limits(),
                concurrency=config.models.concurrency,
                max_stalled_calls=config.max_stalled_calls,
                progress=progress,
                on_best=self._keep,
            )
            # A resumed run may have been given more to spend: now it is sure to be one.
            self.folder.write_json(self.folder.config, config_to_json(config))
            # Until the search ends there is only the journal to trust.
            for path in (self.folder.tree, self.folder.graph, self.folder.result):
                path.unlink(missing_ok=True)
            try:
                result = loop.run()
            finally:
                if isinstance(proposer, Closable):
                    proposer.close()
            self._write_tree(search)
            progress.phase("Scoring on held-out transitions")
            rows = baseline_rows(self.source)
            if result.best is not None:
                best = result.best
                row = program_row(best.source, best.evaluation, evaluator, dataset)
                rows = (row, *_law_rows(result, evaluator, dataset), *rows)
        return result, rows

    @contextmanager
    def _assessing(
        self, evaluator: ProgramEvaluator, progress: Progress
    ) -> Iterator["_Parts"]:
        """Yields who fits and evaluates: this machine, or a cluster."""
        config = self.config
        if not self.execution.is_ray:
            fitter = make_fitter(evaluator, config.fitting, seed=config.seed)
            yield _Parts(evaluator=evaluator, fitter=fitter)
            return
        assessing = AssessingConfig(
            dataset=self.source.dataset,
            isolation=config.isolation,
            capabilities=config.capabilities,
            limits=config.limits,
            tests=self.tests,
            seed=config.seed,
            fit=config.fitting,
        )
        progress.phase("Connecting to the Ray cluster")
        with open_assessors(
            self.execution,
            assessing,
            max_workers=config.models.concurrency + 1,
            on_event=progress.event,
            on_nodes=self._write_nodes,
        ) as assessors:
            yield _Parts(
                evaluator=assessors,
                fitter=assessors if assessing.is_fitted else None,
                ahead=assessors.begin,
            )

    def _write_nodes(self, nodes: list[dict[str, Any]]) -> None:
        """Adds to what is known of where the run was made."""
        folder = self.folder
        known = folder.read_json(folder.environment)
        folder.write_json(
            folder.environment, known | self.execution.to_json() | {"nodes": nodes}
        )

    def _begin(self, journal: Journal, proposer: Proposer) -> None:
        """Writes or checks the first record."""
        settings = config_to_json(self.config)
        # A run may be given more to spend later and stays the same run.
        del settings["budget"], settings["models"]["concurrency"]
        # No call depends on it; earlier versions had none.
        del settings["residual"]
        body: dict[str, Any] = {
            "environment": self.source.dataset.environment_id,
            "proposer": proposer.name,
            "dataset": hashlib.sha256(self.folder.dataset.read_bytes()).hexdigest(),
            "settings": settings,
        }
        if not journal.records:
            journal.append(records.RUN_STARTED, body)
            return
        first = journal.records[0]
        if (first.kind, first.body) != (records.RUN_STARTED, body):
            known = first.body if first.kind == records.RUN_STARTED else {}
            differing = sorted(k for k in body if known.get(k) != body[k])
            raise DataError(
                f"Journal {str(journal.path)!r} was begun by another run: it differs "
                f"in {', '.join(differing)}."
            )

    def _models(self, result: SynthesisResult) -> tuple[ModelReport, ...]:
        names = self.config.models.llm or (self.proposer.name,)
        return tuple(
            ModelReport(name=name, usage=usage, num_better=record.num_better)
            for name, usage, record in zip(
                names, result.usages, result.models, strict=True
            )
        )

    def _keep(self, best: Candidate) -> None:
        FastFiles.beside(self.folder.world_model).remove_stale(best.source)
        self.folder.write_text(self.folder.world_model, best.source)

    def _write_tree(self, search: ProgramSearch) -> None:
        self.folder.write_json(self.folder.tree, search.tree.to_json())
        write_graphml(search.tree.tree, self.folder.graph)

    def _next_commands(
        self, best: Candidate | None, exhausted: Resource | None
    ) -> tuple[str, ...]:
        path = self.folder.path
        commands = []
        if best is not None:
            config = self.config.source
            origin = f"--env {config.env}" if config.env else f"--data {config.data}"
            settings = "".join(f" --set {shlex.quote(text)}" for text in config.set)
            if config.env_kwargs != "{}":
                settings += f" --env-kwargs {shlex.quote(config.env_kwargs)}"
            if self.tests is not None:
                settings += f" --tests {self.folder.tests}"
            allowed = "".join(f" --capabilities {n}" for n in self.config.capabilities)
            commands.append(
                f"python -m cwm.evaluate {self.folder.world_model} {origin}{settings}"
                f"{allowed}"
            )
            if self.source.spec is not None:
                commands.append(f"python -m cwm.plan {path} --reference{allowed}")
        if best is None or not best.evaluation.is_perfect:
            commands.append(
                f"python -m cwm.synthesize --resume {path} {self._more(exhausted)}"
            )
        commands.append(f"python -m cwm.report {path}")
        commands.append(f"python -m cwm.replay {path}")
        return tuple(commands)

    def _more(self, exhausted: Resource | None) -> str:
        """Returns the option that gives the run twice of what it lacked."""
        budget = self.config.budget
        match exhausted:
            case "tokens":
                return f"--token-budget {2 * (budget.token_budget or 0)}"
            case "usd":
                return f"--cost-budget {2 * (budget.cost_budget or 0):g}"
            case "seconds":
                return f"--time-budget {2 * (budget.time_budget or 0):g}"
            case _:
                return f"--call-budget {2 * budget.call_budget}"


def _law_rows(
    result: SynthesisResult, evaluator: ProgramEvaluator, dataset: Dataset
) -> tuple[ScoreRow, ...]:
    """Returns the row of the best program without its residual, if it has one."""
    if result.corrected is None or not result.corrected.is_changed:
        return ()
    law = result.corrected.law
    row = program_row(law.source, law.evaluation, evaluator, dataset, name=LAW)
    # The table's first row says what the audit found.
    return (replace(row, audit=None),)
