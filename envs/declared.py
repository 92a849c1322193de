"""What environments declare beside Gymnasium's interface."""

from cwm.core.spaces import Value
from envs.spec import Env


def legal_actions_of(env: Env) -> tuple[Value, ...] | None:
    """Returns what the environment itself declares legal, if it does."""
    declared = getattr(env.unwrapped, "legal_actions", None)
    return tuple(declared()) if callable(declared) else None


def instruction_of(env: Env) -> str | None:
    """Returns what the environment tells the agent to do, if it does."""
    for name in ("instruction", "mission"):
        text = getattr(env.unwrapped, name, None)
        if isinstance(text, str):
            return text
    return None
