"""A hypothesis with its statistician, as a world model and as a likelihood model."""

from collections.abc import Hashable, Iterable
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from cwm.core.errors import ConfigError
from cwm.core.protocols import FloatArray, ModelError, StepResult, Values
from cwm.core.spaces import Value
from cwm.providers.hypotheses.models.readings import Reading, WordsState
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.texts import TextTransition

Choice: TypeAlias = Literal["most likely", "sampled"]
"""Which change a step takes: the most probable one, or one drawn by probability."""

MAX_KEPT = 100_000
"""Predictions that are kept; beyond, the oldest are forgotten."""


class Prediction(NamedTuple):
    """What may come of an action.

    Attributes:
        changes: `C` sentences.
        log_probs: Natural logarithms of their probabilities, `[C]`; these sum to 1.
    """

    changes: tuple[str, ...]
    log_probs: FloatArray


class HypothesisWorldModel:
    """Predicts the next text by the change sentence that a statistician finds likely.

    A statistician weighs all candidate changes of a state text, whatever was done; its
    log-likelihoods, normalised over them, are the prediction. The sentence is then
    carried out on the text. Implements `KeyedWorldModel` and `LikelihoodModel`. Steps
    start from states or from state texts.

    Args:
        statistician: Who weighs changes.
        reading: What the words of the environment mean.
        hypothesis: What the statistician is to believe; `None` for nothing.
        choice: Which change a step takes.
        consistent_only: Whether only changes are weighed that are of the kind that
            comes of the action. It takes from the statistician what it has to know,
            so that the model knows more than it was told.

    Attributes:
        num_scored: Transitions that the statistician was asked about.
    """

    def __init__(
        self,
        statistician: Statistician,
        reading: Reading,
        hypothesis: str | None = None,
        *,
        choice: Choice = "most likely",
        consistent_only: bool = False,
    ) -> None:
        if choice not in get_args(Choice):
            names = ", ".join(get_args(Choice))
            raise ConfigError(f"choice must be one of {names}, got {choice!r}.")
        self.statistician = statistician
        self.reading = reading
        self.hypothesis = hypothesis
        self.choice = choice
        self.consistent_only = consistent_only
        self.num_scored = 0
        self._kept: dict[tuple[str | None, str, int], Prediction] = {}

    def predict(self, text: str, action: int) -> Prediction:
        """Returns what may come of an action.

        Raises:
            ModelError: If the text is none of the environment's, or no change has a
                probability.
            CwmError: If the statistician has no answer.
        """
        return self._predictions([(text, action)])[0]

    def step(self, state: Any, action: Value, rng: np.random.Generator) -> StepResult:
        """Returns the outcome of `action`; see `cwm.core.protocols.WorldModel`.

        Args:
            state: A state of this model, or a state text.
            action: One action.
            rng: Advanced by a step if changes are drawn.
        """
        here = self._state(state)
        changes, log_probs = self.predict(here.text, int(action))
        if self.choice == "sampled":
            index = int(rng.choice(len(changes), p=np.exp(log_probs)))
        else:
            index = int(log_probs.argmax())
        after, reward, terminated = self.reading.follow(
            here, int(action), changes[index]
        )
        return StepResult(after, after.text, reward, terminated)

    def legal_actions(self, state: Any) -> tuple[int, ...]:
        """Returns the actions that the text allows."""
        return self.reading.actions(self._state(state).text)

    def state_key(self, state: Any) -> Hashable:
        """Returns the text and what has been reached."""
        return self._state(state)

    def log_probs(
        self, observations: Values, actions: Values, next_observations: Values
    ) -> FloatArray:
        """Returns log-probabilities of the changes that lead to texts, `[N]`.

        Texts that one sentence leads to have its probability together; see
        `envs.playground.applying` for when there are several.

        Args:
            observations: `N` state texts.
            actions: `N` actions.
            next_observations: `N` state texts.
        """
        pairs = [(str(o), int(a)) for o, a in zip(observations, actions, strict=True)]
        found = np.full(len(pairs), -np.inf)
        predictions = self._predictions(pairs)
        for row, (pair, after) in enumerate(zip(pairs, next_observations, strict=True)):
            changes, log_probs = predictions[row]
            try:
                change = self.reading.change_between(*pair, str(after))
            except ValueError:
                continue
            if change in changes:
                found[row] = log_probs[changes.index(change)]
        return found

    def _state(self, state: Any) -> WordsState:
        if isinstance(state, WordsState):
            return state
        try:
            return self.reading.begin(str(state))
        except ValueError as error:
            raise ModelError(str(error)) from error

    def _predictions(self, pairs: list[tuple[str, int]]) -> list[Prediction]:
        """Returns predictions, those that are not known yet by one request."""
        found = {
            pair: self._kept[self.hypothesis, *pair]
            for pair in pairs
            if (self.hypothesis, *pair) in self._kept
        }
        new = {pair: self._transitions(*pair) for pair in pairs if pair not in found}
        asked = [one for transitions in new.values() for one in transitions]
        log_probs = np.zeros(0)
        if asked:
            log_probs = self.statistician.log_probs(self.hypothesis, asked)
            self.num_scored += len(asked)
        start = 0
        for pair, transitions in new.items():
            end = start + len(transitions)
            found[pair] = _normalised(transitions, log_probs[start:end])
            self._keep(pair, found[pair])
            start = end
        return [found[pair] for pair in pairs]

    def _keep(self, pair: tuple[str, int], prediction: Prediction) -> None:
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[self.hypothesis, *pair] = prediction

    def _transitions(self, text: str, action: int) -> list[TextTransition]:
        try:
            changes: Iterable[str] = self.reading.candidates(text)
        except ValueError as error:
            raise ModelError(str(error)) from error
        if self.consistent_only:
            changes = [
                c for c in changes if self.reading.is_consistent(text, action, c)
            ]
        said = self.reading.say_action(text, action)
        return [TextTransition(text, said, change) for change in changes]


def _normalised(transitions: list[TextTransition], log_probs: FloatArray) -> Prediction:
    total = np.logaddexp.reduce(log_probs, initial=-np.inf)
    if not np.isfinite(total):
        raise ModelError(
            "At least one change must have a probability, got none for "
            f"{len(transitions)} of them."
        )
    return Prediction(tuple(one.change for one in transitions), log_probs - total)
