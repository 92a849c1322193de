"""What tests of the sandbox share: a driver that echoes, sources, one call."""

from typing import Any

from sandbox.limits import Limits
from sandbox.outcome import AnyOutcome
from sandbox.pool import Sandbox

DRIVER = "tests.support.echo_driver"
LIMITS = Limits(wall_s=1.0, memory_mib=128, max_output_mib=2, max_frame_mib=1)
HONEST = "def main(x):\n    return x"


def body(text: str) -> str:
    return "def main(x):\n" + "\n".join(f"    {line}" for line in text.split("\n"))


def call(
    sandbox: Sandbox, source: str, *items: Any, reply: Any = Any, **limits: Any
) -> AnyOutcome:
    return sandbox.run(
        source,
        list(items) or [None],
        driver=DRIVER,
        reply=reply,
        limits=Limits(**{"wall_s": 2.0, "memory_mib": 128, **limits})
        if limits
        else None,
    )
