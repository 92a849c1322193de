import json
from dataclasses import replace
from pathlib import Path

import pytest

from cwm.benchmark.plan import Cell, ResultsFolder, SuiteConfig, chosen, settings_text
from cwm.benchmark.run_command import suite_first
from cwm.benchmark.suite import SuiteRun
from cwm.config import RunConfig, SourceConfig
from cwm.core.errors import ConfigError
from cwm.evaluation.cell_results import CellKey
from cwm.execution.progress import SilentProgress
from cwm.proposers.config import LanguageModelConfig
from cwm.synthesis.config import BudgetConfig

SCRIPTED = RunConfig(models=LanguageModelConfig(llm=("scripted:a/{task}-{seed}.json",)))


def test_the_suite_may_be_named_in_every_way() -> None:
    for words in (
        ["own", "--quick"],
        ["--suite", "own", "--quick"],
        ["--quick", "--suite", "own"],
        ["--quick", "--suite=own"],
    ):
        assert suite_first(words) == ["own", "--quick"]


def test_tasks_are_named_with_or_without_their_version() -> None:
    known = ("Taxi-v4", "CartPole-v1", "coins")
    assert chosen(known, ()) == known
    # In the order of the suite.
    assert chosen(known, ("coins", "Taxi")) == ("Taxi-v4", "coins")
    assert chosen(known, ("CartPole-v1",)) == ("CartPole-v1",)
    with pytest.raises(ConfigError, match="must be tasks of the suite, got 'Pong'"):
        chosen(known, ("Pong",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"suite": "atari"}, "suite must be one of cwmb-r"),
        ({"suite": "cwmb-r", "is_quick": True, "is_full": True}, "Only one of quick"),
        ({"suite": "cwmb-r", "asks_model": 3}, "ask_model needs llm"),
        ({"suite": "cwmb-r", "offline_steps": -1}, "offline_steps must be at least 0"),
        ({"suite": "own"}, "are written by a language model"),
        ({"suite": "apps", "run": SCRIPTED}, "apps needs --data"),
        (
            {"suite": "cwmb-r", "run": RunConfig(source=SourceConfig(env="Taxi-v4"))},
            "The suite says which environments",
        ),
        (
            {"suite": "own", "run": replace(SCRIPTED, source=SourceConfig(data="x"))},
            "The suite says which environments",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SuiteConfig(**settings)  # type: ignore[arg-type]


def test_tasks_are_quick_or_full() -> None:
    plain, quick, full = (
        SuiteConfig(suite="cwmb-r", **more).task("Hopper-v5", 0)
        for more in ({}, {"is_quick": True}, {"is_full": True})
    )
    assert (plain.episodes, plain.max_steps) == (5, 200)
    assert quick.episodes < plain.episodes
    assert (full.episodes, full.max_steps) == (10, None)
    assert full.collect == plain.collect != quick.collect


def test_a_quick_run_of_problems_has_the_first_ones() -> None:
    names = SuiteConfig(suite="own", run=SCRIPTED).task_names()
    assert len(names) == 12
    quick = SuiteConfig(suite="own", run=SCRIPTED, is_quick=True)
    assert quick.task_names() == names[:4]


def test_a_cell_has_its_own_seed_search_and_answers() -> None:
    config = SuiteConfig(suite="own", run=SCRIPTED)
    cell = Cell(key=CellKey("a/b", "linear", 7), config=config, root=Path("out"))
    run = cell.run_config()
    assert (run.seed, run.tree.search) == (7, "linear")
    assert run.models.llm == ("scripted:a/a-b-7.json",)
    assert cell.folder == Path("out/cells/a-b/linear-7")
    assert config.is_stand_in


def suite_run(folder: Path, config: SuiteConfig, **more: object) -> SuiteRun:
    fields = {"tasks": ("Taxi-v4",), "searches": ("gif-mcts",), "seeds": (0,)} | more
    return SuiteRun(config=config, folder=ResultsFolder(folder), **fields)


def test_cells_that_share_transitions_are_far_apart() -> None:
    run = suite_run(
        Path("x"),
        SuiteConfig(suite="cwmb-r"),
        tasks=("a", "b"),
        searches=("gif-mcts", "linear"),
        seeds=(0, 1),
    )
    assert [tuple(key) for key in run.keys()[:4]] == [
        ("a", "gif-mcts", 0),
        ("b", "gif-mcts", 0),
        ("a", "linear", 0),
        ("b", "linear", 0),
    ]
    assert len(run.keys()) == 8


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": ()}, "seeds must name at least one"),
        ({"tasks": ("a", "a")}, "tasks must name at least one, each once"),
        ({"num_workers": 0}, "workers must be at least 1"),
        ({"cell_seconds": 0.0}, "cell_seconds must be positive"),
    ],
)
def test_runs_that_cannot_be_are_refused(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        suite_run(Path("x"), SuiteConfig(suite="cwmb-r"), **fields)


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    config = SuiteConfig(suite="cwmb-r")
    folder = ResultsFolder(tmp_path)
    folder.config.write_text(settings_text(config, [CellKey("Taxi-v4", "linear", 3)]))
    other = SuiteConfig(
        suite="cwmb-r",
        is_quick=True,
        run=RunConfig(budget=BudgetConfig(call_budget=7)),
    )
    with pytest.raises(
        ConfigError, match=r"differ in is_quick, run\.budget\.call_budget\. Name"
    ):
        suite_run(tmp_path, other).run(SilentProgress())
    assert not folder.results.exists()
    # More cells may be added.
    run = suite_run(tmp_path, config)
    run._begin(run.keys())
    planned = folder.planned(json.loads(folder.config.read_text()))
    assert [tuple(key) for key in planned] == [
        ("Taxi-v4", "linear", 3),
        ("Taxi-v4", "gif-mcts", 0),
    ]
    versions = json.loads(folder.versions.read_text())
    run._begin(run.keys())
    assert json.loads(folder.versions.read_text()) == versions
    assert len(versions) == 1


def test_one_folder_has_one_writer(tmp_path: Path) -> None:
    from cwm.execution.locks import only_one  # noqa: PLC0415

    run = suite_run(tmp_path, SuiteConfig(suite="cwmb-r"))
    with (
        only_one(run.folder.lock, name="out"),
        pytest.raises(ConfigError, match="is in use by another process"),
    ):
        run.run(SilentProgress())
