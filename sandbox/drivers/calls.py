"""Calls a function of a candidate inside the sandbox, with plain arguments."""

from typing import Any

import msgspec

from sandbox import wire
from sandbox.child import Channel, Load, describe_error
from sandbox.plain_values import decode_plain, encode_plain


class CallsRequest(msgspec.Struct, array_like=True):
    """Calls to make, one after the other, in one process.

    Attributes:
        function: Name of a function, or `Class.method`: then each call gets an
            instance of its own, made without arguments.
        calls: For each call the text of its `[arguments, keyword arguments]`
            (`plain_values.encode_plain`).
    """

    function: str
    calls: list[str]


class CallReply(msgspec.Struct, array_like=True):
    """What came of one call.

    Attributes:
        text: What it returned (`encode_plain`); empty if it raised.
        failure: What it raised, or why its result is not plain data.
    """

    text: str
    failure: wire.Failure | None


REQUEST = CallsRequest


def run(load: Load, request: CallsRequest, channel: Channel) -> None:
    """Makes the calls; emits a `CallReply` for each.

    Raises:
        AttributeError: If there is no such function.
    """
    namespace = load()
    _find(namespace, request.function)
    for call in request.calls:
        arguments, keywords = decode_plain(call)
        channel.emit(_call(namespace, request.function, arguments, keywords))


def rehearsal() -> tuple[str, CallsRequest]:
    """Returns a small program of our own, and its calls (`child.rehearse`)."""
    call = encode_plain([[1, [2.0, "x"]], {}])
    return "def main(a, b):\n    return [a, b]", CallsRequest("main", [call])


def _call(
    namespace: dict[str, Any], name: str, arguments: list[Any], keywords: dict[str, Any]
) -> CallReply:
    try:
        function = _find(namespace, name)
        return CallReply(encode_plain(function(*arguments, **keywords)), None)
    except BaseException as error:  # noqa: BLE001 - a result like any other
        failure = describe_error(error)
        # The frames may hold all the memory there is.
        error.__traceback__ = None
        return CallReply("", failure)


def _find(namespace: dict[str, Any], name: str) -> Any:
    first, *rest = name.split(".")
    if first not in namespace:
        raise AttributeError(f"The program must define {first!r}.")
    found = namespace[first]
    for part in rest:
        owner = found() if isinstance(found, type) else found
        found = getattr(owner, part)
    return found
