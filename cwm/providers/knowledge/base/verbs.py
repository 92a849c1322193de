"""The verbs of actions: what the state base constrains."""

from typing import Final

FIRST_ACTION: Final = "look"
"""What counts as done before the first action, as published."""


def cut_action(action: str) -> str:
    """Returns an action up to the first `[`: WebShop's `search[red shoes]` is `search`.

    The commands of other games have no such bracket and stay whole.
    """
    return action.partition("[")[0].strip()


def verb_of(action: str) -> str:
    """Returns the first word of an action in lower case; empty if there is none."""
    words = cut_action(action).split(maxsplit=1)
    return words[0].lower() if words else ""


def is_choice(action: str) -> bool:
    """Whether an action is a number: the answer to a question which one is meant."""
    return action.strip().isdigit()


def join_verb(verb: str, continuation: str) -> str:
    """Returns the action of a verb and what an agent wrote after it.

    A blank stands between them, as published, unless the verb is a number, which is
    all of an action; WebShop's `[` and the 1 of ScienceWorld's `wait1` follow at once.
    """
    rest = continuation.strip()
    if not rest or is_choice(verb):
        return verb
    is_glued = rest.startswith("[") or (verb == "wait" and rest == "1")
    return f"{verb}{rest}" if is_glued else f"{verb} {rest}"
