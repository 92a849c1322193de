"""The searches over candidates by name, their settings, and saved ones."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from mcts.ab_mcts import AbMcts, AbMctsConfig
from mcts.best_of_n import BestOfN
from mcts.gif import GifConfig, GifMcts
from mcts.linear import LinearSearch
from mcts.rex import RexConfig, RexSearch
from mcts.search import TreeSearch

SearchName: TypeAlias = Literal[
    "gif-mcts", "worldcoder", "best-of-n", "linear", "ab-mcts"
]
"""What a search is called in settings, tables and saved files."""

SEARCH_NAMES: tuple[SearchName, ...] = get_args(SearchName)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """Settings of every search, of which each reads its own.

    Attributes:
        gif: Settings of gif-mcts.
        rex: Settings of worldcoder.
        ab_mcts: Settings of ab-mcts.
    """

    gif: GifConfig = field(default_factory=GifConfig)
    rex: RexConfig = field(default_factory=RexConfig)
    ab_mcts: AbMctsConfig = field(default_factory=AbMctsConfig)


PRESETS: dict[str, SearchConfig] = {
    "default": SearchConfig(),
    # The defaults are the paper's now; under this name they stay so.
    "paper": SearchConfig(
        gif=GifConfig(
            exploration=0.1,
            epsilon=1.0,
            widening=True,
            num_fixes=3,
            max_bug_value=0.99,
            prior_generate=0.5,
            prior_improve=0.55,
            prior_fix=0.5,
            prior_count=2,
            weight_global=0.5,
            weight_local=0.5,
            kinds=("generate", "improve", "fix"),
        ),
        rex=RexConfig(value_weight=5.0),
        ab_mcts=AbMctsConfig(prior_successes=0.5, prior_failures=0.5),
    ),
}
"""Named settings."""

_NEW: dict[SearchName, Callable[[SearchConfig, np.random.Generator], TreeSearch]] = {
    "gif-mcts": lambda config, rng: GifMcts(config.gif, rng),
    "worldcoder": lambda config, rng: RexSearch(config.rex, rng),
    "best-of-n": lambda config, rng: BestOfN(),
    "linear": lambda config, rng: LinearSearch(),
    "ab-mcts": lambda config, rng: AbMcts(config.ab_mcts, rng),
}

_FROM_JSON: dict[SearchName, Callable[[Mapping[str, Any]], TreeSearch]] = {
    "gif-mcts": GifMcts.from_json,
    "worldcoder": RexSearch.from_json,
    "best-of-n": BestOfN.from_json,
    "linear": LinearSearch.from_json,
    "ab-mcts": AbMcts.from_json,
}


def new_search(
    name: str, rng: np.random.Generator, *, config: SearchConfig | None = None
) -> TreeSearch:
    """Returns the search of a name, without a node.

    Args:
        name: One of `SEARCH_NAMES`.
        rng: Source of all randomness, of `np.random.default_rng`'s kind; advanced
            by `ask`. best-of-n and linear do not use it.
        config: Settings of all searches; by default the defaults.

    Raises:
        ValueError: If there is no search of that name.
    """
    return _NEW[_known(name)](config or SearchConfig(), rng)


def search_from_json(data: Mapping[str, Any]) -> TreeSearch:
    """Returns the search, of any kind, that its `to_json` described.

    Raises:
        ValueError: If the description is of no search of ours, of another version,
            or inconsistent.
    """
    return _FROM_JSON[_known(str(data.get("search")))](data)


def _known(name: str) -> SearchName:
    for known in SEARCH_NAMES:
        if name == known:
            return known
    near = difflib.get_close_matches(name, SEARCH_NAMES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"No search called {name!r}.{hint} Known: {', '.join(SEARCH_NAMES)}."
    )
