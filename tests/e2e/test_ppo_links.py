"""What agents have to do with programs: learning in them, and data for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.agents.dreaming import Lasting, first_states, observed_level
from cwm.agents.experts import read_expert
from cwm.collect import main as collect
from cwm.core.dataset_file import load_dataset
from cwm.evaluation.opened_program import opened_program
from cwm.ppo.command import main
from cwm.providers.policies.expert import AgentExpert
from envs.registry import find
from sandbox.limits import Limits

pytestmark = [pytest.mark.babyai, pytest.mark.local]

PROGRAM = Path(__file__).parents[2] / "benchmarks/data/babyai_goto_by_hand.py"
LEVEL = "GoToLocalS5N2"
TINY = (
    *("--env", f"BabyAI-{LEVEL}-v0", "--ppo.num-envs", "4"),
    *("--ppo.rollout-steps", "8", "--ppo.num-epochs", "1", "--save-every", "3"),
    *("--network.scratch.layers", "1", "--network.scratch.width", "16"),
    *("--network.scratch.heads", "2", "--network.head-width", "16"),
)
FEW_STARTS = ("--model-starts", "20")
SLIPPERY = (
    "import random\n" + PROGRAM.read_text() + "\n\n_step = Environment.step\n\n"
    "def step(self, action):\n"
    "    return _step(self, 0 if random.random() < 0.5 else action)\n\n"
    "Environment.step = step\n"
)
"""Turns left instead of what it should do, half of the time."""
TIMES = ("seconds", "rollout_seconds", "update_seconds")


def train(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    found = main(["train", "--json", "--quiet", *words])
    shown = capsys.readouterr()
    assert found == code, shown.err
    return json.loads(shown.out) if code == 0 else shown.err


def timeless(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy that can be taken away."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.read_text())
    return path


def test_an_agent_learns_in_a_program_and_goes_on_without_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, program: Path
) -> None:
    words = (*TINY, *FEW_STARTS, "--model", str(program))
    whole = tmp_path / "whole"
    found = train(capsys, *words, "--num-frames", "256", "--out", str(whole))
    assert "no real step, 20 real resets" in found["notes"][0]
    assert "without an answer of use: 0 of 256" in found["notes"][1]

    half = tmp_path / "half"
    train(capsys, *words, "--num-frames", "128", "--out", str(half))
    settings = json.loads((half / "config.json").read_text())
    settings["num_frames"] = 256
    (half / "config.json").write_text(json.dumps(settings))
    program.unlink()
    train(capsys, "--resume", str(half))
    assert timeless(half) == timeless(whole)


def test_it_learns_the_same_in_a_perfect_program_as_in_another_process(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, program: Path
) -> None:
    """Nothing depends on when the program was opened."""
    words = (*TINY, *FEW_STARTS, "--model", str(program), "--num-frames", "64")
    logs = []
    for name in ("one", "other"):
        train(capsys, *words, "--out", str(tmp_path / name))
        logs.append(timeless(tmp_path / name))
    assert logs[0] == logs[1]


def test_a_program_that_is_wrong_cuts_episodes_off(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, program: Path
) -> None:
    source = program.read_text()
    program.write_text(
        source + "\n\n_step = Environment.step\n\n"
        "def step(self, action):\n"
        "    if action == 4:\n"
        "        raise ValueError('no dropping')\n"
        "    return _step(self, action)\n\n"
        "Environment.step = step\n"
    )
    words = (*TINY, *FEW_STARTS, "--model", str(program), "--num-frames", "64")
    found = train(capsys, *words, "--out", str(tmp_path / "run"))
    number = int(found["notes"][1].split(": ")[1].split(" of ")[0])
    assert 0 < number < 64


def test_a_dream_does_not_depend_on_when_the_program_was_opened(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, program: Path
) -> None:
    """Not even where it is random, and its session ends in the middle."""
    program.write_text(SLIPPERY)
    words = (*TINY, *FEW_STARTS, "--model", str(program), "--num-frames", "512")
    logs = []
    for name, limits in (("once", ()), ("often", ("--limits.session-s", "1"))):
        out = tmp_path / name
        found = train(capsys, *words, *limits, "--out", str(out))
        assert "without an answer of use: 0 of 512" in found["notes"][1]
        logs.append(timeless(out))
    assert logs[0] == logs[1]


def test_a_step_is_made_again_when_the_process_was_lost_by_no_fault_of_its_own() -> (
    None
):
    spec = observed_level(f"cwm/BabyAI-{LEVEL}-v0", {})
    states = first_states(spec, 8, seed=0)

    def steps(model: Lasting) -> list[Any]:
        rngs = [np.random.default_rng(seed) for seed in range(len(states))]
        found = model.single_steps(states, [2] * len(states), rngs)
        return [None if one is None else one.observation.tolist() for one in found]

    opened = opened_program(SLIPPERY, spec, limits=Limits(), isolation="none")
    with opened as program:
        model = Lasting(program, renewed_s=1000.0)
        before = steps(model)
        session = program.held._session
        assert session is not None
        assert session._worker is not None
        session._worker.kill()
        assert steps(model) == before
        assert None not in before
        assert program.held.num_openings == 2


def test_kinds_are_not_kept_where_each_first_state_has_a_reset_of_its_own() -> None:
    kwargs = {"kind": "goto", "kind_per_instance": True, "wording": "french"}
    found = observed_level("cwm/BabyAI-MixedTrainLocal-v0", kwargs)
    assert found.id == "cwm/PrivilegedBabyAI-MixedTrainLocal-v0"
    found.make().close()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--model", "true"), 2, "model must be a run of cwm.synthesize"),
        (("--model", "missing.py"), 1, "missing.py"),
        (("--model-starts", "0"), 2, "model_starts must be at least 1"),
        (("--learner", "cloning", "--model", "x.py"), 2, "model is for learner ppo"),
    ],
)
def test_what_is_no_program_is_refused(
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    assert message in train(capsys, *TINY[:2], *words, code=code)


@pytest.mark.parametrize("prefix", ["cwm/BabyAI-", "cwm/PrivilegedBabyAI-"])
def test_what_an_agent_does_is_recorded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, prefix: str
) -> None:
    run, path = tmp_path / "run", tmp_path / "data.npz"
    train(capsys, *TINY, "--num-frames", "32", "--out", str(run))
    words = [
        *("--env", f"{prefix}{LEVEL}-v0", "--out", str(path), "--json"),
        *("--min-transitions", "50", "--expert-every", "1"),
    ]
    assert collect([*words, "--expert", f"ppo:{run}"]) == 0
    found = load_dataset(path)
    assert {one.policy for one in found.trajectories} == {"scratch"}
    assert collect([*words, "--expert", "bot"]) == 0
    found = load_dataset(path)
    assert {one.policy for one in found.trajectories} == {"bot"}
    assert "minigrid" in found.collection["versions"]
    assert all(one.episode_return > 0.0 for one in found.trajectories)


@pytest.mark.parametrize(
    ("learned_in", "told"),
    [("{}", "turn left"), ('{"wording": "french"}', "tourner à gauche")],
)
def test_a_run_is_shown_the_words_that_it_has_learned(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, learned_in: str, told: str
) -> None:
    run = tmp_path / "run"
    words = (*TINY, "--network.head", "actions", "--num-frames", "32")
    train(capsys, *words, "--env-kwargs", learned_in, "--out", str(run))
    played = []
    # Recorded in English, in French, and as states.
    for env, kwargs in (
        (f"cwm/BabyAI-{LEVEL}-v0", {}),
        (f"cwm/BabyAI-{LEVEL}-v0", {"wording": "french"}),
        (f"cwm/PrivilegedBabyAI-{LEVEL}-v0", {}),
    ):
        expert = read_expert(f"ppo:{run}", find(env, kwargs=kwargs), dict(kwargs))
        assert isinstance(expert, AgentExpert)
        played.append(expert.actions(0, 10))
        (view,) = expert._episodes.reset([0])
        assert view.actions[0] == told
    assert played[0] == played[1] == played[2]


def test_a_run_plays_with_the_actions_that_it_has_learned(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run, path = tmp_path / "run", tmp_path / "data.npz"
    train(capsys, *TINY, "--num-frames", "32", "--out", str(run))
    words = ["--env", f"cwm/BabyAI-{LEVEL}-v0", "--env-kwargs", '{"num_actions": 3}']
    code = collect([*words, "--expert", f"ppo:{run}", "--out", str(path)])
    assert code == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "has 3 actions, and the policy knows 6" in message
    assert not path.exists()


@pytest.mark.parametrize(
    ("expert", "env", "message"),
    [
        ("nobody", f"cwm/BabyAI-{LEVEL}-v0", "expert must be bot, gold or ppo:RUN"),
        ("bot", "CartPole-v1", "The bot plays levels of BabyAI only"),
        ("ppo:nowhere", f"cwm/BabyAI-{LEVEL}-v0", "nowhere"),
    ],
)
def test_who_cannot_be_recorded_is_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    expert: str,
    env: str,
    message: str,
) -> None:
    words = ["--env", env, "--expert", expert, "--out", str(tmp_path / "data.npz")]
    assert collect(words) == 2
    assert message in capsys.readouterr().err
