"""The suite providers: its rows, its settings, and what cannot be made."""

from dataclasses import replace
from pathlib import Path

import pytest

from cwm.benchmark.plan import Cell, SuiteConfig
from cwm.benchmark.provider_cells import why_not
from cwm.benchmark.provider_rows import ROWS, ProvidersConfig, rows_in
from cwm.benchmark.run_command import arguments_of
from cwm.config import RunConfig
from cwm.core.errors import ConfigError
from cwm.evaluation.cell_results import CellKey
from cwm.proposers.config import LanguageModelConfig
from cwm.suites.providers import ProviderTask, provider_tasks

PLAYGROUND, BABYAI, TWC = provider_tasks()


def cell_of(task: str, row: str, config: SuiteConfig | None = None) -> Cell:
    return Cell(
        key=CellKey(task, row, 0),
        config=config or SuiteConfig(suite="providers"),
        root=Path("results"),
    )


def reason(task: str, row: str, config: SuiteConfig | None = None) -> str:
    cell = cell_of(task, row, config)
    found = cell.task()
    assert isinstance(found, ProviderTask)
    return why_not(cell, found, ROWS[row])


def test_each_row_says_what_its_provider_is_used_as() -> None:
    roles = {name: row.role for name, row in ROWS.items()}
    assert roles["random"] == "no provider"
    assert roles["expert"] == "no provider"
    assert roles["hypotheses"] == "world model"
    assert roles["ppo"] == "policy alone"
    assert roles["true+wkm"] == "prior"
    assert roles["true+ppo-value"] == "prior and value"


def test_all_environments_have_one_planner_and_one_budget() -> None:
    planners = {repr(task.planner) for task in provider_tasks()}
    assert len(planners) == 1
    config = ProvidersConfig(simulations=3, rollout_steps=2, episodes=4)
    changed = [config.applied(task) for task in provider_tasks()]
    assert {task.episodes for task in changed} == {4}
    (found,) = {
        (
            task.planner.settings.mcts.num_simulations,
            task.planner.settings.mcts.rollout_steps,
        )
        for task in changed
        if task.planner is not None and task.planner.settings is not None
    }
    assert found == (3, 2)


def test_rows_come_in_the_order_of_tables() -> None:
    assert rows_in(["true+ppo", "random"]) == ("random", "true+ppo")
    with pytest.raises(ConfigError, match=r"--searches must be some of random, .*'nn'"):
        rows_in(["nn"])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("code", "no language model"),
        ("symbolic", ""),
        ("true+ppo-value", ""),
        ("hypotheses", ""),
    ],
)
def test_in_the_playground_only_code_needs_something(row: str, words: str) -> None:
    found = reason("playground", row)
    assert found.startswith(words)
    assert bool(found) == bool(words)


def test_a_given_program_or_a_model_is_enough_for_code(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("")
    providers = ProvidersConfig(programs=f"playground={path}")
    given = SuiteConfig(suite="providers", providers=providers)
    assert reason("playground", "code", given) == ""
    models = LanguageModelConfig(llm=("scripted:a.json",))
    asked = SuiteConfig(suite="providers", run=RunConfig(models=models))
    assert reason("playground", "code", asked) == ""


@pytest.mark.babyai
def test_in_babyai_rules_and_knowledge_are_absent_with_their_reason() -> None:
    assert "Playground and at the Door" in reason("babyai", "hypotheses")
    assert "typed commands" in reason("babyai", "symbolic+wkm")
    assert reason("babyai", "symbolic+ppo") == ""


@pytest.mark.text
def test_in_texts_symbolic_induction_says_what_it_needs() -> None:
    assert "must be numeric for symbolic induction" in reason("twc", "symbolic+ppo")
    assert "not typed commands" in reason("twc", "true+ppo")
    assert reason("twc", "true+wkm") == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"simulations": 0}, "providers.simulations must be at least 1, got 0"),
        ({"rollout_steps": -1}, "providers.rollout_steps must be at least 0, got -1"),
        ({"programs": "model.py"}, "must be NAME=FILE, got 'model.py'"),
        ({"programs": "playground=no.py"}, "must name files, got 'no.py'"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ProvidersConfig(**settings)  # type: ignore[arg-type]


def test_settings_that_play_no_part_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("")
    providers = ProvidersConfig(episodes=3)
    with pytest.raises(ConfigError, match="--providers is for the suite 'providers'"):
        SuiteConfig(suite="words", providers=providers)
    with pytest.raises(ConfigError, match="--full cannot be given for 'providers'"):
        SuiteConfig(suite="providers", is_full=True)
    unknown = replace(providers, programs=f"nowhere={path}")
    with pytest.raises(ConfigError, match="some of playground, babyai, twc, got 'now"):
        SuiteConfig(suite="providers", providers=unknown)


def test_a_quick_run_has_less_of_everything() -> None:
    config = SuiteConfig(suite="providers", is_quick=True)
    assert config.made_with.policy_frames == 2_000
    assert config.task("playground", 0).episodes == 2
    assert config.to_json()["providers"]["policy_frames"] == 20_000


def test_programs_have_ten_calls_unless_there_is_another_budget() -> None:
    plain = arguments_of(["providers"])
    assert plain.run.budget.call_budget == 10
    asked = arguments_of(["providers", "--call-budget", "3", "--searches", "true,wkm"])
    assert asked.run.budget.call_budget == 3
    assert asked.suite_run().searches == ("true", "wkm")
    assert plain.suite_run().searches == tuple(ROWS)


def test_settings_of_other_suites_are_written_as_before() -> None:
    assert "providers" not in SuiteConfig(suite="words").to_json()
    assert "induction" in SuiteConfig(suite="providers").to_json()
