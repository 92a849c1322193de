"""Scoring programs beside doing nothing and the true simulator.

The only place where the true environment and programs meet: for the ceiling row,
after the search.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import decode_columns, select_rows
from cwm.core.errors import PrerequisiteError
from cwm.core.predictions import Predictions
from cwm.core.proposals import Task
from cwm.core.trajectories import SPLITS, Dataset, TransitionBatch
from cwm.execution.executors import ThreadExecutor
from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import (
    NUM_DRAWS,
    Evaluation,
    ProgramEvaluator,
    SplitResult,
    always,
    open_sandbox,
)
from cwm.programs.memorised import drop_evidence
from cwm.programs.tolerances import Tolerances
from cwm.programs.unit_tests import parse_unit_tests
from cwm.report.audits import ProgramAudit
from cwm.report.files import FileScore, FilesReport
from cwm.report.scores import (
    DO_NOTHING,
    PROGRAM,
    TRUE_SIMULATOR,
    Predictor,
    ScoreRow,
    do_nothing,
    score_row,
    unseen_note,
)
from cwm.sources import Source
from envs.restart import restart_predictions
from envs.spec import EnvSpec
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import Level
from sandbox.limits import Limits

NUM_WORKERS = 2
"""Programs, or halves of one program's transitions, that run at a time."""


def make_task(dataset: Dataset) -> Task:
    """Returns what a proposer may know of a data set: nothing held out."""
    train = dataset.batch("train")
    return Task(
        environment_id=dataset.environment_id,
        description=dataset.description,
        observation_space=dataset.observation_space,
        action_space=dataset.action_space,
        train=train,
        is_stochastic=dataset.is_stochastic,
        next_legal_actions=train.next_legal_actions,
    )


@contextmanager
def open_evaluator(
    dataset: Dataset,
    *,
    isolation: Level,
    limits: Limits,
    tests: str | None,
    seed: int,
) -> Iterator[ProgramEvaluator]:
    """Yields an evaluator on the training and validation transitions.

    Args:
        dataset: The transitions.
        isolation: Weakest isolation of programs that is acceptable.
        limits: What a program may use.
        tests: Text of the user's unit tests, if there are any.
        seed: Seed of programs that draw.

    Raises:
        DataError: If `tests` is not a file of unit tests.
        PrerequisiteError: If programs cannot be run safely on this machine.
    """
    unit_tests = () if tests is None else parse_unit_tests(tests)
    validation = dataset.batch("validation") if dataset.in_split("validation") else None
    try:
        with open_sandbox(
            limits=limits, num_workers=NUM_WORKERS, require=isolation
        ) as sandbox:
            yield ProgramEvaluator(
                make_task(dataset),
                validation=validation,
                unit_tests=unit_tests,
                sandbox=sandbox,
                seed=seed,
            )
    except SandboxUnavailable as error:
        raise PrerequisiteError(
            f"SandboxUnavailable: {error} (The option is --isolation.)"
        ) from error


def table_splits(dataset: Dataset) -> dict[str, TransitionBatch]:
    """Returns the transitions that tables show: training and held-out."""
    return {
        split: dataset.batch(split)
        for split in SPLITS
        if split != "validation" and dataset.in_split(split)
    }


def program_row(
    source: str,
    evaluation: Evaluation,
    evaluator: ProgramEvaluator,
    dataset: Dataset,
    *,
    name: str = PROGRAM,
) -> ScoreRow:
    """Returns the row of a program; a split on which it does not run has no score.

    Args:
        source: The program.
        evaluation: What `evaluator` said about it: its score on the training
            transitions is taken from here.
        evaluator: Runs it on the held-out transitions.
        dataset: The transitions.
        name: What the row is called.
    """
    if evaluation.audit is None and not evaluation.is_bug:
        # It is from a run that was begun before programs were audited.
        evaluation = evaluator.evaluate(source, needs_audit=always)
    splits = table_splits(dataset)
    scores = {"train": evaluation.train}
    audits = {} if evaluation.audit is None else {"train": evaluation.audit}
    notes: list[str] = []
    if "held_out" in splits:
        scores["held_out"] = None
        if all(audit.is_consistent for audit in audits.values()):
            found = evaluator.score_on(source, splits["held_out"], audited=True)
            scores["held_out"] = found.score
            if found.audit is not None:
                audits["held_out"] = found.audit
            notes = _held_out_notes(source, found, evaluator, dataset)
    audit = ProgramAudit(splits=audits, memorised=_memorised(evaluation, scores))
    return ScoreRow(
        name=name,
        scores=scores,
        note="; ".join(notes),
        audit=audit if audits else None,
    )


def _held_out_notes(
    source: str, found: SplitResult, evaluator: ProgramEvaluator, dataset: Dataset
) -> list[str]:
    """Returns why there is no score, or where wrong predictions start."""
    if found.outcome.kind != "completed":
        first_line = found.outcome.feedback().partition("\n")[0]
        return [f"does not run on held-out transitions: {first_line}"]
    if found.score is None or dataset.is_stochastic or found.score.strict == 1.0:
        return []
    held_out = dataset.batch("held_out")
    _, predictions = evaluator.predict(source, held_out)
    if predictions is None:
        return []
    return unseen_note(
        predictions, dataset.batch("train"), held_out, evaluator.tolerances
    )


def _memorised(
    evaluation: Evaluation, scores: Mapping[str, SplitScore | None]
) -> tuple[str, ...]:
    """Returns what shows that a program has memorised training transitions."""
    clauses = []
    audit, train, held_out = evaluation.audit, scores["train"], scores.get("held_out")
    if audit is not None and audit.memorised and audit.memorised.is_memorised:
        clauses.append(audit.memorised.evidence)
    if train is not None and held_out is not None:
        clauses.append(drop_evidence(train.strict, held_out.strict))
    return tuple(clause for clause in clauses if clause)


def baseline_rows(source: Source) -> tuple[ScoreRow, ...]:
    """Returns the rows of doing nothing and of the true simulator."""
    dataset = source.dataset
    splits, train = table_splits(dataset), dataset.batch("train")
    tolerances = Tolerances.from_batch(train)
    num_draws = NUM_DRAWS if dataset.is_stochastic else 1
    nothing = score_row(
        DO_NOTHING,
        do_nothing(train, num_draws=num_draws),
        splits,
        tolerances,
        note=_nothing_note(train),
    )
    simulator = score_row(
        TRUE_SIMULATOR, _simulator(source.spec, num_draws), splits, tolerances
    )
    if not any(simulator.scores.values()):
        why = "is not at hand" if source.spec is None else "cannot be restarted"
        note = f"- because the environment {why}"
        simulator = replace(simulator, note=note)
    return nothing, simulator


def _nothing_note(train: TransitionBatch) -> str:
    note = "same observation, most frequent reward, never terminated"
    if train.next_legal_actions is None:
        return note
    return f"{note}, most frequent legal actions"


def _simulator(spec: EnvSpec | None, num_draws: int) -> Predictor:
    def predict(batch: TransitionBatch) -> list[Predictions] | None:
        if spec is None:
            return None
        if num_draws == 1:
            once = restart_predictions(spec, batch)
            return None if once is None else [once]
        # Equal inputs share their draws, as they do when programs are scored.
        first, inverse = _distinct_inputs(batch)
        repeated = batch.select(np.tile(first, num_draws))
        found = restart_predictions(spec, repeated)
        if found is None:
            return None
        starts = range(0, len(repeated), len(first))
        return [_rows(found, start + inverse) for start in starts]

    return predict


def _distinct_inputs(
    batch: TransitionBatch,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns one row for each distinct input, and for each row which it is."""
    observations = decode_columns(batch.observation_space, batch.observations)
    actions = decode_columns(batch.action_space, batch.actions)
    keys = [repr(pair) for pair in zip(observations, actions, strict=True)]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first, inverse


def _rows(predictions: Predictions, rows: NDArray[np.intp]) -> Predictions:
    legal = predictions.legal_actions
    return Predictions(
        next_observations=select_rows(predictions.next_observations, rows),
        rewards=predictions.rewards[rows],
        terminated=predictions.terminated[rows],
        valid=predictions.valid[rows],
        messages={},
        legal_actions=None if legal is None else tuple(legal[r] for r in rows.tolist()),
    )


def score_files(
    texts: Mapping[str, str], evaluator: ProgramEvaluator, source: Source
) -> FilesReport:
    """Returns how programs do, several of them running at a time.

    Args:
        texts: Programs by the name of their file.
        evaluator: On the same transitions.
        source: The transitions, and the environment if it is at hand.
    """
    is_alone = len(texts) == 1

    def score(item: tuple[str, str]) -> FileScore:
        path, text = item
        evaluation = evaluator.evaluate(text, needs_audit=always)
        name = PROGRAM if is_alone else path
        row = program_row(text, evaluation, evaluator, source.dataset, name=name)
        return FileScore(path=path, evaluation=evaluation, row=row)

    executor = ThreadExecutor(num_workers=NUM_WORKERS)
    return FilesReport(
        dataset=source.dataset,
        files=tuple(executor.map(score, texts.items())),
        baselines=baseline_rows(source),
    )
