"""Language models by name: the text after `--llm`."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cwm.core.errors import ConfigError
from cwm.llm.caching import cached
from cwm.llm.chat import ChatModel
from cwm.llm.continuation import ContinuesAssistant
from cwm.llm.delegating import WholeAnswers
from cwm.llm.endpoint_scoring import EndpointScoringModel
from cwm.llm.local.config import DEFAULT_LOCAL_CONFIG, LocalConfig
from cwm.llm.openai_compatible import ContinuePrefix, OpenAICompatibleModel
from cwm.llm.replaying import ReplayChatModel
from cwm.llm.scoring import ScoringModel
from cwm.llm.scripted import ScriptedChatModel
from cwm.llm.service_config import DEFAULT_SERVICE_CONFIG, ServiceConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the making of a model may need besides its name.

    Attributes:
        base_url: Address of the endpoint; `None` is the default one.
        service: How a service is called.
        local: How a model on this machine is run.
        continue_prefix: Whether an endpoint continues a message of the assistant's.
    """

    base_url: str | None
    service: ServiceConfig
    local: LocalConfig
    continue_prefix: ContinuePrefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One kind of language model.

    Attributes:
        make: Makes the model of what follows the scheme.
        placeholder: What follows the scheme, for messages.
        has_address: Whether it is reached at a `base_url`.
    """

    make: Callable[[str, Settings], ChatModel]
    placeholder: str
    has_address: bool = False


def _openai(model: str, settings: Settings) -> ChatModel:
    service = settings.service
    return OpenAICompatibleModel(
        model=model,
        base_url=settings.base_url,
        request_timeout_s=service.request_timeout_s,
        call_timeout_s=service.call_timeout_s,
        retry=service.retry(),
        continue_prefix=settings.continue_prefix,
        extra_body=service.parameters(),
        rejects_other_model=service.reject_other_model,
    )


def _hf(text: str, settings: Settings) -> ChatModel:
    # Its packages are heavy, and many runs need none of them.
    from cwm.llm.local.model import TransformersModel  # noqa: PLC0415

    return TransformersModel.from_hub_or_folder(text, settings.local)


def _gguf(text: str, settings: Settings) -> ChatModel:
    from cwm.llm.local.model import TransformersModel  # noqa: PLC0415 - as above

    return TransformersModel.from_gguf(text, settings.local)


def _replay(run: str, settings: Settings) -> ChatModel:
    return ReplayChatModel(Path(run))


def _scripted(path: str, settings: Settings) -> ChatModel:
    return ScriptedChatModel.from_file(Path(path))


SCHEMES: Mapping[str, Scheme] = {
    "gguf": Scheme(make=_gguf, placeholder="FILE"),
    "hf": Scheme(make=_hf, placeholder="ID_OR_FOLDER"),
    "openai": Scheme(make=_openai, placeholder="MODEL", has_address=True),
    "replay": Scheme(make=_replay, placeholder="RUN"),
    "scripted": Scheme(make=_scripted, placeholder="FILE"),
}
"""Scheme -> what makes the model of the text after it."""


def make_chat_model(
    text: str,
    *,
    base_url: str | None = None,
    continue_prefix: ContinuePrefix = "auto",
    service: ServiceConfig = DEFAULT_SERVICE_CONFIG,
    local: LocalConfig = DEFAULT_LOCAL_CONFIG,
    cache: Path | None = None,
) -> ChatModel:
    """Returns the language model that a text such as `openai:MODEL` names.

    Args:
        text: `openai:MODEL` at an endpoint; `hf:ID_OR_FOLDER` or `gguf:FILE` on this
            machine; `replay:RUN`, the answers that a run was given; `scripted:FILE`
            with a JSON list of completions.
        base_url: Address of an endpoint that speaks OpenAI's chat completions.
        continue_prefix: Whether a last message of the assistant's is continued:
            where the model is known to do so, where an endpoint is said to, or never.
        service: How an endpoint is called.
        local: How a model on this machine is run.
        cache: Folder of completions that runs share; `None` keeps none.

    Raises:
        ConfigError: If the text names no known scheme, or nothing after it, or the
            cache cannot be written.
        DataError: If a script or a run cannot be read.
        PrerequisiteError: If a package that the model needs is missing.
    """
    name, _, rest = text.partition(":")
    scheme = SCHEMES.get(name)
    if scheme is None:
        raise ConfigError(_unknown_scheme(name))
    if not rest:
        raise ConfigError(
            f"llm must name what follows {name}:, got {text!r}, as in "
            f"{name}:{scheme.placeholder}."
        )
    if base_url is not None and not scheme.has_address:
        raise ConfigError(f"base_url has no meaning for {text}.")
    model = scheme.make(
        rest,
        Settings(
            base_url=base_url,
            service=service,
            local=local,
            continue_prefix=continue_prefix,
        ),
    )
    if continue_prefix == "off" and isinstance(model, ContinuesAssistant):
        model = model if scheme.has_address else WholeAnswers(model)
    return model if cache is None else cached(model, cache)


def make_scoring_model(
    text: str,
    *,
    base_url: str | None = None,
    service: ServiceConfig = DEFAULT_SERVICE_CONFIG,
    local: LocalConfig = DEFAULT_LOCAL_CONFIG,
) -> ScoringModel:
    """Returns the model that a text names, as one that gives log-probabilities.

    Whether an endpoint gives the right ones is found out by its `check`, or at the
    first use.

    Args:
        text: As for `make_chat_model`.
        base_url: As for `make_chat_model`.
        service: As for `make_chat_model`.
        local: As for `make_chat_model`.

    Raises:
        ConfigError: As `make_chat_model`; or if such a model has no probabilities.
        DataError: As `make_chat_model`.
        PrerequisiteError: As `make_chat_model`.
    """
    model = make_chat_model(text, base_url=base_url, service=service, local=local)
    scorer = scoring_side(model)
    if scorer is None:
        raise ConfigError(
            f"llm must be a model that gives log-probabilities, got {text!r}. Take "
            "hf:ID_OR_FOLDER, gguf:FILE, or openai:MODEL at a server of vLLM's."
        )
    return scorer


def scoring_side(model: ChatModel) -> ScoringModel | None:
    """Returns a model as one that gives log-probabilities; `None` if it never does.

    Of an endpoint it is found out by its `check`, or at the first use.
    """
    if isinstance(model, OpenAICompatibleModel):
        return EndpointScoringModel(model)
    return model if isinstance(model, ScoringModel) else None


def _unknown_scheme(name: str) -> str:
    near = difflib.get_close_matches(name, SCHEMES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = ", ".join(f"{n}:{SCHEMES[n].placeholder}" for n in sorted(SCHEMES))
    return f"No kind of language model called {name!r}.{hint} Known: {known}."
