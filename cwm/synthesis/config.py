"""Settings of the search for a program."""

from dataclasses import dataclass, field, replace
from typing import Annotated

import tyro

from cwm.core.errors import ConfigError
from cwm.execution.budget import Limits
from cwm.execution.options import shown_as
from mcts.registry import SearchConfig, SearchName
from mcts.search import KINDS, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisConfig:
    """Settings of how programs are asked for.

    Attributes:
        block_length: Lines of its parent's program that a program keeps per
            level of the tree, when it is generated below the root; at least 1.
            The paper's `L`; its runs use 2.
    """

    block_length: int = 2

    def __post_init__(self) -> None:
        if self.block_length < 1:
            raise ConfigError(
                f"block_length must be at least 1, got {self.block_length} (lines)."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeConfig:
    """Which search, and the settings of each.

    Attributes:
        search: How the next request is chosen: gif-mcts, the paper's tree search;
            worldcoder, Thompson sampling over all programs (REx); best-of-n,
            always a new program; linear, always the last program once more; or
            ab-mcts, adaptive branching. docs/search.md has the rules.
        kinds: Kinds of requests that gif-mcts makes, with commas between them, for
            ablations; generate is always one of them.
        settings: Settings of each search.
    """

    search: SearchName = "gif-mcts"
    kinds: Annotated[str, tyro.conf.arg(metavar="KIND,KIND,...")] = ",".join(KINDS)
    # What is on by default is turned off by a value: a name such as no-widening
    # beside a text that says what widening does is hard to read.
    settings: Annotated[
        SearchConfig, tyro.conf.arg(name=""), tyro.conf.FlagConversionOff
    ] = field(default_factory=SearchConfig)

    def __post_init__(self) -> None:
        known = self._kinds()
        if set(known) != set(KINDS) and self.search != "gif-mcts":
            raise ConfigError(
                f"kinds are chosen in gif-mcts only, got {self.kinds!r} with "
                f"{self.search!r}."
            )

    def _kinds(self) -> tuple[Kind, ...]:
        words = [word.strip() for word in self.kinds.split(",") if word.strip()]
        unknown = [word for word in words if word not in KINDS]
        if unknown or "generate" not in words:
            raise ConfigError(
                f"kinds must be some of {', '.join(KINDS)}, generate among them, got "
                f"{self.kinds!r}."
            )
        return tuple(kind for kind in KINDS if kind in words)

    def of(self, search: SearchName) -> "TreeConfig":
        """Returns the settings of a search; only gif-mcts can do without some kinds."""
        kinds = self.kinds if search == "gif-mcts" else ",".join(KINDS)
        return replace(self, kinds=kinds, search=search)

    def search_config(self) -> SearchConfig:
        """Returns the settings of all searches, `kinds` taken in."""
        gif = replace(self.settings.gif, kinds=self._kinds())
        return replace(self.settings, gif=gif)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """What a run may spend. At a cap it ends with the best program so far.

    Attributes:
        call_budget: Most programs to ask for, one each call; at least 1. The
            search ends earlier when a program is perfect. The paper uses 10 or 50.
        token_budget: Most tokens, sent and received together; at least 1. A call
            is only made if its longest answer would still fit.
        cost_budget: Most US dollars, likewise; positive. The price of every model
            must be known (--prices).
        time_budget: Seconds after which nothing more is asked, in this command;
            positive. Answers that are on their way are waited for.
        patience: Calls without a program that does better (shorter is not better
            here) after which the search ends; at least 0, where 0 is never, as in
            the paper. If not given, 15 without a language model (symbolic induction
            repeats itself once nothing helps) and 0 with one.
    """

    call_budget: Annotated[int, shown_as("INT", aliases=("--llm-call-budget",))] = 50
    token_budget: Annotated[int | None, shown_as("INT")] = None
    cost_budget: Annotated[float | None, shown_as("USD")] = None
    time_budget: Annotated[float | None, shown_as("SECONDS")] = None
    patience: Annotated[int | None, shown_as("INT")] = None

    def __post_init__(self) -> None:
        self.limits()
        if self.patience is not None and self.patience < 0:
            raise ConfigError(
                f"patience must be at least 0, got {self.patience} (calls)."
            )

    def limits(self) -> Limits:
        """Returns the caps.

        Raises:
            ConfigError: If one is of nothing.
        """
        return Limits(
            calls=self.call_budget,
            tokens=self.token_budget,
            usd=self.cost_budget,
            seconds=self.time_budget,
        )
