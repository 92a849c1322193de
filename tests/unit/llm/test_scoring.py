"""Log-probabilities as values, and models that give them."""

from collections.abc import Sequence

import numpy as np
import pytest

from cwm.llm.chat import ChatMessage
from cwm.llm.continuation import continues_assistant
from cwm.llm.scoring import (
    BatchScoringModel,
    ScoringModel,
    ScoringRequest,
    TokenLogProbs,
    log_probs_of_all,
)


def found(*values: float) -> TokenLogProbs:
    return TokenLogProbs(
        token_ids=tuple(range(len(values))),
        tokens=tuple("abcdef"[: len(values)]),
        log_probs=np.asarray(values, dtype=np.float32),
    )


class Lengths:
    """Gives each continuation minus its length."""

    name = "lengths"

    def log_probs(
        self,
        messages: Sequence[ChatMessage],
        continuations: Sequence[str],
        *,
        end_of_turn: bool = True,
    ) -> list[TokenLogProbs]:
        return [found(-float(len(text)) - end_of_turn) for text in continuations]


class LengthsAtOnce(Lengths):
    def log_probs_batch(
        self, requests: Sequence[ScoringRequest], *, end_of_turn: bool = True
    ) -> list[list[TokenLogProbs]]:
        return [[found(1.0 + end_of_turn)] for _ in requests]


def test_total_and_mean_are_those_of_the_tokens() -> None:
    scores = found(-1.0, -2.0, -6.0)
    assert (scores.total, scores.mean) == (-9.0, -3.0)
    assert (found().total, found().mean) == (0.0, 0.0)


def test_the_total_of_many_tokens_is_not_rounded_as_they_are() -> None:
    assert found(*[-0.1] * 6).total == pytest.approx(6 * float(np.float32(-0.1)))
    many = TokenLogProbs(
        token_ids=(0,) * 100_001,
        tokens=("a",) * 100_001,
        log_probs=np.asarray([-1e6, *[-0.01] * 100_000], dtype=np.float32),
    )
    assert many.total == pytest.approx(-1_001_000.0, abs=0.01)


REQUESTS = [
    ScoringRequest(messages=[ChatMessage("user", "x")], continuations=["a", "bcd"]),
    ScoringRequest(messages=[ChatMessage("user", "y")], continuations=["ef"]),
]


def test_a_model_without_batches_is_asked_for_each_request() -> None:
    assert isinstance(Lengths(), ScoringModel)
    assert not isinstance(Lengths(), BatchScoringModel)
    scores = log_probs_of_all(Lengths(), REQUESTS, end_of_turn=False)
    assert [[s.total for s in group] for group in scores] == [[-1.0, -3.0], [-2.0]]


def test_a_model_with_batches_is_asked_once() -> None:
    scores = log_probs_of_all(LengthsAtOnce(), REQUESTS, end_of_turn=False)
    assert [[s.total for s in group] for group in scores] == [[1.0], [1.0]]


class Continuing:
    def __init__(self, *, continues: bool) -> None:
        self.continues_assistant = continues


def test_a_model_continues_only_if_it_says_so() -> None:
    assert continues_assistant(Continuing(continues=True))
    assert not continues_assistant(Continuing(continues=False))
    assert not continues_assistant(Lengths())
