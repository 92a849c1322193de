"""Language models that run in this process, with transformers.

Covers: folders, GGUF files and ids of the Hugging Face hub on one CPU or GPU, batches
    over threads, repeatable sampling, answers begun for the model, encoded prefixes
    kept between calls, log-probabilities.
Does not cover: training (`adapters` does), several devices, quantised computing
    (GGUF weights are unpacked), models that read images, code that comes with a
    model.
"""

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cwm.core.errors import LLMError
from cwm.llm.chat import (
    DEFAULT_SAMPLING,
    ChatCompletion,
    ChatMessage,
    SamplingConfig,
)
from cwm.llm.local.batching import Batcher
from cwm.llm.local.config import DEFAULT_LOCAL_CONFIG, LocalConfig
from cwm.llm.local.decoding import TransformersDecoder
from cwm.llm.local.loading import LoadedModel, ModelSource, load
from cwm.llm.local.prefixes import EncodingCounts, PromptEncoder
from cwm.llm.local.rows import Prompt, Row
from cwm.llm.local.scoring import TransformersScorer
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.local.texts import CompletionReader
from cwm.llm.local.tokenizing import TokenizedText, tokenize
from cwm.llm.scoring import ScoringRequest, TokenLogProbs

_BYTES_PER_MIB = 1024 * 1024

_DECIDING = (
    "device",
    "dtype",
    "top_k",
    "prefix_block_tokens",
    "plain_template",
    "template_arguments",
)
"""Settings that another answer may follow from; the others change its time only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engine:
    """What exists once the model is in memory."""

    loaded: LoadedModel
    template: ChatTemplate
    encoder: PromptEncoder
    batcher: Batcher
    scorer: TransformersScorer


class TransformersModel:
    """A chat model and scoring model, run by transformers in this process.

    The weights are read at the first call that needs them, or by `load`. Calls may
    come from several threads; they are answered together.
    """

    def __init__(
        self,
        source: ModelSource | LoadedModel,
        config: LocalConfig = DEFAULT_LOCAL_CONFIG,
    ) -> None:
        """Makes the model.

        Args:
            source: Where it is read from, or a model in memory.
            config: Settings; see `LocalConfig`. Of a model in memory, device and
                number type are its own.
        """
        self._source = source
        self._config = config
        self._engine: _Engine | None = None
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._is_closed = False

    @classmethod
    def from_hub_or_folder(
        cls, text: str, config: LocalConfig = DEFAULT_LOCAL_CONFIG
    ) -> "TransformersModel":
        """Returns the model that the text after `hf:` names.

        Raises:
            ConfigError: If it can only be a folder, and is none of a model.
            PrerequisiteError: If a package is missing.
        """
        return cls(ModelSource.from_hub_or_folder(text), config)

    @classmethod
    def from_gguf(
        cls, text: str, config: LocalConfig = DEFAULT_LOCAL_CONFIG
    ) -> "TransformersModel":
        """Returns the model that the text after `gguf:` names.

        Raises:
            ConfigError: If it is not a GGUF file.
            PrerequisiteError: If a package is missing.
        """
        return cls(ModelSource.from_gguf(text), config)

    @property
    def name(self) -> str:
        """The model's id: `hf:` or `gguf:`, and its name without folders."""
        return self._source.name

    @property
    def continues_assistant(self) -> bool:
        """Whether a last message of the assistant's is continued; loads the model."""
        return self._loaded_engine().template.continues_assistant

    @property
    def encoding_counts(self) -> EncodingCounts:
        """How many tokens of prompts were computed, and how many known; loads it."""
        return self._loaded_engine().encoder.counts

    @property
    def config(self) -> LocalConfig:
        """How it is run."""
        return self._config

    @property
    def loaded(self) -> LoadedModel:
        """Weights and tokenizer; loads them."""
        return self._loaded_engine().loaded

    @property
    def template(self) -> ChatTemplate:
        """How it is shown conversations; loads it."""
        return self._loaded_engine().template

    def load(self) -> None:
        """Reads the weights, if that has not been done.

        Raises:
            ConfigError: If the model cannot be used; the reason is in the message.
            PrerequisiteError: If a package is missing.
        """
        self._loaded_engine()

    @property
    def identity(self) -> Mapping[str, Any]:
        """What decides the answers besides the name, as plain data.

        The weights are known by size and samples of the files; of an id of the hub
        only the id is known.
        """
        identity = {
            key: value
            for key, value in asdict(self._config).items()
            if key in _DECIDING
        }
        fingerprint = self._source.fingerprint()
        return {**identity, **({"weights": fingerprint} if fingerprint else {})}

    def close(self) -> None:
        """Ends the calls in work with an `LLMError`, and refuses later ones."""
        with self._lock:
            self._is_closed = True
            engine = self._engine
        if engine is not None:
            engine.batcher.close()

    def forget_prefixes(self) -> None:
        """Forgets encoded prompts: needed when the weights have been changed."""
        engine = self._loaded_engine()
        engine.batcher.alone(engine.encoder.forget)

    def complete(
        self,
        messages: Sequence[ChatMessage],
        *,
        num_completions: int = 1,
        temperature: float = DEFAULT_SAMPLING.temperature,
        top_p: float = DEFAULT_SAMPLING.top_p,
        max_tokens: int = DEFAULT_SAMPLING.max_tokens,
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> list[ChatCompletion]:
        """Returns `num_completions` answers; see `ChatModel.complete`.

        A last message of the assistant's is continued: the answers are what follows
        it. Completion `i` has a random stream of its own, from `seed` and `i`: with a
        seed, it does not matter what runs beside it. A prompt that leaves less room
        than `max_tokens` in the context gets what there is, and the finish reason
        `length` at its end.

        Raises:
            LLMError: If the prompt does not fit into the context, the template
                refuses the messages, or the memory does not suffice.
        """
        if num_completions < 1:
            raise ValueError(
                f"num_completions must be at least 1, got {num_completions}."
            )
        sampling = SamplingConfig(
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            stop=tuple(stop),
        )
        engine = self._loaded_engine()
        prompt = Prompt(engine.template.token_ids(engine.template.prompt(messages)))
        room = self._checked_room(engine.loaded, prompt)
        is_continued = messages[-1].role == "assistant"
        reader = CompletionReader(
            engine.loaded.tokenizer,
            before=prompt.token_ids if is_continued else (),
            stop=sampling.stop,
        )
        rows = [
            Row(
                prompt=prompt,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=self._config.top_k,
                max_tokens=min(sampling.max_tokens, room),
                end_ids=engine.template.turn_end_ids,
                has_stopped=reader.has_stopped,
                rng=_generator(seed, index),
            )
            for index in range(num_completions)
        ]
        engine.batcher.run(rows)
        return [
            _completion(row, reader, name=self.name, is_first=row is rows[0])
            for row in rows
        ]

    def log_probs(
        self,
        messages: Sequence[ChatMessage],
        continuations: Sequence[str],
        *,
        end_of_turn: bool = True,
    ) -> list[TokenLogProbs]:
        """Returns log-probabilities of each continuation; see `ScoringModel`.

        Raises:
            ValueError: If a continuation merges with the prompt's last token.
            LLMError: If a text does not fit into the context.
            ConfigError: If the model's attention does not allow for it.
        """
        request = ScoringRequest(messages=messages, continuations=continuations)
        (found,) = self.log_probs_batch([request], end_of_turn=end_of_turn)
        return found

    def log_probs_batch(
        self, requests: Sequence[ScoringRequest], *, end_of_turn: bool = True
    ) -> list[list[TokenLogProbs]]:
        """Returns what `log_probs` gives for each request, in common passes.

        Raises:
            ValueError: If a continuation merges with the prompt's last token.
            LLMError: If a text does not fit into the context.
            ConfigError: If the model's attention does not allow for it.
        """
        engine = self._loaded_engine()
        return engine.scorer.score(
            requests, end_of_turn=end_of_turn, alone=engine.batcher.alone
        )

    def tokenize(
        self, requests: Sequence[ScoringRequest], *, end_of_turn: bool = True
    ) -> list[list[TokenizedText]]:
        """Returns the texts that `log_probs_batch` scores; loads the tokenizer.

        Raises:
            ValueError: If a continuation merges with the prompt's last token.
            LLMError: If a text does not fit into the context.
        """
        engine = self._loaded_engine()
        return [
            tokenize(engine.loaded, engine.template, request, end_of_turn=end_of_turn)
            for request in requests
        ]

    def room(self, messages: Sequence[ChatMessage]) -> int | None:
        """Returns how many tokens an answer may have; see `KnowsContext`.

        Loads the tokenizer.

        Raises:
            LLMError: If the template refuses the messages.
        """
        engine = self._loaded_engine()
        prompt = Prompt(engine.template.token_ids(engine.template.prompt(messages)))
        return _room(engine.loaded, prompt)

    def _checked_room(self, loaded: LoadedModel, prompt: Prompt) -> int:
        room = _room(loaded, prompt)
        if room is None:
            return sys.maxsize
        if room < 1:
            raise LLMError(
                f"The context of {self.name} is {loaded.context_tokens} tokens, got a "
                f"prompt of {len(prompt.token_ids)}. Take a model with a longer one, "
                "or show it less.",
                retryable=False,
                is_about_prompt=True,
            )
        return room

    def _loaded_engine(self) -> _Engine:
        # Closing must not wait until a model is read that nobody wants any more.
        with self._loading:
            if self._engine is None and not self._is_closed:
                engine = _engine(self._source, self._config)
                with self._lock:
                    self._engine = engine
            if self._engine is None or self._is_closed:
                raise LLMError(f"{self.name} was closed.", retryable=False)
            return self._engine


def _engine(source: ModelSource | LoadedModel, config: LocalConfig) -> _Engine:
    loaded = source if isinstance(source, LoadedModel) else load(source, config)
    template = ChatTemplate(
        name=loaded.name,
        tokenizer=loaded.tokenizer,
        plain=config.plain_template,
        arguments=config.template_arguments,
        end_ids=loaded.end_ids,
    )
    encoder = PromptEncoder(
        loaded.model,
        max_bytes=config.prefix_cache_mib * _BYTES_PER_MIB,
        block_tokens=config.prefix_block_tokens,
    )
    is_cpu = loaded.model.device.type == "cpu"
    return _Engine(
        loaded=loaded,
        template=template,
        encoder=encoder,
        batcher=Batcher(
            TransformersDecoder(loaded.model, encoder), max_batch=config.max_batch
        ),
        scorer=TransformersScorer(
            loaded,
            template,
            encoder,
            block_tokens=config.scoring_block_tokens or (512 if is_cpu else 4096),
        ),
    )


def _room(loaded: LoadedModel, prompt: Prompt) -> int | None:
    """Returns how many tokens may follow a prompt; `None` without a limit."""
    limit = loaded.context_tokens
    return None if limit is None else limit - len(prompt.token_ids)


def _generator(seed: int | None, index: int) -> np.random.Generator:
    if seed is None:
        return np.random.default_rng()
    # A sequence of seeds holds no negative numbers.
    entropy = [abs(seed), int(seed < 0), index]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def _completion(
    row: Row, reader: CompletionReader, *, name: str, is_first: bool
) -> ChatCompletion:
    text, is_cut = reader.text(row.token_ids)
    return ChatCompletion(
        text=text,
        finish_reason="stop" if is_cut else row.finish_reason or "other",
        prompt_tokens=len(row.prompt.token_ids) if is_first else 0,
        completion_tokens=len(row.token_ids),
        reused_prompt_tokens=row.prompt.num_reused_tokens if is_first else 0,
        model=name,
    )
