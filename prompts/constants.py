"""What a prompt says of constants that were fitted, and of what they leave."""

from collections.abc import Iterable

from cwm.core.constants import FittedConstant, undetermined_groups
from cwm.core.proposals import ParentProgram
from prompts.config import PromptConfig

_MAX_NAMED = 12


def describe_constants(parent: ParentProgram, config: PromptConfig) -> str:
    """Returns fitted values, what the data say of them, and what they leave.

    `""` if nothing was fitted.
    """
    if config.is_plain or not parent.constants:
        return ""
    parts = [_HEAD, "\n".join(_constants(parent.constants))]
    if parent.remainder:
        told = "\n".join(f"- {sentence}" for sentence in parent.remainder)
        parts.append(f"{_REMAINDER}\n{told}")
    return "\n\n".join(part for part in parts if part)


_HEAD = (
    "A solver has set them to the values that fit the recorded transitions best. The "
    "program above has these values. What is still wrong is not a matter of a better "
    "number in one of these places."
)
_REMAINDER = "What these values leave unexplained:"


def _constants(constants: tuple[FittedConstant, ...]) -> list[str]:
    lines = []
    for constant in constants:
        if constant.verdict in ("undetermined", "no effect"):
            continue
        if constant.kind == "literal" and not constant.is_changed:
            continue
        lines.append(f"- {constant.sentence()}")
    for group in undetermined_groups(constants):
        values = ", ".join(c.value_text() for c in group[:_MAX_NAMED])
        lines.append(
            f"- The data cannot tell these apart, other values of all of them do as "
            f"well: {values}"
            if len(group) > 1
            else f"- Other values do as well: {values}"
        )
    idle = [c.name for c in constants if c.verdict == "no effect"]
    if idle:
        lines.append(f"- No prediction depends on: {_list(idle)}")
    return lines


def _list(names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(every[:_MAX_NAMED])
    more = len(every) - _MAX_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
