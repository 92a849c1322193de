"""Training a run's language model on what the run collected, beside its hypotheses.

The comparison that the paper makes: rules in the prompt, or the model itself changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter

from cwm.core.errors import ConfigError, DataError
from cwm.execution.progress import Progress, Status
from cwm.execution.provenance import environment_report
from cwm.induction import Evaluation, InductionFolder
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.packages import require_packages
from cwm.llm.local.training import TrainingStep
from cwm.llm.registry import make_chat_model
from cwm.providers.hypotheses.evaluation.scores import WorldScores, evaluate_hypotheses
from cwm.providers.hypotheses.finetuning.config import FinetuningConfig
from cwm.providers.hypotheses.finetuning.tuned import (
    ABOUT_FILE,
    TunedModel,
    finetune,
    load_tuned,
    read_about,
)
from cwm.providers.hypotheses.making import RoleConfig
from cwm.providers.hypotheses.search.keeping import all_trajectories
from cwm.providers.hypotheses.statisticians.caching import CachedStatistician
from cwm.providers.hypotheses.worlds import REWORDED, TextWorld, find_world
from cwm.report.finetuning import FinetuningReport
from prompts.hypotheses import HypothesisPrompts

TUNED = "finetuned"
"""Folder of the adapter, in that of the run."""


def finetune_run(
    folder: InductionFolder,
    config: FinetuningConfig,
    *,
    evaluate: Evaluation,
    progress: Progress,
) -> FinetuningReport:
    """Trains the statistician of a run on what was collected, and scores it.

    What is in the folder already, with the same settings, is not trained again.

    Args:
        folder: Of a run that is done.
        config: How to train.
        evaluate: As in `EvaluationConfig`; `"none"` scores like `"likelihood"`.
        progress: Told of every step.

    Raises:
        ConfigError: If the run has no language model of this machine, or a setting is
            wrong.
        DataError: If the run is not done.
        PrerequisiteError: If a package is missing.
        LLMError: If the memory does not suffice.
    """
    start = perf_counter()
    settings = folder.read_config()
    world = find_world(settings.induction.env)
    if not folder.result.is_file():
        raise DataError(
            f"{str(folder.path)!r} is not done. Continue it with: python -m cwm.induce "
            f"--resume {folder.path}"
        )
    known = folder.read_json(folder.result)
    tuned = _tuned(folder, config, settings.roles, world, progress)
    name = tuned.about.name
    progress.phase("Scoring the fine-tuned model")
    scores = _with_row(known["scores"], _scored(tuned, world, evaluate), name)
    reworded = None
    if world.name in REWORDED and known["reworded"] is not None:
        other = find_world(REWORDED[world.name])
        reworded = _with_row(known["reworded"], _scored(tuned, other, evaluate), name)
    report = FinetuningReport(
        name=name,
        num_transitions=tuned.about.num_transitions,
        losses=tuned.about.losses,
        scores=scores,
        reworded=reworded,
        files=(f"adapter: {folder.path / TUNED}",),
        seconds=perf_counter() - start,
        made_with=environment_report(),
    )
    folder.write_json(folder.path / TUNED / "result.json", report.to_json())
    return report


def _tuned(
    folder: InductionFolder,
    config: FinetuningConfig,
    roles: RoleConfig,
    world: TextWorld,
    progress: Progress,
) -> TunedModel:
    name = roles.statistician_llm or roles.llm
    model = None if name is None else make_chat_model(name, local=roles.local)
    if not isinstance(model, TransformersModel):
        raise ConfigError(
            "finetune needs a run whose statistician is a model on this machine, "
            f"hf:FOLDER or gguf:FILE, got {name or 'the stand-in'}: nothing else can "
            "be trained."
        )
    require_packages(gguf=name is not None and name.startswith("gguf:"), training=True)
    path = folder.path / TUNED
    if (path / ABOUT_FILE).exists():
        about = read_about(path)
        if about.config != config:
            raise ConfigError(
                f"{str(path)!r} has a model that was trained with other settings. "
                "Move it away to train another one."
            )
        return load_tuned(path, model)
    trajectories = all_trajectories(folder.path)
    progress.phase(f"Training {name}")
    tuned = finetune(
        model, HypothesisPrompts(world.prompts), trajectories, config, _teller(progress)
    )
    try:
        tuned.save(path)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be written: {error}.") from error
    return tuned


def _teller(progress: Progress) -> Callable[[TrainingStep], None]:
    def tell(step: TrainingStep) -> None:
        progress.update(
            Status(
                completed=step.number,
                total=step.num_steps,
                unit="steps",
                measures={"loss": f"{step.loss:.3f}"},
            )
        )
        progress.event(f"step {step.number} of {step.num_steps}, loss {step.loss:.3f}")

    return tell


def _scored(tuned: TunedModel, world: TextWorld, evaluate: Evaluation) -> WorldScores:
    statistician = CachedStatistician(
        tuned.statistician(HypothesisPrompts(world.prompts))
    )
    ranked = None if evaluate == "ranking" else ()
    return evaluate_hypotheses(
        statistician, world, {tuned.about.name: None}, ranked=ranked
    )


def _with_row(known: Mapping[str, object], new: WorldScores, name: str) -> WorldScores:
    """Returns the scores of the run with one more row."""
    old = WorldScores.from_json(known)
    return replace(old, scores={**old.scores, name: new.scores[name]})
