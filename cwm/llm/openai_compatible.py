"""Chat models behind any endpoint that speaks OpenAI's chat completions.

Covers: the key, retries, one deadline for each attempt and one for the whole call,
    servers that ignore `n` or `stop`, refuse a parameter, leave out their usage,
    answer with another model or in another form, and a clear reason for each failure.
Does not cover: streaming, tools, images; budgets and prices (`cwm.llm.prices`).
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from cwm.core.errors import ConfigError
from cwm.llm.answers import Expected, MalformedAnswer, read_completions
from cwm.llm.chat import DEFAULT_SAMPLING, ChatCompletion, ChatMessage
from cwm.llm.deadlines import BoundedCalls, Deadline
from cwm.llm.endpoint import Endpoint, RefusedParameter
from cwm.llm.failures import Asked, malformed
from cwm.llm.notices import warn
from cwm.llm.requests import ends_with_assistant
from cwm.llm.retrying import RetryConfig, ServiceError
from cwm.llm.servers import UNKNOWN_SERVER, Server, is_other_model
from cwm.llm.service import Service

OPENAI_BASE_URL = "https://api.openai.com/v1"

KEY_VARIABLE = "OPENAI_API_KEY"

ContinuePrefix: TypeAlias = Literal["auto", "on", "off"]
"""Whether an endpoint continues an assistant's message: as its kind of server is
known to do, or as the user says."""

_NO_KEY = "no-key"
"""Sent to services that need none; the client refuses to send nothing."""

_RENAMED = {"max_tokens": "max_completion_tokens"}
_OPTIONAL = ("temperature", "top_p", "seed", "stop", "n")
_SILENTLY_OPTIONAL = ("stop", "n")
"""What is made good here: the text is cut, and the rest is asked for again."""


@dataclass(slots=True, kw_only=True)
class OpenAICompatibleModel:
    """One model of one endpoint.

    The key is read from the environment variable `OPENAI_API_KEY`, nowhere else. An
    endpoint other than OpenAI's may do without one. May be used from several threads.

    Attributes:
        model: The model's id at the endpoint.
        base_url: The endpoint, up to and including `/v1` where it has that;
            `None` is OpenAI's own.
        request_timeout_s: Longest time of one attempt, from connecting to the last
            byte of the answer, in seconds; positive.
        call_timeout_s: Longest time of all attempts and the pauses between them, in
            seconds; positive.
        retry: How passing failures are repeated.
        continue_prefix: Whether a last message of the assistant's is continued.
        extra_body: Parameters that are sent with every request beside the usual
            ones, such as `top_k`; they win over those that a kind of server needs.
        rejects_other_model: Whether an answer of clearly another model than the one
            that was asked is an error; otherwise it is a warning.
        warn: Told once of each thing that the service does differently.
        sleep: Waits between attempts; `None` waits until the model is closed.
        clock: Gives the time for `call_timeout_s`, in seconds.
        rng: Spreads the pauses; nothing else is random here.
        service: The endpoint, for who asks it for something else.
    """

    model: str
    base_url: str | None = None
    request_timeout_s: float = 600.0
    call_timeout_s: float = 1800.0
    retry: RetryConfig = field(default_factory=RetryConfig)
    continue_prefix: ContinuePrefix = "auto"
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    rejects_other_model: bool = False
    warn: Callable[[str], None] = field(default=warn, repr=False)
    sleep: Callable[[float], None] | None = field(default=None, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    rng: np.random.Generator = field(default_factory=np.random.default_rng, repr=False)
    service: Service = field(init=False, repr=False)
    _refused: set[str] = field(init=False, repr=False, default_factory=set)
    _warned: set[str] = field(init=False, repr=False, default_factory=set)
    _server: Server | None = field(init=False, repr=False, default=None)
    _lock: threading.Lock = field(
        init=False, repr=False, default_factory=threading.Lock
    )

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("model must be a model's id, got ''.")
        for name in ("request_timeout_s", "call_timeout_s"):
            if not getattr(self, name) > 0.0:
                raise ConfigError(
                    f"{name} must be positive, got {getattr(self, name)!r} (seconds)."
                )
        if self.base_url is not None:
            _check_address(self.base_url)
        self.service = Service(
            endpoint=Endpoint(
                base_url=self.endpoint,
                api_key=_api_key(is_required=self.base_url is None),
            ),
            model=self.model,
            request_timeout_s=self.request_timeout_s,
            call_timeout_s=self.call_timeout_s,
            retry=self.retry,
            sleep=self.sleep,
            clock=self.clock,
            rng=self.rng,
        )

    @property
    def name(self) -> str:
        """The model's id."""
        return self.model

    @property
    def endpoint(self) -> str:
        """The endpoint's address."""
        return self.base_url or OPENAI_BASE_URL

    @property
    def identity(self) -> dict[str, Any]:
        """The endpoint, without what may be a password in it, and `extra_body`."""
        parts = urlsplit(self.endpoint)
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return {
            "endpoint": urlunsplit(address).rstrip("/"),
            **({"extra_body": dict(self.extra_body)} if self.extra_body else {}),
        }

    @property
    def continues_assistant(self) -> bool:
        """Whether a last message of the assistant's is continued.

        With `continue_prefix="auto"` the first use asks the endpoint what it is.
        """
        if self.continue_prefix == "auto":
            return self.server().quirks.continues_assistant
        return self.continue_prefix == "on"

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
            ValueError: If no completion is asked for, or the continuation of a
                message where the endpoint does not continue any.
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
        parameters |= self._extras(messages)
        deadline = self.service.deadline()
        found: list[ChatCompletion] = []
        while len(found) < num_completions:
            missing = num_completions - len(found)
            if seed is not None:
                # The same seed again would give the same answer again.
                parameters["seed"] = seed + len(found)
            if missing > 1:
                parameters["n"] = missing
            else:
                parameters.pop("n", None)
            expected = Expected(
                messages=messages,
                max_tokens=max_tokens,
                stop=stop,
                num_completions=missing,
            )
            found += self._request(parameters, expected, deadline)
        return found

    def server(self) -> Server:
        """Returns what the endpoint is; asks it once.

        One that cannot be reached is unknown, and asked again the next time.
        """
        if self.base_url is None:
            return Server(kind="openai")
        with self._lock:
            if self._server is None:
                server = self.service.server()
                if server is None:
                    return UNKNOWN_SERVER
                self._server = server
                self._check_listed(server)
            return self._server

    def close(self) -> None:
        """Ends the calls in flight and refuses later ones; see `Closable`."""
        self.service.close()

    def _extras(self, messages: Sequence[ChatMessage]) -> dict[str, Any]:
        """Returns the parameters that this server needs and OpenAI's does not know."""
        quirks = self.server().quirks
        extras = dict(quirks.always)
        if ends_with_assistant(messages):
            if not self.continues_assistant:
                raise ValueError(
                    "The last message must be the user's, got the assistant's: "
                    f"{self.endpoint} is not known to continue messages. If it does, "
                    "say --continue-prefix on."
                )
            extras |= quirks.continuation
        return extras | dict(self.extra_body)

    def _request(
        self, parameters: Mapping[str, Any], expected: Expected, deadline: Deadline
    ) -> list[ChatCompletion]:
        return self.service.call(
            lambda asked, calls: self._attempt(parameters, expected, asked, calls),
            deadline,
        )

    def _attempt(
        self,
        parameters: Mapping[str, Any],
        expected: Expected,
        asked: Asked,
        calls: BoundedCalls,
    ) -> list[ChatCompletion]:
        while True:
            sent = self._accepted(parameters)
            try:
                body = self.service.endpoint.chat(sent, asked=asked, calls=calls)
                completions = read_completions(body, expected)
            except RefusedParameter as error:
                if not self._leave_out(error.parameter, sent):
                    raise
            except MalformedAnswer as error:
                raise malformed(str(error), asked) from error
            else:
                self._check_model(completions[0].model)
                return completions

    def _accepted(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the parameters in the form that this service accepts."""
        sent: dict[str, Any] = {}
        for name, value in parameters.items():
            if name not in self._refused:
                sent[name] = value
            elif name in _RENAMED:
                sent[_RENAMED[name]] = value
        return sent

    def _leave_out(self, parameter: str, sent: Mapping[str, Any]) -> bool:
        """Notes that the service does not take a parameter, if it can be left out.

        Reasoning models take `max_completion_tokens` for `max_tokens`, and neither
        `temperature` nor `top_p`; small servers lack `seed` or `n`.
        """
        if parameter not in sent or parameter not in (*_RENAMED, *_OPTIONAL):
            return False
        self._refused.add(parameter)
        if parameter not in (*_RENAMED, *_SILENTLY_OPTIONAL):
            self._warn_once(
                f"{self.endpoint} refuses {parameter} for {self.model!r}: it is left "
                "out, and the service's own default holds."
            )
        return True

    def _check_model(self, answered: str) -> None:
        if not is_other_model(self.model, answered):
            return
        message = (
            f"{self.endpoint} answered with the model {answered!r}, not with "
            f"{self.model!r}."
        )
        if self.rejects_other_model:
            raise ServiceError(message, retryable=False)
        self._warn_once(message)

    def _check_listed(self, server: Server) -> None:
        """Warns of a server that answers to any name with the model that it has."""
        if not server.quirks.takes_any_name or not server.model_ids:
            return
        if all(is_other_model(self.model, listed) for listed in server.model_ids):
            self._warn_once(
                f"{self.endpoint} has no model {self.model!r} and answers with "
                f"{', '.join(map(repr, server.model_ids))}."
            )

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self.warn(message)


def _api_key(*, is_required: bool) -> str:
    """Returns the key; the only place where the environment is read."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key and is_required:
        raise ConfigError(
            f"{KEY_VARIABLE} must be set to use {OPENAI_BASE_URL}, got nothing. Set "
            "it, or name a server that needs no key with --base-url."
        )
    return key or _NO_KEY


def _check_address(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"base_url must begin with http:// or https://, got {url!r}.")
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ConfigError(
            "base_url must be an address such as http://localhost:8000/v1, got "
            f"{url!r}."
        )
