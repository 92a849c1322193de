"""Wrong arguments of a tool, told as everything else that is refused."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

_RULES = {
    "missing": "must be given",
    "int": "must be a whole number",
    "string": "must be text",
}
"""What an argument must be, by how the kind of an error begins."""


def refusal_of(errors: Sequence[Mapping[str, Any]]) -> str:
    """Returns a sentence for each wrong argument: its name, the rule, what was given.

    Args:
        errors: As pydantic gives them.
    """
    return " ".join(_sentence(error) for error in errors)


def _sentence(error: Mapping[str, Any]) -> str:
    name = ".".join(map(str, error["loc"])) or "The arguments"
    kind = error["type"]
    given = "nothing" if kind == "missing" else reprlib.repr(error["input"])
    return f"{name} {_rule(kind, error)}, got {given}."


def _rule(kind: str, error: Mapping[str, Any]) -> str:
    if kind == "literal_error":
        return f"must be {error['ctx']['expected']}"
    known = _RULES.get(kind.partition("_")[0])
    return known or "must be as the schema of the tool says"
