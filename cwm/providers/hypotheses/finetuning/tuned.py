"""The model itself trained on what was collected, in place of a hypothesis.

The comparison of Levy et al., 2025 (https://arxiv.org/abs/2506.06725): low-rank
adapters, trained on the statistician's prompts without a hypothesis, with the changes
as answers.

Covers: local models of transformers; a fine-tuned model beside the one that it was made
    from; saving and loading.
Does not cover: going on with a training that was interrupted.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.core.seeding import child_rng
from cwm.llm.local.adapters import Adapter
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.training import TrainingProgress
from cwm.llm.scoring import ScoringRequest
from cwm.providers.hypotheses.finetuning.config import FinetuningConfig
from cwm.providers.hypotheses.statisticians.language_model import (
    LanguageModelStatistician,
    chat_messages,
)
from cwm.providers.hypotheses.texts import (
    TextTrajectory,
    TextTransition,
    transitions_of,
)
from prompts.hypotheses import HypothesisPrompts

ABOUT_FILE = "finetuning.json"
"""Written last: where it is, the adapter is whole."""

_FORMAT = "fine-tuned model 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetuning:
    """What a fine-tuned model was made from.

    Attributes:
        base: Name of the model.
        base_weights: Hash of its files; empty if only the name is known.
        prompts: Folder of the templates of the environment.
        num_transitions: Transitions that it was trained on, each counted once, however
            many the epochs.
        config: How it was trained.
        losses: Mean of `-log p` of the changes' tokens at each step, in nats, before
            the step and on its batch.
    """

    base: str
    base_weights: str
    prompts: str
    num_transitions: int
    config: FinetuningConfig
    losses: tuple[float, ...]

    @property
    def name(self) -> str:
        """As shown in tables."""
        return f"{self.base}, fine-tuned on {self.num_transitions} transitions"

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {"format": _FORMAT, **asdict(self), "losses": list(self.losses)}

    @classmethod
    def from_json(cls, data: Any) -> "Finetuning":
        """Returns what `to_json` wrote.

        Raises:
            DataError: If the data are of another form.
        """
        try:
            if data["format"] != _FORMAT:
                raise ValueError(f"format {data['format']!r}, not {_FORMAT!r}")
            return cls(
                base=str(data["base"]),
                base_weights=str(data["base_weights"]),
                prompts=str(data["prompts"]),
                num_transitions=int(data["num_transitions"]),
                config=FinetuningConfig(**data["config"]),
                losses=tuple(map(float, data["losses"])),
            )
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise DataError(f"A fine-tuning cannot be read: {error!r}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedModel:
    """A fine-tuned model. The one that it was made from stays as it was.

    Attributes:
        about: What it was made from.
        model: The model, which scores and answers under the name `about.name`.
        adapter: What was trained.
    """

    about: Finetuning
    model: TransformersModel
    adapter: Adapter

    def statistician(self, prompts: HypothesisPrompts) -> LanguageModelStatistician:
        """Returns it as a statistician.

        Args:
            prompts: Of the environment that it was trained on, or of another one, to
                see how far that goes.
        """
        return LanguageModelStatistician(self.model, prompts)

    def save(self, folder: Path) -> None:
        """Writes adapter, settings and losses; the folder is made if there is none.

        Raises:
            OSError: If the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT_FILE).unlink(missing_ok=True)
        self.adapter.save(folder)
        text = json.dumps(self.about.to_json(), indent=2, allow_nan=False)
        write_atomically(folder / ABOUT_FILE, text + "\n")


def finetune(
    model: TransformersModel,
    prompts: HypothesisPrompts,
    trajectories: Sequence[TextTrajectory],
    config: FinetuningConfig,
    progress: TrainingProgress | None = None,
) -> TunedModel:
    """Returns the model, trained to say what changes.

    The texts are those that a `LanguageModelStatistician` without a hypothesis scores,
    token by token, and the loss is minus the mean of its log-probabilities.

    Args:
        model: What to begin from; it is not changed, and may be used meanwhile.
        prompts: How the environment is described.
        trajectories: All that the experimenter of a run collected.
        config: How to train.
        progress: Told of every step.

    Raises:
        DataError: If there is no transition.
        ConfigError: If the model cannot be trained or scored with, or the loss is no
            longer finite.
        LLMError: If a text does not fit into the context, or the memory does not
            suffice.
        PrerequisiteError: If a package is missing.
    """
    chosen = choose_transitions(trajectories, config)
    requests = [
        ScoringRequest(
            messages=chat_messages(prompts.statistician(None, one.state, one.action)),
            continuations=[one.change],
        )
        for one in chosen
    ]
    adapter = Adapter(model.loaded, config)
    # A model that takes no trees of texts is refused here, before the work.
    model.log_probs_batch(requests[:1])
    texts = [text for found in model.tokenize(requests) for text in found]
    losses = adapter.train(texts, progress)
    about = Finetuning(
        base=model.name,
        base_weights=_weights_of(model),
        prompts=prompts.folder,
        num_transitions=len(chosen),
        config=config,
        losses=tuple(losses),
    )
    return _tuned(about, model, adapter)


def choose_transitions(
    trajectories: Sequence[TextTrajectory], config: FinetuningConfig
) -> list[TextTransition]:
    """Returns what is learned from, in the order in which it was collected.

    Raises:
        DataError: If there is nothing.
    """
    found = transitions_of(trajectories)
    if not found:
        raise DataError("trajectories must hold a transition to learn from, got none.")
    if config.distinct_only:
        found = list(dict.fromkeys(found))
    if config.max_transitions is None or len(found) <= config.max_transitions:
        return found
    rng = child_rng(config.seed, "transitions to learn from")
    kept = rng.choice(len(found), size=config.max_transitions, replace=False)
    return [found[index] for index in sorted(kept.tolist())]


def load_tuned(folder: Path, model: TransformersModel) -> TunedModel:
    """Returns the fine-tuned model that was saved in a folder.

    Args:
        folder: Where `TunedModel.save` wrote it.
        model: The one that it was made from; it is not changed.

    Raises:
        ConfigError: If it is another one.
        DataError: If the folder holds none, or an unfinished one.
        PrerequisiteError: If a package is missing.
    """
    about = read_about(folder)
    if model.name != about.base:
        raise ConfigError(
            f"{str(folder)!r} must be loaded with the model that it was made from, "
            f"{about.base!r}, got {model.name!r}."
        )
    weights = _weights_of(model)
    if weights != about.base_weights:
        raise ConfigError(
            f"{str(folder)!r} must be loaded with the weights that it was made from, "
            f"hash {about.base_weights[:12]!r}, got {weights[:12]!r}; both are called "
            f"{about.base!r}."
        )
    adapter = Adapter(model.loaded, about.config)
    adapter.restore(folder)
    return _tuned(about, model, adapter)


def read_about(folder: Path) -> Finetuning:
    """Returns what is known of a saved model, without loading it.

    Raises:
        DataError: If the folder holds none, or an unfinished one.
    """
    path = folder / ABOUT_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{str(path)!r} must describe a fine-tuned model, and cannot be read: "
            f"{error}"
        ) from error
    return Finetuning.from_json(data)


def _tuned(about: Finetuning, model: TransformersModel, adapter: Adapter) -> TunedModel:
    # Made only now, so that nothing in it was computed with other weights.
    tuned = TransformersModel(adapter.attached(about.name), model.config)
    return TunedModel(about=about, model=tuned, adapter=adapter)


def _weights_of(model: TransformersModel) -> str:
    return str(model.identity.get("weights", ""))
