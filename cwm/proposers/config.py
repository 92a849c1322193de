"""Which language models write the programs, and how they are reached."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as
from cwm.llm.chat import SamplingConfig
from cwm.llm.local.config import LocalConfig
from cwm.llm.openai_compatible import ContinuePrefix
from cwm.llm.service_config import ServiceConfig
from prompts.config import PromptConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelConfig:
    """Settings of the language models of a run; without one they mean nothing.

    Attributes:
        llm: Language model that writes the programs. openai:MODEL is any endpoint
            that speaks OpenAI's chat completions (the key is in OPENAI_API_KEY);
            hf:FOLDER and gguf:FILE run on this machine; replay:RUN gives the
            recorded answers of a run; scripted:FILE reads out a JSON list of
            answers, for rehearsals. Given several times, the search learns which
            of them to ask. Without a model, programs are induced from the
            transitions: no key, no network.
        base_url: Address of the endpoint of openai:MODEL; OpenAI's own if not given. Of
            a server on this machine it is such as http://localhost:8000/v1.
        concurrency: Calls on their way at a time; at least 1. With 1 the search is
            the sequential algorithm.
        cache: Folder of completions that runs share; none is paid for twice.
        prices: TOML file of prices that go before the built-in ones
            (cwm/llm/prices.toml), in US dollars per million tokens.
        continue_prefix: Whether generate requests begin the model's answer with the
            program's first lines (on), or ask for them in words (off); auto is on
            where the model is known to continue them.
        sampling: How answers are drawn.
        prompts: What a model is shown.
        service: How endpoints are called.
        local: How models on this machine run.
    """

    llm: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="KIND:NAME", help_behavior_hint=lambda _: "(repeatable)"),
    ] = ()
    base_url: Annotated[str | None, shown_as("URL")] = None
    concurrency: int = 1
    cache: Annotated[Path | None, shown_as("FOLDER")] = None
    prices: Annotated[Path | None, shown_as("FILE")] = None
    continue_prefix: ContinuePrefix = "auto"
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    prompts: PromptConfig = field(default_factory=PromptConfig)
    service: ServiceConfig = field(default_factory=ServiceConfig)
    local: LocalConfig = field(default_factory=LocalConfig)

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ConfigError(
                f"concurrency must be at least 1, got {self.concurrency} (calls)."
            )
        given = {
            "base_url": self.base_url is not None,
            "concurrency": self.concurrency > 1,
            "cache": self.cache is not None,
            "prices": self.prices is not None,
        }
        if not self.llm:
            for name, is_given in given.items():
                if is_given:
                    raise ConfigError(f"{name} needs llm: name the model with --llm.")
