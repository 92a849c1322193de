"""Settings of local models."""

import pytest

from cwm.core.errors import ConfigError
from cwm.llm.local.config import LocalConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_threads": 0}, "num_threads must be at least 1, got 0."),
        ({"top_k": -1}, "top_k must be at least 0, got -1."),
        ({"max_batch": 0}, "max_batch must be at least 1, got 0."),
        ({"prefix_cache_mib": -1}, "prefix_cache_mib must be at least 0, got -1."),
        ({"prefix_block_tokens": 0}, "prefix_block_tokens must be at least 1, got 0."),
        ({"scoring_block_tokens": 0}, "scoring_block_tokens must be at least 1, got"),
    ],
)
def test_a_setting_that_breaks_its_rule_is_named(
    settings: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        LocalConfig(**settings)
    assert str(caught.value).startswith(message)
