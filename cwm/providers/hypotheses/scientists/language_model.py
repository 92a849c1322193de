"""A language model as scientist: hypotheses as it writes them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cwm.core.errors import ConfigError, LLMError
from cwm.core.protocols import FloatArray
from cwm.llm.chat import ChatCompletion, ChatMessage, ChatModel, KnowsContext
from cwm.llm.notices import warn
from cwm.llm.scoring import (
    ScoringModel,
    ScoringRequest,
    check_scoring,
    log_probs_of_all,
)
from cwm.providers.hypotheses.roles import Evidence, Proposal
from cwm.providers.hypotheses.statisticians.language_model import chat_messages
from prompts.hypotheses import HypothesisPrompts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Said:
    """One hypothesis with its evidence and its place in the list."""

    place: int
    proposal: Proposal
    evidence: Evidence


class LanguageModelScientist:
    """Draws hypotheses at temperature 1 from all tokens; see `Scientist`.

    A hypothesis is the whole answer as it stands: nothing is stripped or read out of it
    (Levy et al., 2025, https://arxiv.org/abs/2506.06725).

    `log_probs` reads hypotheses, drawn or not, in the same way and under the prompt
    that their evidence gives: the two directions of a Metropolis-Hastings step are
    measured alike. Blanks at a beginning that would merge with the prompt's last token
    are left out there.

    Evidence that does not fit into the model's context is shown in part: of every
    trajectory half of the steps, from its beginning, then half of these, and so on.
    Of a model that knows its context (`KnowsContext`) what is shown depends on the
    evidence alone: there is room for `max_tokens` after it, if one step leaves that,
    and a text that is too long even so has the probability 0. Of another, a prompt is
    too long if the model refuses it. It may refuse one before an answer of
    `max_tokens`, and take it with a shorter text that is scored: then the two are not
    measured under the same prompt.
    """

    is_stand_in = False

    def __init__(
        self,
        model: ChatModel,
        prompts: HypothesisPrompts,
        *,
        max_tokens: int,
        scorer: ScoringModel | None = None,
        warn: Callable[[str], None] = warn,
    ) -> None:
        """Makes the scientist.

        Args:
            model: Who writes.
            prompts: How the environment is described.
            max_tokens: Longest hypothesis, in tokens; at least 1.
            scorer: The same model as one that scores, for `log_probs`; by default
                `model` itself, if it can.
            warn: Told once if evidence is shown in part.

        Raises:
            ValueError: If `max_tokens` is below 1.
        """
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {max_tokens}.")
        self._model = model
        self._prompts = prompts
        self._max_tokens = max_tokens
        if scorer is None and isinstance(model, ScoringModel):
            scorer = model
        self._scorer = scorer
        self._warn = warn
        self._has_warned = False

    @property
    def name(self) -> str:
        """The model's id."""
        return self._model.name

    @property
    def has_log_probs(self) -> bool:
        """Whether the model can score texts."""
        return self._scorer is not None

    def check_log_probs(self) -> None:
        """Makes sure that `log_probs` has an answer, before it is paid for.

        Raises:
            ConfigError: If the model gives no log-probabilities.
            LLMError: If there is no answer.
        """
        check_scoring(self._scoring())

    def propose(
        self, evidence: Sequence[Evidence], *, seeds: Sequence[int]
    ) -> list[Proposal]:
        """Returns a hypothesis for each evidence; one call of the model each.

        Raises:
            LLMError: If there is no answer, or not even one step of each trajectory
                fits into the context.
        """
        return [
            self._propose(one, seed) for one, seed in zip(evidence, seeds, strict=True)
        ]

    def _propose(self, evidence: Evidence, seed: int) -> Proposal:
        def draw(messages: list[ChatMessage]) -> ChatCompletion:
            (completion,) = self._model.complete(
                messages,
                temperature=1.0,
                top_p=1.0,
                max_tokens=self._max_tokens,
                seed=seed,
            )
            return completion

        shown = self._shown(evidence)
        completion = draw(shown) if shown else self._halving(evidence, draw)
        return Proposal(
            hypothesis=completion.text,
            is_whole=completion.finish_reason == "stop",
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
        )

    def log_probs(
        self, proposals: Sequence[Proposal], evidence: Sequence[Evidence]
    ) -> FloatArray:
        """Returns `log q(hypothesis | evidence)`, `[N]`; see `Scientist`.

        Raises:
            ConfigError: If the model gives no log-probabilities.
            LLMError: If there is no answer, or no step of a trajectory fits, where
                the context is not known.
        """
        scorer = self._scoring()
        totals = np.zeros(len(proposals), dtype=np.float64)
        pairs = zip(proposals, evidence, strict=True)
        said = [_Said(place, *pair) for place, pair in enumerate(pairs)]
        for is_whole in (True, False):
            group = [one for one in said if one.proposal.is_whole is is_whole]
            if group:
                places = [one.place for one in group]
                totals[places] = self._score(scorer, group, is_whole)
        return totals

    def _scoring(self) -> ScoringModel:
        if self._scorer is None:
            raise ConfigError(
                f"The scientist must give log-probabilities here, got {self.name}, "
                "which gives none. Take another method than metropolis-hastings and "
                "importance, or a model that scores texts."
            )
        return self._scorer

    def _score(
        self, scorer: ScoringModel, said: Sequence[_Said], is_whole: bool
    ) -> list[float]:
        requests = [
            ScoringRequest(
                messages=self._shown(one.evidence) or self._messages(one.evidence),
                continuations=[one.proposal.hypothesis],
            )
            for one in said
        ]
        try:
            found = log_probs_of_all(scorer, requests, end_of_turn=is_whole)
            return [score.total for (score,) in found]
        except ValueError:
            pass
        except LLMError as error:
            if not error.is_about_prompt:
                raise
        # One of them is too long, or needs another beginning.
        return [self._score_alone(scorer, one, is_whole) for one in said]

    def _score_alone(self, scorer: ScoringModel, said: _Said, is_whole: bool) -> float:
        def score(messages: list[ChatMessage]) -> float:
            text = said.proposal.hypothesis
            try:
                found = scorer.log_probs(messages, [text], end_of_turn=is_whole)
            except ValueError:
                found = scorer.log_probs(
                    messages, [text.lstrip()], end_of_turn=is_whole
                )
            return found[0].total

        shown = self._shown(said.evidence)
        if shown is None:
            return self._halving(said.evidence, score)
        try:
            return score(shown)
        except LLMError as error:
            if not error.is_about_prompt:
                raise
            return -math.inf  # Nobody can write that there.

    def _shown(self, evidence: Evidence) -> list[ChatMessage] | None:
        """Returns the longest prompt that leaves room for any hypothesis.

        The shortest if none does; `None` if the context is not known.
        """
        model = self._model
        if not isinstance(model, KnowsContext):
            return None
        *longer, shortest = _step_limits(evidence)
        for limit in longer:
            messages = self._messages(evidence, limit)
            room = model.room(messages)
            if room is None or room >= self._max_tokens:
                return messages
            self._tell(
                f"The context has room for {max(room, 0)} tokens after all of them, "
                f"and max_tokens is {self._max_tokens}."
            )
        return self._messages(evidence, shortest)

    def _halving(self, evidence: Evidence, ask: Callable[[list[ChatMessage]], T]) -> T:
        """Returns the answer to the longest prompt that is not refused as too long."""
        *longer, shortest = _step_limits(evidence)
        for limit in longer:
            try:
                return ask(self._messages(evidence, limit))
            except LLMError as error:
                if not error.is_about_prompt:
                    raise
                self._tell(str(error))
        return ask(self._messages(evidence, shortest))

    def _tell(self, reason: str) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        self._warn(
            f"The scientist {self.name} is shown fewer steps of each trajectory: "
            f"{reason} Bring fewer or shorter trajectories to have them shown whole."
        )

    def _messages(
        self, evidence: Evidence, max_steps: int | None = None
    ) -> list[ChatMessage]:
        return chat_messages(
            self._prompts.scientist(
                evidence.trajectories,
                previous=evidence.previous,
                worst=evidence.worst,
                max_steps=max_steps,
            )
        )


def _step_limits(evidence: Evidence) -> Iterator[int | None]:
    """Yields how many steps of each trajectory to show: all, half of them, ..., 1."""
    yield None
    limit = max(map(len, (*evidence.trajectories, *evidence.worst)), default=0)
    while limit > 1:
        limit = -(-limit // 2)
        yield limit
