"""All kinds of world models and priors in one table, from the command line."""

import json
import sys
from pathlib import Path

import pytest

from cwm.benchmark import command as benchmark
from cwm.benchmark.cells import run_cell
from cwm.benchmark.plan import Cell
from cwm.benchmark.run_command import arguments_of
from cwm.evaluation.cell_results import CellKey, CellResult

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

SMALL = ("--quick", "--quiet", "--call-budget", "1", "--providers.simulations", "4")
FEW = ("--providers.rollout-steps", "3")


def run(out: Path, *words: str) -> int:
    return benchmark.main(["run", "providers", *SMALL, *FEW, "--out", str(out), *words])


def result_of(
    folder: Path, row: str, *words: str, task: str = "playground"
) -> CellResult:
    """What comes of one row, made in this process."""
    arguments = arguments_of(["providers", *SMALL, *FEW, "--out", str(folder), *words])
    config = arguments.suite_run().config
    return run_cell(
        Cell(key=CellKey(task, row, 0), config=config, root=folder),
        lambda text: None,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Transitions and providers are shared by all rows."""
    return tmp_path_factory.mktemp("providers") / "out"


def test_rows_of_all_kinds_play_the_same_episodes(folder: Path) -> None:
    rows = ("random", "expert", "true", "symbolic", "hypotheses")
    found = {row: result_of(folder, row) for row in rows}
    assert {one.status for one in found.values()} == {"done"}
    assert {len(one.returns) for one in found.values()} == {2}
    assert found["expert"].returns == (5.0, 5.0)
    assert found["expert"].successes == (True, True)
    assert found["true"].figure("held_out_strict") == 1.0
    assert found["symbolic"].figure("calls") == 1
    assert (found["symbolic"].figure("held_out_strict") or 0.0) > 0.0
    assert found["hypotheses"].is_stand_in
    assert not found["symbolic"].is_stand_in
    assert found["true"].playing == found["random"].playing


def test_rules_of_another_run_take_the_place_of_a_run_of_its_own(
    folder: Path, tmp_path: Path
) -> None:
    own = result_of(folder, "hypotheses")
    run = folder / "cells" / "playground" / "hypotheses-0"
    words = ("--providers.rules", str(run))
    found = result_of(tmp_path / "out", "hypotheses", *words)
    assert found.returns == own.returns
    assert found.is_stand_in
    assert "stand-in" in found.made_by
    assert found.figure("held_out_strict") == own.figure("held_out_strict")


def test_what_cannot_be_made_is_a_result_with_its_reason(folder: Path) -> None:
    found = result_of(folder, "code")
    assert found.status == "not made"
    assert "no language model" in found.reason
    assert found.returns == ()


def test_a_given_program_is_named_and_marked(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "still.py"
    path.write_text(
        "class Environment:\n"
        "    def set_state(self, observation):\n"
        "        self.state = observation\n"
        "    def step(self, action):\n"
        "        return self.state, 0.0, False\n"
    )
    words = ("--providers.programs", f"playground={path}")
    found = result_of(folder, "code", *words)
    assert found.status == "done"
    assert found.made_by == "given: still.py"
    assert found.is_stand_in
    assert (found.figure("held_out_strict") or 0.0) < 0.5
    assert len(found.returns) == 2


@pytest.mark.slow
def test_the_command_goes_on_where_it_was_and_its_results_are_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--envs", "playground", "--searches", "random,expert,code,hypotheses")
    assert run(folder, *words) == 0
    capsys.readouterr()
    before = (folder / "results.jsonl").read_text()
    assert run(folder, *words) == 0
    shown = capsys.readouterr().out
    # What was lacking is tried again, and nothing else.
    (line,) = (folder / "results.jsonl").read_text().removeprefix(before).splitlines()
    assert json.loads(line)["search"] == "code"
    assert "4 simulations a decision, leaves valued by 3 random steps" in shown
    assert benchmark.main(["report", str(folder), "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert "### providers: playground" in shown
    assert "| expert | no provider | oracle, which knows the way | 1.00 (" in shown
    assert "| code | world model | - | - |" in shown
    assert "(stand-in) |" in shown
    sides = [f"{folder}:expert", f"{folder}:random"]
    assert benchmark.main(["compare", *sides, "--metric", "return", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["mean"]["value"] >= 4.0


@pytest.mark.slow
@pytest.mark.rl
def test_agents_and_knowledge_guide_the_true_simulator_and_a_program(
    folder: Path,
) -> None:
    rows = ("ppo", "wkm", "true+ppo", "true+ppo-value", "true+wkm", "symbolic+ppo")
    found = {row: result_of(folder, row) for row in (*rows, "symbolic+wkm")}
    assert {one.status for one in found.values()} == {"done"}
    assert {len(one.returns) for one in found.values()} == {2}
    assert found["ppo"].figure("making_frames") == 2_880
    assert found["wkm"].figure("making_games") == 10
    # The oracle's moments say where to begin.
    assert sum(found["true+wkm"].returns) >= 4.0


@pytest.mark.slow
@pytest.mark.babyai
@pytest.mark.local
def test_an_agent_that_reads_words_guides_the_search_in_its_level(folder: Path) -> None:
    words = ("--providers.policy-frames", "1000")
    for row in ("ppo", "true+ppo"):
        found = result_of(folder, row, *words, task="babyai")
        assert found.status == "done", found.reason
        assert len(found.returns) == 2
        assert found.figure("making_frames") == 1_000
    assert result_of(folder, "true+wkm", *words, task="babyai").status == "not made"


@pytest.mark.slow
@pytest.mark.text
def test_knowledge_guides_a_search_in_a_text_game(tmp_path: Path) -> None:
    rows = ("expert", "true", "symbolic", "wkm", "true+wkm", "true+ppo")
    found = {row: result_of(tmp_path / "out", row, task="twc") for row in rows}
    assert found["expert"].returns == (1.0, 1.0)
    assert "must be numeric" in found["symbolic"].reason
    assert found["true+ppo"].status == "not made"
    assert found["true+wkm"].figure("making_games") == 10
