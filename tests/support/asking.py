"""What tests of sessions share: a driver that asks, and how to open a session."""

from typing import Any

from sandbox.limits import Limits
from sandbox.outcome import Completed
from sandbox.pool import Sandbox
from sandbox.session import Session
from tests.support.echoing import HONEST

ASKING = "tests.support.asking_driver"
ECHO = "tests.support.echo_driver"
LIMITS = Limits(wall_s=2.0, memory_mib=128, max_output_mib=2, max_frame_mib=1)


def open_session(
    sandbox: Sandbox, source: str, request: Any = None, reply: Any = Any, **limits: Any
) -> Session[Any]:
    settings = {"wall_s": 2.0, "memory_mib": 128, **limits}
    chosen = Limits(**settings) if limits else None
    return sandbox.open_session(
        source, request, driver=ASKING, reply=reply, limits=chosen
    )


def is_usable(sandbox: Sandbox) -> bool:
    outcome = sandbox.run(HONEST, [5], driver=ECHO, reply=int)
    return outcome == Completed(messages=(5,))
