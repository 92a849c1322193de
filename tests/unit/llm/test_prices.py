"""What calls cost."""

from pathlib import Path

import pytest

from cwm.core.errors import ConfigError
from cwm.llm.prices import TABLE, Price, PriceTable, load_prices, read_prices

MILLION = 1_000_000


def test_cost_is_tokens_times_price() -> None:
    price = Price(models=("m",), prompt=2.0, completion=10.0)
    table = PriceTable((price,))
    assert table.cost_usd("m", 500_000, 300_000) == pytest.approx(1.0 + 3.0)


def test_tokens_that_were_read_before_may_be_cheaper() -> None:
    cheaper = Price(models=("m",), prompt=2.0, completion=10.0, reused_prompt=0.5)
    same = Price(models=("m",), prompt=2.0, completion=10.0)
    for price, cost in ((cheaper, 2.0 * 0.25 + 0.5 * 0.75), (same, 2.0)):
        table = PriceTable((price,))
        found = table.cost_usd("m", MILLION, 0, reused_prompt_tokens=750_000)
        assert found == pytest.approx(cost)


def test_unknown_price_is_none_and_never_nothing() -> None:
    table = load_prices()
    assert table.price("openai:never-heard-of") is None
    assert table.cost_usd("openai:never-heard-of", 1, 1) is None


def test_answer_from_a_store_costs_nothing_at_any_price() -> None:
    assert load_prices().cost_usd("openai:never-heard-of", 0, 0) == 0.0


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("hf:org/model", "it runs on this machine"),
        ("gguf:m.gguf", "it runs on this machine"),
        ("replay:runs/1", "its answers were recorded"),
        ("scripted:a.json", "its answers are in a file"),
    ],
)
def test_model_that_nobody_bills_costs_nothing_and_says_why(
    model: str, reason: str
) -> None:
    price = load_prices().price(model)
    assert price is not None
    assert (price.cost_usd(MILLION, MILLION), price.reason) == (0.0, reason)


@pytest.mark.parametrize(
    "model", ["gpt-4o", "openai:gpt-4o", "openai:gpt-4o-2024-08-06"]
)
def test_model_is_found_with_and_without_scheme_and_date(model: str) -> None:
    assert load_prices().cost_usd(model, MILLION, MILLION) == pytest.approx(12.5)


def test_dated_model_with_a_price_of_its_own_has_that() -> None:
    cost = load_prices().cost_usd("openai:gpt-4o-2024-05-13", MILLION, 0)
    assert cost == pytest.approx(5.0)


@pytest.mark.parametrize("model", ["gpt-4o-audio", "gpt-4o-0513", "gpt-4", "Gpt-4o"])
def test_similar_name_is_another_model(model: str) -> None:
    assert load_prices().price(f"openai:{model}") is None


def test_price_holds_at_its_endpoint_only() -> None:
    table = load_prices()
    assert table.price("openai:gpt-4o", base_url="https://API.openai.com/v1")
    assert table.price("openai:gpt-4o", base_url="http://localhost:8000/v1") is None


def test_long_prompt_has_the_price_of_long_prompts() -> None:
    table = load_prices()
    url = "https://api.anthropic.com/v1"
    short = table.cost_usd("openai:claude-haiku-5-5", 100_000, 0, base_url=url)
    long = table.cost_usd("openai:claude-haiku-5-5", 100_001, 0, base_url=url)
    assert short == pytest.approx(0.01)
    assert long == pytest.approx(0.05, rel=1e-4)


def test_table_has_prices_with_a_date_each_and_none_that_is_hidden() -> None:
    prices = read_prices(TABLE)
    assert len(prices) > 20
    for index, price in enumerate(prices):
        assert price.as_of is not None
        for model in price.models:
            found = PriceTable(prices).price(
                model,
                base_url=f"https://{price.endpoint}/",
                prompt_tokens=price.max_prompt_tokens or MILLION,
            )
            assert found is prices[index], model


OWN = """
[[price]]
models = ["gpt-4o", "mine-*"]
prompt = 1
completion = 2.0
as_of = 2026-01-31
"""


def test_own_prices_go_first(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(OWN, encoding="utf-8")
    table = load_prices(path)
    assert table.cost_usd("openai:gpt-4o", MILLION, 0) == pytest.approx(1.0)
    assert table.cost_usd("openai:gpt-4o-mini", MILLION, 0) == pytest.approx(0.15)
    mine = table.cost_usd("mine-7b", 0, MILLION, base_url="http://localhost/v1")
    assert mine == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[price]", "Expected"),
        (OWN.replace("prompt", "promt"), "unknown field `promt`"),
        (OWN.replace("completion = 2.0\n", ""), "missing required field `completion`"),
        (OWN.replace("2.0", '"2"'), "Expected `float`, got `str`"),
        (OWN.replace("2.0", "-2.0"), "completion must be at least 0 and finite"),
        (OWN.replace("2.0", "nan"), "completion must be at least 0 and finite"),
    ],
)
def test_file_of_another_form_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="prices must be a file of the form") as error:
        load_prices(path)
    assert reason in str(error.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_prices(tmp_path / "none.toml")
