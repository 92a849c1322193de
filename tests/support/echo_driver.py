"""A driver for tests: calls the candidate's `main` and emits what it returns."""

from collections.abc import Callable
from typing import Any

from sandbox.child import At, Channel


def run(load: Callable[[], dict[str, Any]], request: Any, channel: Channel) -> None:
    """Emits `main(request)`; a list of requests is called one by one."""
    main = load()["main"]
    for position, item in enumerate(request):
        try:
            answer = main(item)
        except BaseException as error:
            raise At(position) from error
        channel.emit(answer)
