"""Language models by name: the text after `--llm`."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path

from cwm.core.errors import ConfigError
from cwm.llm.chat import ChatModel
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.scripted import ScriptedChatModel


def _openai(model: str, base_url: str | None) -> ChatModel:
    return OpenAICompatibleModel(model=model, base_url=base_url)


def _scripted(path: str, base_url: str | None) -> ChatModel:
    if base_url is not None:
        raise ConfigError(f"base_url has no meaning for scripted:{path}.")
    return ScriptedChatModel.from_file(Path(path))


SCHEMES: Mapping[str, Callable[[str, str | None], ChatModel]] = {
    "openai": _openai,
    "scripted": _scripted,
}
"""Scheme -> what makes the model of the text after it."""


def make_chat_model(text: str, *, base_url: str | None = None) -> ChatModel:
    """Returns the language model that a text such as `openai:MODEL` names.

    Args:
        text: `openai:MODEL`, or `scripted:FILE` with a JSON list of completions.
        base_url: Address of an endpoint that speaks OpenAI's chat completions.

    Raises:
        ConfigError: If the text names no known scheme, or nothing after it.
        DataError: If a script cannot be read.
    """
    scheme, _, rest = text.partition(":")
    if scheme not in SCHEMES:
        near = difflib.get_close_matches(scheme, SCHEMES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"No kind of language model called {scheme!r}.{hint} "
            f"Known: {', '.join(f'{name}:...' for name in SCHEMES)}."
        )
    if not rest:
        raise ConfigError(
            f"llm must name what follows {scheme}:, got {text!r}, as in "
            f"{scheme}:{'FILE' if scheme == 'scripted' else 'MODEL'}."
        )
    return SCHEMES[scheme](rest, base_url)
