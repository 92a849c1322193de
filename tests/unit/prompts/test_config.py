"""Settings of prompts."""

import pytest

from prompts.config import (
    DEFAULT_PROMPT_CONFIG,
    PAPER_PROMPT_CONFIG,
    PROMPT_PRESETS,
    PromptConfig,
)


@pytest.mark.parametrize(
    ("name", "value", "low"),
    [
        ("num_examples", -1, 0),
        ("num_counterexamples", 0, 1),
        ("max_value_chars", 39, 40),
        ("max_description_chars", 0, 40),
        ("max_program_chars", 0, 40),
        ("max_failure_chars", 0, 40),
        ("max_earlier", -1, 0),
    ],
)
def test_setting_that_breaks_its_rule_is_named(name: str, value: int, low: int) -> None:
    PromptConfig(**{name: low})
    with pytest.raises(
        ValueError, match=rf"^{name} must be at least {low}, got {value}\."
    ):
        PromptConfig(**{name: value})


def test_presets_are_the_default_and_the_papers() -> None:
    assert PROMPT_PRESETS == {
        "default": DEFAULT_PROMPT_CONFIG,
        "paper": PAPER_PROMPT_CONFIG,
    }
    assert PromptConfig() == DEFAULT_PROMPT_CONFIG
    assert PAPER_PROMPT_CONFIG.is_plain
    assert not DEFAULT_PROMPT_CONFIG.is_plain
    assert PAPER_PROMPT_CONFIG.num_counterexamples == 1
