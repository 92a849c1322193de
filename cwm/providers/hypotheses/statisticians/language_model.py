"""A language model as statistician: how probable it takes each change to be."""

from collections.abc import Sequence

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.llm.chat import ChatMessage
from cwm.llm.scoring import (
    ScoringModel,
    ScoringRequest,
    check_scoring,
    log_probs_of_all,
)
from cwm.providers.hypotheses.texts import TextTransition
from prompts.hypotheses import HypothesisPrompts
from prompts.render import Prompt


def chat_messages(prompt: Prompt) -> list[ChatMessage]:
    """Returns the conversation that asks a prompt."""
    return [ChatMessage("system", prompt.system), ChatMessage("user", prompt.user)]


class LanguageModelStatistician:
    """Scores the change as the language model's answer; see `Statistician`.

    The log-probability of a transition is the sum over the tokens of the change and
    of those that end the turn, at temperature 1 (Levy et al., 2025,
    https://arxiv.org/abs/2506.06725). Each transition is scored by itself, without
    what happened before it.

    A call costs one scoring of all transitions together. Those of the same state and
    action are continuations of one prompt, and a scoring model that keeps beginnings
    reads what stands before the state once for each hypothesis.
    """

    is_stand_in = False

    def __init__(self, model: ScoringModel, prompts: HypothesisPrompts) -> None:
        """Makes the statistician.

        Args:
            model: Who scores.
            prompts: How the environment is described.
        """
        self._model = model
        self._prompts = prompts

    @property
    def name(self) -> str:
        """The model's id."""
        return self._model.name

    def check(self) -> None:
        """Makes sure that the model gives log-probabilities, before it is paid for.

        Raises:
            ConfigError: If it gives none.
            LLMError: If there is no answer.
        """
        check_scoring(self._model)

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        """Returns `log p(change | state, action, hypothesis)`, `[N]`; see the protocol.

        Raises:
            LLMError: If a prompt does not fit into the context, or there is no answer.
            ConfigError: If the model gives no log-probabilities.
        """
        places: dict[tuple[str, str], list[int]] = {}
        for index, one in enumerate(transitions):
            places.setdefault((one.state, one.action), []).append(index)
        requests = [
            ScoringRequest(
                messages=chat_messages(
                    self._prompts.statistician(hypothesis, state, action)
                ),
                continuations=[transitions[index].change for index in indices],
            )
            for (state, action), indices in places.items()
        ]
        found = log_probs_of_all(self._model, requests, end_of_turn=True)
        totals = np.zeros(len(transitions), dtype=np.float64)
        for indices, scores in zip(places.values(), found, strict=True):
            totals[indices] = [score.total for score in scores]
        return totals
