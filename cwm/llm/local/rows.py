"""One completion in the making."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cwm.llm.chat import FinishReason
from cwm.llm.local.sampling import Draw


@dataclass(slots=True, eq=False)
class Prompt:
    """The tokens that the completions of one call begin from.

    Attributes:
        token_ids: The tokens.
        num_reused_tokens: How many of them had been encoded before.
    """

    token_ids: tuple[int, ...]
    num_reused_tokens: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """One completion: how it is drawn, and how far it is.

    Attributes:
        prompt: What it continues; the same object for all completions of a call.
        temperature: As in `SamplingConfig`.
        top_p: As in `SamplingConfig`.
        top_k: As in `LocalConfig`.
        max_tokens: Longest completion.
        end_ids: Tokens that end it; they are counted and not part of the text.
        has_stopped: Tells from the tokens whether a text that ends it has come.
        rng: Source of its randomness; each token takes one number.
        token_ids: The tokens so far.
        finish_reason: Why it ended; `None` while it goes on.
        error: What went wrong, if it is not to be finished.
        is_abandoned: Whether nobody waits for it any more.
    """

    prompt: Prompt
    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    end_ids: frozenset[int]
    has_stopped: Callable[[Sequence[int]], bool]
    rng: np.random.Generator
    token_ids: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    error: BaseException | None = None
    is_abandoned: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be added."""
        return (
            self.finish_reason is not None
            or self.error is not None
            or self.is_abandoned
        )

    def draw(self) -> Draw:
        """Returns how the next token is drawn; advances `rng`."""
        return Draw(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            uniform=self.rng.random(),
        )

    def add(self, token_id: int) -> None:
        """Adds a token, and ends the completion where it has to end."""
        self.token_ids.append(token_id)
        if token_id in self.end_ids or self.has_stopped(self.token_ids):
            self.finish_reason = "stop"
        elif len(self.token_ids) >= self.max_tokens:
            self.finish_reason = "length"
