"""Figures of a finished search: what it found, what it stands beside, what it cost."""

import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cwm.benchmark.plan import Cell
from cwm.benchmark.rows import (
    LANGUAGE_MODEL,
    RunMetrics,
    baseline_metrics,
    run_metrics,
)
from cwm.benchmark.rules import RULES, rules_metrics
from cwm.core.errors import DataError
from cwm.core.files import write_atomically
from cwm.core.trajectories import SPLIT_TITLES
from cwm.evaluation.cell_results import FIGURES
from cwm.evaluation.direct_prediction import DirectConfig
from cwm.evaluation.metric_rows import MetricRow
from cwm.evaluation.metrics import ModelMetrics
from cwm.evaluation.nearest import NEAREST_NEIGHBOUR
from cwm.evaluation.setups import OpenableModel, Setup
from cwm.execution.locks import locked
from cwm.execution.progress import Progress
from cwm.llm.chat import ChatModel, Closable
from cwm.llm.registry import make_chat_model
from cwm.proposers.config import LanguageModelConfig
from cwm.report.scores import DO_NOTHING, PROGRAM, TRUE_SIMULATOR
from cwm.sources import Source

NAMES = {
    PROGRAM: "",
    RULES: "",
    DO_NOTHING: "do_nothing_",
    NEAREST_NEIGHBOUR: "nearest_",
    TRUE_SIMULATOR: "simulator_",
    LANGUAGE_MODEL: "asked_",
}
"""Row -> how the names of its figures begin."""

ROLLOUT_STEPS = 10
"""After so many steps rollouts are looked at in tables."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Figures by name, and what to know when reading them."""

    figures: dict[str, float | None]
    notes: tuple[str, ...] = ()


def measure(
    cell: Cell,
    source: Source,
    *,
    usage: Mapping[str, float | None],
    has_model: bool,
    rules: OpenableModel | None = None,
    shared: Path,
    progress: Progress,
) -> Measures:
    """Returns the figures of a finished search; measured once.

    Args:
        cell: Whose search.
        source: Its transitions.
        usage: Figures of its run, which are among what is returned.
        has_model: Whether it has found something.
        rules: What a search for rules has found; `None` for none.
        shared: File for the rows that all searches on them share.
        progress: Is told.

    Raises:
        CwmError: If programs cannot be run here, or a language model that is to
            predict transitions itself failed.
    """
    path = cell.folder / "metrics.json"
    found = _read(path)
    if found is None:
        progress.phase("metrics")
        found = _metrics(cell, source, rules, baselines(source, shared)).to_json()
        write_atomically(path, json.dumps(found) + "\n")
    metrics = RunMetrics.from_json(found)
    figures: dict[str, float | None] = {}
    for row in metrics.rows:
        figures |= row_figures(row)
    left_out = {"validation"} | ({"train"} if cell.is_of_rules else set())
    for split in source.dataset.num_transitions:
        if split in left_out or not source.dataset.in_split(split):
            continue
        for name in ("strict", "reference", "observation"):
            # Unless there is a program that runs on them, or rules.
            known = figures.get(f"{NAMES[DO_NOTHING]}{split}_{name}") is not None
            figures.setdefault(f"{split}_{name}", 0.0 if known else None)
    for part, likelihood in metrics.likelihoods.items():
        figures[f"{part}_nats"] = likelihood.mean
    figures = {
        name: value
        for name, value in figures.items()
        if name in FIGURES and (value is not None or "observation" not in name)
    }
    if has_model and not cell.is_of_rules:
        figures["calls_to_strict"] = metrics.calls_to_first_strict
    notes = [f"{row.name}: {row.note}" for row in metrics.rows if row.note]
    notes += impossible_lines(metrics)
    return Measures(figures={**figures, **usage}, notes=tuple(notes))


def _metrics(
    cell: Cell,
    source: Source,
    rules: OpenableModel | None,
    baselines: tuple[MetricRow, ...],
) -> RunMetrics:
    model, direct = _model_to_ask(cell), _direct_config(cell)
    with nullcontext() if model is None else _closing(model):
        if cell.is_of_rules:
            return rules_metrics(
                rules,
                source,
                baselines=baselines,
                seed=cell.key.seed,
                chat=model,
                direct=direct,
            )
        return run_metrics(
            cell.folder, source=source, baselines=baselines, model=model, direct=direct
        )


def impossible_lines(metrics: RunMetrics) -> list[str]:
    """Returns of how many transitions no likelihood is in the mean."""
    return [
        f"{found.num_impossible:,} of {found.num_transitions:,} "
        f"{SPLIT_TITLES[split]} transitions are held to be impossible, and not in the "
        "mean log-likelihood"
        for split, found in metrics.likelihoods.items()
        if found.num_impossible
    ]


def row_figures(row: MetricRow) -> dict[str, float | None]:
    """Returns the figures of a row, those without a title, too."""
    prefix = NAMES[row.name]
    figures: dict[str, float | None] = {}
    for split, metrics in row.metrics.items():
        if metrics is not None:
            for name, value in _split_figures(metrics).items():
                figures[f"{prefix}{split}_{name}"] = _finite(value)
    if prefix == "asked_" and row.cost is not None:
        # Not among those of the search.
        names = ("prompt_tokens", "completion_tokens")
        figures["asked_tokens"] = sum(row.cost[name] for name in names)
    seconds = row.seconds_per_transition
    if seconds is not None:
        figures["asked_ms" if prefix else "program_ms"] = 1e3 * seconds
    return figures


def _split_figures(metrics: ModelMetrics) -> dict[str, float | None]:
    rollouts = metrics.rollouts
    return {
        "strict": metrics.score.strict,
        "reference": metrics.score.reference,
        # None where it has parts of its own.
        "observation": metrics.score.part_accuracy.get("observation"),
        "tolerance_area": metrics.curve.area,
        "rmse": metrics.errors.observation,
        f"rollout_{ROLLOUT_STEPS}": (
            None if rollouts is None else rollouts.at(ROLLOUT_STEPS).strict
        ),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def usage_figures(usage: Mapping[str, Any]) -> dict[str, float | None]:
    """Returns what all calls of a run cost; stored answers count with their cost."""
    names = ("prompt_tokens", "completion_tokens", "saved_tokens")
    return {
        "calls": usage["calls"],
        "tokens": sum(usage[name] for name in names),
        "usd": usage["usd"],
        "seconds": usage["seconds"],
    }


def baselines(source: Source, path: Path) -> tuple[MetricRow, ...]:
    """Returns the rows that the transitions alone decide, measured once.

    Args:
        source: The transitions.
        path: File for them.
    """
    with locked(path.with_name(f".{path.stem}.lock")):
        found = _read(path)
        if found is not None:
            return tuple(map(MetricRow.from_json, found["rows"]))
        rows = baseline_metrics(source)
        content = {"rows": [row.to_json() for row in rows]}
        write_atomically(path, json.dumps(content) + "\n")
        return rows


def _model_to_ask(cell: Cell) -> ChatModel | None:
    """Returns the first language model of the cell, if it is to be asked itself."""
    if not cell.config.asks_model:
        return None
    models: LanguageModelConfig = cell.run_config().models
    cache = models.cache
    if cache is None and not cell.config.is_stand_in:
        # A kill loses no answer, and all searches on the same transitions share them.
        cache = cell.references / "answers"
    return make_chat_model(
        models.llm[0],
        base_url=models.base_url,
        continue_prefix=models.continue_prefix,
        service=models.service,
        local=models.local,
        cache=cache,
    )


def _closing(model: ChatModel) -> Any:
    return closing(model) if isinstance(model, Closable) else nullcontext()


def _direct_config(cell: Cell) -> DirectConfig | None:
    number = cell.config.asks_model
    if not number:
        return None
    return DirectConfig(num_transitions=number, seed=cell.key.seed)


def offline_return(
    cell: Cell, source: Source, setup: Setup, num_episodes: int, folder: Path
) -> float | None:
    """Returns the mean return of an offline-RL policy; `None` if none is wanted.

    It is learnt from the training transitions, and acts in the same episodes as a
    setup. Learnt once for all searches.
    """
    if not cell.config.offline_steps:
        return None
    # It brings torch.
    from cwm.evaluation.offline_rl import (  # noqa: PLC0415
        OfflineConfig,
        run_policy,
        train_offline,
    )

    assert source.spec is not None, "cells have their environment"
    config = OfflineConfig(num_updates=cell.config.offline_steps, seed=cell.key.seed)
    decides = [asdict(config), asdict(setup.acting), num_episodes, folder.name]
    digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:8]
    path = folder.with_name(f"{folder.name}-offline-{digest}.json")
    with locked(path.with_name(f".{path.stem}.lock")):
        found = _read(path)
        if found is None:
            data = source.dataset
            policy = train_offline(
                data.in_split("train"),
                data.observation_space,
                data.action_space,
                config,
            )
            episodes = run_policy(
                source.spec,
                policy,
                setup.tolerances,
                acting=setup.acting,
                seed=setup.seed,
                num_episodes=num_episodes,
            )
            found = {"returns": [episode.episode_return for episode in episodes]}
            write_atomically(path, json.dumps(found) + "\n")
    returns = found["returns"]
    return float(sum(returns) / len(returns))


def _read(path: Path) -> dict[str, Any] | None:
    """Returns the content of a JSON file; `None` if it is not there."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
    assert isinstance(content, dict), "objects are written"
    return content
