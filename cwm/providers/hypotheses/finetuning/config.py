"""Settings of the fine-tuning that hypotheses are compared with."""

from dataclasses import dataclass
from typing import Annotated

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as
from cwm.llm.local.training import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuningConfig(TrainingConfig):
    """How a model is fine-tuned on what an experimenter collected.

    Rank, alpha, dropout, learning rate, batch size and number of epochs are those of
    Levy et al., 2025 (https://arxiv.org/abs/2506.06725). They trained with the weights
    packed in 4 bits and the optimiser's state in 8; here both are whole. Schedule and
    longest gradient are the defaults of the trainer that their optimiser's name belongs
    to, theirs are not known to us.

    Attributes:
        max_transitions: Of more, so many are drawn, each once; at least 1. All, as
            published, if not given.
        distinct_only: Whether a transition that was met several times is learned from
            once; else as often as it was met, as published.
    """

    max_transitions: Annotated[int | None, shown_as("INT")] = None
    distinct_only: bool = False

    def __post_init__(self) -> None:
        # The class that `super` would look for is the one before it got its slots.
        TrainingConfig.__post_init__(self)
        if self.max_transitions is not None and self.max_transitions < 1:
            raise ConfigError(
                "max_transitions must be at least 1 or not given, got "
                f"{self.max_transitions}."
            )
