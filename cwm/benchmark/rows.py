"""All rows beside a result: the program, what it is compared with, and the ceiling.

The place where programs, the true environment and other predictors are measured by
the same code, after the search.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

from cwm.config import RunConfig, load_config
from cwm.core.dataset_file import load_dataset
from cwm.core.journal import Record, read_journal
from cwm.core.predictions import Predictions
from cwm.core.trajectories import Dataset, Split, TransitionBatch
from cwm.evaluation.direct_prediction import (
    DirectConfig,
    DirectPredictions,
    predict_directly,
)
from cwm.evaluation.metric_rows import Measure, MetricRow
from cwm.evaluation.model_predictions import BatchLikelihood
from cwm.evaluation.nearest import NEAREST_NEIGHBOUR, nearest_neighbour
from cwm.evaluation.program_steps import seconds_per_step, surviving
from cwm.execution.run_folder import open_run_folder
from cwm.llm.chat import ChatModel
from cwm.programs.evaluation import NUM_DRAWS, Evaluation, ProgramEvaluator, always
from cwm.programs.tolerances import Tolerances
from cwm.report.scores import (
    DO_NOTHING,
    PROGRAM,
    TRUE_SIMULATOR,
    ScoreRow,
    do_nothing,
)
from cwm.scoring import (
    make_task,
    open_evaluator,
    program_row,
    simulator,
    table_splits,
)
from cwm.sources import Source, environment_of, read_text
from cwm.synthesis import records

LANGUAGE_MODEL = "language model, asked directly"

DIRECT_SPLIT: Split = "held_out"
"""Where a language model's predictions are asked for."""


@dataclass(frozen=True, kw_only=True)
class RunMetrics:
    """What a run has found, and what it stands beside.

    Attributes:
        rows: The program or the rules if there are any, do nothing, nearest
            neighbour, the true simulator, and a language model if one was asked.
        calls_to_first_strict: Answers until the first program that was strictly right
            on all training and validation transitions; `None` if none was.
        likelihoods: How probable a model that says so takes what was recorded, by
            split.
    """

    rows: tuple[MetricRow, ...]
    calls_to_first_strict: int | None
    likelihoods: Mapping[str, BatchLikelihood] = field(default_factory=dict)

    def row(self, name: str) -> MetricRow | None:
        """Returns the row of a name; `None` if there is none."""
        return next((row for row in self.rows if row.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Returns the metrics as plain data."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "calls_to_first_strict": self.calls_to_first_strict,
            "likelihoods": {
                split: found.to_json() for split, found in self.likelihoods.items()
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RunMetrics":
        """Returns the metrics that `to_json` described."""
        return cls(
            rows=tuple(MetricRow.from_json(row) for row in data["rows"]),
            calls_to_first_strict=data["calls_to_first_strict"],
            likelihoods={
                split: BatchLikelihood.from_json(found)
                for split, found in data.get("likelihoods", {}).items()
            },
        )


def run_metrics(
    path: Path,
    *,
    source: Source | None = None,
    baselines: Sequence[MetricRow] | None = None,
    model: ChatModel | None = None,
    direct: DirectConfig | None = None,
) -> RunMetrics:
    """Returns the metrics of a run's folder.

    Args:
        path: Folder of a run of `cwm.synthesize`, ended or not.
        source: Its transitions and environment; those of the folder by default.
        baselines: What `baseline_metrics` gave for the same source, if that is known.
        model: A language model to ask for held-out transitions, if one is to be.
        direct: What it is asked.

    Raises:
        ConfigError: If there is no run in `path`.
        DataError: If a file cannot be read.
        LLMError: If the language model's service failed.
        PrerequisiteError: If programs cannot be run safely on this machine.
    """
    folder = open_run_folder(path)
    if source is None:
        dataset = load_dataset(folder.dataset)
        source = Source(dataset=dataset, spec=environment_of(dataset))
    config = load_config(folder.config, RunConfig())
    rows: list[MetricRow] = []
    if folder.world_model.is_file():
        text = read_text(folder.world_model)
        with open_evaluator(
            source.dataset,
            isolation=config.isolation,
            capabilities=config.capabilities,
            limits=config.limits,
            tests=None,
            seed=config.seed,
        ) as evaluator:
            rows.append(program_metrics(text, evaluator, source.dataset))
    rows += baseline_metrics(source) if baselines is None else baselines
    if model is not None:
        rows.append(language_model_metrics(model, source.dataset, direct))
    journal = read_journal(folder.journal).records if folder.journal.is_file() else ()
    return RunMetrics(
        rows=tuple(rows), calls_to_first_strict=calls_to_first_strict(journal)
    )


def calls_to_first_strict(journal: Iterable[Record]) -> int | None:
    """Returns how many answers it took to the first one that is strictly right.

    On all training and validation transitions; `None` if no answer was. Counted in
    the order in which they were judged.
    """
    number = 0
    for record in journal:
        if record.kind != records.EVALUATION:
            continue
        number += 1
        _, evaluation = records.read_evaluation(record)
        if _is_strictly_right(evaluation):
            return number
    return None


def _is_strictly_right(evaluation: Evaluation) -> bool:
    train, validation = evaluation.train, evaluation.validation
    return (
        not evaluation.is_bug
        and train is not None
        and train.strict == 1.0
        and (validation is None or validation.strict == 1.0)
    )


def score_rows(rows: Iterable[MetricRow]) -> tuple[ScoreRow, ...]:
    """Returns the accuracies of rows, as `cwm.report.tables` shows them."""
    return tuple(
        ScoreRow(
            name=row.name,
            scores={
                split: None if found is None else found.score
                for split, found in row.metrics.items()
            },
            note=row.note,
        )
        for row in rows
    )


def measure_of(dataset: Dataset) -> Measure:
    """Returns what measures world models on a data set: all splits that tables show."""
    return Measure(
        splits=table_splits(dataset),
        tolerances=Tolerances.from_batch(dataset.batch("train")),
        has_rollouts=not dataset.is_stochastic,
    )


def program_metrics(
    source: str, evaluator: ProgramEvaluator, dataset: Dataset
) -> MetricRow:
    """Returns the row of a program; nothing where it does not run or is not audited.

    Args:
        source: The program.
        evaluator: Runs it; made for the same data.
        dataset: The transitions.
    """
    evaluation = evaluator.evaluate(source, needs_audit=always)
    scored = program_row(source, evaluation, evaluator, dataset)
    measure = measure_of(dataset)
    counts = {
        split: batch
        for split, batch in measure.splits.items()
        if scored.scores.get(split) is not None
    }

    def predict(batch: TransitionBatch) -> Sequence[Predictions] | None:
        return evaluator.predict_draws(source, batch)[1]

    row = replace(measure, splits=counts).row(
        PROGRAM, predict, once=surviving(evaluator, source), note=scored.note
    )
    seconds = None
    if not evaluation.is_bug:
        seconds = seconds_per_step(evaluator, source, dataset.batch("train"))
    return replace(
        row,
        metrics={split: row.metrics.get(split) for split in measure.splits},
        audit=None if scored.audit is None else scored.audit.to_json(),
        seconds_per_transition=seconds,
    )


def baseline_metrics(source: Source) -> tuple[MetricRow, ...]:
    """Returns the rows that depend on the data alone, whatever the search found.

    Do nothing, nearest neighbour, and the true simulator (the ceiling).
    """
    dataset = source.dataset
    measure, train = measure_of(dataset), dataset.batch("train")
    num_draws = NUM_DRAWS if dataset.is_stochastic else 1
    rows = [
        measure.row(DO_NOTHING, do_nothing(train, num_draws=num_draws)),
        measure.row(
            NEAREST_NEIGHBOUR,
            nearest_neighbour(train, num_draws=num_draws),
            note="the nearest training transition with the same action, repeated",
        ),
    ]
    with redirect_stdout(StringIO()):  # Environments print.
        ceiling = measure.row(TRUE_SIMULATOR, simulator(source.spec, num_draws))
    if not any(ceiling.metrics.values()):
        why = "is not at hand" if source.spec is None else "cannot be restarted"
        ceiling = replace(ceiling, note=f"- because the environment {why}")
    return (*rows, ceiling)


def language_model_metrics(
    model: ChatModel,
    dataset: Dataset,
    config: DirectConfig | None = None,
    *,
    on_answer: Callable[[int, int], None] | None = None,
) -> MetricRow:
    """Returns the row of a language model that is asked for held-out transitions.

    Its numbers are of the few transitions that it was asked for
    (`SplitScore.num_transitions`), and without rollouts.

    Args:
        model: Whom to ask.
        dataset: The transitions; it must have held-out ones.
        config: What it is asked.
        on_answer: As in `predict_directly`.

    Raises:
        LLMError: If the service failed.
    """
    found = predict_directly(
        model,
        make_task(dataset),
        dataset.batch(DIRECT_SPLIT),
        config or DirectConfig(),
        on_answer=on_answer,
    )
    tolerances = Tolerances.from_batch(dataset.batch("train"))
    measure = Measure(
        splits={DIRECT_SPLIT: found.batch}, tolerances=tolerances, has_rollouts=False
    )
    row = measure.row(
        LANGUAGE_MODEL, lambda batch: [found.predictions], note=_direct_note(found)
    )
    return replace(
        row,
        seconds_per_transition=found.seconds_per_transition,
        cost=found.to_json(),
    )


def _direct_note(found: DirectPredictions) -> str:
    note = f"{found.model}, asked for {len(found.batch)} held-out transitions"
    if found.failures:
        note += f"; {len(found.failures)} answers could not be read"
    return note
