"""The product as a newcomer meets it: a wheel in an empty environment."""

import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from cwm.core.dataset_file import load_dataset
from tests.support.installed import Installed, run

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests" / "support"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cartpole(installed: Installed) -> dict[str, object]:
    """The result of the main job."""
    words = ("--env", "CartPole-v1", "--out", "run", "--json")
    result: dict[str, object] = json.loads(installed.command("cwm.synthesize", *words))
    return result


def test_the_wheel_has_types_and_every_package(installed: Installed) -> None:
    with ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
    packages = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert packages == {"cwm", "mcts", "sandbox", "envs", "prompts", "planners"}
    assert {f"{package}/py.typed" for package in packages} <= set(names)


def test_the_console_script_finds_environments_of_the_current_folder(
    installed: Installed,
) -> None:
    env = "import gymnasium\nfrom gymnasium.envs.classic_control import CartPoleEnv\n"
    env += "gymnasium.register('Own-v0', entry_point=CartPoleEnv)\n"
    (installed.work / "own_env.py").write_text(env)
    script = installed.python.with_name("cwm")
    words = ("collect", "--env", "own_env:Own-v0", "--min-transitions", "50")
    shown = run([script, *words, "--out", "own.npz"], cwd=installed.work).stdout
    assert "own_env:Own-v0: trajectories" in shown
    assert "usage: cwm COMMAND" in run([script, "--help"]).stdout


def test_the_map_of_commands_names_those_that_are_there(installed: Installed) -> None:
    shown = installed.command("cwm")
    commands = (
        "synthesize",
        "plan",
        "evaluate",
        "fit",
        "collect",
        "accelerate",
        "replay",
        "report",
        "benchmark",
        "induce",
        "runs",
        "mcp",
    )
    for name in commands:
        assert f"cwm.{name}" in shown
        assert "usage: python -m cwm." in installed.command(f"cwm.{name}", "--help")


def test_transitions_are_collected_into_a_file(installed: Installed) -> None:
    installed.command("cwm.collect", "--env", "CartPole-v1", "--out", "cartpole.npz")
    assert (installed.work / "cartpole.npz").is_file()


def test_the_main_job_finds_an_exact_program(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    rows = {row["name"]: row["scores"] for row in cartpole["rows"]}
    assert rows["program"]["held_out"]["strict"] >= 0.999
    assert rows["true simulator"]["held_out"]["strict"] == 1.0
    assert rows["do nothing"]["held_out"]["strict"] < 0.5
    assert cartpole["made_by"] == "symbolic induction"


def test_the_program_needs_nothing_but_numpy(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    program = (
        "import sys; sys.path.insert(0, 'run'); from world_model import Environment;"
        "env = Environment(); env.set_state([0.0, 0.0, 0.0, 0.0]); print(env.step(1));"
        "bad = {'cwm', 'gymnasium', 'scipy', 'sklearn', 'sympy'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    shown = run([installed.python, "-c", program], cwd=installed.work).stdout
    assert "False" in shown


def test_the_program_is_scored_on_fresh_transitions(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    shown = installed.command(
        "cwm.evaluate", "run/world_model.py", "--env", "CartPole-v1", "--seed", "1"
    )
    for word in ("strict", "paper", "reference", "score", "do nothing", "true sim"):
        assert word in shown


def test_the_program_steps_many_states_at_once(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    shown = json.loads(installed.command("cwm.accelerate", "run", "--json"))
    ways = {way["way"]: way for way in shown["ways"]}
    assert ways["its own step_batch"]["accepted"]
    assert ways["vectorised"]["accepted"]
    speeds = ways[shown["best"]]["steps_per_second"]
    assert speeds["1000"] > 5 * ways["original"]["steps_per_second"]["1000"]


def test_a_program_of_one_planet_is_fitted_to_another(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    shown = installed.command(
        *("cwm.fit", "run/world_model.py", "--env", "CartPole-v1"),
        *("--set", "gravity=3.7", "--out", "mars.py", "--json"),
    )
    held_out = json.loads(shown)["strict"]["held_out"]
    assert held_out["before"] < 0.1
    assert held_out["after"] >= 0.99
    assert (installed.work / "mars.py").is_file()


def test_the_run_is_resumed_and_replayed_to_the_same_tree(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    tree = (installed.work / "run" / "tree.json").read_bytes()
    shown = installed.command("cwm.synthesize", "--resume", "run", "--json")
    assert json.loads(shown)["num_calls"] == cartpole["num_calls"]
    assert (installed.work / "run" / "tree.json").read_bytes() == tree
    assert "tree.json is the tree" in installed.command("cwm.replay", "run")


def test_the_run_is_a_page_that_needs_no_network(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    shown = installed.command("cwm.report", "run", "--out", "report.html")
    assert shown.startswith("report: report.html")
    page = (installed.work / "report.html").read_text()
    assert "<title>CartPole-v1</title>" in page
    # Scripts and styles aside, which load nothing: the page's policy forbids it.
    markup = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="([^"]*)"', markup) == ["data:,", "#content"]
    assert "default-src 'none'" in markup


def test_the_readme_shows_what_the_main_job_prints(installed: Installed) -> None:
    shown = installed.command("cwm.synthesize", "--env", "CartPole-v1", "--out", "demo")
    readme = " ".join((ROOT / "README.md").read_text().split())
    # Counts may change with the versions of the libraries; the scores may not.
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    rows = [row for row in rows if row.startswith(("│ program", "│ true simulator"))]
    assert len(rows) == 2
    for row in rows:
        assert row in readme


def test_runs_are_listed_shown_and_compared(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    installed.command(
        "cwm.synthesize", "--data", "run", "--out", "short", "--call-budget", "1"
    )
    shown = installed.command("cwm.runs", "list", ".", "--json")
    runs = {run["id"]: run for run in json.loads(shown)}
    assert runs["run"]["state"] == "finished"
    assert runs["run"]["num_calls"] == cartpole["num_calls"]
    assert "made by: symbolic induction" in installed.command("cwm.runs", "show", "run")
    found = installed.command("cwm.runs", "compare", "run", "short", "--json")
    assert json.loads(found)["settings"]["budget.call_budget"] == [50, 1]
    listed = installed.command("cwm.runs", "prune", ".", "--failed")
    assert "0 of " in listed


LIST = ("cwm.runs", "list", ".", "--json")


def test_an_exported_world_model_is_installed_and_acted_in(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    words = ("run", "--as", "package", "--name", "CartPole", "--out", "package")
    installed.command("cwm.runs", "export", *words)
    package = installed.work / "package"
    run([installed.python, "-m", "pip", "install", "--quiet", package])
    shown = run(
        [installed.python, SCRIPTS / "act_in_exported.py"], cwd=installed.work
    ).stdout
    steps, reward, truncated = shown.split()
    # Random actions let the pole fall early.
    assert 5 < int(steps) < 100
    assert (reward, truncated) == ("1.0", "False")


def test_the_sandbox_runs_the_program_and_says_how_strong_it_is(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    shown = installed.command("sandbox", "run", "run/world_model.py", "--json")
    found = json.loads(shown)
    assert (found["outcome"], found["exit_code"]) == ("completed", 0)
    assert "level: kernel" in installed.command("sandbox", "doctor")


def test_a_found_program_is_another_runs_answer(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    """The first run's folder is the second one's data, and its program the answer."""
    source = (installed.work / "run" / "world_model.py").read_text()
    answers = [f"```python\n{source}```", "never read"]
    (installed.work / "answers.json").write_text(json.dumps(answers))
    words = ("--data", "run", "--llm", "scripted:answers.json")
    quote = json.loads(
        installed.command("cwm.synthesize", *words, "--dry-run", "--json")
    )
    assert quote["calls"] == 50
    shown = installed.command("cwm.synthesize", *words, "--out", "second", "--json")
    result = json.loads(shown)
    assert (result["stopped_by"], result["num_calls"]) == ("perfect", 1)
    # And once more from the recorded answer, by another search.
    words = ("--data", "run", "--llm", "replay:second", "--search", "worldcoder")
    shown = installed.command("cwm.synthesize", *words, "--out", "third", "--json")
    assert json.loads(shown)["num_calls"] == 1
    assert "tree.json is the tree" in installed.command("cwm.replay", "third")


def test_the_program_is_acted_with_beside_the_true_simulator(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    words = ("run", "--reference", "--episodes", "1", "--json", "--planner", "icem")
    report = json.loads(
        installed.command("cwm.plan", *words, "--save-transitions", "visited.npz")
    )
    rows = {row["model"]: row["summary"] for row in report["rows"]}
    assert rows["run"]["num_wrong"] == rows["run"]["num_failures"] == 0
    # The program is exact: it decides as the true simulator does.
    assert rows["run"]["returns"] == rows["true"]["returns"]
    assert rows["run"]["returns"]["value"] > 3 * rows["random"]["returns"]["value"]
    # Where it has been is the next run's data.
    shown = installed.command(
        "cwm.evaluate", "run/world_model.py", "--data", "visited.npz", "--json"
    )
    row = json.loads(shown)["files"][0]["row"]
    assert row["scores"]["train"]["strict"] == 1.0


def test_errors_found_by_acting_are_learnt_from(installed: Installed) -> None:
    words = ("--env", "CartPole-v1", "--online", "3", "--acting.max-steps", "120")
    shown = installed.command("cwm.synthesize", *words, "--out", "online", "--json")
    report = json.loads(shown)
    assert report["rounds"][-1]["num_wrong"] == 0
    assert (installed.work / "online" / "world_model.py").is_file()


def test_searches_are_compared(installed: Installed) -> None:
    words = ("--env", "CliffWalking-v1", "--searches", "gif-mcts,linear")
    shown = installed.command("cwm.benchmark", "search", *words, "--call-budget", "3")
    for word in ("gif-mcts", "linear", "made by: symbolic induction"):
        assert word in shown


def test_a_suite_is_run_reported_and_compared(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    words = ("cwmb-r", "--envs", "CartPole-v1", "--quick")
    installed.command("cwm.benchmark", "run", *words, "--out", "suite")
    # The program of the main job, as the answer of another author.
    source = (installed.work / "run" / "world_model.py").read_text()
    (installed.work / "known.json").write_text(json.dumps([f"```python\n{source}```"]))
    llm = ("--llm", "scripted:known.json", "--call-budget", "1")
    installed.command("cwm.benchmark", "run", *words, *llm, "--out", "other")
    shown = installed.command("cwm.benchmark", "report", "suite", "--format", "json")
    (row,) = json.loads(shown)["rows"]
    assert row["task"] == "CartPole-v1"
    assert "CartPole-v1" in installed.command("cwm.runs", "show", "suite")
    table = installed.command("cwm.benchmark", "report", "other")
    assert "stand-in" in table
    written = ("--format", "markdown", "--out", "table.md")
    installed.command("cwm.benchmark", "report", "suite", *written)
    assert "| CartPole-v1 |" in (installed.work / "table.md").read_text()
    compared = json.loads(
        installed.command("cwm.benchmark", "compare", "suite", "other", "--json")
    )
    assert compared["num_pairs"] == 1
    # A cell is a run like any other.
    cell = "suite/cells/CartPole-v1/gif-mcts-0"
    assert "tree.json is the tree" in installed.command("cwm.replay", cell)
    acted = installed.command("cwm.plan", cell, "--episodes", "1", "--max-steps", "20")
    assert "return" in acted


def test_programs_with_unit_tests_are_scored(installed: Installed) -> None:
    program = "print(sum(map(int, input().split())))"
    (installed.work / "sum.json").write_text(json.dumps([f"```python\n{program}\n```"]))
    words = ("own", "--envs", "coins", "--call-budget", "1")
    llm = ("--llm", "scripted:sum.json")
    installed.command("cwm.benchmark", "run", *words, *llm, "--out", "own")
    shown = installed.command("cwm.benchmark", "report", "own")
    assert "coins" in shown
    assert "tree.json is the tree" in installed.command(
        "cwm.replay", "own/cells/coins/gif-mcts-0"
    )


def test_rules_are_found_in_words(installed: Installed) -> None:
    shown = installed.command(
        "cwm.induce",
        *("--env", "playground", "--phases", "4", "--out", "runs/rules"),
    )
    assert "are stand-ins, no language model" in shown
    assert "best hypothesis:" in shown
    assert (installed.work / "runs/rules/hypotheses.json").is_file()
    installed.command("cwm.report", "runs/rules")
    page = (installed.work / "runs/rules/report.html").read_text()
    assert "are stand-ins, no language model" in page


def test_a_suite_of_rules_in_words_is_run_and_reported(installed: Installed) -> None:
    words = ("words", "--envs", "Playground", "--quick", "--out", "words")
    installed.command("cwm.benchmark", "run", *words)
    shown = installed.command("cwm.benchmark", "report", "words")
    assert "Playground" in shown
    assert "are stand-ins, no language model" in shown
    cell = "words/cells/Playground/hypotheses-0"
    assert "best hypothesis:" in installed.command("cwm.induce", "--resume", cell)


def test_all_kinds_of_providers_stand_in_one_table(installed: Installed) -> None:
    rows = "random,expert,true,symbolic,code,hypotheses,ppo,true+wkm"
    words = ("--envs", "playground", "--searches", rows, "--quick")
    few = ("--call-budget", "1", "--providers.simulations", "4")
    installed.command(
        "cwm.benchmark", "run", "providers", *words, *few, "--out", "providers"
    )
    report = ("report", "providers", "--format", "markdown")
    shown = installed.command("cwm.benchmark", *report)
    for word in (*rows.split(","), "stand-in", "symbolic induction", "mcts"):
        assert word in shown
    # Neither a language model is named nor the extra [rl] installed.
    assert "2 not made, for the reasons below" in shown
    assert "of the extra [rl]. Run: pip install" in shown


def test_rules_are_told_to_the_authors_of_programs(installed: Installed) -> None:
    """A run's rules are in the description that another run works with."""
    (installed.work / "answers.json").write_text('["No program."]')
    installed.command(
        "cwm.synthesize",
        *("--env", "playground", "--hypotheses", "runs/rules", "--out", "runs/told"),
        *("--llm", "scripted:answers.json", "--call-budget", "1"),
        code=3,
    )
    found = json.loads((installed.work / "runs/rules/hypotheses.json").read_text())
    told = load_dataset(installed.work / "runs/told/dataset.npz").description
    assert found["best"].strip() in told


def test_a_missing_extra_is_named_with_its_install_line(installed: Installed) -> None:
    words = ("--env", "CartPole-v1", "--llm", "gguf:model.gguf")
    done = run(
        [installed.python, "-m", "cwm.synthesize", *words], cwd=installed.work, code=1
    )
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.mcp
def test_an_agent_has_its_program_verified(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    done = run([installed.python, "-m", "cwm.mcp", "run"], cwd=installed.work, code=1)
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
    installed.install("[mcp]")
    shown = run(
        [installed.python, SCRIPTS / "ask_the_verifier.py"], cwd=installed.work
    ).stdout
    assert "class Environment" in shown
    assert "'is_perfect': True" in shown
    assert (installed.work / "run" / "mcp" / "best.py").is_file()


@pytest.mark.ray
def test_a_cluster_finds_the_program_that_this_machine_found(
    installed: Installed, cartpole: dict[str, object]
) -> None:
    """From here on extras change what is installed."""
    words = ("--env", "CartPole-v1", "--executor", "ray", "--out", "on-ray")
    done = run(
        [installed.python, "-m", "cwm.synthesize", *words], cwd=installed.work, code=1
    )
    assert "pip install 'code-world-models[ray]'" in done.stderr
    installed.install("[ray]")
    assert "1.0000" in installed.command("cwm.synthesize", *words)
    trees = [
        (installed.work / name / "tree.json").read_bytes() for name in ("run", "on-ray")
    ]
    assert trees[0] == trees[1]
    known = json.loads((installed.work / "on-ray" / "environment.json").read_text())
    assert [node["level"] for node in known["nodes"]] == ["kernel"]


@pytest.mark.local
@pytest.mark.babyai
def test_an_agent_learns_plays_and_guides_planners(installed: Installed) -> None:
    env, level = "BabyAI-GoToRedBallNoDists-v0", "cwm/BabyAI-GoToRedBallNoDists-v0"
    words = ("train", "--env", env, "--num-frames", "1280", "--out", "runs/agent")
    done = run([installed.python, "-m", "cwm.ppo", *words], cwd=installed.work, code=1)
    assert "pip install" in done.stderr
    installed.install("[babyai,local]")
    assert "python -m cwm.ppo evaluate runs/agent" in installed.command(
        "cwm.ppo", *words
    )
    played = installed.command(
        "cwm.ppo", "evaluate", "runs/agent", "random", "bot", "--episodes", "10"
    )
    assert "1.000" in played  # The bot.
    guided = installed.command(
        "cwm.plan",
        *("true", "--env", level, "--planner", "mcts", "--model-steps", "20"),
        *("--prior", "ppo:runs/agent", "--value", "ppo:runs/agent"),
        *("--episodes", "1", "--max-steps", "10"),
    )
    assert "return" in guided
    installed.command(
        "cwm.collect",
        *("--env", level.replace("BabyAI", "PrivilegedBabyAI"), "--out", "agent.npz"),
        *("--expert", "ppo:runs/agent", "--expert-every", "1"),
        *("--min-transitions", "100"),
    )
    # A program from what the agent did, and another agent that learns in it.
    searched = ("--data", "agent.npz", "--call-budget", "1", "--out", "runs/of-agent")
    installed.command("cwm.synthesize", *searched)
    dreamt = installed.command(
        "cwm.ppo",
        *("train", "--env", env, "--num-frames", "320", "--ppo.num-envs", "4"),
        *("--model", "runs/of-agent", "--model-starts", "10", "--out", "runs/dreamt"),
    )
    assert "no real step, 10 real resets" in dreamt


@pytest.mark.local
@pytest.mark.text
def test_knowledge_is_written_learned_and_used(installed: Installed) -> None:
    """Last, like the one before it."""
    installed.install("[local,text]")
    one_room = '{"game_params": "numLocations=1,numItemsToPutAway=1"}'
    games = ("--env", "twc", "--env-kwargs", one_room, "--train-games", "3")
    small = ("--test-games", "2", "--max-steps", "4", "--quiet")
    small += ("--scratch.num-epochs", "1")
    rows = ("--rows", "random", "--rows", "none", "--rows", "wkm")
    shown = installed.command(
        "cwm.knowledge", "all", *games, *small, *rows, "--out", "runs/knowledge"
    )
    assert "cwm/TWC-v0, unseen games" in shown
    again = installed.command("cwm.knowledge", "all", "--resume", "runs/knowledge")
    assert "cwm/TWC-v0, unseen games" in again
    gold = ("--expert", "gold", "--expert-every", "1", "--out", "gold.npz")
    installed.command("cwm.collect", "--env", "twc", *gold)
    planned = installed.command(
        "cwm.plan",
        *("true", "--env", "twc", "--env-kwargs", one_room, "--planner", "mcts"),
        *("--episodes", "1", "--max-steps", "5", "--model-steps", "50"),
        *("--prior", "wkm:runs/knowledge", "--knowledge.row", "wkm"),
    )
    assert "prior knowledge/seed-0 (row wkm)" in planned
