"""Scores of actions, from what a language model holds of their words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.providers.policies.scoring import causal, seq2seq
from cwm.providers.policies.scoring.config import ScoringConfig
from cwm.providers.policies.scoring.layouts import targets_of
from cwm.providers.policies.scoring.reading import Measured
from cwm.providers.policies.scoring.rules import action_scores
from cwm.providers.policies.scoring.tokens import ActionTokenizer, TokenizedActions

torch = LazyPackage("torch")

_CHECK_TOLERANCE = {"float32": 0.01}
_CHECK_TOLERANCE_ROUNDED = 0.5


class ScoredActions(NamedTuple):
    """Scores of `A` actions after each of `N` prompts.

    Attributes:
        scores: `[N, A]` in `float32`: what a softmax over actions makes a policy of.
        hidden: `[N, H]` in the model's number type: the last layer's hidden state at
            the token before the actions, which for a decoder-only model is the
            prompt's last one, and for others the decoder's first.
    """

    scores: Tensor
    hidden: Tensor


class ActionScorer:
    """Scores actions with a causal language model, or one of T5's kind.

    A decoder-only model reads prompt and action as one text, after the first token
    that its tokenizer of transformers asks for; see `ActionTokenizer` for where they
    part. An encoder-decoder model reads the prompt in the encoder, with no end token,
    and predicts the action in the decoder. What is not trained, and not the softmax
    over the actions, is left to the caller: the model stays in its mode of training
    or evaluation, and dropout is not switched off.
    """

    def __init__(self, model: Any, tokenizer: Any, config: ScoringConfig) -> None:
        """Makes the scorer.

        Args:
            model: A model of transformers with an output layer, adapters of peft
                included.
            tokenizer: A tokenizer of transformers, or `TextTokens`.
            config: Settings.

        Raises:
            ConfigError: If the end token is asked for and there is none.
        """
        self._model = model
        self._config = config
        self._is_joined = not model.config.is_encoder_decoder
        self._passes: Any = causal if self._is_joined else seq2seq
        self._tokenizer = ActionTokenizer(
            tokenizer, is_joined=self._is_joined, has_end=config.has_end
        )

    def __call__(self, prompts: Sequence[str], actions: Sequence[str]) -> ScoredActions:
        """Returns the scores, with a gradient unless torch was told otherwise.

        Args:
            prompts: At least one.
            actions: At least one; the same for all prompts.

        Raises:
            ValueError: If there are no prompts or actions, or one has no tokens.
            LLMError: If one with its actions does not fit into the context.
            ConfigError: If the engine does not fit the model.
        """
        items = self._items(prompts, actions)
        measured = self._measure(self._config.engine, items)
        lengths = targets_of(items).lengths
        scores = action_scores(measured, lengths, actions, self._config)
        return ScoredActions(scores, measured.hidden)

    def hidden(self, prompts: Sequence[str]) -> Tensor:
        """Returns the hidden states before actions, `[N, H]`, in a pass without any.

        They are those of `ScoredActions`, unless an action merges with the prompt's
        last token.

        Args:
            prompts: At least one.

        Raises:
            ValueError: If there are no prompts, or one has no tokens.
            LLMError: If one does not fit into the context.
        """
        _check_some("prompts", prompts)
        ids = [self._tokenizer.prompt(prompt) for prompt in prompts]
        self._check_length(max(map(len, ids)))
        return self._passes.hidden_states(self._model, ids)

    def check(self, prompt: str, actions: Sequence[str]) -> None:
        """Checks that the engine gives what single texts give.

        Models that derive positions from masks take no trees, for example. One check
        when training starts is enough.

        Args:
            prompt: Any; it is scored whole and from its middle on.
            actions: At least one.

        Raises:
            ConfigError: If it does not.
        """
        parts = [part for part in (prompt, prompt[len(prompt) // 2 :]) if part.strip()]
        items = self._items(parts, actions)
        was_training = self._model.training
        self._model.eval()
        try:
            with torch.no_grad():
                difference = self._largest_difference(items)
        except torch.OutOfMemoryError:
            raise
        except (ValueError, RuntimeError, TypeError, AttributeError) as error:
            raise self._apart("an attention that does not take it") from error
        finally:
            self._model.train(was_training)
        dtype = str(self._model.dtype).removeprefix("torch.")
        if not difference <= _CHECK_TOLERANCE.get(dtype, _CHECK_TOLERANCE_ROUNDED):
            raise self._apart(f"log-probabilities {difference:.2g} apart")

    def _items(
        self, prompts: Sequence[str], actions: Sequence[str]
    ) -> list[TokenizedActions]:
        _check_some("prompts", prompts)
        _check_some("actions", actions)
        items = [self._tokenizer.split(prompt, actions) for prompt in prompts]
        for item in items:
            # The last token is predicted and never read.
            num_read = max(map(len, item.actions)) - 1
            num_prompt = len(item.prompt)
            self._check_length(num_prompt + num_read if self._is_joined else num_prompt)
        return items

    def _measure(self, engine: str, items: Sequence[TokenizedActions]) -> Measured:
        measure = getattr(self._passes, f"measure_{engine}")
        found: Measured = measure(self._model, items)
        return found

    def _largest_difference(self, items: Sequence[TokenizedActions]) -> float:
        found = self._measure(self._config.engine, items)
        lengths = targets_of(items).lengths
        differences = [0.0]
        for row, item in enumerate(items):
            for column, action in enumerate(item.actions):
                alone = TokenizedActions(item.prompt, (action,))
                expected = self._measure("flat", [alone])
                size = lengths[row, column]
                one = (found.logits - found.totals)[row, column, :size]
                other = (expected.logits - expected.totals)[0, 0, :size]
                differences.append(float((one - other).abs().max()))
        return max(differences)

    def _apart(self, found: str) -> ConfigError:
        return ConfigError(
            f"The engine {self._config.engine} must score actions as the model scores "
            f"each alone, got {found}. Take the engine flat, or another model."
        )

    def _check_length(self, num_tokens: int) -> None:
        config = self._model.config.get_text_config(decoder=True)
        limit = getattr(config, "max_position_embeddings", None)
        if limit is not None and num_tokens > limit:
            raise LLMError(
                f"The model's context is {limit} tokens, got a prompt that takes "
                f"{num_tokens} with its actions. Take a smaller window.",
                retryable=False,
                is_about_prompt=True,
            )


def _check_some(name: str, texts: Sequence[str]) -> None:
    if not texts:
        raise ValueError(f"{name} must have at least one text, got none.")
