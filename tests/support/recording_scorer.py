"""A scoring model with the numbers of a function, and a memory of its calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cwm.llm.chat import ChatMessage
from cwm.llm.scoring import TokenLogProbs

Score: TypeAlias = Callable[[Sequence[ChatMessage], str], float]
"""Maps a conversation and a continuation to a log-probability, in nats."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `log_probs`."""

    messages: tuple[ChatMessage, ...]
    continuations: tuple[str, ...]
    end_of_turn: bool


class RecordingScorer:
    """Gives each continuation as one token."""

    name = "recording"

    def __init__(self, score: Score = lambda messages, text: -float(len(text))) -> None:
        self._score = score
        self.calls: list[Call] = []

    def log_probs(
        self,
        messages: Sequence[ChatMessage],
        continuations: Sequence[str],
        *,
        end_of_turn: bool = True,
    ) -> list[TokenLogProbs]:
        self.calls.append(Call(tuple(messages), tuple(continuations), end_of_turn))
        return [
            TokenLogProbs(
                token_ids=(0,),
                tokens=(text,),
                log_probs=np.array([self._score(messages, text)], dtype=np.float32),
            )
            for text in continuations
        ]
