"""Learns a residual on top of a program, writes it, and keeps it if it is better.

Covers: running the program and the corrected one in the sandbox, and the rule by which
a residual is accepted. Does not cover: the law, which stays what it is; stochastic
tasks, where one recorded outcome says little about one draw.
"""

import threading
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import select_rows
from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation, ProgramEvaluator, never
from cwm.programs.residual.config import ResidualConfig
from cwm.programs.residual.holding_back import hold_back
from cwm.programs.residual.learning import Learned, learn
from cwm.programs.residual.parts import wrong_rows
from cwm.programs.residual.report import Corrected, ResidualReport
from cwm.programs.residual.writing import law_of, with_residual
from cwm.programs.tolerances import real_leaves

_MOST_LOST = 0.5
"""Share of rows without a prediction above which a program is left as it is."""


class ResidualLearner:
    """Learns residuals from the training transitions of an evaluator.

    Any number of threads may use it; they take turns.

    Args:
        evaluator: Runs programs; its validation transitions are not looked at.
        config: Settings.
        seed: Decides which rows are held back.
    """

    def __init__(
        self,
        evaluator: ProgramEvaluator,
        config: ResidualConfig | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self._evaluator = evaluator
        self._config = config or ResidualConfig()
        self._seed = seed
        self._known: dict[str, Corrected] = {}
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the result, as plain data."""
        return {**asdict(self._config), "seed": self._seed}

    def correct(self, source: str) -> Corrected:
        """Returns the program with a residual, and what was found.

        A residual that the program has already is learned anew.

        Raises:
            SandboxUnavailable: If the sandbox does not work; never for a fault of
                the program's.
        """
        with self._lock:
            if source not in self._known:
                self._known[source] = self._correct(source, law_of(source))
            return self._known[source]

    def _correct(self, source: str, law: str) -> Corrected:
        train = self._evaluator.task.train
        outcome, predictions = self._evaluator.predict(law, train)
        if predictions is None:
            reason = f"the program does not run on train ({outcome.kind})"
            return Corrected(source=source, report=ResidualReport(problems=(reason,)))
        before = self._score(law)
        assert before.train is not None, "a program that runs has a score"
        report = ResidualReport(law=before.train)
        if before.train.strict == 1.0:
            return Corrected(source=law, report=report)
        rows = _usable(train, predictions)
        if len(rows) < (1.0 - _MOST_LOST) * len(train):
            reason = "most transitions have no prediction of the right form"
            return Corrected(source=law, report=replace(report, problems=(reason,)))
        batch, usable = train.select(rows), _select(predictions, rows)
        tolerances = self._evaluator.tolerances
        halves = hold_back(
            batch,
            self._config.held_back_fraction,
            wrong=wrong_rows(batch, usable, tolerances),
            seed=self._seed,
        )
        learned = learn(batch, usable, tolerances, config=self._config, halves=halves)
        report = replace(
            report,
            num_learned=len(halves.learned),
            num_held_back=len(halves.held_back),
            is_capped=learned.is_capped,
            problems=learned.problems,
        )
        if not learned.corrections:
            return Corrected(source=law, report=report)
        return self._accepted(law, learned, before, report)

    def _accepted(
        self, law: str, learned: Learned, before: Evaluation, report: ResidualReport
    ) -> Corrected:
        """Returns the corrected program, if it scores higher and worse nowhere."""
        task = self._evaluator.task
        written = with_residual(
            law,
            learned.corrections,
            learned.terms,
            observation_space=task.observation_space,
            action_space=task.action_space,
            has_actions=task.next_legal_actions is not None,
        )
        after = self._score(written)
        refusal = refusal_of(before, after)
        if refusal:
            problems = (*report.problems, f"the residual was dropped: {refusal}")
            return Corrected(source=law, report=replace(report, problems=problems))
        return Corrected(
            source=written,
            report=replace(report, terms=learned.terms, whole=after.train),
        )

    def _score(self, source: str) -> Evaluation:
        return self._evaluator.evaluate(
            source, needs_validation=never, needs_audit=never
        )


def refusal_of(before: Evaluation, after: Evaluation) -> str:
    """Returns why a corrected program is not taken; empty if it is.

    Args:
        before: How the law does on all training transitions.
        after: How the law with its residual does.
    """
    if after.train is None or before.train is None:
        return f"the program does not run with it ({after.outcome_kind})"
    worse = worse_parts(before.train, after.train)
    if worse:
        return f"{', '.join(worse)} would be worse"
    if after.train.strict < before.train.strict:
        return "fewer transitions would be right in every part"
    if after.score <= before.score:
        return f"the score would not rise ({before.score:.4f} to {after.score:.4f})"
    return ""


def worse_parts(before: SplitScore, after: SplitScore) -> list[str]:
    """Returns the parts of which less is right than before."""
    return [
        name
        for name, share in before.part_accuracy.items()
        if after.part_accuracy[name] < share
    ]


def _usable(batch: TransitionBatch, predictions: Predictions) -> NDArray[np.intp]:
    """Returns the rows with a prediction, and only finite numbers in both."""
    is_good = predictions.valid & np.isfinite(predictions.rewards)
    is_good = is_good & np.isfinite(batch.rewards)
    for path, _ in real_leaves(batch.observation_space):
        for columns in (predictions.next_observations, batch.next_observations):
            values = np.asarray(columns[path], dtype=np.float64)
            is_good &= np.isfinite(values).reshape(len(values), -1).all(axis=1)
    return np.flatnonzero(is_good)


def _select(predictions: Predictions, rows: NDArray[np.intp]) -> Predictions:
    return Predictions(
        next_observations=select_rows(predictions.next_observations, rows),
        rewards=predictions.rewards[rows],
        terminated=predictions.terminated[rows],
        valid=predictions.valid[rows],
        messages={},
    )
