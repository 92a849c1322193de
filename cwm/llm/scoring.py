"""Log-probabilities that a language model gives to texts that others wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from cwm.llm.chat import ChatMessage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenLogProbs:
    """What a model gives to each token of one continuation.

    Attributes:
        token_ids: The tokens of the continuation; with the end of the turn if that
            was asked for.
        tokens: The same as they stand in the vocabulary, where a blank may be
            written otherwise, such as `Ġ`.
        log_probs: `[len(token_ids)]`, natural logarithm of each token's probability
            after all before it.
    """

    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    log_probs: npt.NDArray[np.float32]

    @property
    def total(self) -> float:
        """Log-probability of the whole continuation."""
        return float(self.log_probs.sum(dtype=np.float64))

    @property
    def mean(self) -> float:
        """Mean over the tokens; 0 if there are none."""
        return self.total / len(self.token_ids) if self.token_ids else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRequest:
    """One conversation with the answers to be scored.

    Attributes:
        messages: The conversation. If its last message is the assistant's, the
            continuations go on from there; otherwise they begin its answer.
        continuations: The texts to be scored.
    """

    messages: Sequence[ChatMessage]
    continuations: Sequence[str]


@runtime_checkable
class ScoringModel(Protocol):
    """A language model that gives probabilities to texts."""

    @property
    def name(self) -> str:
        """The model's id, as shown beside every number."""
        ...

    def log_probs(
        self,
        messages: Sequence[ChatMessage],
        continuations: Sequence[str],
        *,
        end_of_turn: bool = True,
    ) -> list[TokenLogProbs]:
        """Returns the log-probabilities of each continuation's tokens.

        The tokens are those of the conversation and the continuation as one text.
        Temperature and the like play no part.

        Args:
            messages: The conversation, as in `ScoringRequest`.
            continuations: The texts to be scored, in any number.
            end_of_turn: Whether the tokens that end the model's turn are scored,
                too. Without them a text and its beginnings are not compared fairly.

        Raises:
            ValueError: If a continuation merges with the conversation's last token,
                so that its own tokens are not defined.
            LLMError: If a text does not fit into the model's context.
        """
        ...


@runtime_checkable
class BatchScoringModel(ScoringModel, Protocol):
    """A scoring model that takes many conversations at once."""

    def log_probs_batch(
        self, requests: Sequence[ScoringRequest], *, end_of_turn: bool = True
    ) -> list[list[TokenLogProbs]]:
        """Returns what `log_probs` gives for each request."""
        ...


@runtime_checkable
class Checkable(Protocol):
    """A model of which it has to be found out whether it gives log-probabilities."""

    def check(self) -> None:
        """Makes sure that it gives the right ones, at the first call that succeeds.

        Raises:
            ConfigError: If it does not.
            LLMError: If there is no answer.
        """
        ...


def check_scoring(model: ScoringModel) -> None:
    """Makes sure that a model gives log-probabilities, if that is not known of it.

    Raises:
        ConfigError: If it gives none.
        LLMError: If there is no answer.
    """
    if isinstance(model, Checkable):
        model.check()


def log_probs_of_all(
    model: ScoringModel,
    requests: Sequence[ScoringRequest],
    *,
    end_of_turn: bool = True,
) -> list[list[TokenLogProbs]]:
    """Returns the log-probabilities for each request, at once if the model can.

    Args:
        model: Who gives them.
        requests: The conversations with their continuations.
        end_of_turn: As in `ScoringModel.log_probs`.

    Raises:
        ValueError: As in `ScoringModel.log_probs`.
        LLMError: If the model gives none.
    """
    if isinstance(model, BatchScoringModel):
        return model.log_probs_batch(requests, end_of_turn=end_of_turn)
    return [
        model.log_probs(
            request.messages, request.continuations, end_of_turn=end_of_turn
        )
        for request in requests
    ]
