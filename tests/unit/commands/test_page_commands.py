"""Commands on pages: each is read by its own parser, and the README's are run."""

import re
from pathlib import Path

import pytest

from tests.support.command_lines import commands_in, module_and_words, read_only

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
E2E = ROOT / "tests" / "e2e"

RUN = {
    "python -m cwm.synthesize --env Taxi-v4": "readme",
    "python -m cwm.synthesize --env CartPole-v1 --set gravity=3.7": "readme",
    "python -m cwm.synthesize --data transitions.npz": "readme",
    "python -m cwm.evaluate runs/.../world_model.py --env Taxi-v4": "readme",
    "python -m cwm.fit world_model.py --env CartPole-v1 --set gravity=3.7 "
    "--out mars.py": "readme",
    "python -m cwm.collect --env Acrobot-v1 --out acrobot.npz": "readme",
    "python -m cwm.fit law.py --env Pendulum-v1 --residual.mode sparse "
    "--out whole.py": "residuals",
    "python -m cwm.plan runs/...": "walk",
    "python -m cwm.report runs/...": "walk",
    "python -m cwm.runs list": "walk",
    "python -m cwm.runs export runs/... --as package --out pole": "walk",
    "python -m cwm.mcp runs/...": "walk",
    "python -m cwm.accelerate runs/...": "readme",
    "python -m cwm.replay runs/...": "readme",
    "python -m sandbox run program.py --wall-s 2": "readme",
    "python -m cwm.plan runs/2026-01-31-CartPole-v1-1 --reference": "walk",
    "python -m cwm.plan world_model.py --env Pendulum-v1 --planner icem,mppi,cem": (
        "plan"
    ),
    "python -m cwm.plan world_model.py --env Pendulum-v1 --plot returns.png "
    "--video drift.gif": "plan_pictures",
    "python -m cwm.plan true --env Taxi-v4 --planner beam --episodes 100": "plan",
    "python -m cwm.synthesize --env MountainCar-v0 --online 5": "walk",
    "python -m cwm.benchmark run cwmb-r --envs CartPole-v1,Taxi-v4": "walk",
    "python -m cwm.benchmark run own --llm openai:MODEL": "walk",
    "python -m cwm.benchmark run providers --envs playground": "walk",
    "python -m cwm.benchmark report runs/benchmark-cwmb-r --format markdown "
    "--out table.md": "walk",
    "python -m cwm.benchmark compare runs/a runs/b": "walk",
    "python -m cwm.synthesize --env CartPole-v1 --llm openai:MODEL --call-budget 10 "
    "--dry-run": "language_model_runs",
    "python -m cwm.synthesize --env CartPole-v1 --llm openai:MODEL --call-budget 10": (
        "language_model_runs"
    ),
    "python -m cwm.synthesize --env CartPole-v1 --llm openai:MODEL --base-url "
    "http://localhost:8000/v1 --concurrency 8": "language_model_runs",
    "python -m cwm.benchmark search --env CartPole-v1,Taxi-v4 --llm openai:MODEL "
    "--call-budget 10 --seeds 0,1,2": "language_model_runs",
    "python -m cwm.induce --env playground --phases 4 --out runs/rules": "walk",
    "python -m cwm.induce --finetune runs/RUN": "induce_local",
    "python -m cwm.synthesize --env playground --hypotheses runs/rules --llm "
    "openai:MODEL": "walk",
    "python -m cwm.ppo train --env BabyAI-GoToRedBallNoDists-v0 --num-frames 20000 "
    "--out runs/agent": "walk",
    "python -m cwm.ppo evaluate runs/agent random bot --episodes 500": "walk",
    "python -m cwm.plan true --env cwm/BabyAI-GoToRedBallNoDists-v0 --planner mcts "
    "--prior ppo:runs/agent --value ppo:runs/agent": "walk",
    'python -m cwm.knowledge all --env twc --env-kwargs \'{"game_params": '
    '"numLocations=1,numItemsToPutAway=1"}\' --out runs/knowledge': "walk",
    "python -m cwm.plan true --env twc --planner mcts --mcts.num-simulations 16 "
    "--prior wkm:runs/knowledge": "plan_knowledge",
}
"""Command of the README -> the file of `tests/e2e` that runs it, or a smaller one."""

NOT_RUN = {
    "python -m cwm.synthesize --env CartPole-v1 --llm openai:MODEL --concurrency 16 "
    "--executor ray --ray-address HOST:6379": (
        "a cluster of machines; tests/faults/test_ray_nodes.py starts local nodes"
    ),
    "python -m cwm.benchmark run cwmb-s --seeds 0,1,2": "57 searches: hours",
    "python -m cwm.synthesize --env CartPole-v1 --llm gguf:model.gguf": (
        "a language model that can write programs"
    ),
    "python -m cwm.induce --env playground --llm gguf:model.gguf --experimenter "
    "curious": "a language model and phases of PPO: hours",
    "python -m cwm.induce --preset play_metropolis_alp --llm hf:FOLDER --phases 20": (
        "a language model and 20 phases of PPO: hours"
    ),
    "python -m cwm.ppo train --env BabyAI-GoToLocal-v0 --policy gguf:model.gguf": (
        "a language model: hours"
    ),
    "python -m cwm.knowledge all --env household --seeds 0,1,2": "hours",
    "python -m cwm.knowledge all --env twc --agent-llm gguf:model.gguf --encoder "
    "minilm": "a language model: hours",
}
"""Command of the README -> why no test runs it."""


def option_names(line: str) -> set[str]:
    return {word.partition("=")[0] for word in line.split() if word.startswith("--")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_is_one_that_its_parser_takes(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    for line in commands_in(page.read_text()):
        # The run to go on with would have to be there.
        read_only(re.sub(r" --resume \S+", "", line))


@pytest.mark.parametrize(
    "line",
    [
        "python -m cwm.plan true --env Taxi-v4 --planer beam",
        "python -m cwm.synthesize --env Taxi-v4 --call-budget ten",
        "python -m sandbox run program.py --wall 2 --fast",
        "cwm replay",
    ],
)
def test_a_command_with_a_mistake_is_refused(line: str) -> None:
    with pytest.raises(SystemExit):
        read_only(line)


def test_every_command_of_the_readme_is_run_or_there_is_a_reason() -> None:
    lines = commands_in((ROOT / "README.md").read_text())
    assert sorted(lines) == sorted([*RUN, *NOT_RUN])


@pytest.mark.parametrize("line", RUN)
def test_what_runs_a_command_of_the_readme_uses_its_options(line: str) -> None:
    text = (E2E / f"test_{RUN[line]}.py").read_text()
    if RUN[line] == "readme":
        assert f'"{line}"' in re.sub(r'"\n\s+"', "", text)
        return
    module, words = module_and_words(line)
    name = words[0] if module == "cwm" else module
    assert re.search(rf"cwm\.{name}\b|\b{name}\b", text)
    missing = {option for option in option_names(line) if option not in text}
    assert missing == set()
