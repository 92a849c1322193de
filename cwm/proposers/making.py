"""From settings to the proposer that asks language models."""

from dataclasses import dataclass

from cwm.core.errors import ConfigError
from cwm.core.proposals import Proposer
from cwm.llm.prices import PriceTable, load_prices
from cwm.llm.registry import make_chat_model
from cwm.proposers.config import LanguageModelConfig
from cwm.proposers.language_model import LanguageModelProposer
from cwm.proposers.several import SeveralProposers


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What the calls to one model cost.

    Attributes:
        llm: The model, as after `--llm`.
        base_url: Its endpoint.
        table: The prices that are known.
    """

    llm: str
    base_url: str | None
    table: PriceTable

    def __call__(self, prompt: int, completion: int, reused: int) -> float | None:
        """Returns the price of a call in US dollars; see `language_model.Price`."""
        return self.table.cost_usd(
            self.llm,
            prompt,
            completion,
            reused_prompt_tokens=reused,
            base_url=self.base_url,
        )


def make_proposer(config: LanguageModelConfig, *, needs_prices: bool) -> Proposer:
    """Returns the proposer that asks the language models of a run.

    Args:
        config: At least one model, and how they are asked.
        needs_prices: Whether an unknown price is refused: money is counted.

    Raises:
        ConfigError: If a model is of an unknown kind, or its price is needed and not
            known.
        DataError: If a file that it reads is not of its form.
        PrerequisiteError: If a package that it needs is missing.
    """
    if len(set(config.llm)) < len(config.llm):
        raise ConfigError(f"llm must name each model once, got {config.llm}.")
    at_endpoint = [llm for llm in config.llm if llm.startswith("openai:")]
    table = load_prices(config.prices)
    proposers: list[Proposer] = []
    for llm in config.llm:
        price = ModelPrice(llm, config.base_url, table)
        if needs_prices and price(1, 1, 0) is None:
            raise ConfigError(
                f"cost_budget needs the price of {llm!r}, and none is known. Add it to "
                "a file of prices (--prices FILE), or cap tokens with --token-budget."
            )
        model = make_chat_model(
            llm,
            # Beside models of an endpoint there may be others that have none.
            base_url=config.base_url if llm in at_endpoint or not at_endpoint else None,
            continue_prefix=config.continue_prefix,
            service=config.service,
            local=config.local,
            cache=config.cache,
        )
        proposers.append(
            LanguageModelProposer(
                model, sampling=config.sampling, prompts=config.prompts, price=price
            )
        )
    return proposers[0] if len(proposers) == 1 else SeveralProposers(proposers)
