"""Metrics of rules in words: the same measures as of programs, and likelihoods."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cwm.benchmark.rows import (
    RunMetrics,
    language_model_metrics,
    measure_of,
)
from cwm.core.protocols import LikelihoodModel
from cwm.evaluation.direct_prediction import DirectConfig
from cwm.evaluation.metric_rows import MetricRow
from cwm.evaluation.model_predictions import (
    BatchLikelihood,
    batch_likelihood,
    step_predictions,
)
from cwm.evaluation.setups import OpenableModel
from cwm.llm.chat import ChatModel
from cwm.programs.evaluation import NUM_DRAWS
from cwm.scoring import UNSEEN_SPLITS, spec_of
from cwm.sources import Source

RULES = "rules in words"

NOTE = (
    "induced from transitions that their own run has gathered, the training "
    "transitions not among them; they predict the sentence that says what changes, and "
    "code reads the next text, reward and end off it, and legal actions as far as the "
    "text shows them, so that strict stays low for right rules, too: observation is "
    "the next text alone"
)
"""How rules differ from programs, to whose measures theirs stand beside."""


def rules_metrics(
    model: OpenableModel | None,
    source: Source,
    *,
    baselines: Sequence[MetricRow],
    seed: int,
    chat: ChatModel | None = None,
    direct: DirectConfig | None = None,
) -> RunMetrics:
    """Returns the metrics of rules in words, on what programs are not fitted to either.

    Args:
        model: The rules with their statistician; `None` if none were found.
        source: The transitions, with their environment.
        baselines: What `cwm.benchmark.rows.baseline_metrics` gave for them.
        seed: Of models that draw.
        chat: A language model to ask for held-out transitions, if one is to be.
        direct: What it is asked.

    Raises:
        CwmError: If whoever is asked has no answer.
    """
    rows: list[MetricRow] = []
    likelihoods: dict[str, BatchLikelihood] = {}
    if model is not None:
        row, likelihoods = _measured(model, source, seed)
        rows.append(row)
    rows += baselines
    if chat is not None:
        rows.append(language_model_metrics(chat, source.dataset, direct))
    return RunMetrics(
        rows=tuple(rows), calls_to_first_strict=None, likelihoods=likelihoods
    )


def _measured(
    model: OpenableModel, source: Source, seed: int
) -> tuple[MetricRow, dict[str, BatchLikelihood]]:
    dataset = source.dataset
    measure = measure_of(dataset)
    unseen: dict[str, Any] = {
        split: measure.splits[split]
        for split in UNSEEN_SPLITS
        if split in measure.splits
    }
    likelihoods = {}
    with model.open(spec_of(source)) as opened:
        if isinstance(opened, LikelihoodModel):
            # First: what it asks for in large batches, it need not ask in steps.
            likelihoods = {
                split: batch_likelihood(opened, batch)
                for split, batch in unseen.items()
            }
        predict = partial(
            step_predictions,
            opened,
            num_draws=NUM_DRAWS if dataset.is_stochastic else 1,
            seed=seed,
        )
        row = replace(measure, splits=unseen).row(RULES, predict, note=NOTE)
    return row, likelihoods
