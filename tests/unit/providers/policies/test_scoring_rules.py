"""Scores from logits, with numbers computed by hand."""

import math
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.providers.policies.scoring.config import ScoringConfig
from cwm.providers.policies.scoring.reading import Measured
from cwm.providers.policies.scoring.rules import action_scores

torch: Any = pytest.importorskip("torch")
pytestmark = pytest.mark.local

ACTIONS = ["turn left", "drop", "do it now"]
LENGTHS = np.array([[3, 1, 2]])
LOGITS = [[[1.0, 2.0, 3.0], [4.0, 50.0, 60.0], [0.5, 0.25, 70.0]]]
TOTALS = [[[1.5, 4.0, 3.5], [4.25, 0.0, 0.0], [2.5, 1.25, 0.0]]]
"""Beyond an action's end stands what must not count."""
SUMS = [-3.0, -0.25, -3.0]


def scores(**settings: Any) -> list[float]:
    measured = Measured(torch.tensor(LOGITS), torch.tensor(TOTALS), torch.zeros(1, 2))
    config = ScoringConfig(**settings)
    found = action_scores(measured, LENGTHS, ACTIONS, config)
    assert found.dtype == torch.float32
    return [float(score) for score in found[0]]


@pytest.mark.parametrize(
    ("normalise", "divisors"),
    [("sum", (1, 1, 1)), ("token", (3, 1, 2)), ("word", (2, 1, 3))],
)
def test_log_probabilities_are_divided(
    normalise: str, divisors: tuple[int, ...]
) -> None:
    expected = [total / by for total, by in zip(SUMS, divisors, strict=True)]
    assert scores(normalise=normalise) == pytest.approx(expected)


def test_the_default_is_the_mean_of_tokens() -> None:
    assert scores() == scores(rule="log-probs", normalise="token")


def test_raw_logits_get_one_for_every_missing_token() -> None:
    expected = [1.0 + 2.0 + 3.0, 4.0 + 2 * 1.0, 0.5 + 0.25 + 1.0]
    assert scores(rule="raw-logits") == pytest.approx(expected)


def test_relative_probabilities_are_those_of_the_most_probable() -> None:
    expected = [math.exp(-2.75), 1.0, math.exp(-2.75)]
    assert scores(rule="relative-probs") == pytest.approx(expected)


@pytest.mark.parametrize("rule", ["raw-logits", "relative-probs"])
def test_released_rules_are_not_divided(rule: str) -> None:
    assert scores(rule=rule, normalise="token") == scores(rule=rule, normalise="sum")


def test_relative_probabilities_too_small_for_a_number_are_equal() -> None:
    config = ScoringConfig(rule="relative-probs")
    logits = torch.tensor([[[-103.0], [-110.0]], [[-104.0], [-110.0]]])
    measured = Measured(logits, torch.zeros(2, 2, 1), torch.zeros(2, 2))
    lengths = np.ones((2, 2), dtype=np.int64)
    found = action_scores(measured, lengths, ["a", "b"], config)
    assert found[0].tolist() == pytest.approx([1.0, math.exp(-7.0)])
    assert found[1].tolist() == [0.0, 0.0]


def test_the_longest_action_is_that_of_the_same_prompt() -> None:
    config = ScoringConfig(rule="raw-logits")
    zeros = torch.zeros(2, 2, 3)
    measured = Measured(zeros, zeros, torch.zeros(2, 2))
    found = action_scores(measured, np.array([[1, 3], [1, 2]]), ["a", "b"], config)
    assert found.tolist() == [[2.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "trie"}, "engine must be tree, prefix or flat, got 'trie'"),
        ({"normalise": "mean"}, "normalise must be token, word or sum, got 'mean'"),
        ({"rule": "probs"}, "rule must be log-probs, .* got 'probs'"),
    ],
)
def test_unknown_settings_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ScoringConfig(**settings)


def test_the_end_token_belongs_to_relative_probabilities() -> None:
    assert ScoringConfig(rule="relative-probs").has_end
    assert ScoringConfig(append_end=True).has_end
    assert not ScoringConfig(rule="raw-logits").has_end
