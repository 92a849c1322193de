"""Programs of a search, fitted and scored on other machines ahead of their turn.

A worker is asked as soon as an answer is there. The tree is told in the order in which
answers arrived, as ever, and whether a program is validated and audited hangs on what
is the best when its turn comes. A worker goes by what was the best when the answer
arrived: the best only gets better, so that it does at least what will be needed, and
hands back what was known at each step.

Covers: the same evaluations as on this machine, whoever makes them, and once more
where a worker is lost. Does not cover: what a program hands out. It stays in the
sandbox of the worker; evaluations travel as JSON.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from cwm.core.trajectories import Dataset
from cwm.execution.crew import Crew, OnNote, Work
from cwm.execution.executor_config import ExecutorConfig
from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.fit import Fit, FitReport
from cwm.programs.evaluation import Evaluation, Needs
from cwm.scoring import make_fitter, open_evaluator
from cwm.synthesis.candidates import Rank, beats, could_beat
from cwm.synthesis.fitted import Evaluator, FittedPrograms, Fitter, on_training
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library


@dataclass(frozen=True, kw_only=True)
class AssessingConfig:
    """What decides how a program does.

    Attributes:
        dataset: The transitions.
        isolation: Weakest isolation of programs that is acceptable.
        capabilities: What a program may use besides NumPy.
        limits: What a program may use.
        tests: Text of the user's unit tests, if there are any.
        seed: Seed of programs that draw, and of fits.
        fit: How constants are fitted.
    """

    dataset: Dataset
    isolation: Level
    capabilities: tuple[Library, ...]
    limits: Limits
    tests: str | None
    seed: int
    fit: FitConfig

    @property
    def is_fitted(self) -> bool:
        """Whether constants are fitted."""
        return self.fit.mode != "off" and not self.dataset.is_stochastic


@dataclass(frozen=True, slots=True)
class Piece:
    """A program to be assessed.

    Attributes:
        source: The program as it was proposed.
        is_fitted: Whether its constants are to be fitted first.
        best: Rank of the best candidate; `None` if there is none.
    """

    source: str
    is_fitted: bool
    best: Rank | None


@dataclass(frozen=True, kw_only=True)
class Stages:
    """An evaluation at each step.

    Attributes:
        trained: On the training transitions, where validation was in question.
        tested: Before the audit was in question; `None` for a bug.
        last: As it was at the end.
        is_validated: Whether validation was wanted.
        is_audited: Whether an audit was wanted.
    """

    trained: Evaluation | None = None
    tested: Evaluation | None = None
    last: Evaluation
    is_validated: bool = False
    is_audited: bool = False

    def evaluation(
        self,
        *,
        needs_validation: Needs,
        needs_audit: Needs,
    ) -> Evaluation | None:
        """Returns what the evaluator would; `None` if a step is missing."""
        found = self.tested
        if self.trained is not None:
            if not needs_validation(self.trained):
                found = self.trained
            elif not self.is_validated:
                return None
        if found is None:
            return self.last
        if not needs_audit(found):
            return found
        return self.last if self.is_audited and found is self.tested else None

    def to_json(self) -> dict[str, Any]:
        """Returns the steps as plain data."""
        return {
            "trained": None if self.trained is None else self.trained.to_json(),
            "tested": None if self.tested is None else self.tested.to_json(),
            "last": self.last.to_json(),
            "is_validated": self.is_validated,
            "is_audited": self.is_audited,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Stages":
        """Returns the steps that `to_json` described."""
        trained, tested = data["trained"], data["tested"]
        return cls(
            trained=None if trained is None else Evaluation.from_json(trained),
            tested=None if tested is None else Evaluation.from_json(tested),
            last=Evaluation.from_json(data["last"]),
            is_validated=data["is_validated"],
            is_audited=data["is_audited"],
        )


def stages_of(evaluator: Evaluator, source: str, best: Rank | None) -> Stages:
    """Returns the steps of an evaluation, as far as they may be needed.

    Args:
        evaluator: Runs the program.
        source: The program.
        best: Rank of the best candidate, now or before.
    """
    seen: dict[str, Any] = {}

    def needs_validation(found: Evaluation) -> bool:
        seen["trained"] = found
        seen["is_validated"] = could_beat(found, best)
        return bool(seen["is_validated"])

    def needs_audit(found: Evaluation) -> bool:
        seen["tested"] = found
        seen["is_audited"] = beats(source, found, best)
        return bool(seen["is_audited"])

    last = evaluator.evaluate(
        source, needs_validation=needs_validation, needs_audit=needs_audit
    )
    return Stages(last=last, **seen)


@contextmanager
def open_assessing(
    config: AssessingConfig,
) -> Iterator[Callable[[Piece, OnNote], bytes]]:
    """Yields who assesses programs; what a worker does with `Work`.

    Raises:
        PrerequisiteError: If programs cannot be run safely on its machine.
    """
    with open_evaluator(
        config.dataset,
        isolation=config.isolation,
        capabilities=config.capabilities,
        limits=config.limits,
        tests=config.tests,
        seed=config.seed,
    ) as evaluator:
        fitter = make_fitter(evaluator, config.fit, seed=config.seed)
        yield partial(assess, evaluator, fitter)


def assess(
    evaluator: Evaluator, fitter: Fitter | None, piece: Piece, tell: OnNote
) -> bytes:
    """Returns what a program is worth, as JSON."""
    stages: dict[str, Stages] = {}

    def trained(source: str) -> Evaluation:
        found = on_training(evaluator, source)
        stages[source] = Stages(trained=None if found.is_bug else found, last=found)
        return found

    source, fit = piece.source, None
    if piece.is_fitted:
        assert fitter is not None, "it is there where constants are fitted"
        fit = fitter.fit(source)
        source, _ = FittedPrograms(fitter, trained).fit(source)
    stages[source] = stages_of(evaluator, source, piece.best)
    content = {
        "fit": None
        if fit is None
        else {"source": fit.source, "report": fit.report.to_json()},
        "stages": {name: one.to_json() for name, one in stages.items()},
    }
    return json.dumps(content).encode()


class Assessors:
    """Asks a crew about programs: who evaluates, who fits, and who begins ahead.

    Args:
        crew: Does `open_assessing`.
        is_fitted: Whether constants are fitted.
    """

    def __init__(self, crew: Crew[Piece, bytes], *, is_fitted: bool) -> None:
        self._crew = crew
        self._is_fitted = is_fitted
        self._asked: dict[str, Future[bytes]] = {}
        self._fits: dict[str, Fit] = {}
        self._stages: dict[str, Stages] = {}

    def begin(self, source: str, best: Rank | None) -> None:
        """Has a program assessed that was proposed; any thread may call it.

        Args:
            source: The program.
            best: Rank of the best candidate, now or before.
        """
        if source not in self._asked:
            self._asked[source] = self._crew.submit(
                Piece(source, self._is_fitted, best)
            )

    def fit(self, source: str) -> Fit:
        """Returns the program with constants that fit, and what was found."""
        self.begin(source, None)
        self._take(self._asked[source], source)
        return self._fits[source]

    def evaluate(
        self,
        source: str,
        *,
        needs_validation: Needs,
        needs_audit: Needs,
    ) -> Evaluation:
        """Returns how the program does; see `Evaluator`."""
        if source in self._asked:
            self._take(self._asked[source], source)
        found = None
        if source in self._stages:
            found = self._stages[source].evaluation(
                needs_validation=needs_validation, needs_audit=needs_audit
            )
        if found is None:
            # Nobody was asked, or not as far as it is needed.
            self._take(self._crew.submit(Piece(source, False, None)), source)
            found = self._stages[source].evaluation(
                needs_validation=needs_validation, needs_audit=needs_audit
            )
        assert found is not None, "the steps of who would be the first are all there"
        return found

    def _take(self, asked: "Future[bytes]", source: str) -> None:
        content = json.loads(asked.result())
        fit = content["fit"]
        if fit is not None:
            report = FitReport.from_json(fit["report"])
            self._fits[source] = Fit(source=fit["source"], report=report)
        for name, one in content["stages"].items():
            self._stages[name] = Stages.from_json(one)


@contextmanager
def open_assessors(
    execution: ExecutorConfig,
    config: AssessingConfig,
    *,
    max_workers: int,
    on_event: Callable[[str], None],
    on_nodes: Callable[[list[dict[str, Any]]], None],
) -> Iterator[Assessors]:
    """Yields who assesses programs on a cluster.

    Args:
        execution: Which cluster.
        config: What decides how a program does.
        max_workers: Programs at a time, at most.
        on_event: Is told of nodes, and of workers that are lost.
        on_nodes: Is told what the nodes are like, at the beginning and at the end.

    Raises:
        ClusterError: If no node may be used.
        ConfigError: If there is no cluster.
        PrerequisiteError: If Ray is not installed.
    """
    # Only who asks for a cluster needs the package.
    from cwm.execution.ray.cluster import connected  # noqa: PLC0415
    from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415
    from cwm.execution.ray.workers import ray_crew  # noqa: PLC0415

    rules = NodeRules(require=config.isolation, capabilities=config.capabilities)
    work = Work(open=open_assessing, settings=config)
    with connected(execution.ray_address, rules, on_event=on_event) as cluster:
        on_nodes([report.to_json() for report in cluster.reports])
        crew = ray_crew(cluster, work, max_workers=max_workers, on_event=on_event)
        try:
            yield Assessors(crew, is_fitted=config.is_fitted)
        finally:
            crew.close()
            on_nodes([report.to_json() for report in cluster.reports])
