"""The driver that does nothing: if even this fails, the sandbox is at fault."""

from collections.abc import Callable
from typing import Any

from sandbox.child import Channel


def run(load: Callable[[], dict[str, Any]], request: Any, channel: Channel) -> None:
    """Loads the candidate and emits the request unchanged."""
    load()
    channel.emit(request)
