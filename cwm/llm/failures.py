"""What went wrong at a chat service, in one sentence that names a way out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cwm.llm.retrying import ServiceError, retry_after_s

_MAX_DETAIL_CHARS = 300

_OVERFLOW = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,20}(context|tokens)"
    r"|too many tokens|prompt is too long|max_new_tokens"
    r"|max_model_len|max_tokens is too large|at most \d+ completion tokens",
    re.IGNORECASE,
)
_OVERFLOW_CODES = ("context_length_exceeded", "exceed_context_size_error")

_FILTER = re.compile(r"content.{0,12}(filter|policy|management policy)", re.IGNORECASE)
_FILTER_CODES = ("content_filter", "content_policy_violation")

_WRONG_KEY = re.compile(
    r"api.?key.{0,30}(not valid|invalid|incorrect|missing)"
    r"|(invalid|incorrect|missing).{0,30}api.?key",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"model.{0,80}(not found|not exist|unknown|not loaded|no such)"
    r"|(unknown|no such|invalid).{0,10}model",
    re.IGNORECASE,
)

_LEAVABLE = ("top_p", "temperature", "seed", "stop", "n", "max_tokens")
"""Parameters that a request can do without, or under another name."""

_REFUSING = re.compile(
    r"unsupported|unrecogni[sz]ed|unknown|unexpected|not (supported|permitted|allowed)"
    r"|(does|do) not support|extra inputs|extra_forbidden|cannot both be",
    re.IGNORECASE,
)
_WRONG_VALUE = re.compile(
    r"(above|below)_m|invalid_(value|type)|expected a value"
    r"|must be (between|in |less|greater|at |<|>|\d)|out of range|too large",
    re.IGNORECASE,
)

_PASSING_STATUS = (408, 409, 425, 429)
_LASTING_STATUS = (501, 505)
"""Server faults that another attempt does not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom a call asked, for the message of its failure.

    Attributes:
        model: The model's id.
        endpoint: The service's address.
        secret: The key, which is removed from what the service says.
        timeout_s: How long an answer was waited for, in seconds.
    """

    model: str
    endpoint: str
    secret: str = field(repr=False)
    timeout_s: float


def service_error(error: Exception, asked: Asked) -> ServiceError:
    """Returns what a failed call means.

    Args:
        error: What the client raised.
        asked: Whom the call asked.
    """
    import openai  # noqa: PLC0415 - loaded by the caller already

    match error:
        case openai.APITimeoutError() | TimeoutError():
            return _timeout_error(error, asked)
        case openai.APIConnectionError():
            return _connection_error(error, asked)
        case openai.APIStatusError():
            return status_error(
                int(error.status_code),
                error.body,
                headers=error.response.headers,
                asked=asked,
            )
        case _:
            return ServiceError(
                f"{asked.endpoint} gave an answer that is not a chat completion "
                f"({type(error).__name__}).",
                retryable=True,
            )


def malformed(reason: str, asked: Asked) -> ServiceError:
    """Returns the failure of an answer that has not the stated form."""
    return ServiceError(
        f"{asked.endpoint} gave an answer that is not a chat completion of "
        f"{asked.model!r}: {reason}.",
        retryable=True,
    )


def _timeout_error(error: Exception, asked: Asked) -> ServiceError:
    if type(error.__cause__).__name__ == "ConnectTimeout":
        message = f"{asked.endpoint} could not be connected to in time."
    else:
        message = f"{asked.endpoint} gave no answer within {asked.timeout_s:g} s."
    return ServiceError(message, retryable=True)


def _connection_error(error: Exception, asked: Asked) -> ServiceError:
    reasons = _causes(error)
    if any(isinstance(reason, ConnectionRefusedError) for reason in reasons) or any(
        "refused" in str(reason).lower() for reason in reasons
    ):
        # Nobody listens there: waiting a minute for it helps nobody.
        return ServiceError(
            f"{asked.endpoint} refused the connection. Start the server, or correct "
            "--base-url.",
            retryable=False,
        )
    said = next((str(reason) for reason in reversed(reasons) if str(reason)), "")
    if any(type(reason).__name__ == "RemoteProtocolError" for reason in reasons):
        message = f"{asked.endpoint} broke off its answer: {said or 'no reason'}."
        return ServiceError(message, retryable=True)
    return ServiceError(
        f"{asked.endpoint} could not be reached: {said or error}.", retryable=True
    )


def _causes(error: BaseException) -> list[BaseException]:
    """Returns the error and what caused it, the first cause last."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        cause = waiting.pop()
        if cause in found:
            continue
        found.append(cause)
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions  # A name with several addresses: one each.
        earlier = cause.__cause__ or cause.__context__
        if earlier is not None:
            waiting.append(earlier)
    return found


def status_error(
    status: int, body: object, *, headers: Mapping[str, str], asked: Asked
) -> ServiceError:
    """Returns what an answer with a status of failure means.

    Args:
        status: The HTTP status, or the code in a body that holds an error.
        body: What the service says: an error object, a text, or nothing.
        headers: The answer's headers.
        asked: Whom the call asked.
    """
    detail = _detail(body, asked.secret)
    message = _prompt_reason(status, body, detail, asked)
    if message is not None:
        return ServiceError(
            message, retryable=False, is_about_prompt=True, status=status
        )
    message = _lasting_reason(status, body, detail, asked)
    if message is not None:
        return ServiceError(message, retryable=False, status=status)
    is_passing = status in _PASSING_STATUS or (
        status >= 500 and status not in _LASTING_STATUS
    )
    return ServiceError(
        f"{asked.endpoint} failed with status {status} for {asked.model!r}{detail}",
        retryable=is_passing,
        retry_after_s=retry_after_s(headers),
        status=status,
    )


def _prompt_reason(status: int, body: object, detail: str, asked: Asked) -> str | None:
    """Returns the message of a failure that another prompt may not have."""
    codes = _codes(body)
    is_request = _is_request(status) and status not in (401, 403)
    if not codes.isdisjoint(_OVERFLOW_CODES) or (
        is_request and _OVERFLOW.search(detail)
    ):
        return (
            "The prompt and the completion do not fit into the context of "
            f"{asked.model!r} ({status}){detail} Take a model with a longer one, show "
            "it less, or lower --sampling.max-tokens."
        )
    if not codes.isdisjoint(_FILTER_CODES) or (is_request and _FILTER.search(detail)):
        return f"{asked.endpoint} refuses the prompt by its filter ({status}){detail}"
    return None


def _lasting_reason(status: int, body: object, detail: str, asked: Asked) -> str | None:
    """Returns the message of a failure whose reason and way out are known."""
    codes = _codes(body)
    is_request = _is_request(status)
    if status in (401, 403) or (is_request and _WRONG_KEY.search(detail)):
        return (
            f"{asked.endpoint} refused the key ({status}){detail} Set OPENAI_API_KEY "
            "to a key that may use it."
        )
    if status == 402 or "insufficient_quota" in codes:
        return f"{asked.endpoint} says that the quota is used up ({status}){detail}"
    if status == 404 or (is_request and _UNKNOWN_MODEL.search(detail)):
        return (
            f"{asked.endpoint} does not know the model {asked.model!r}, or the address "
            f"is wrong ({status}){detail}"
        )
    return None


def _is_request(status: int) -> bool:
    """Whether a status says that the request is at fault, for good."""
    return 400 <= status < 500 and status not in _PASSING_STATUS


def refused_parameter(status: int, body: object) -> str | None:
    """Returns the parameter that a service does not take at all, if that is why.

    A parameter whose value is out of its range is not meant: that is the caller's.
    """
    if status not in (400, 422):
        return None
    text = " ".join([*_codes(body), _said(body)])
    if _WRONG_VALUE.search(text) or not _REFUSING.search(text):
        return None
    stated = body.get("param") if isinstance(body, dict) else None
    if isinstance(stated, str):
        return stated
    words = set(re.findall(r"\w+", text))
    return next((name for name in _LEAVABLE if name in words), None)


def _codes(body: object) -> set[str]:
    if not isinstance(body, dict):
        return set()
    return {str(body[key]) for key in ("code", "type") if key in body}


def _detail(body: object, secret: str) -> str:
    """Returns `: what the service says.`, or a full stop if it says nothing."""
    text = " ".join(_said(body).split())
    if secret:
        text = text.replace(secret, "***")
    if not text:
        return "."
    if len(text) > _MAX_DETAIL_CHARS:
        text = f"{text[:_MAX_DETAIL_CHARS]} ..."
    return f": {text}" if text.endswith((".", "!", "?")) else f": {text}."


def _said(body: Any) -> str:
    """Returns the message in an error body of any of the usual forms."""
    if isinstance(body, dict):
        said = body.get("message") or body.get("detail") or body.get("error")
        return _said(said) if isinstance(said, dict) else str(said or "")
    text = body if isinstance(body, str) else ""
    return "" if text.lstrip().startswith("<") else text  # A proxy's HTML page.
