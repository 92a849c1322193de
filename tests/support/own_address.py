"""The address of this machine that a cluster uses for nodes on it."""

import socket
from contextlib import suppress


def own_address() -> str:
    """Returns the address that packets would leave from; none is sent."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))
        return str(one.getsockname()[0])
    return "127.0.0.1"
