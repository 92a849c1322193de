from pathlib import Path

import pytest

from cwm.config import PRESETS, RunConfig
from cwm.core.errors import ConfigError
from cwm.programs.constants.config import FitConfig
from cwm.proposers.config import LanguageModelConfig


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_steps", 0, "max_steps must be at least 1, got 0 (steps)."),
        ("num_rows", 7, "num_rows must be at least 8, got 7 (transitions)."),
        ("num_starts", 0, "num_starts must be at least 1, got 0 (starts)."),
        ("horizon", 0, "horizon must be at least 1, got 0 (steps)."),
        ("max_constants", 0, "max_constants must be at least 1, got 0 (constants)."),
        ("max_seconds", 0.0, "max_seconds must be positive, got 0.0 (seconds)."),
    ],
)
def test_settings_that_break_a_rule_are_refused(
    name: str, value: float, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        FitConfig(**{name: value})
    assert str(refused.value) == words


def test_who_fits_its_own_constants_is_left_alone() -> None:
    model = LanguageModelConfig(llm=("openai:x",))
    assert RunConfig().fitting.mode == "off"
    assert RunConfig(models=model).fitting.mode == "all"
    assert RunConfig(start_from=Path("a.py")).fitting.mode == "all"
    assert RunConfig(fit=FitConfig(mode="declared")).fitting.mode == "declared"
    assert PRESETS["paper"].fitting.mode == "off"
