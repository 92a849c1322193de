"""Drawing tokens from logits, against the definitions and transformers."""

from typing import Any

import numpy as np
import pytest

from cwm.core.errors import LLMError
from cwm.llm.local.sampling import Draw, draw_tokens

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
pytestmark = pytest.mark.local


def draw(uniform: float = 0.5, **settings: float) -> Draw:
    chosen: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, **settings}
    return Draw(uniform=uniform, **chosen)


def drawn(probabilities: list[float], **settings: float) -> list[int]:
    """Returns what 0.0, 0.1, ..., 0.9 and almost 1 draw."""
    logits = torch.tensor([probabilities]).log()
    uniforms = [*np.arange(10) / 10 + 1e-6, 1.0 - 1e-12]
    return [draw_tokens(logits, [draw(float(u), **settings)])[0] for u in uniforms]


def test_a_token_is_drawn_where_the_sum_exceeds_the_number() -> None:
    assert drawn([0.2, 0.5, 0.3]) == [0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]


def test_a_token_of_probability_0_is_never_drawn() -> None:
    assert drawn([0.0, 0.5, 0.0, 0.5, 0.0]) == [1] * 5 + [3] * 6


def test_a_number_of_0_takes_the_first_that_has_any_probability() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.5, 0.5]]).log()
    assert draw_tokens(logits, [draw(0.0)]) == [2]


def test_many_tokens_are_summed_without_loss() -> None:
    logits = torch.randn(1, 150_000, generator=torch.Generator().manual_seed(0))
    sums = logits[0].double().softmax(dim=-1).cumsum(dim=-1).numpy()
    uniforms = np.random.default_rng(0).random(200)
    found = [draw_tokens(logits, [draw(float(u))])[0] for u in uniforms]
    expected = np.searchsorted(sums, uniforms, side="right")
    assert np.abs(np.subtract(found, expected)).max() <= 1


def test_a_limit_of_tokens_alone_keeps_the_least_likely_of_them() -> None:
    # In single precision the first one has all of the probability.
    logits = torch.tensor([[0.0, -20.0, -20.0, -30.0]])
    assert draw_tokens(logits, [draw(1.0 - 1e-12, top_k=3)]) == [2]


def test_temperature_0_takes_the_likeliest() -> None:
    assert set(drawn([0.2, 0.45, 0.35], temperature=0.0)) == {1}


def test_temperature_is_applied_before_the_cut() -> None:
    # Squared and normalised: 0.04, 0.64, 0.32 of their sum.
    found = drawn([0.2, 0.8, 0.4], temperature=0.5, top_p=0.64)
    assert set(found) == {1}


def test_top_p_keeps_the_token_that_reaches_it() -> None:
    assert set(drawn([0.1, 0.5, 0.4], top_p=0.49)) == {1}
    assert drawn([0.1, 0.5, 0.4], top_p=0.51) == [1] * 6 + [2] * 5


def test_top_k_comes_before_top_p() -> None:
    # Of the two likeliest, 0.4 and 0.35, the first has more than a half.
    assert set(drawn([0.4, 0.25, 0.35], top_k=2, top_p=0.53)) == {0}
    assert set(drawn([0.4, 0.25, 0.35], top_p=0.53)) == {0, 2}


def test_rows_are_drawn_each_in_its_own_way() -> None:
    logits = torch.tensor([[0.2, 0.5, 0.3]] * 4).log()
    draws = [
        draw(0.99),
        draw(0.99, temperature=0.0),
        draw(0.99, top_k=1),
        draw(0.99, top_p=0.7),
    ]
    assert draw_tokens(logits, draws) == [2, 1, 1, 2]
    assert draw_tokens(logits, draws[::-1]) == [2, 1, 1, 2][::-1]


SETTINGS = [
    {"temperature": 0.7},
    {"top_p": 0.9},
    {"top_k": 5},
    {"top_k": 1_500},
    {"top_k": 600, "top_p": 0.999},
    # Nearly flat: the cut lies beyond the tokens that are sorted first.
    {"temperature": 30.0, "top_p": 0.8},
    {"temperature": 0.6, "top_p": 0.8, "top_k": 40},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_tokens_that_can_be_drawn_are_those_of_transformers(
    settings: dict[str, float],
) -> None:
    logits = torch.randn(1, 2_000, generator=torch.Generator().manual_seed(0)) * 3
    warpers = [transformers.TemperatureLogitsWarper(settings.get("temperature", 1.0))]
    if "top_k" in settings:
        warpers.append(transformers.TopKLogitsWarper(int(settings["top_k"])))
    if "top_p" in settings:
        warpers.append(transformers.TopPLogitsWarper(settings["top_p"]))
    expected = logits
    for warper in warpers:
        expected = warper(None, expected)
    sums = expected[0].double().softmax(dim=-1).cumsum(dim=-1).numpy()
    uniforms = np.random.default_rng(0).random(300)
    found = [draw_tokens(logits, [draw(float(u), **settings)])[0] for u in uniforms]
    assert found == np.searchsorted(sums, uniforms, side="right").tolist()


def test_rounding_errors_of_a_batch_change_no_token() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 500, generator=generator) * 3
    noise = torch.randn(200, 500, generator=generator) * 1e-5
    uniforms = np.random.default_rng(0).random(200)
    draws = [draw(float(u), temperature=0.8, top_p=0.95) for u in uniforms]
    assert draw_tokens(logits, draws) == draw_tokens(logits + noise, draws)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_logits_that_are_not_numbers_are_an_error(broken: float) -> None:
    logits = torch.tensor([[0.0, 1.0], [0.0, broken]])
    with pytest.raises(LLMError, match=r"not a number\. Take dtype float32"):
        draw_tokens(logits, [draw(), draw()])
