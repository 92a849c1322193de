"""`python -m cwm.ppo`: what it asks for, refuses and groups before anything is made."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from cwm import __main__ as commands
from cwm.agents.learners import prepare
from cwm.agents.runs import PolicyFolder, PolicyRunConfig, TaskConfig
from cwm.core.errors import ConfigError, DataError
from cwm.ppo.command import COMMANDS, main
from cwm.ppo.contests import (
    Contestant,
    PlayConfig,
    own_contests,
    prompt_notes,
    suite_contests,
)
from cwm.ppo.plot_command import courses_by_label
from cwm.providers.policies.learning.processes import Processes
from cwm.providers.policies.networks.config import NetworkConfig
from envs.babyai.variants import SUITE
from prompts.glam import WORDINGS
from tests.support.policy_logs import logged, probed

MIXED = TaskConfig(env="BabyAI-MixedTrainLocal-v0")


def contestant(name: str, policy: str = "scratch", **network: object) -> Contestant:
    config = NetworkConfig(**network)  # type: ignore[arg-type]
    run = PolicyRunConfig(task=MIXED, policy=policy, network=config)
    return Contestant(name=name, run=run)


RANDOM = Contestant.named("random")


def run_folder(path: Path, config: PolicyRunConfig, *updates: int) -> PolicyFolder:
    """A run's folder as far as it can be without a network."""
    folder = PolicyFolder(path)
    path.mkdir()
    folder.write_json(folder.config, config.to_json())
    lines = [json.dumps(logged(update)) + "\n" for update in updates]
    folder.write_text(folder.log, "".join(lines))
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_and_no_default_that_says_nothing(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    assert f"python -m cwm.ppo {name} " in shown
    assert "Exit codes: 0 done" in shown
    assert "(default: )" not in shown
    # Settings of packages that know no command line are shown as they are.
    own = re.sub(
        r"--(network|ppo|cloning|limits|local)\.\S+ \{None[^}]*\}.*?\(default: None\)",
        "",
        shown,
    )
    assert "None" not in own
    assert not re.search(r"--\S*no-", shown)


def test_the_commands_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)
    assert main(["walk"]) == 2
    assert "Known: train, evaluate, plot" in capsys.readouterr().err
    assert commands.main([]) == 0
    assert "cwm.ppo " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("train --preset no", "No preset called 'no'. Known: default, glam-2023"),
        ("train --seed -1", "seed must be at least 0, got -1"),
        ("train --num-frames 0", "num_frames must be at least 1, got 0"),
        ("train --stop-at 2", "stop_at must be above 0 and at most 1"),
        ("train --ppo.clip 0", "clip must be positive"),
        ("train --learner drrn --policy hf:x", "policy is not for learner drrn"),
        ("train --learner drrn --stop-at 1", "stop_at is for learner ppo, got drrn"),
        ("train --cloning.seed 1", "cloning.seed must be left out, got 1"),
        ("train --num-demonstrations 0", "num_demonstrations must be at least 1"),
        ("train --learner cloning --cloning.pass-size 0", "pass_size must be at least"),
        (
            "train --ppo.baseline group --ppo.gae-lambda 0.9 --ppo.num-envs 8",
            "ppo.gae_lambda is for baseline value, got 0.9 with baseline group: leave",
        ),
        ("train --plot picture.txt", "plot must end in .png"),
        ("train --config none.json", "cannot be read"),
        ("train --resume nowhere", "must be the folder of a run of cwm.ppo train"),
        ("train --resume nowhere --preset default", "--preset is for a new run"),
        ("evaluate nowhere", "must be the folder of a run of cwm.ppo train"),
        ("evaluate random", "env must be given where no run is evaluated"),
        ("evaluate random --test no", "test must be one of training, held-out-pairs"),
        ("evaluate random --suite --env X", "At most one of suite, test and env"),
        ("evaluate random --suite --test french", "At most one of suite, test and env"),
        ('evaluate random --env-kwargs {"num_actions":3}', "env_kwargs needs env"),
        ("evaluate random random --suite", "agents must be named once"),
        ("evaluate random --env X --env-kwargs [1]", "env_kwargs must be an object"),
        ("evaluate random --suite --episodes 0", "episodes must be at least 1, got 0"),
        ("evaluate random --suite --num-envs 0", "num_envs must be at least 1"),
        ("evaluate random --suite --seed -1", "seed must be at least 0, got -1"),
        ("plot nowhere --out picture.jpg", "out must end in .png"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main([*words.split(), *(["--quiet"] * (not words.startswith("plot")))])
    except SystemExit as error:
        code = int(error.code or 0)
    message = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert (code, expected in message) == (2, True), message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("package", "extra", "words"),
    [
        ("minigrid", "minigrid", ["train"]),
        ("minigrid", "minigrid", ["evaluate", "random", "--suite"]),
        ("matplotlib", "[plot]", ["train", "--plot", "a.png"]),
        ("matplotlib", "[plot]", ["plot", "nowhere", "--out", "a.png"]),
    ],
)
def test_a_missing_package_is_told_before_a_folder_is_made(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    extra: str,
    words: list[str],
) -> None:
    if find_spec(package):
        pytest.skip(f"{package} is here")
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    assert extra in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_run_keeps_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_folder(tmp_path / "run", PolicyRunConfig(seed=4))
    resumed = ["train", "--quiet", "--resume", str(folder.path)]
    for more in (["--seed", "5"], ["--ppo.clip", "0.1"], ["--out", "elsewhere"]):
        assert main([*resumed, *more]) == 2
        message = capsys.readouterr().err
        assert "keeps its settings" in message
        assert f"--config {folder.path}/config.json" in message


def test_a_run_that_has_learned_nothing_cannot_play(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_folder(tmp_path / "run", PolicyRunConfig())
    assert main(["evaluate", str(folder.path)]) == 1
    assert "has no checkpoint yet" in capsys.readouterr().err


def test_the_suite_has_all_tests_with_all_agents() -> None:
    both = (contestant("a"), RANDOM)
    contests = suite_contests(both, tuple(SUITE))
    assert [one.test for one in contests] == list(SUITE)
    assert all(one.contestants == both for one in contests)
    assert all(one.variant.prompt in WORDINGS for one in contests)
    # Named twice, played once.
    assert len(suite_contests(both, ("french", "french"))) == 1
    (french,) = suite_contests(both, ("french",))
    assert french.task.kwargs == {"wording": "french"}


def test_a_run_plays_in_its_own_environment_and_baselines_in_all() -> None:
    first = contestant("a")
    task = replace(MIXED, env_kwargs='{"num_actions": 3}')
    assert first.run is not None
    other = Contestant(name="c", run=replace(first.run, task=task))
    same = contestant("b")
    contests = own_contests([first, RANDOM, other, same])
    names = [[one.name for one in contest.contestants] for contest in contests]
    assert names == [["a", "random", "b"], ["random", "c"]]
    assert [dict(one.variant.kwargs) for one in contests] == [{}, {"num_actions": 3}]
    with pytest.raises(ConfigError, match="env must be given"):
        own_contests([RANDOM])


def test_who_has_an_output_for_each_action() -> None:
    assert contestant("a", "symbolic").counts_actions
    assert contestant("a", head="actions").counts_actions
    assert not contestant("a").counts_actions
    run = PolicyRunConfig(learner="drrn", network=NetworkConfig(head="actions"))
    assert not Contestant(name="a", run=run).counts_actions
    assert not RANDOM.counts_actions


def test_it_is_told_who_does_not_read_what_a_test_changes_in_the_prompt() -> None:
    agents = (
        contestant("short"),
        contestant("glam", prompt="glam"),
        contestant("model", "hf:folder"),
        contestant("symbols", "symbolic"),
        Contestant(name="drrn", run=PolicyRunConfig(learner="drrn")),
        RANDOM,
    )
    contests = suite_contests(agents, ("new-nouns", "first-person-agent", "french"))
    lines = prompt_notes(contests)
    assert [line.partition(":")[0] for line in lines] == ["short", "symbols", "drrn"]
    assert all(line.endswith("in first-person-agent, french") for line in lines)
    assert prompt_notes(contests[:1]) == []


def test_only_ppo_trains_in_several_processes() -> None:
    for learner in ("cloning", "drrn"):
        with pytest.raises(ConfigError, match="trains in one process, got 2"):
            prepare(PolicyRunConfig(learner=learner), Processes(rank=0, count=2))


def test_a_run_is_named_after_what_is_trained_and_how() -> None:
    names = [PolicyRunConfig(learner=x).name for x in ("ppo", "cloning", "drrn")]
    assert names == ["scratch", "scratch, cloned", "drrn"]


def test_play_settings_are_checked() -> None:
    assert PlayConfig().episodes == 1000
    with pytest.raises(ConfigError, match="episodes must be at least 1, got 0"):
        PlayConfig(episodes=0)


def changed_seed(config: PolicyRunConfig) -> PolicyRunConfig:
    return replace(config, seed=9, local=replace(config.local, num_threads=1))


def changed_clip(config: PolicyRunConfig) -> PolicyRunConfig:
    return replace(config, ppo=replace(config.ppo, clip=0.1))


@pytest.mark.parametrize(
    ("change", "num_curves"), [(changed_seed, 1), (changed_clip, 2)]
)
def test_runs_of_the_same_settings_but_the_seed_are_one_curve(
    tmp_path: Path,
    change: Callable[[PolicyRunConfig], PolicyRunConfig],
    num_curves: int,
) -> None:
    config = PolicyRunConfig()
    first = run_folder(tmp_path / "a", config, 1, 2)
    second = run_folder(tmp_path / "b", change(config), 1)
    found = courses_by_label([first, second])
    assert len(found) == num_curves
    label, courses = next(iter(found.items()))
    assert label.startswith("scratch, BabyAI-GoToLocal-v0 (a)")
    assert (num_curves == 1) == label.endswith(", 2 seeds")
    assert [len(course.log) for course in courses] == [2, 1][: 3 - num_curves]


def test_probabilities_belong_to_a_course_and_half_a_line_does_not(
    tmp_path: Path,
) -> None:
    folder = run_folder(tmp_path / "a", PolicyRunConfig(), 1, 2)
    folder.write_text(folder.probabilities, json.dumps(probed(0, 0.5, 0.5)) + "\n")
    with folder.log.open("a") as log:
        log.write('{"update": 3, "num_fr')
    ((course,),) = courses_by_label([folder]).values()
    assert [one["update"] for one in course.log] == [1, 2]
    assert course.probabilities == [probed(0, 0.5, 0.5)]


def test_a_run_without_an_update_has_no_curve(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "a", PolicyRunConfig())
    with pytest.raises(DataError, match="has made no update yet"):
        courses_by_label([folder])
