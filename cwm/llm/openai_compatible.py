"""Chat models behind any endpoint that speaks OpenAI's chat completions.

Covers: the key, retries, services that ignore `n` or refuse a parameter, answers
    that are not of the stated form, and a clear reason for each way to fail.
Does not cover: streaming, tools, images, log-probabilities, budgets and prices.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.llm.chat import (
    DEFAULT_SAMPLING,
    ChatCompletion,
    ChatMessage,
    FinishReason,
)
from cwm.llm.failures import service_error
from cwm.llm.retrying import RetryConfig, ServiceError, call_with_retries

OPENAI_BASE_URL = "https://api.openai.com/v1"

KEY_VARIABLE = "OPENAI_API_KEY"

_NO_KEY = "no-key"
"""Sent to services that need none; the client refuses to send nothing."""

_RENAMED = {"max_tokens": "max_completion_tokens"}
_OPTIONAL = ("temperature", "top_p", "seed", "stop", "n")


@dataclass(slots=True, kw_only=True)
class OpenAICompatibleModel:
    """One model of one endpoint.

    The key is read from the environment variable `OPENAI_API_KEY`, nowhere else. An
    endpoint other than OpenAI's may do without one.

    Attributes:
        model: The model's id at the endpoint.
        base_url: The endpoint, up to and including `/v1` where it has that;
            `None` is OpenAI's own.
        request_timeout_s: Longest wait for one answer, in seconds; positive.
        retry: How passing failures are repeated.
        sleep: Waits between attempts.
        rng: Spreads the pauses; nothing else is random here.
    """

    model: str
    base_url: str | None = None
    request_timeout_s: float = 600.0
    retry: RetryConfig = field(default_factory=RetryConfig)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    rng: np.random.Generator = field(default_factory=np.random.default_rng, repr=False)
    _api_key: str = field(init=False, repr=False)
    _refused: set[str] = field(init=False, repr=False, default_factory=set)

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("model must be a model's id, got ''.")
        if not self.request_timeout_s > 0.0:
            raise ConfigError(
                "request_timeout_s must be positive, got "
                f"{self.request_timeout_s!r} (seconds)."
            )
        if self.base_url is not None and not self.base_url.startswith(
            ("http://", "https://")
        ):
            raise ConfigError(
                f"base_url must begin with http:// or https://, got {self.base_url!r}."
            )
        self._api_key = _api_key(is_required=self.base_url is None)

    @property
    def name(self) -> str:
        """The model's id."""
        return self.model

    @property
    def endpoint(self) -> str:
        """The endpoint's address."""
        return self.base_url or OPENAI_BASE_URL

    @property
    def _is_local(self) -> bool:
        return urlsplit(self.endpoint).hostname in ("localhost", "127.0.0.1", "::1")

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

        A service that gives fewer at once is asked for the rest, with other seeds.

        Raises:
            LLMError: If there is no answer after the last attempt.
            PrerequisiteError: If the package openai is missing.
        """
        if num_completions < 1:
            raise ValueError(
                f"num_completions must be at least 1, got {num_completions}."
            )
        parameters: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_tokens,
        }
        if stop:
            parameters["stop"] = list(stop)
        found: list[ChatCompletion] = []
        with self._client() as client:
            while len(found) < num_completions:
                missing = num_completions - len(found)
                if seed is not None:
                    # The same seed again would give the same answer again.
                    parameters["seed"] = seed + len(found)
                if missing > 1:
                    parameters["n"] = missing
                else:
                    parameters.pop("n", None)
                found += self._request(client, parameters)[:missing]
        return found

    @contextmanager
    def _client(self) -> Iterator[Any]:
        # A client for each call: against the seconds that an answer takes, a
        # connection costs nothing, and so nobody has to close anything.
        openai = _import_openai()
        with openai.OpenAI(
            api_key=self._api_key,
            base_url=self.endpoint,
            timeout=self.request_timeout_s,
            max_retries=0,  # Ours say what happened, and honour any Retry-After.
            # A proxy for the outside world cannot reach a server on this machine.
            http_client=openai.DefaultHttpxClient(
                timeout=self.request_timeout_s, trust_env=not self._is_local
            ),
        ) as client:
            yield client

    def _request(self, client: Any, parameters: dict[str, Any]) -> list[ChatCompletion]:
        def attempt() -> list[ChatCompletion]:
            return self._attempt(client, parameters)

        return call_with_retries(
            attempt, config=self.retry, sleep=self.sleep, rng=self.rng
        )

    def _attempt(self, client: Any, parameters: dict[str, Any]) -> list[ChatCompletion]:
        openai = _import_openai()
        while True:
            sent = self._accepted(parameters)
            try:
                response = client.chat.completions.create(**sent)
            except openai.BadRequestError as error:
                refused = _refused_parameter(error, sent)
                if refused is None:
                    raise self._failure(error) from error
                self._refused.add(refused)
            except (openai.OpenAIError, ValueError) as error:
                # ValueError: a body that claims to be JSON and is not.
                raise self._failure(error) from error
            else:
                return self._read(response)

    def _accepted(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Returns the parameters in the form that this service accepts."""
        sent: dict[str, Any] = {}
        for name, value in parameters.items():
            if name not in self._refused:
                sent[name] = value
            elif name in _RENAMED:
                sent[_RENAMED[name]] = value
        return sent

    def _read(self, response: Any) -> list[ChatCompletion]:
        choices = getattr(response, "choices", None)
        try:
            texts = [choice.message.content or "" for choice in choices or ()]
            reasons = [_finish_reason(choice.finish_reason) for choice in choices or ()]
        except AttributeError:
            texts, reasons = [], []
        if not texts:
            raise ServiceError(
                f"{self.endpoint} gave an answer without a completion for "
                f"{self.model!r}.",
                retryable=True,
            )
        usage = getattr(response, "usage", None)
        prompt_tokens = int(getattr(usage, "prompt_tokens", 0) or 0)
        completion_tokens = int(getattr(usage, "completion_tokens", 0) or 0)
        share, rest = divmod(completion_tokens, len(texts))
        return [
            ChatCompletion(
                text=text,
                finish_reason=reason,
                prompt_tokens=prompt_tokens if index == 0 else 0,
                completion_tokens=share + (rest if index == 0 else 0),
            )
            for index, (text, reason) in enumerate(zip(texts, reasons, strict=True))
        ]

    def _failure(self, error: Exception) -> ServiceError:
        return service_error(
            error,
            model=self.model,
            endpoint=self.endpoint,
            secret=self._api_key,
            timeout_s=self.request_timeout_s,
        )


def _api_key(*, is_required: bool) -> str:
    """Returns the key; the only place where the environment is read."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key and is_required:
        raise ConfigError(
            f"{KEY_VARIABLE} must be set to use {OPENAI_BASE_URL}, got nothing. Set "
            "it, or name a server that needs no key with --base-url."
        )
    return key or _NO_KEY


def _import_openai() -> ModuleType:
    try:
        import openai  # noqa: PLC0415 - half a second that other runs do not need
    except ImportError as error:
        raise PrerequisiteError(
            "--llm openai:MODEL needs the package openai: pip install openai"
        ) from error
    return openai


def _finish_reason(reason: object) -> FinishReason:
    if reason == "length":
        return "length"
    return "stop" if reason in ("stop", None) else "other"


def _refused_parameter(error: Any, sent: dict[str, Any]) -> str | None:
    """Returns the parameter that the service does not take, if it may be left out.

    Reasoning models take `max_completion_tokens` for `max_tokens`, and neither
    `temperature` nor `top_p`; small servers lack `seed` or `n`.
    """
    parameter = getattr(error, "param", None)
    if parameter in sent and parameter in (*_RENAMED, *_OPTIONAL):
        return str(parameter)
    return None
