"""Searches are found by name, new and saved."""

import json

import numpy as np
import pytest

from mcts.ab_mcts import AbMctsConfig
from mcts.gif import GifConfig, GifMcts
from mcts.registry import (
    PRESETS,
    SEARCH_NAMES,
    SearchConfig,
    new_search,
    search_from_json,
)
from mcts.rex import RexConfig, RexSearch


@pytest.mark.parametrize("name", SEARCH_NAMES)
def test_search_of_a_name_has_that_name_and_is_read_back_as_itself(name: str) -> None:
    search = new_search(name, np.random.default_rng(0))
    assert search.name == name
    search.ask()
    saved = json.loads(json.dumps(search.to_json()))
    restored = search_from_json(saved)
    assert type(restored) is type(search)
    assert restored.outstanding == search.outstanding


def test_each_search_reads_its_own_settings() -> None:
    config = SearchConfig(
        gif=GifConfig(exploration=0.7), rex=RexConfig(value_weight=20.0)
    )
    rng = np.random.default_rng(0)
    gif = new_search("gif-mcts", rng, config=config)
    rex = new_search("worldcoder", rng, config=config)
    assert isinstance(gif, GifMcts)
    assert isinstance(rex, RexSearch)
    assert (gif.config.exploration, rex.config.value_weight) == (0.7, 20.0)


def test_preset_of_the_paper_has_the_papers_numbers() -> None:
    paper = PRESETS["paper"]
    assert (paper.gif.exploration, paper.gif.epsilon) == (0.1, 1.0)
    assert (paper.gif.num_fixes, paper.gif.max_bug_value) == (3, 0.99)
    assert (paper.gif.prior_generate, paper.gif.prior_improve) == (0.5, 0.55)
    assert paper.gif.kinds == ("generate", "improve", "fix")
    assert paper.rex == RexConfig(value_weight=5.0)
    assert paper.ab_mcts == AbMctsConfig(prior_successes=0.5, prior_failures=0.5)


def test_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(
        ValueError,
        match=r"No search called 'worldcode'\. Did you mean 'worldcoder'\? Known: gif",
    ):
        new_search("worldcode", np.random.default_rng(0))


def test_saved_search_of_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"No search called 'None'\. Known: gif-mcts"):
        search_from_json({})
