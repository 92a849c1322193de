"""What kind of server an endpoint is, and what it does differently from the others.

The kind is read from the list of models (`GET /models`), which every server gives
without a model having to run. What is known of each kind stands in `QUIRKS`; where
from, in docs/language-models.md.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

ServerKind: TypeAlias = Literal[
    "openai",
    "vllm",
    "sglang",
    "llama.cpp",
    "llama-cpp-python",
    "ollama",
    "unknown",
]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How a kind of server differs.

    Attributes:
        continues_assistant: Whether it goes on with a last message of the
            assistant's, instead of answering it.
        continuation: Parameters that ask for that.
        always: Parameters sent with every request, to undo a default that changes
            what was asked for.
        takes_any_name: Whether it answers to every model's name with the one model
            that it has.
    """

    continues_assistant: bool = False
    continuation: Mapping[str, Any] = field(default_factory=dict)
    always: Mapping[str, Any] = field(default_factory=dict)
    takes_any_name: bool = False


_CHAT_TEMPLATE_FLAGS: Final = MappingProxyType(
    {"continue_final_message": True, "add_generation_prompt": False}
)

QUIRKS: Final[Mapping[ServerKind, Quirks]] = {
    "openai": Quirks(),
    "vllm": Quirks(continues_assistant=True, continuation=_CHAT_TEMPLATE_FLAGS),
    "sglang": Quirks(
        continues_assistant=True,
        continuation=MappingProxyType({"continue_final_message": True}),
    ),
    "llama.cpp": Quirks(continues_assistant=True, takes_any_name=True),
    "llama-cpp-python": Quirks(
        # Its default of 1.1 punishes code, which repeats itself by nature.
        always=MappingProxyType({"repeat_penalty": 1.0}),
        takes_any_name=True,
    ),
    "ollama": Quirks(continues_assistant=True),
    "unknown": Quirks(),
}

_KIND_BY_OWNER: Final[Mapping[str, ServerKind]] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama.cpp",
    "me": "llama-cpp-python",
    "library": "ollama",
    "openai": "openai",
    "openai-internal": "openai",
    "system": "openai",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What an endpoint says about itself.

    Attributes:
        kind: What software it is, as far as it can be told.
        model_ids: The models that it lists.
    """

    kind: ServerKind = "unknown"
    model_ids: tuple[str, ...] = ()

    @property
    def quirks(self) -> Quirks:
        """How it differs from other servers."""
        return QUIRKS[self.kind]


UNKNOWN_SERVER: Final = Server()


def read_server(text: str) -> Server:
    """Returns the server whose list of models is `text`; an unknown one if unclear."""
    try:
        models = json.loads(text)["data"]
        found = [model for model in models if isinstance(model, dict)]
    except (ValueError, TypeError, KeyError):
        return UNKNOWN_SERVER
    owners = {str(model.get("owned_by", "")).lower() for model in found}
    kinds = {_KIND_BY_OWNER.get(owner, "unknown") for owner in owners}
    return Server(
        kind=kinds.pop() if len(kinds) == 1 else "unknown",
        model_ids=tuple(str(model["id"]) for model in found if "id" in model),
    )


def is_other_model(asked: str, answered: str) -> bool:
    """Returns whether an answer's model is clearly not the one that was asked for.

    Services add dates (`gpt-4o` answers as `gpt-4o-2024-08-06`), leave out owners
    (`org/model`) or name the file with the weights: the words of one name within the
    other are taken for the same model, unless a word such as `mini` is between them.
    """
    one, other = _words(asked), _words(answered)
    if not one or not other or "".join(one) == "".join(other):
        return False
    short, long = sorted((one, other), key=len)
    starts = range(len(long) - len(short) + 1)
    if not any(long[start : start + len(short)] == short for start in starts):
        return True
    return not _SIZES.isdisjoint(set(long) - set(short))


_SIZES: Final = frozenset(
    {"air", "chat", "fast", "flash", "haiku", "high", "large", "lite", "low", "max"}
    | {"micro", "mini", "nano", "plus", "pro", "small", "tiny", "turbo"}
)
"""Words that make another model of one whose name they are added to."""


def _words(name: str) -> list[str]:
    last = name.rstrip("/").rsplit("/", 1)[-1].lower().removesuffix(":latest")
    return re.findall(r"[a-z0-9]+", last.removesuffix(".gguf"))
