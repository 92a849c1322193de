import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.core.spaces import DiscreteSpec, NestedSpec
from cwm.core.trajectories import Dataset, Transition, make_trajectory
from cwm.runs.looking_commands import read_run
from cwm.runs.packaging import characters, package_of, starts_file, write_files
from envs.collect import CollectConfig, collect
from envs.registry import find
from envs.world_model_env import make_space, read_starts
from tests.support.corridor import EXACT, corridor_dataset
from tests.support.run_folders import synthesize_run
from tests.support.toy_envs import toy

MIXED = """\
import numpy as np


class Environment:
    def set_state(self, observation):
        self.count = observation["count"]

    def step(self, action):
        self.count += 1 + action[0]
        observation = {
            "count": self.count,
            "flags": np.array([1, 0, self.count % 2], dtype=np.int8),
            "pair": (np.array([self.count % 3, 0]), "x" * (self.count % 4)),
            "place": np.full(2, 1 / self.count, dtype=np.float32),
        }
        return observation, float(action[1].sum()), self.count > 90
"""


def mixed_dataset() -> Dataset:
    config = CollectConfig(
        num_trajectories=3, min_transitions=5, max_transitions=90, planning_steps=0
    )
    return collect(find(toy("Mixed")), config)


@pytest.mark.parametrize("world", ["corridor", "mixed"])
def test_the_package_passes_its_own_test_without_this_project(
    tmp_path: Path, world: str
) -> None:
    data = corridor_dataset() if world == "corridor" else mixed_dataset()
    run = synthesize_run(tmp_path / "run", dataset=data)
    if world == "mixed":
        (run / "world_model.py").write_text(MIXED)
    package = package_of(read_run(run), name=None)
    out = tmp_path / "out"
    write_files(out, package.files())
    assert package.module == "cwm_run"
    environment = os.environ | {"PYTHONPATH": str(out)}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("--rootdir", str(out), "tests"),
        ],
        cwd=out,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    program = (
        "import sys, gymnasium; env = gymnasium.make('cwm_run:cwm/run');"
        "env.reset(seed=0); env.step(env.action_space.sample());"
        "bad = {'cwm', 'envs', 'scipy'} & set(sys.modules); sys.exit(str(bad or 0))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path[:0]={[str(out)]}\n{program}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() == "0", done.stderr


def test_the_package_says_what_it_is(tmp_path: Path) -> None:
    run = synthesize_run(tmp_path / "run", held_out=0.5, llm=("scripted:a",))
    package = package_of(read_run(run), name="My-Corridor")
    files = {name: str(text) for name, text in package.files().items()}
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == "cwm-my-corridor"
    assert project["dependencies"] == ["gymnasium>=1.1", "numpy>=2.0"]
    readme = files["README.md"]
    for words in (
        "without a sandbox",
        "| made by | walk (a stand-in) |",
        "| strict accuracy, held-out | 0.5000 |",
        "cwm_my_corridor:cwm/My-Corridor",
        "no licence is claimed",
        "> A corridor of five cells; the goal is the last one.",
    ):
        assert words in readme
    about = json.loads(files["cwm_my_corridor/about.json"])
    assert about["held_out_strict"] == 0.5
    assert str(tmp_path) not in "".join(files.values())


def test_a_package_of_an_unfinished_run_says_so(tmp_path: Path) -> None:
    finished = synthesize_run(tmp_path / "finished")
    run = synthesize_run(tmp_path / "run", is_finished=False)
    (run / "world_model.py").write_text(EXACT)
    readmes = [
        str(package_of(read_run(one), name=None).files()["README.md"])
        for one in (run, finished)
    ]
    assert (
        "- The run was interrupted after 1 of 50 calls, best score 0.5000; go on with: "
        "python -m cwm.synthesize --resume run\n- **The program runs"
    ) in readmes[0]
    assert "interrupted" not in readmes[1]


def test_the_physics_engine_becomes_a_requirement(tmp_path: Path) -> None:
    run = synthesize_run(tmp_path / "run")
    package = replace(package_of(read_run(run), name=None), libraries=("physics",))
    project = tomllib.loads(str(package.files()["pyproject.toml"]))["project"]
    assert "mujoco>=3.1" in project["dependencies"]


def test_the_time_limit_is_that_of_the_recorded_environment(tmp_path: Path) -> None:
    run = synthesize_run(tmp_path / "run", dataset=mixed_dataset())
    assert package_of(read_run(run), name=None).max_episode_steps == 30
    assert "max_episode_steps=30" in str(
        package_of(read_run(run), name=None).files()["cwm_run/__init__.py"]
    )


def test_starts_are_first_observations_of_whole_episodes(tmp_path: Path) -> None:
    data = corridor_dataset()
    step = Transition(3, 1, 4, 1.0, True, False)
    piece = make_trajectory(
        [step], observation_space=DiscreteSpec(5), action_space=DiscreteSpec(2)
    )
    data = replace(
        data,
        trajectories=(*data.trajectories, piece),
        splits=(*data.splits, "train"),
    )
    (tmp_path / "starts.npz").write_bytes(starts_file(data))
    space = make_space({"kind": "discrete", "num_values": 5, "start": 0})
    assert read_starts(tmp_path / "starts.npz", space) == [0, 0, 0]
    assert np.load(tmp_path / "starts.npz", allow_pickle=False)["leaf_0"].shape == (3,)


def test_characters_of_texts_that_are_not_ascii_are_named() -> None:
    data = mixed_dataset()
    columns = dict(data.trajectories[0].observations)
    assert characters(data) == ""
    texts = columns["pair/1"]
    assert isinstance(texts, list)
    columns["pair/1"] = ["é", *texts[1:]]
    changed = replace(data.trajectories[0], observations=columns)
    data = replace(data, trajectories=(changed, *data.trajectories[1:]))
    assert characters(data) == "é"


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    none = synthesize_run(tmp_path / "none", held_out=None)
    with pytest.raises(ConfigError, match="with a program, got none"):
        package_of(read_run(none), name=None)
    run = synthesize_run(tmp_path / "run")
    with pytest.raises(ConfigError, match="name must be made of letters"):
        package_of(read_run(run), name="a/b")
    nested = Dataset(
        environment_id="Words",
        description="",
        observation_space=NestedSpec(),
        action_space=DiscreteSpec(1),
        trajectories=(
            make_trajectory(
                [Transition(["a"], 0, ["b"], 0.0, False, False)],
                observation_space=NestedSpec(),
                action_space=DiscreteSpec(1),
            ),
        ),
        splits=("train",),
    )
    words = synthesize_run(tmp_path / "words", dataset=nested)
    with pytest.raises(ConfigError, match=r"nested lists of texts, such as .* Words"):
        package_of(read_run(words), name=None)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="must be an empty folder"):
        write_files(tmp_path, {"a": "b"})
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
