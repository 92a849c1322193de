"""A session driver for tests: calls the candidate's `main` for each request."""

from typing import Any

from sandbox.child import At, Channel, Handler, Load


def open(load: Load, request: Any, channel: Channel) -> Handler:
    """Emits the request, loads the candidate, then answers `main(ask)` each time."""
    main = load()["main"]
    channel.emit(request)
    position = -1

    def handle(ask: Any, channel: Channel) -> None:
        nonlocal position
        position += 1
        try:
            answer = main(ask)
        except BaseException as error:
            raise At(position) from error
        channel.emit(answer)

    return handle
