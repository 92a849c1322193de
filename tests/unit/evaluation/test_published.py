import json
from importlib import resources
from statistics import mean

import pytest

from cwm.evaluation.published import (
    GPT_4,
    LLAMA,
    MEASURES,
    TABLES,
    Measure,
    published,
    published_environment,
    published_environments,
    published_numbers,
    published_table,
)
from cwm.suites.cwmb import CONTINUOUS, DISCRETE

CWMB_R = (*DISCRETE, *CONTINUOUS)

NUM_NUMBERS = {
    "cwmb-means": 16,
    "cwmb-environments-llama": 18 * 4,
    "cwmb-environments-gpt-4": 18 * 4,
    "cwmb-returns": 18 * 5,
    "cwmb-ablation": 16,
    "rtfm": 12,
    "apps": 5,
    "seconds": 6,
    "later": 8,
}


@pytest.mark.parametrize("name", TABLES)
def test_each_table_is_whole_and_says_what_it_can_be_compared_with(name: str) -> None:
    table = published_table(name)
    assert len(table.numbers) == NUM_NUMBERS[name]
    assert table.citation
    assert table.url.startswith("https://arxiv.org/")
    assert table.where
    assert table.comparable
    assert table.not_comparable
    keys = [(n.row, n.measure, n.maker, n.num_calls) for n in table.numbers]
    assert len(keys) == len(set(keys))
    for number in table.numbers:
        assert number.measure in MEASURES
        assert (number.value is None) == bool(number.missing)


def test_no_file_and_no_note_is_left_over() -> None:
    folder = resources.files("cwm.evaluation") / "published_data"
    files = {entry.name.removesuffix(".json") for entry in folder.iterdir()}
    assert files == {*TABLES, "environments", "notes", "sources"}
    notes, sources = (
        json.loads((folder / f"{name}.json").read_text())
        for name in ("notes", "sources")
    )
    tables = [json.loads((folder / f"{name}.json").read_text()) for name in TABLES]
    assert {key for table in tables for key in table["not_comparable"]} == set(notes)
    assert {table["source"] for table in tables} == set(sources)


@pytest.mark.parametrize("env_id", CWMB_R)
def test_every_environment_has_accuracies_and_returns_or_a_reason(env_id: str) -> None:
    environment = published_environment(env_id)
    assert environment is not None
    assert environment.id == env_id
    if environment.published_id != env_id and "-v5" in env_id:
        assert environment.published_id == env_id.replace("-v5", "-v4")
    numbers = published_numbers(env_id, ("accuracy", "normalised_return", "return"))
    assert len(numbers) == 4 + 4 + 5
    assert all(n.value is not None or n.missing for n in numbers)
    assert published(env_id) is not None


def test_there_are_6_discrete_and_12_continuous_environments() -> None:
    halves = {"discrete": DISCRETE, "continuous": CONTINUOUS}
    for kind, ids in halves.items():
        of_kind = [env.id for env in published_environments() if env.actions == kind]
        assert sorted(of_kind) == sorted(ids)
    assert (len(DISCRETE), len(CONTINUOUS)) == (6, 12)


def test_some_cells_are_those_of_the_paper() -> None:
    means = published_table("cwmb-means")
    cell = means.get("continuous", "accuracy", "WorldCoder", GPT_4)
    assert (cell.value, cell.error, cell.num_calls, cell.num_seeds) == (
        *(0.24, 0.06),
        *(10, 1),
    )
    llama = published_table("cwmb-environments-llama")
    assert llama.get("Reacher", "accuracy", "GIF-MCTS").value == 0.13
    assert llama.get("Reacher", "normalised_return", "GIF-MCTS").value == 0.93
    gpt = published_table("cwmb-environments-gpt-4")
    assert gpt.get("Taxi", "normalised_return", "WorldCoder").value == 0.67
    returns = published_table("cwmb-returns")
    assert returns.get("Ant", "return", "CQL").value == 998
    assert returns.get("Swimmer", "return", "oracle").value == 317.8
    rtfm = published_table("rtfm")
    assert rtfm.get("GPT-4 Turbo, 50 calls", "accuracy", "GIF-MCTS").value == 1.0
    apps = published_table("apps")
    best = apps.get("APPS Competition", "strict_accuracy", "GIF-MCTS")
    assert (best.value, best.error, best.maker) == (
        *(0.283, 0.014),
        "GIF-MCTS, Llama 3 70B",
    )
    assert published_table("later").is_secondary
    assert not returns.is_secondary


def values(table: str, half: str, measure: Measure, method: str) -> list[float]:
    """Values of a half of the environments; 0 where there was no program."""
    found = []
    for environment in published_environments():
        if environment.actions != half:
            continue
        cell = published_table(table).get(environment.name, measure, method)
        if cell.value is not None or measure == "accuracy":
            found.append(cell.value or 0.0)
    return found


@pytest.mark.parametrize("method", ["GIF-MCTS", "WorldCoder"])
@pytest.mark.parametrize("half", ["discrete", "continuous"])
@pytest.mark.parametrize("measure", ["accuracy", "normalised_return"])
def test_means_of_table_2_are_those_of_table_11(
    measure: Measure, half: str, method: str
) -> None:
    """A second opinion: a digit that was copied wrong shows here."""
    shown = published_table("cwmb-means").get(half, measure, method, GPT_4).value
    found = mean(values("cwmb-environments-gpt-4", half, measure, method))
    assert found == pytest.approx(shown, abs=0.0051)


@pytest.mark.parametrize(
    ("table", "model"),
    [("cwmb-environments-llama", LLAMA), ("cwmb-environments-gpt-4", GPT_4)],
)
def test_normalised_returns_of_continuous_tasks_follow_from_table_12(
    table: str, model: str
) -> None:
    returns, num_compared = published_table("cwmb-returns"), 0
    for environment in published_environments():
        name = environment.name
        shown = published_table(table).get(name, "normalised_return", "GIF-MCTS").value
        found = returns.get(name, "return", "GIF-MCTS", model).value
        limits = published(environment.id)
        if environment.actions == "discrete" or found is None or limits is None:
            continue
        worked_out = (found - limits.random) / (limits.oracle - limits.random)
        assert worked_out == pytest.approx(shown, abs=0.0061), name
        num_compared += 1
    assert num_compared == (10 if model == LLAMA else 12)


def test_normalised_returns_of_discrete_tasks_do_not_follow_as_the_note_says() -> None:
    limits = published("CartPole-v1")
    assert limits is not None
    assert limits.llama is not None
    span = limits.oracle - limits.random
    assert (limits.llama - limits.random) / span == pytest.approx(0.54, abs=0.005)
    assert (limits.gpt_4 - limits.random) / span == pytest.approx(0.61, abs=0.005)
    (note,) = [
        note
        for note in published_table("cwmb-environments-gpt-4").not_comparable
        if "Table 12" in note
    ]
    assert "0.54" in note
    assert "0.61" in note


def test_what_is_not_there_is_named() -> None:
    table = published_table("cwmb-environments-llama")
    humanoid = table.get("Humanoid", "accuracy", "GIF-MCTS")
    assert (humanoid.value, humanoid.missing) == (None, "no program ran")
    mountain_car = table.get("MountainCar", "normalised_return", "WorldCoder")
    assert mountain_car.missing == "the oracle's return is that of random actions"
    assert published_environment("FrozenLake-v1") is None
    assert published_numbers("FrozenLake-v1") == ()
    with pytest.raises(
        KeyError, match=r"No published table 'nothing'\. Known: cwmb-me"
    ):
        published_table("nothing")
    with pytest.raises(KeyError, match=r"must have 1 cell of 'CartPole'.*, got 2"):
        published_table("cwmb-returns").get("CartPole", "return", "GIF-MCTS")
