"""A trained policy as prior and value of planners, from the command line."""

import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks
from cwm import plan
from cwm.agents.learners import prepare
from cwm.agents.runs import PolicyFolder, PolicyRunConfig, TaskConfig, new_folder
from cwm.agents.training import read_policy, train_policy
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import ConfigError
from cwm.execution.progress import SilentProgress
from cwm.guides import config as guides
from cwm.guides import policies
from cwm.llm.local.config import DeviceConfig
from cwm.providers.policies.agents.network import NetworkAgent
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.drrn import DRRNConfig
from cwm.providers.policies.networks.config import NetworkConfig, ScratchConfig

pytestmark = [pytest.mark.babyai, pytest.mark.local]

LEVEL = "GoToLocalS5N2"
WHOLE, TEXT = f"cwm/PrivilegedBabyAI-{LEVEL}-v0", f"cwm/BabyAI-{LEVEL}-v0"
PROGRAM = str(Path(benchmarks.__file__).parent / "data" / "babyai_goto_by_hand.py")
FEW = ("--planner", "mcts", "--mcts.num-simulations", "6")
CONFIG = PolicyRunConfig(
    task=TaskConfig(env=f"BabyAI-{LEVEL}-v0"),
    num_frames=32,
    # One whose likeliest actions are not always the same.
    seed=2,
    network=NetworkConfig(
        window=2, head_width=16, scratch=ScratchConfig(layers=1, width=16, heads=2)
    ),
    ppo=PPOConfig(
        num_envs=4, rollout_steps=8, num_epochs=1, minibatch_size=16, reward_scale=20.0
    ),
    local=DeviceConfig(num_threads=1),
)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has learned next to nothing."""
    path = tmp_path_factory.mktemp("runs") / "beginner"
    train_policy(CONFIG, new_folder(CONFIG, path), SilentProgress())
    return path


def run(*words: str, code: int = 0) -> tuple[str, str]:
    """Returns what the command writes to its two streams."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        got = plan.main(list(words))
    assert got == code, err.getvalue()
    return out.getvalue(), err.getvalue()


def rows(*words: str) -> list[dict[str, Any]]:
    out, _ = run("--json", "--quiet", *words)
    data: dict[str, Any] = json.loads(out)
    found: list[dict[str, Any]] = data["rows"]
    return found


def happened(row: dict[str, Any]) -> list[Any]:
    """Returns all of a row's episodes that is no time."""
    return [
        {k: v for k, v in episode.items() if k != "decision_ms"}
        for episode in row["episodes"]
    ]


def agents_actions(policy: Path, seed: int) -> list[int]:
    """Returns what the likeliest actions are, as the agent itself acts in words."""
    network = read_policy(policy).made.network
    agent, source = NetworkAgent(network, greedy=True), TextEpisodes(TEXT, 1, window=2)
    views, rng = source.reset([seed]), np.random.default_rng(0)
    done: list[int] = []
    while True:
        actions = agent.act(views, rng)
        done.append(int(actions[0]))
        steps = source.step(actions)
        if steps.ended:
            return done
        views = steps.views


@pytest.mark.parametrize("env", [WHOLE, TEXT])
def test_zero_simulations_are_the_policy(
    policy: Path, tmp_path: Path, env: str
) -> None:
    file = tmp_path / "steps.npz"
    (row,) = rows(
        *("true", "--env", env, "--planner", "policy", "--policy.greedy"),
        *("--prior", f"ppo:{policy}", "--episodes", "3"),
        *("--save-transitions", str(file)),
    )
    trajectories = load_dataset(file).trajectories
    played = [np.asarray(one.actions[""]).tolist() for one in trajectories]
    assert len({action for actions in played for action in actions}) > 1
    seeds = [episode["seed"] for episode in row["episodes"]]
    assert played == [agents_actions(policy, seed) for seed in seeds]
    assert not any(sum(episode["model_steps"]) for episode in row["episodes"])


def test_a_program_is_searched_as_the_true_environment_is(policy: Path) -> None:
    words = ("--env", WHOLE, "--episodes", "2", *FEW)
    guide = ("--prior", f"ppo:{policy}", "--value", f"ppo:{policy}")
    true, program = rows("true", PROGRAM, *words, *guide)
    assert happened(true) == happened(program)
    assert program["summary"]["disagreement"] == 0.0
    assert program["summary"]["num_failures"] == 0
    episode = program["episodes"][0]
    assert sum(episode["model_steps"]) > 0
    contexts, evaluations, calls = (
        [number for number in episode[f"evaluator_num_{name}"] if number is not None]
        for name in ("contexts", "evaluations", "calls")
    )
    # One call for each text, of which prior and value both are; fewer texts than asked.
    assert 0 < sum(calls) == sum(evaluations) < sum(contexts)
    (unguided,) = rows("true", *words)
    assert "guide" not in unguided["settings"]
    assert "evaluator_num_calls" not in unguided["episodes"][0]


def test_what_guided_a_row_is_told(policy: Path) -> None:
    words = ("true", "--env", WHOLE, "--episodes", "1", *FEW)
    guide = ("--prior", f"ppo:{policy}", "--prior-temperature", "2")
    value = ("--value", f"ppo:{policy}")
    (row,) = rows(*words, *guide, *value)
    told = row["settings"]["guide"]
    for one in (told["prior"], told["value"]):
        assert (one["run"], one["num_frames"]) == ("beginner", 32)
        assert one["trained_in"] == TEXT
        assert len(one["checkpoint_sha256"]) == 64
    assert told["prior"]["temperature"] == 2.0
    assert (told["value"]["discount"], told["value"]["reward_scale"]) == (0.99, 20.0)
    assert row["settings"]["planner"]["planning"]["discount"] == 0.99
    assert "prior beginner (32 frames, temperature 2); value beginner" in row["note"]
    (row,) = rows(*words, *guide, "--discount", "0.5")
    assert row["settings"]["guide"]["value"] is None
    assert row["settings"]["planner"]["planning"]["discount"] == 0.5


def test_a_temperature_changes_the_prior(policy: Path) -> None:
    words = ("true", "--env", WHOLE, "--planner", "policy", "--episodes", "1")
    guide = ("--prior", f"ppo:{policy}", "--prior-temperature")
    (flat,) = rows(*words, *guide, "1000000")
    (sharp,) = rows(*words, *guide, "0.000001")
    (greedy,) = rows(*words, "--policy.greedy", *guide, "1")
    assert happened(sharp) == happened(greedy) != happened(flat)


def test_the_value_sets_the_discount(policy: Path, tmp_path: Path) -> None:
    other = retrained(policy, tmp_path, ppo=PPOConfig(discount=0.9))
    words = ("true", "--env", WHOLE, "--episodes", "1", *FEW)
    guide = ("--prior", f"ppo:{policy}", "--value", f"ppo:{other}")
    (row,) = rows(*words, *guide)
    assert row["settings"]["planner"]["planning"]["discount"] == 0.9
    assert row["settings"]["guide"]["prior"]["run"] == "beginner"
    assert row["settings"]["guide"]["value"]["run"] == "other"
    _, err = run(*words, *guide, "--discount", "0.99", code=2)
    assert "made with the planner's discount (0.99), got 0.9" in err


def retrained(policy: Path, tmp_path: Path, **changes: Any) -> Path:
    """Returns another run, of which only the settings say how it has learned."""
    other = PolicyFolder(shutil.copytree(policy, tmp_path / "other"))
    other.write_json(other.config, replace(CONFIG, **changes).to_json())
    return other.path


def test_a_run_is_read_once(policy: Path) -> None:
    policies._read_once.cache_clear()
    rows(
        *(
            "true",
            PROGRAM,
            "--env",
            WHOLE,
            "--episodes",
            "1",
            "--planner",
            "policy,mcts",
        ),
        *("--mcts.num-simulations", "1", "--max-steps", "2"),
        *("--prior", f"ppo:{policy}", "--value", f"ppo:{policy}"),
    )
    assert policies._read_once.cache_info().misses == 1


def test_a_value_of_q_learning_is_refused_and_its_prior_is_not(tmp_path: Path) -> None:
    drrn = PolicyRunConfig(
        task=CONFIG.task, learner="drrn", num_frames=32, drrn=DRRNConfig(width=8)
    )
    folder = new_folder(drrn, tmp_path / "drrn")
    prepare(drrn).run(folder, SilentProgress())
    run = f"ppo:{folder.path}"
    guides.GuideConfig(prior=run).guide()
    with pytest.raises(ConfigError, match="is of learner drrn"):
        guides.GuideConfig(value=run).guide()


@pytest.mark.slow
def test_each_process_reads_its_own(policy: Path) -> None:
    words = ("true", "--env", WHOLE, "--episodes", "2", *FEW)
    guide = ("--prior", f"ppo:{policy}", "--value", f"ppo:{policy}")
    (alone,) = rows(*words, *guide)
    (together,) = rows(*words, *guide, "--workers", "2")
    assert happened(alone) == happened(together)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prior", "runs/x"), "prior must be ppo:RUN, with the folder of a run"),
        (("--value", "ppo:"), "value must be ppo:RUN"),
        (("--prior", "ppo:no-such-run"), "must be the folder of a run of cwm.ppo"),
        (("--prior-temperature", "2"), "prior_temperature needs prior"),
        (("--prior", "RUN", "--prior-temperature", "0"), "must be positive and finite"),
        (("--planner", "policy"), "planner policy needs prior: --prior ppo:RUN or"),
        (
            ("--planner", "policy,random", "--prior", "RUN", "--value", "RUN"),
            "value is for planners that look ahead (random-shooting, cem, icem, mppi, "
            "feedback, mcts, beam, exhaustive), got policy, random",
        ),
        (("--prior", "RUN", "--env", "Taxi-v4"), "A trained policy reads BabyAI only"),
        (
            ("--prior", "RUN", "--env-kwargs", '{"num_actions": 3}'),
            "has 3 actions, and the policy knows 6",
        ),
        (("--prior", "RUN", "--env", "Pendulum-v1"), "A trained policy reads BabyAI"),
        (("--value", "GROUP"), "was trained with the baseline group"),
        (("--value", "CLONE"), "value must be a run of learner ppo"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(
    policy: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    if "GROUP" in words:
        retrained(policy, tmp_path, ppo=PPOConfig(baseline="group"))
    if "CLONE" in words:
        retrained(policy, tmp_path, learner="cloning")
    names = {"RUN": f"ppo:{policy}"}
    names |= dict.fromkeys(("GROUP", "CLONE"), f"ppo:{tmp_path / 'other'}")
    given = [names.get(word, word) for word in words]
    env = () if "--env" in given else ("--env", WHOLE)
    out, err = run("true", *env, *given, code=2)
    assert said in " ".join(err.split())
    assert not out
    assert "episode" not in err
