"""Runs inside the sandbox: writes fast forms of a program.

Writing runs the program's `__init__` and reads what it left behind. What comes out is
text, as untrusted as the program: it is run in the sandbox only, and compared there.
"""

from textwrap import shorten

from cwm.core.spaces import space_from_json
from cwm.programs.acceleration.compiled import compiled
from cwm.programs.acceleration.symbols import NoFastForm
from cwm.programs.acceleration.tracing import trace
from cwm.programs.acceleration.trial_types import WriteAsk, Written
from cwm.programs.acceleration.vectorised import vectorised
from sandbox.child import Channel, Load

REQUEST = WriteAsk

_MAX_REASON_CHARS = 300


def run(load: Load, request: WriteAsk, channel: Channel) -> None:
    """Emits `Written`."""
    try:
        traced = trace(
            request.source,
            load(),
            observation_space=space_from_json(request.observation_space),
            action_space=space_from_json(request.action_space),
        )
        written = Written(
            vectorised=vectorised(traced),
            compiled=compiled(traced, replaces_step=False),
            compiled_steps=compiled(traced, replaces_step=True),
            reason="",
        )
    except NoFastForm as error:
        reason = shorten(str(error), _MAX_REASON_CHARS, placeholder=" ...")
        written = Written("", "", "", reason)
    channel.emit(written)
