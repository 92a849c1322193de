"""What went wrong at a chat service, in one sentence that names a way out."""

import re
from typing import Any

from cwm.llm.retrying import ServiceError, retry_after_s

_MAX_DETAIL_CHARS = 300

_OVERFLOW = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,20}(context|tokens)"
    r"|too many tokens|prompt is too long",
    re.IGNORECASE,
)

_PASSING_STATUS = (408, 409, 425, 429)


def service_error(
    error: Exception, *, model: str, endpoint: str, secret: str, timeout_s: float
) -> ServiceError:
    """Returns what a failed call means.

    Args:
        error: What the client raised.
        model: The model's id, for the message.
        endpoint: The service's address, for the message.
        secret: The key, which is removed from what the service says.
        timeout_s: How long an answer was waited for, in seconds.
    """
    import openai  # noqa: PLC0415 - loaded by the caller already

    match error:
        case openai.APITimeoutError():
            message = f"{endpoint} gave no answer within {timeout_s:g} s."
            return ServiceError(message, retryable=True)
        case openai.APIConnectionError():
            return _connection_error(error, endpoint)
        case openai.APIStatusError():
            detail = _detail(error, secret)
            return _status_error(error, model=model, endpoint=endpoint, detail=detail)
        case _:
            return ServiceError(
                f"{endpoint} gave an answer that is not a chat completion "
                f"({type(error).__name__}).",
                retryable=True,
            )


def _connection_error(error: Exception, endpoint: str) -> ServiceError:
    reasons = _causes(error)
    if any(isinstance(reason, ConnectionRefusedError) for reason in reasons) or any(
        "refused" in str(reason).lower() for reason in reasons
    ):
        # Nobody listens there: waiting a minute for it helps nobody.
        return ServiceError(
            f"{endpoint} refused the connection. Start the server, or correct "
            "--base-url.",
            retryable=False,
        )
    return ServiceError(
        f"{endpoint} could not be reached: {reasons[-1] or error}.", retryable=True
    )


def _causes(error: BaseException) -> list[BaseException]:
    found = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) is not None:
        if cause in found:
            break
        found.append(cause)
    return found


def _status_error(
    error: Any, *, model: str, endpoint: str, detail: str
) -> ServiceError:
    status = int(error.status_code)
    code = getattr(error, "code", None)
    if status in (401, 403):
        return ServiceError(
            f"{endpoint} refused the key ({status}){detail} Set OPENAI_API_KEY to a "
            "key that may use it.",
            retryable=False,
        )
    if code == "context_length_exceeded" or (
        status in (400, 413, 422) and _OVERFLOW.search(detail)
    ):
        return ServiceError(
            f"The prompt and the completion do not fit into the context of {model!r} "
            f"({status}){detail} Take a model with a longer one, or show it less.",
            retryable=False,
        )
    if status == 404:
        return ServiceError(
            f"{endpoint} does not know the model {model!r}, or the address is wrong "
            f"({status}){detail}",
            retryable=False,
        )
    if code == "insufficient_quota":
        return ServiceError(
            f"{endpoint} says that the quota is used up ({status}){detail}",
            retryable=False,
        )
    return ServiceError(
        f"{endpoint} failed with status {status} for {model!r}{detail}",
        retryable=status in _PASSING_STATUS or status >= 500,
        retry_after_s=retry_after_s(error.response.headers),
    )


def _detail(error: Any, secret: str) -> str:
    """Returns `: what the service says.`, or a full stop if it says nothing."""
    body = error.body
    said = body.get("message") if isinstance(body, dict) else None
    text = " ".join(str(said or "").split()).replace(secret, "***")
    if not text:
        return "."
    if len(text) > _MAX_DETAIL_CHARS:
        text = f"{text[:_MAX_DETAIL_CHARS]} ..."
    return f": {text}" if text.endswith((".", "!", "?")) else f": {text}."
