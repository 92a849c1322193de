"""A request to a chat model as a value: what decides the answer, and its hash.

Covers: everything that is sent (messages and sampling) and who is asked (the
    model's name and what else it states about itself, such as its endpoint).
Does not cover: what a server changes without saying so, such as new weights under
    an old name; keys, time-outs and retries, which do not change an answer.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from cwm.llm.chat import DEFAULT_SAMPLING, ChatCompletion, ChatMessage, ChatModel

REQUEST_FORMAT = 1
"""Part of every hash: a change of the form below is a change of every hash."""

REFUSED = "refused"
"""In a journal's annotation: why the service did not answer this prompt."""


@runtime_checkable
class Identified(Protocol):
    """A chat model that states what decides its answers besides its name."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON-able facts, such as endpoint, dtype, or parameters always sent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One call of `ChatModel.complete`.

    Attributes:
        model: Name of the model that is asked.
        identity: What else decides its answers; see `Identified`.
        messages: The conversation.
        num_completions: As in `ChatModel.complete`, and so are the others.
        temperature: See `SamplingConfig`.
        top_p: See `SamplingConfig`.
        max_tokens: See `SamplingConfig`.
        stop: See `SamplingConfig`.
        seed: See `ChatModel.complete`.
    """

    model: str
    identity: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[ChatMessage, ...] = ()
    num_completions: int = 1
    temperature: float = DEFAULT_SAMPLING.temperature
    top_p: float = DEFAULT_SAMPLING.top_p
    max_tokens: int = DEFAULT_SAMPLING.max_tokens
    stop: tuple[str, ...] = ()
    seed: int | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether asking again is meant to give the same answer.

        Without a seed, and with anything to draw, it is meant to give another.
        """
        return self.seed is not None or self.temperature == 0.0

    @property
    def messages_hash(self) -> str:
        """SHA-256 of the conversation, in hexadecimal."""
        return _sha256(canonical_json(_messages_to_json(self.messages)))

    @property
    def request_hash(self) -> str:
        """SHA-256 of the canonical JSON of all of it, in hexadecimal."""
        return _sha256(canonical_json(self.to_json()))

    def settings_to_json(self) -> dict[str, Any]:
        """Returns all but the conversation, as plain data."""
        return {
            "format": REQUEST_FORMAT,
            "model": self.model,
            "identity": dict(self.identity),
            "num_completions": self.num_completions,
            # 1 and 1.0 are the same request and must have the same hash.
            "temperature": float(self.temperature),
            "top_p": float(self.top_p),
            "max_tokens": self.max_tokens,
            "stop": list(self.stop),
            "seed": self.seed,
            "continues_assistant": ends_with_assistant(self.messages),
        }

    def to_json(self) -> dict[str, Any]:
        """Returns the request as plain data."""
        return {
            **self.settings_to_json(),
            "messages": _messages_to_json(self.messages),
        }


def request_to(
    model: ChatModel,
    messages: Sequence[ChatMessage],
    *,
    num_completions: int = 1,
    temperature: float = DEFAULT_SAMPLING.temperature,
    top_p: float = DEFAULT_SAMPLING.top_p,
    max_tokens: int = DEFAULT_SAMPLING.max_tokens,
    stop: Sequence[str] = (),
    seed: int | None = None,
) -> ChatRequest:
    """Returns what `model.complete` with these arguments asks for."""
    return ChatRequest(
        model=model.name,
        identity=identity_of(model),
        messages=tuple(messages),
        num_completions=num_completions,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=tuple(stop),
        seed=seed,
    )


def identity_of(model: ChatModel) -> dict[str, Any]:
    """Returns what the model states about itself besides its name, if anything."""
    return dict(model.identity) if isinstance(model, Identified) else {}


def ends_with_assistant(messages: Sequence[ChatMessage]) -> bool:
    """Returns whether the answer is to continue the assistant's own last message."""
    return bool(messages) and messages[-1].role == "assistant"


def request_annotation(
    request: ChatRequest, completion: ChatCompletion
) -> dict[str, Any]:
    """Returns what a journal keeps beside a completion, as plain data.

    Of the conversation only a hash is kept: a journal rebuilds it.
    """
    annotation: dict[str, Any] = {
        "finish_reason": completion.finish_reason,
        "model": completion.model,
        "request_hash": request.request_hash,
        "request": {
            **request.settings_to_json(),
            "messages_sha256": request.messages_hash,
        },
    }
    if completion.has_estimated_tokens:
        annotation["has_estimated_tokens"] = True
    if completion.reused_prompt_tokens:
        annotation["reused_prompt_tokens"] = completion.reused_prompt_tokens
    if completion.is_cached:
        annotation["saved"] = {
            "prompt_tokens": completion.saved_prompt_tokens,
            "completion_tokens": completion.saved_completion_tokens,
        }
    return annotation


def canonical_json(data: object) -> str:
    """Returns the one JSON text of plain data: sorted keys, ASCII, no spaces.

    Raises:
        TypeError: If `data` is not JSON-able.
        ValueError: If it holds a number that is not finite.
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _messages_to_json(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()
