import json
from dataclasses import replace
from pathlib import Path

import pytest

from cwm.arguments import base_config
from cwm.config import (
    PRESETS,
    RunConfig,
    SourceConfig,
    config_from_json,
    config_to_json,
    load_config,
)
from cwm.core.errors import ConfigError
from cwm.proposers.config import LanguageModelConfig
from cwm.synthesis.config import BudgetConfig, TreeConfig
from mcts.gif import GifConfig
from mcts.registry import SearchConfig

OTHER = RunConfig(
    source=SourceConfig(
        env="CartPole-v1", set=("gravity=3.7",), description=Path("about.txt")
    ),
    seed=5,
    capabilities=("physics",),
    budget=BudgetConfig(call_budget=7, cost_budget=1.5),
    models=LanguageModelConfig(llm=("openai:a", "openai:b"), concurrency=3),
    tree=TreeConfig(
        search="worldcoder", settings=SearchConfig(gif=GifConfig(exploration=0.25))
    ),
)


@pytest.mark.parametrize("config", [*PRESETS.values(), OTHER], ids=[*PRESETS, "other"])
def test_settings_survive_their_file(tmp_path: Path, config: RunConfig) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_to_json(config)))
    assert load_config(path, RunConfig()) == config


def test_a_file_changes_only_what_it_names() -> None:
    data = {"seed": 9, "tree": {"settings": {"gif": {"exploration": 0.5}}}}
    config = config_from_json(data, OTHER, name="file")
    settings = SearchConfig(gif=GifConfig(exploration=0.5))
    expected = replace(OTHER, seed=9, tree=replace(OTHER.tree, settings=settings))
    assert config == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"tree": {"settings": {"gif": {"explorration": 1}}}},
            "Config 'file' has an unknown key tree.settings.gif.explorration. "
            "Did you mean tree.settings.gif.exploration?",
        ),
        ({"zzz": 1}, "Config 'file' has an unknown key zzz."),
        ({"seed": "1"}, "Config 'file': seed must be int, got '1'."),
        (
            {"source": {"env": 3}},
            "Config 'file': source.env must be str or null, got 3.",
        ),
        (
            {"budget": {"call_budget": 0}},
            "call_budget must be at least 1, got 0 (calls).",
        ),
        (
            {"capabilities": ["network"]},
            "Config 'file': capabilities",
        ),
        ({"seed": -1}, "seed must be at least 0, got -1."),
        (
            {"tree": {"settings": {"gif": {"epsilon": 0.0}}}},
            "Config 'file': epsilon must be positive and finite, got 0.0.",
        ),
        ({"synthesis": {"block_length": 0}}, "block_length must be at least 1"),
        ({"models": {"base_url": "http://localhost"}}, "base_url needs llm"),
        ({"models": {"cache": "folder"}}, "cache needs llm"),
        ({"models": {"concurrency": 2}}, "concurrency needs llm"),
        ({"models": {"concurrency": 0}}, "concurrency must be at least 1, got 0"),
        ({"budget": {"cost_budget": 0}}, "cost_budget must be positive, got 0"),
        ({"budget": {"patience": -1}}, "patience must be at least 0, got -1 (calls)."),
        ({"tree": {"kinds": "improve"}}, "kinds must be some of generate, improve"),
        ({"tree": {"kinds": "generate,mend"}}, "kinds must be some of generate"),
        (
            {"tree": {"kinds": "generate", "search": "linear"}},
            "kinds are chosen in gif-mcts only, got 'generate' with 'linear'.",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(
    data: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        config_from_json(data, RunConfig(), name="file")
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"cannot be read|must hold a JSON object"):
        load_config(path, RunConfig())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.json", RunConfig())


def test_a_config_file_goes_before_the_preset_and_after_the_flags(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"seed": 4}')
    config = base_config(["--preset", "quick", f"--config={path}"])
    assert (config.budget.call_budget, config.seed) == (10, 4)


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="Known: default, paper, quick"):
        base_config(["--preset", "fast"])


def test_resuming_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config.json and no dataset.npz"):
        base_config(["--resume", str(tmp_path)])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SourceConfig(), "got neither"),
        (SourceConfig(env="a", data="b"), "got both"),
        (SourceConfig(data="b", set=("x=1",)), "set and env_kwargs need env"),
    ],
)
def test_transitions_come_from_exactly_one_place(
    source: SourceConfig, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        source.check()
