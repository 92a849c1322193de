"""How probable an agent finds each candidate for its next action.

An agent's answer is a thought and an action; it is begun for it up to `Action:`, and
the model scores what may follow (Qiao et al., 2024, https://arxiv.org/abs/2405.14205).
A candidate is scored with the blank before it: after `Action: ` with a blank, the
tokens of the training could not follow.

Covers: any `ScoringModel`; whole candidates; their first tokens alone, as published.
Does not cover: making probabilities of the scores and mixing them with others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.llm.chat import ChatMessage
from cwm.llm.scoring import (
    ScoringModel,
    ScoringRequest,
    TokenLogProbs,
    log_probs_of_all,
)

ScoringMode: TypeAlias = Literal["sum", "mean", "first_token"]
"""Log-probability of the whole candidate; its mean over the tokens; that of the first
token alone, as published: of candidates that begin alike it cannot tell one from
another."""

ACTION = "Action:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A moment at which an agent chooses.

    Attributes:
        messages: The conversation so far; the last message is the user's.
        begun: The answer up to and with `Action:`, without a blank at its end.
        candidates: What may follow, without blanks around; each once.
    """

    messages: Sequence[ChatMessage]
    begun: str
    candidates: Sequence[str]

    def __post_init__(self) -> None:
        if not self.begun or self.begun != self.begun.rstrip():
            raise ValueError(
                "begun must be the beginning of an answer without a blank at its end, "
                f"got {self.begun[-20:]!r}."
            )
        if any(not text or text != text.strip() for text in self.candidates):
            raise ValueError("candidates must be texts without blanks around them.")
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError("candidates must differ, got one twice.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChoiceScores:
    """What a model gives to the candidates of a choice.

    Attributes:
        candidates: As they were asked for.
        scores: `[len(candidates)]`, in nats. A softmax gives the probabilities among
            the candidates.
        collisions: Candidates that begin with the same token, where only first tokens
            were scored: each group has one score in common.
    """

    candidates: tuple[str, ...]
    scores: FloatArray
    collisions: tuple[tuple[str, ...], ...] = ()


def begun_answer(thought: str = "") -> str:
    """Returns an answer up to its action."""
    return f"Thought: {thought}\n{ACTION}" if thought else ACTION


def score_choices(
    model: ScoringModel,
    choices: Sequence[Choice],
    *,
    mode: ScoringMode = "sum",
    end_of_turn: bool = True,
) -> list[ChoiceScores]:
    """Returns the scores of each choice's candidates.

    All are asked for in one call where the model allows it, and what texts begin with
    is read once.

    Args:
        model: Gives the log-probabilities.
        choices: What is chosen from.
        mode: What counts.
        end_of_turn: Whether a candidate is all that is said, so that the end of the
            turn counts, too; without it `open` and `open door` are not compared
            fairly. First tokens are scored without it.

    Raises:
        ValueError: If a candidate merges with what stands before it.
        ConfigError: If the model gives no log-probabilities.
        LLMError: If a text does not fit into the context, or the model cannot go on
            with a begun answer.
    """
    requests = [
        ScoringRequest(
            messages=[*one.messages, ChatMessage("assistant", one.begun)],
            continuations=[f" {text}" for text in one.candidates],
        )
        for one in choices
    ]
    found = log_probs_of_all(
        model, requests, end_of_turn=end_of_turn and mode != "first_token"
    )
    return [
        ChoiceScores(
            candidates=tuple(choice.candidates),
            scores=np.array([_score(one, mode) for one in scored], dtype=np.float64),
            collisions=_collisions(choice, scored) if mode == "first_token" else (),
        )
        for choice, scored in zip(choices, found, strict=True)
    ]


def _score(scored: TokenLogProbs, mode: ScoringMode) -> float:
    if mode == "first_token":
        return float(scored.log_probs[0])
    return scored.total if mode == "sum" else scored.mean


def _collisions(
    choice: Choice, scored: Sequence[TokenLogProbs]
) -> tuple[tuple[str, ...], ...]:
    groups: dict[int, list[str]] = {}
    for text, one in zip(choice.candidates, scored, strict=True):
        groups.setdefault(one.token_ids[0], []).append(text)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)
