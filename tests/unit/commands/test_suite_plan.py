import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cwm.benchmark.command import main
from cwm.benchmark.plan import Cell, ResultsFolder, SuiteConfig, chosen, settings_text
from cwm.benchmark.playing import possible_ways
from cwm.benchmark.run_command import arguments_of, suite_first
from cwm.benchmark.suite import SuiteRun
from cwm.benchmark.words import listed, searches_in, seeds_in
from cwm.config import RunConfig, SourceConfig
from cwm.core.errors import ConfigError
from cwm.evaluation.cell_results import CellKey, CellResult, ResultsFile
from cwm.evaluation.summary import Interval
from cwm.execution.isolated_jobs import Ended
from cwm.execution.progress import SilentProgress
from cwm.proposers.config import LanguageModelConfig
from cwm.providers.hypotheses.worlds import find_world
from cwm.synthesis.config import BudgetConfig
from tests.support.suite_cells import cell, failed

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
        ({"suite": "cwmb-r", "asks_model": 3}, "--ask-model needs a model"),
        (
            {"suite": "cwmb-r", "offline_steps": -5},
            "--offline-steps must be at least 0, got -5",
        ),
        (
            {"suite": "cwmb-r", "asks_model": -2},
            "--ask-model must be at least 0, got -2",
        ),
        (
            {"suite": "own", "run": SCRIPTED, "offline_steps": 100, "is_full": True},
            "--offline-steps and --full cannot be given for 'own'",
        ),
        (
            {"suite": "own", "run": SCRIPTED, "asks_model": 3},
            "--ask-model cannot be given for 'own'",
        ),
        (
            {"suite": "own", "run": replace(SCRIPTED, capabilities=("physics",))},
            "--capabilities cannot be given for 'own'",
        ),
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


@pytest.mark.parametrize(
    "words",
    [
        ["own", "--llm", "scripted:x", "--quick"],
        ["--llm", "scripted:x", "--quick", "own"],
        ["--llm", "scripted:x", "--suite", "own"],
    ],
)
def test_problems_have_20_calls_wherever_they_are_named(words: list[str]) -> None:
    assert arguments_of(words).run.budget.call_budget == 20
    given = [*words, "--call-budget", "50"]
    assert arguments_of(given).run.budget.call_budget == 50
    preset = [*words, "--preset", "quick"]
    assert arguments_of(preset).run.budget.call_budget == 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 7}, "seed is for a single run, got 7: give --seeds"),
        ({"tree": {"search": "best-of-n"}}, "got 'best-of-n': give --searches"),
    ],
)
def test_a_file_for_a_single_run_is_not_ignored(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=message):
        arguments_of(["cwmb-r", "--config", str(file)])


def test_lists_name_something_and_each_once() -> None:
    assert seeds_in("1, 01,0,1") == (1, 0)
    assert searches_in("linear,gif-mcts,linear") == ("linear", "gif-mcts")
    for text, name in ((",", "--envs"), ("", "--envs")):
        with pytest.raises(ConfigError, match="--envs must name at least one"):
            listed(text, name)
    with pytest.raises(ConfigError, match="--envs must name at least one, got ','"):
        arguments_of(["cwmb-r", "--envs", ","]).suite_run()
    with pytest.raises(ConfigError, match=r"--seeds must be whole numbers .* got '-1'"):
        seeds_in("0,-1")
    with pytest.raises(ConfigError, match=r"--searches must be some of .* got 'a'"):
        searches_in("a")


def test_what_induction_cannot_do_is_refused_before_data_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["run", "rtfm", "--quick", "--quiet", "--out", str(out)]) == 2
    assert "RTFM, RTFM-moving: The observation space must" in capsys.readouterr().err
    assert not out.exists()
    suite_run(out, SuiteConfig(suite="cwmb-r")).check_proposer()
    suite_run(out, SuiteConfig(suite="rtfm", run=SCRIPTED)).check_proposer()


@pytest.mark.parametrize("broken", ["figure", "interval"])
def test_a_figure_that_is_no_number_fails_its_cell_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def run(crew: object, cells: Sequence[Cell]) -> Iterator[Ended[Cell, CellResult]]:
        for one in cells:
            result = cell(one.key.task)
            if one.key.task == "Taxi-v4" and broken == "figure":
                result = replace(result, figures={"return": math.nan})
            elif one.key.task == "Taxi-v4":
                wrong = Interval(value=0.5, low=-math.inf, high=1.0)
                result = replace(result, normalised=wrong)
            yield Ended(job=one, result=result)

    monkeypatch.setattr("cwm.benchmark.suite.Isolated.run", run)
    names = ("Taxi-v4", "CartPole-v1")
    done = suite_run(tmp_path, SuiteConfig(suite="cwmb-r"), tasks=names)
    assert not done.run(SilentProgress())
    found = {
        key.task: one for key, one in ResultsFile(done.folder.results).read().items()
    }
    assert (found["Taxi-v4"].status, found["CartPole-v1"].status) == ("failed", "done")
    what = {"figure": "return nan", "interval": "normalised low -inf"}[broken]
    assert found["Taxi-v4"].reason == f"figures that are no finite numbers: {what}"


@pytest.mark.mujoco
def test_tasks_are_quick_or_full() -> None:
    pytest.importorskip("mujoco")
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cwmb-r", "--searches", "hypotheses"], "env must be one of playground"),
        (
            ["own", "--searches", "hypotheses", "--llm", "scripted:x"],
            "hypotheses cannot be searched for in 'own'",
        ),
        (
            ["cwmb-r", "--induction", "reference"],
            "--induction is for 'words' and 'providers', .* got",
        ),
        (["words", "--induction", "best"], "a JSON file or one of default, reference"),
        (["words", "--llm", "scripted:x"], "must be a model that gives log-prob"),
        (["words", "--llm", "openai:a", "--llm", "openai:b"], "with one --llm, got 2"),
        (["words", "--searches", "gif-mcts,hypotheses"], "The observation space must"),
        (["words", "--searches", "rules"], "some of gif-mcts, .*, hypotheses, got"),
    ],
)
def test_hypotheses_that_cannot_be_induced_are_refused_before_the_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text('["an answer"]')
    out = tmp_path / "out"
    assert main(["run", *words, "--quiet", "--out", str(out)]) == 2
    assert re.search(message, " ".join(capsys.readouterr().err.split()))
    assert not out.exists()


def test_a_cell_of_hypotheses_has_its_own_world_seed_and_models() -> None:
    llm = LanguageModelConfig(llm=("openai:{task}-{seed}",))
    config = SuiteConfig(suite="words", is_quick=True, run=RunConfig(models=llm))
    key = CellKey("Playground-reworded", "hypotheses", 7)
    cell = Cell(key=key, config=config, root=Path("out"))
    found = cell.induction_config()
    assert find_world(found.induction.env).name == "playground-reworded"
    assert (found.seed, found.roles.llm) == (7, "openai:Playground-reworded-7")
    assert found.induction.inference.phases == 2
    assert cell.is_of_rules
    assert cell.run_config().models.llm == ("openai:Playground-reworded-7",)
    assert not config.is_stand_in
    assert SuiteConfig(suite="words").is_stand_in
    assert not SuiteConfig(suite="cwmb-r").is_stand_in


def test_settings_of_induction_are_written_where_hypotheses_may_be_induced() -> None:
    for suite in ("cwmb-r", "words"):
        settings = json.loads(settings_text(SuiteConfig(suite=suite), ()))["settings"]
        assert ("induction" in settings) == (suite == "words")


def test_in_words_hypotheses_are_induced_unless_something_else_is_said() -> None:
    for words, searches in (
        (["words"], ("hypotheses",)),
        (["cwmb-r"], ("gif-mcts",)),
        (["words", "--searches", "linear,hypotheses"], ("linear", "hypotheses")),
    ):
        assert arguments_of(words).suite_run().searches == searches


def test_results_may_share_their_transitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Cell] = []

    def run(crew: object, cells: Sequence[Cell]) -> list[Ended[Cell, CellResult]]:
        seen.extend(cells)
        return []

    monkeypatch.setattr("cwm.benchmark.suite.Isolated.run", run)
    shared = tmp_path / "shared"
    for out in ("a", "b"):
        words = ["cwmb-r", "--envs", "Taxi", "--out", str(tmp_path / out)]
        words += ["--data-folder", str(shared)] if out == "b" else []
        assert arguments_of(words).suite_run().run(SilentProgress())
    own, other = seen
    assert own.data == tmp_path / "a" / "data"
    assert own.references == tmp_path / "a" / "references"
    assert (other.data, other.references) == (shared, shared / "references")
    assert other.folder.is_relative_to(tmp_path / "b")
    with pytest.raises(ConfigError, match="--data-folder cannot be given for 'own'"):
        suite_run(tmp_path, SuiteConfig(suite="own", run=SCRIPTED), data_folder=shared)


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


def test_episodes_of_another_kind_in_the_same_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cwm.benchmark.suite.Isolated.run", lambda crew, cells: [])
    config = SuiteConfig(suite="cwmb-r")
    run = suite_run(tmp_path, config)
    # Whether outcomes vary is known from the data.
    beam, mcts = possible_ways(config.task("Taxi-v4", 0))
    assert (beam["name"], mcts["name"]) == ("beam", "mcts")
    assert json.loads(json.dumps(beam)) == beam
    results = ResultsFile(run.folder.results)
    for playing in ({}, beam, mcts):
        results.append(cell("Taxi-v4", playing=playing))
        assert run.run(SilentProgress())
    results.append(cell("Taxi-v4", playing=beam | {"max_model_steps": 7}))
    message = r"those of Taxi-v4 differ in max_model_steps 7, 20000\. Name another"
    with pytest.raises(ConfigError, match=message):
        run.run(SilentProgress())
    # A failed one is begun again.
    results.append(replace(failed("Taxi-v4"), playing={"episodes": 3}))
    assert run.run(SilentProgress())


def test_one_folder_has_one_writer(tmp_path: Path) -> None:
    from cwm.execution.locks import only_one  # noqa: PLC0415

    run = suite_run(tmp_path, SuiteConfig(suite="cwmb-r"))
    with (
        only_one(run.folder.lock, name="out"),
        pytest.raises(ConfigError, match="is in use by another process"),
    ):
        run.run(SilentProgress())
