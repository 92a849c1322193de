"""What a call costs in money: a small table to be edited, and a user's own.

Covers: hosted models by id and endpoint, prices that depend on the prompt's length,
    prompt tokens that a service had read before.
Does not cover: what the table does not name. An unknown price is `None`, never 0: a
    run then counts tokens, and says that it knows no price.
"""

import re
import tomllib
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from cwm.core.errors import ConfigError
from cwm.llm.openai_compatible import OPENAI_BASE_URL

TABLE: Final = Path(__file__).with_name("prices.toml")

FREE_SCHEMES: Final = {
    "hf": "it runs on this machine",
    "gguf": "it runs on this machine",
    "replay": "its answers were recorded",
    "scripted": "its answers are in a file",
}
"""Kinds of models that nobody bills, and why."""

_MILLION = 1_000_000.0

_DATE = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs.

    Attributes:
        models: Ids, with `*` for any text; one also stands for itself with a date
            behind it.
        prompt: US dollars for a million prompt tokens; at least 0.
        completion: US dollars for a million completion tokens; at least 0.
        reused_prompt: US dollars for a million prompt tokens that the service had
            read before; `None` is `prompt`.
        endpoint: Host that asks this price; `None` is any.
        max_prompt_tokens: The price holds for calls with so many prompt tokens at
            most; `None` is any number.
        as_of: When it was last compared with its source.
        reason: Why it is what it is, if that is not its source.
    """

    models: tuple[str, ...] = ()
    prompt: float
    completion: float
    reused_prompt: float | None = None
    endpoint: str | None = None
    max_prompt_tokens: int | None = None
    as_of: date | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        for name in ("prompt", "completion", "reused_prompt"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value < float("inf"):
                raise ValueError(f"{name} must be at least 0 and finite, got {value}")

    def covers(self, model: str, host: str, prompt_tokens: int) -> bool:
        """Returns whether this is the price of such a call."""
        is_host = self.endpoint is None or self.endpoint.lower() == host
        is_short = (
            self.max_prompt_tokens is None or prompt_tokens <= self.max_prompt_tokens
        )
        names = (model, _DATE.sub("", model))
        is_model = any(
            fnmatchcase(name, pattern) for name in names for pattern in self.models
        )
        return is_host and is_short and is_model

    def cost_usd(
        self, prompt_tokens: int, completion_tokens: int, reused_prompt_tokens: int = 0
    ) -> float:
        """Returns what so many tokens cost, in US dollars."""
        reused = self.prompt if self.reused_prompt is None else self.reused_prompt
        fresh_tokens = prompt_tokens - reused_prompt_tokens
        return (
            fresh_tokens * self.prompt
            + reused_prompt_tokens * reused
            + completion_tokens * self.completion
        ) / _MILLION


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices that are known; the first that covers a call is its price.

    Attributes:
        prices: In the order in which they are looked at.
    """

    prices: tuple[Price, ...] = field(default=(), repr=False)

    def price(
        self, model: str, *, base_url: str | None = None, prompt_tokens: int = 0
    ) -> Price | None:
        """Returns the price of a call; `None` if it is not known.

        Args:
            model: As after `--llm`, such as `openai:MODEL`; or the id alone.
            base_url: The endpoint; `None` is OpenAI's.
            prompt_tokens: Length of the prompt.
        """
        scheme, _, rest = model.partition(":")
        if scheme in FREE_SCHEMES:
            return Price(prompt=0.0, completion=0.0, reason=FREE_SCHEMES[scheme])
        name = rest if scheme == "openai" else model
        host = (urlsplit(base_url or OPENAI_BASE_URL).hostname or "").lower()
        for price in self.prices:
            if price.covers(name, host, prompt_tokens):
                return price
        return None

    def cost_usd(
        self,
        model: str,
        prompt_tokens: int,
        completion_tokens: int,
        *,
        reused_prompt_tokens: int = 0,
        base_url: str | None = None,
    ) -> float | None:
        """Returns what one call costs, in US dollars; `None` if that is not known.

        Args:
            model: As for `price`.
            prompt_tokens: Tokens sent.
            completion_tokens: Tokens received.
            reused_prompt_tokens: Part of `prompt_tokens` that the service had read
                before.
            base_url: As for `price`.
        """
        if prompt_tokens == completion_tokens == 0:
            return 0.0  # Nothing was asked: an answer from a store.
        price = self.price(model, base_url=base_url, prompt_tokens=prompt_tokens)
        if price is None:
            return None
        return price.cost_usd(prompt_tokens, completion_tokens, reused_prompt_tokens)


def load_prices(path: Path | None = None) -> PriceTable:
    """Returns the table of this package, with a user's own before it.

    Args:
        path: The user's file; `None` if there is none.

    Raises:
        ConfigError: If the file cannot be read or has not the form of the table.
    """
    own = () if path is None else read_prices(path)
    return PriceTable((*own, *_packaged_prices()))


@lru_cache(maxsize=1)
def _packaged_prices() -> tuple[Price, ...]:
    return read_prices(TABLE)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    price: list["_Entry"] = []


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    models: list[str]
    prompt: float
    completion: float
    reused_prompt: float | None = None
    endpoint: str | None = None
    max_prompt_tokens: int | None = None
    as_of: date | None = None
    reason: str = ""


def read_prices(path: Path) -> tuple[Price, ...]:
    """Returns the prices in a file.

    Raises:
        ConfigError: If it cannot be read or has not the form of `prices.toml`.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = msgspec.convert(data, _File).price
        return tuple(
            Price(**{**msgspec.structs.asdict(e), "models": tuple(e.models)})
            for e in entries
        )
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"prices must be a file of the form of cwm/llm/prices.toml, got "
            f"{str(path)!r}: {error}."
        ) from error
