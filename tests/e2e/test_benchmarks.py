"""The benchmarks run, with tiny settings; their figures are not judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_throughput_benchmark_compares_three_ways() -> None:
    shown = run(
        "benchmarks.evaluation_throughput",
        *("--repeats", "1", "--num-transitions", "50"),
        *("--num-candidates", "4", "--output", ""),
    )
    for way in ("sandbox", "in_process", "usual"):
        assert way in shown


def test_the_latency_benchmark_stands_beside_a_fresh_python() -> None:
    shown = run(
        "benchmarks.sandbox_latency",
        *("--repeats", "1", "--num-transitions", "50"),
        *("--num-calls", "2", "--output", ""),
    )
    for figure in ("nothing_ms", "fresh_python_over_cartpole", "past_wall_limit_ms"):
        assert figure in shown


def test_the_benchmark_of_sessions_stands_beside_a_fork_for_each_step() -> None:
    shown = run(
        "benchmarks.sandbox_sessions",
        *("--repeats", "1", "--num-requests", "10", "--num-rollouts", "2"),
        *("--horizon", "3", "--output", ""),
    )
    for figure in ("step_us", "fork_us", "fork_over_batch"):
        assert figure in shown


@pytest.mark.ray
def test_the_benchmark_of_crews_stands_them_beside_each_other() -> None:
    shown = run(
        "benchmarks.cluster_scaling",
        *("--num-programs", "2", "--num-pieces", "5", "--many", "2"),
        *("--workers", "1", "--latency-s", "0.1", "--repeats", "1", "--output", ""),
    )
    for figure in ("evaluations_per_s 1", "overhead_ms", "waiting_per_s 2", "start_s"):
        assert f"local {figure}" in shown
        assert f"ray {figure}" in shown


@pytest.mark.fast
def test_the_benchmark_of_fast_models_shows_each_form() -> None:
    shown = run(
        "benchmarks.fast_models",
        *("--programs", "CartPole", "--number", "300", "--seconds", "0.01"),
        *("--sessions", "0", "--no-cem", "--output", ""),
    )
    for form in ("original", "vectorised", "numba"):
        assert f"CartPole    {form}" in shown


@pytest.mark.mujoco
def test_the_cost_of_the_physics_engine_stands_beside_a_sandbox_without() -> None:
    shown = run(
        "benchmarks.physics_cost",
        *("--repeats", "1", "--num-steps", "20", "--output", ""),
    )
    for figure in ("nothing_ms", "plain_nothing_ms", "build_ms", "step_us"):
        assert figure in shown


@pytest.mark.mujoco
def test_a_skeleton_with_the_physics_engine_is_fitted(tmp_path: Path) -> None:
    shown = run(
        "benchmarks.physics_engine",
        *("--only", "InvertedPendulum-v5", "--data", str(tmp_path), "--output", ""),
    )
    assert "consistent" in shown
    # The guesses, the fitted numbers, what observations show, and where planners go.
    assert shown.count("1.0000") == 3
    assert "0.0000" in shown


@pytest.mark.parametrize("family", ["mechanical", "first_order", "grid", "table"])
def test_a_random_system_of_each_family_is_drawn_and_scored(family: str) -> None:
    shown = run(
        "benchmarks.induction",
        *("--suite", "random", "--families", family),
        *("--seeds", "1000", "--output", ""),
    )
    assert f"{family}-1000" in shown
    assert "held-out" in shown


def test_planners_act_in_real_environments_with_the_true_model() -> None:
    shown = run(
        "benchmarks.planner_return",
        *("--kinds", "oracle", "--only", "CliffWalking", "--episodes", "1"),
        *("--workers", "1", "--output", ""),
    )
    assert "oracle       CliffWalking-v1" in shown
    assert "-13.00" in shown


@pytest.mark.parametrize("name", ["induction", "planner_return"])
def test_the_tables_of_the_readme_come_from_the_results_file(name: str) -> None:
    shown = run(f"benchmarks.{name}", "--show")
    # The README has the first of the tables, and the page the others.
    pages = [ROOT / "README.md", ROOT / "docs" / "induction.md"]
    written = "\n".join(page.read_text() for page in pages)
    tables = [line for line in shown.splitlines() if line.startswith("| ")]
    assert tables
    for line in tables:
        assert line in written


def test_the_gallery_shows_what_is_found_now() -> None:
    shown = run("benchmarks.gallery", "--envs", "CliffWalking-v1", "--page", "")
    page = (ROOT / "docs" / "gallery.md").read_text()
    hearts = shown.split("```python\n")[1:]
    assert len(hearts) == 2  # And the one that a language model wrote.
    for heart in hearts:
        assert heart.partition("```")[0] in page


@pytest.mark.rl
def test_the_curious_experimenter_stands_beside_random_actions() -> None:
    shown = run(
        "benchmarks.curious_rl",
        *("--repeats", "1", "--seeds", "1", "--phases", "2", "--last", "1"),
        *("--output", ""),
    )
    assert "random" in shown


def test_hypotheses_of_several_experimenters_are_one_table(tmp_path: Path) -> None:
    shown = run(
        "benchmarks.hypotheses",
        *("--phases", "1", "--seeds", "0", "--experimenters", "random", "ideal"),
        *("--evaluate", "likelihood", "--out", str(tmp_path / "runs")),
    )
    assert "| random | 1 |" in shown
    assert "| ideal | 1 |" in shown


@pytest.mark.local
def test_scoring_in_one_pass_stands_beside_the_plain_way() -> None:
    shown = run(
        "benchmarks.action_scoring",
        *("--model", "tiny", "--repeats", "1", "--output", ""),
    )
    for way in ("flat", "prefix", "tree"):
        assert way in shown


@pytest.mark.local
@pytest.mark.babyai
def test_frames_of_agents_stand_beside_the_plain_way() -> None:
    shown = run(
        "benchmarks.ppo",
        *("--levels", "GoToRedBallNoDists", "--num-envs", "2", "--repeats", "1"),
        *("--output", ""),
    )
    for way in ("flat", "tree", "heads", "symbolic"):
        assert f"GoToRedBallNoDists_{way}_frames_s" in shown


@pytest.mark.household
def test_household_games_are_timed() -> None:
    words = ("--num-games", "6", "--repeats", "1", "--output", "")
    shown = run("benchmarks.household", *words)
    for figure in ("step_per_s", "listed_per_s", "model_per_s"):
        assert figure in shown


def test_looks_into_the_state_base_are_timed() -> None:
    words = ("--sizes", "600", "--queries", "20", "--repeats", "1", "--output", "")
    assert "600_whole_over_part" in run("benchmarks.retrieval", *words)


@pytest.mark.local
def test_training_on_conversations_is_timed() -> None:
    small = ("--num-conversations", "2", "--num-answers", "2", "--repeats", "1")
    words = ("--model", "scratch", *small, "--output", "")
    shown = run("benchmarks.conversation_training", *words)
    assert "conversations_over_answers" in shown


@pytest.mark.text
def test_text_games_are_timed_beside_their_packages() -> None:
    words = ("--games", "twc", "--num-episodes", "2", "--repeats", "1", "--output", "")
    assert "steps_over_raw" in run("benchmarks.text_games", *words)


@pytest.mark.text
def test_knowledge_stands_beside_a_search_that_knows_nothing() -> None:
    one_room = '{"game_params": "numLocations=1,numItemsToPutAway=1"}'
    few = ("--episodes", "1", "--train-games", "2", "--max-steps", "3")
    words = ("--env-kwargs", one_room, *few, "--simulations", "2", "--output", "")
    shown = run("benchmarks.knowledge_planning", *words)
    for row in ("prior alone", "uniform", "prior - uniform"):
        assert row in shown
