"""Reading the body of an answer: what servers state, leave out, or get wrong.

Covers: usage that is missing or senseless (estimated, and marked so), stop texts left
    in the completion (cut), a missing finish reason, content in parts, a refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cwm.llm.chat import ChatCompletion, ChatMessage, FinishReason
from cwm.llm.tokens import estimated_prompt_tokens, estimated_tokens

_ENDED_BY_ITSELF = ("stop", "eos", "eos_token", "end_turn", "stop_sequence")
"""OpenAI's word for it, and other servers'."""


class MalformedAnswer(ValueError):  # noqa: N818 - a value's form, not a fault of ours
    """A body that holds no completion; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the request said that decides how its answer is read.

    Attributes:
        messages: The conversation.
        max_tokens: Longest completion, in tokens.
        stop: Texts that end a completion.
        num_completions: How many completions are wanted; more are dropped, but what
            they have cost is not.
    """

    messages: Sequence[ChatMessage]
    max_tokens: int
    stop: Sequence[str]
    num_completions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Tokens of one answer, as far as its body says; `None` where it does not."""

    prompt_tokens: int | None
    completion_tokens: int | None
    reused_prompt_tokens: int


def read_completions(body: Any, expected: Expected) -> list[ChatCompletion]:
    """Returns the completions in a body; at least one.

    Raises:
        MalformedAnswer: If there is none.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices:
        raise MalformedAnswer("it has no choices")
    read = [_read_choice(choice) for choice in choices]
    spent = read_usage(body.get("usage"))
    stated = body.get("model")
    completions = [
        ChatCompletion(
            text=text,
            finish_reason=_finish_reason(
                reason,
                # A server that does not say why it ended gives it away by the length.
                is_full=len(read) == 1
                and (spent.completion_tokens or 0) >= expected.max_tokens,
            ),
            model=stated if isinstance(stated, str) else "",
        )
        for text, reason in read[: expected.num_completions]
    ]
    texts = [text for text, _ in read]
    completions = _with_tokens(completions, spent, texts=texts, expected=expected)
    return [_cut(completion, expected.stop) for completion in completions]


def _read_choice(choice: Any) -> tuple[str, object]:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise MalformedAnswer("a choice has no message")
    text = _text(message.get("content"))
    if not text and isinstance(message.get("refusal"), str):
        return message["refusal"], "refusal"
    return text, choice.get("finish_reason")


def _text(content: object) -> str:
    """Returns the text of a message's content: a text, nothing, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    raise MalformedAnswer(f"the content of a message is {type(content).__name__}")


def _finish_reason(reason: object, *, is_full: bool) -> FinishReason:
    if reason in _ENDED_BY_ITSELF:
        return "stop"
    if reason == "length" or (reason is None and is_full):
        return "length"
    return "other"


def _cut(completion: ChatCompletion, stop: Sequence[str]) -> ChatCompletion:
    """Returns the completion up to the first stop text; not all servers cut there."""
    places = [completion.text.find(text) for text in stop if text]
    found = [place for place in places if place >= 0]
    if not found:
        return completion
    return replace(completion, text=completion.text[: min(found)], finish_reason="stop")


def read_usage(usage: Any) -> Spent:
    """Returns the tokens that a body states."""
    stated = usage if isinstance(usage, dict) else {}
    prompt = _count(stated.get("prompt_tokens"))
    details = stated.get("prompt_tokens_details")
    reused = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return Spent(
        prompt_tokens=prompt or None,  # There is no prompt without a token.
        completion_tokens=_count(stated.get("completion_tokens")),
        reused_prompt_tokens=min(reused or 0, prompt or 0),
    )


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


def _with_tokens(
    completions: Sequence[ChatCompletion],
    spent: Spent,
    *,
    texts: Sequence[str],
    expected: Expected,
) -> list[ChatCompletion]:
    """Returns the completions with what the call has cost shared among them.

    Args:
        completions: The ones that are kept.
        spent: What the service states.
        texts: Of all completions, also those that are not kept.
        expected: The request.
    """
    prompt, completion = spent.prompt_tokens, spent.completion_tokens
    if completion == 0 and any(texts):
        completion = None
    is_estimated = prompt is None or completion is None
    if prompt is None:
        prompt = estimated_prompt_tokens(expected.messages)
    if completion is None:
        completion = sum(estimated_tokens(text) for text in texts)
    share, rest = divmod(completion, len(completions))
    return [
        replace(
            found,
            prompt_tokens=prompt if index == 0 else 0,
            reused_prompt_tokens=spent.reused_prompt_tokens if index == 0 else 0,
            completion_tokens=share + (rest if index == 0 else 0),
            has_estimated_tokens=is_estimated,
        )
        for index, found in enumerate(completions)
    ]
