"""Scoring programs and other models beside doing nothing and the true simulator.

The only place where the true environment and programs meet: for the ceiling row,
after the search.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import decode_columns, select_rows
from cwm.core.errors import ConfigError
from cwm.core.predictions import Predictions
from cwm.core.proposals import Task
from cwm.core.protocols import LikelihoodModel
from cwm.core.trajectories import (
    SPLIT_TITLES,
    SPLITS,
    Dataset,
    Split,
    TransitionBatch,
)
from cwm.evaluation.model_predictions import (
    BatchLikelihood,
    batch_likelihood,
    step_predictions,
)
from cwm.evaluation.setups import OpenableModel
from cwm.execution.executors import ThreadExecutor
from cwm.execution.prerequisites import no_sandbox
from cwm.execution.progress import Progress, Status
from cwm.programs.accuracy import SplitScore
from cwm.programs.constants.config import FitConfig
from cwm.programs.evaluation import (
    NUM_DRAWS,
    Evaluation,
    ProgramEvaluator,
    SplitResult,
    always,
    open_sandbox,
)
from cwm.programs.memorised import drop_evidence
from cwm.programs.residual.config import ResidualConfig
from cwm.programs.residual.correcting import ResidualLearner
from cwm.programs.tolerances import Tolerances
from cwm.programs.unit_tests import parse_unit_tests
from cwm.report.audits import ProgramAudit
from cwm.report.files import FileScore, ModelScore
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
from envs.restart import Restarter, find_restarter, restart_predictions
from envs.spec import EnvSpec
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

if TYPE_CHECKING:
    from cwm.programs.constants.fitting import ConstantFitter

NUM_WORKERS = 2
"""Programs, or halves of one program's transitions, that run at a time."""


UNSEEN_SPLITS: tuple[Split, ...] = ("held_out", "planner")
"""What programs are run on after the search only."""


def make_task(dataset: Dataset, libraries: Sequence[Library] = ()) -> Task:
    """Returns what a proposer may know of a data set.

    Nothing held out, nothing that a planner visited, no hidden state.

    Args:
        dataset: The data set.
        libraries: What a program may use besides NumPy.
    """
    train = dataset.batch("train")
    return Task(
        environment_id=dataset.environment_id,
        description=dataset.description,
        observation_space=dataset.observation_space,
        action_space=dataset.action_space,
        train=train,
        is_stochastic=dataset.is_stochastic,
        next_legal_actions=train.next_legal_actions,
        libraries=tuple(libraries),
    )


@contextmanager
def open_evaluator(
    dataset: Dataset,
    *,
    isolation: Level,
    capabilities: Sequence[Library] = (),
    limits: Limits,
    tests: str | None,
    seed: int,
) -> Iterator[ProgramEvaluator]:
    """Yields an evaluator on the training and validation transitions.

    Args:
        dataset: The transitions.
        isolation: Weakest isolation of programs that is acceptable.
        capabilities: What a program may use besides NumPy.
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
            limits=limits,
            num_workers=NUM_WORKERS,
            require=isolation,
            capabilities=capabilities,
        ) as sandbox:
            yield ProgramEvaluator(
                make_task(dataset, capabilities),
                validation=validation,
                unit_tests=unit_tests,
                sandbox=sandbox,
                seed=seed,
            )
    except SandboxUnavailable as error:
        raise no_sandbox(error) from error


def make_fitter(
    evaluator: ProgramEvaluator, config: FitConfig, *, seed: int
) -> "ConstantFitter | None":
    """Returns who fits programs' constants to what they are trained on.

    `None` if that is off, or if outcomes vary: one recorded outcome says little about
    one draw.
    """
    task = evaluator.task
    if config.mode == "off" or task.is_stochastic:
        return None
    # It brings SciPy's optimisers.
    from cwm.programs.constants.fitting import ConstantFitter  # noqa: PLC0415

    return ConstantFitter(
        task.train,
        sandbox=evaluator.sandbox,
        config=config,
        seed=seed,
        tolerances=evaluator.tolerances,
    )


def make_corrector(
    evaluator: ProgramEvaluator, config: ResidualConfig, *, seed: int
) -> ResidualLearner | None:
    """Returns who learns residuals of programs from what they are trained on.

    `None` if that is not asked for, or if outcomes vary.
    """
    if config.mode != "sparse" or evaluator.task.is_stochastic:
        return None
    return ResidualLearner(evaluator, config, seed=seed)


def table_splits(dataset: Dataset) -> dict[str, TransitionBatch]:
    """Returns the transitions that tables show: training and what no search sees."""
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
        evaluator: Runs it on the transitions that no search sees.
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
    for split in UNSEEN_SPLITS:
        if split not in splits:
            continue
        scores[split] = None
        if all(audit.is_consistent for audit in audits.values()):
            found = evaluator.score_on(source, splits[split], audited=True)
            scores[split] = found.score
            if found.audit is not None:
                audits[split] = found.audit
            notes += _unseen_notes(source, found, evaluator, dataset, split)
    audit = ProgramAudit(splits=audits, memorised=_memorised(evaluation, scores))
    return ScoreRow(
        name=name,
        scores=scores,
        note="; ".join(notes),
        audit=audit if audits else None,
    )


def _unseen_notes(
    source: str,
    found: SplitResult,
    evaluator: ProgramEvaluator,
    dataset: Dataset,
    split: Split,
) -> list[str]:
    """Returns why there is no score, or where wrong predictions start."""
    title = SPLIT_TITLES[split]
    if found.outcome.kind != "completed":
        first_line = found.outcome.feedback().partition("\n")[0]
        return [f"does not run on {title} transitions: {first_line}"]
    if found.score is None or dataset.is_stochastic or found.score.strict == 1.0:
        return []
    batch = dataset.batch(split)
    _, predictions = evaluator.predict(source, batch)
    if predictions is None:
        return []
    train = dataset.batch("train")
    return unseen_note(predictions, train, batch, evaluator.tolerances, title=title)


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
    ceiling = score_row(
        TRUE_SIMULATOR, simulator(source.spec, num_draws), splits, tolerances
    )
    if not any(ceiling.scores.values()):
        why = "is not at hand" if source.spec is None else "cannot be restarted"
        note = f"- because the environment {why}"
        ceiling = replace(ceiling, note=note)
    return nothing, ceiling


def _nothing_note(train: TransitionBatch) -> str:
    note = "same observation, most frequent reward, never terminated"
    if train.next_legal_actions is None:
        return note
    return f"{note}, most frequent legal actions"


def simulator(spec: EnvSpec | None, num_draws: int) -> Predictor:
    """Returns the environment as a world model, restarted from each observation.

    Args:
        spec: The environment; `None` if it is not at hand.
        num_draws: How often each transition is predicted.
    """
    known: list[Restarter | None] = []

    def predict(batch: TransitionBatch) -> list[Predictions] | None:
        if spec is None:
            return None
        if not known:
            known.append(find_restarter(spec))
        (restarter,) = known
        if restarter is None:
            return None
        if num_draws == 1:
            once = restart_predictions(spec, batch, restarter=restarter)
            return None if once is None else [once]
        # Equal inputs share their draws, as they do when programs are scored.
        first, inverse = _distinct_inputs(batch)
        repeated = batch.select(np.tile(first, num_draws))
        found = restart_predictions(spec, repeated, restarter=restarter)
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
    texts: Mapping[str, str],
    evaluator: ProgramEvaluator,
    dataset: Dataset,
    *,
    is_alone: bool = True,
) -> tuple[FileScore, ...]:
    """Returns how programs do, several of them running at a time.

    Args:
        texts: Programs by the name of their file.
        evaluator: On the same transitions.
        dataset: The transitions.
        is_alone: Whether a single program needs no name.
    """
    is_alone = is_alone and len(texts) == 1

    def score(item: tuple[str, str]) -> FileScore:
        path, text = item
        evaluation = evaluator.evaluate(text, needs_audit=always)
        name = PROGRAM if is_alone else path
        row = program_row(text, evaluation, evaluator, dataset, name=name)
        return FileScore(path=path, evaluation=evaluation, row=row)

    executor = ThreadExecutor(num_workers=NUM_WORKERS)
    return tuple(executor.map(score, texts.items()))


def score_model(
    model: OpenableModel, source: Source, *, seed: int, progress: Progress
) -> ModelScore:
    """Returns how a model does that is no program.

    Args:
        model: The model; it runs in this process.
        source: The transitions, and their environment.
        seed: Seed of models that draw.
        progress: Is told of each split.

    Raises:
        ConfigError: If it is no model of this environment.
        PrerequisiteError: If a package that it needs is missing.
        CwmError: If whoever it asks has no answer.
    """
    dataset, spec = source.dataset, spec_of(source)
    splits = table_splits(dataset)
    likelihoods: dict[str, BatchLikelihood] = {}
    progress.phase(f"Scoring {model.name}")
    with model.open(spec) as opened:
        for split, batch in splits.items():
            if isinstance(opened, LikelihoodModel):
                # First: what it asks for in large batches, it need not ask in steps.
                tell = partial(_tell, progress, SPLIT_TITLES[split], len(batch))
                likelihoods[split] = batch_likelihood(opened, batch, on_rows=tell)
        row = score_row(
            model.name,
            partial(
                step_predictions,
                opened,
                num_draws=NUM_DRAWS if dataset.is_stochastic else 1,
                seed=seed,
            ),
            splits,
            Tolerances.from_batch(dataset.batch("train")),
        )
    return ModelScore(settings=model.to_json(), row=row, likelihoods=likelihoods)


def spec_of(source: Source) -> EnvSpec:
    """Returns the environment of transitions.

    Raises:
        ConfigError: If it is not at hand.
    """
    if source.spec is None:
        raise ConfigError(
            f"The environment of the data, {source.dataset.environment_id!r}, must be "
            "at hand to open a model that is no program, and it cannot be made here."
        )
    return source.spec


def _tell(progress: Progress, title: str, total: int, number: int) -> None:
    progress.update(
        Status(completed=number, total=total, unit="transitions", activity=title)
    )
