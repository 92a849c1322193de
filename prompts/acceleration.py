"""The request for an array form of a program, and reading the answer."""

from prompts.blocks import code_blocks, fenced
from prompts.fill import fill
from prompts.render import Prompt

CLASS = "Fast"
"""Name of the class that an answer must define."""


def vectorise_prompt(
    source: str,
    *,
    state: tuple[tuple[int, ...], str],
    action: tuple[tuple[int, ...], str],
) -> Prompt:
    """Returns the prompt that asks for `step_batch`.

    Args:
        source: The program.
        state: Shape and type of one observation.
        action: Shape and type of one action.
    """
    fields = {
        "program": fenced(source),
        "state_shape": _rows(state[0]),
        "state_type": state[1],
        "action_shape": _rows(action[0]),
        "action_type": action[1],
    }
    return Prompt(
        system=fill("acceleration/system", {}),
        user=fill("acceleration/vectorise", fields),
    )


def _rows(shape: tuple[int, ...]) -> str:
    sizes = ", ".join(map(str, shape))
    return f"`(N, {sizes})`" if sizes else "`(N,)`"


def read_form(completion: str) -> str:
    """Returns the text of an answer that defines the class; empty if none does.

    The last block that does counts.
    """
    found = [block.source for block in code_blocks(completion)]
    found = [text for text in found if f"class {CLASS}(" in text]
    return found[-1].strip() + "\n" if found else ""
