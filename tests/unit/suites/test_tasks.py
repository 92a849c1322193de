import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.providers.hypotheses.models.readings import reading_of
from cwm.providers.hypotheses.worlds import find_world
from cwm.suites.benchmark_task import BenchmarkTask, full
from cwm.suites.cwmb import CONTINUOUS, DISCRETE, MUJOCO
from cwm.suites.tasks import SUITES, quick, tasks
from envs.collect import CollectConfig
from envs.privileged import HIDDEN

ALL = [task for suite in SUITES for task in tasks(suite, 3)]


def is_mujoco(task: BenchmarkTask) -> bool:
    return task.env in MUJOCO


def marks(task: BenchmarkTask) -> list[pytest.MarkDecorator]:
    if task.suite == "providers":
        extras = {"babyai": [pytest.mark.babyai], "twc": [pytest.mark.text]}
        return extras.get(task.name, [])
    return [pytest.mark.mujoco] if is_mujoco(task) else []


def params(chosen: list[BenchmarkTask]) -> list[Any]:
    return [
        pytest.param(
            task,
            id=f"{task.suite}-{task.name}",
            marks=marks(task),
        )
        for task in chosen
    ]


def test_cwmb_has_the_18_environments_in_order() -> None:
    assert [task.env for task in tasks("cwmb-r", 0)] == [*DISCRETE, *CONTINUOUS]
    assert (len(DISCRETE), len(CONTINUOUS), len(MUJOCO)) == (6, 12, 11)
    assert tasks("cwmb-r", 0) == tasks("cwmb-r", 5)


def test_rtfm_has_both_kinds_of_monsters() -> None:
    assert [task.env for task in tasks("rtfm", 0)] == [
        "cwm/RTFM-v0",
        "cwm/RTFMMoving-v0",
    ]


def test_words_are_worlds_in_which_rules_in_words_can_be_planned() -> None:
    for task in tasks("words", 0):
        spec = task.spec()
        world = find_world(spec.id)
        # What the oracle is rewarded for, the model of the rules is, too.
        assert reading_of(world.name, **spec.kwargs).reward == "growth"
        assert task.planner is not None
        assert task.planner.planning().max_model_steps == 500


def test_an_unknown_suite_gets_the_list() -> None:
    with pytest.raises(ConfigError, match=r"one of cwmb-r, .*, providers, got 'cwmb'"):
        tasks("cwmb", 0)


@pytest.mark.parametrize("task", params(ALL))
def test_each_task_can_be_made_reset_and_stepped(task: BenchmarkTask) -> None:
    if is_mujoco(task):
        pytest.importorskip("mujoco")
    spec = task.spec()
    assert spec.description == (task.description or spec.description)
    env = spec.make()
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    for _ in range(20):
        observation, reward, terminated, truncated, _ = env.step(
            env.action_space.sample()
        )
        assert np.isfinite(float(reward))
        assert env.observation_space.contains(observation)
        if terminated or truncated:
            observation, _ = env.reset()
    env.close()


def test_names_and_file_names_are_unique_in_a_suite() -> None:
    for suite in SUITES:
        found = tasks(suite, 0)
        assert len({task.name for task in found}) == len(found)
        assert len({task.slug.lower() for task in found}) == len(found)
        assert {task.suite for task in found} == {suite}


def test_a_file_name_has_no_odd_character() -> None:
    task = BenchmarkTask(name="cwm/RTFM-v0 (moving)", suite="x", env="x")
    assert task.slug == "cwm-RTFM-v0-moving"


def test_settings_of_tasks_can_be_written_as_json() -> None:
    for task in ALL:
        text = json.dumps([dict(task.env_kwargs), dict(task.changes)])
        assert json.loads(text) == [dict(task.env_kwargs), dict(task.changes)]


# Compares providers, of which each has data of its own.
PUBLISHABLE = [task for task in ALL if task.suite != "providers"]


def test_all_data_are_as_much_as_the_collector_takes_by_default() -> None:
    assert {task.collect for task in PUBLISHABLE} == {CollectConfig()}
    config = CollectConfig()
    assert (config.num_trajectories, config.min_transitions) == (10, 1_000)


def test_mujoco_is_played_for_5_episodes_of_200_steps_and_says_so() -> None:
    for task in PUBLISHABLE:
        if is_mujoco(task):
            assert (task.episodes, task.max_steps) == (5, 200)
        else:
            is_cliff = task.name.startswith("CliffWalking")
            assert task.max_steps == (100 if is_cliff else None)
            assert task.episodes >= 10
    for task in ALL:
        is_so = task.played == "5 episodes, each of at most 200 steps"
        assert is_so == is_mujoco(task)
        # It is not said where it would stay when other episodes are played.
        assert "steps in play" not in task.notes
        assert "at most" not in task.notes
    for task in tasks("cwmb-r", 0):
        is_hidden = task.env.partition("-")[0] in HIDDEN
        assert (f"cwm/Privileged{task.env}" in task.notes) == is_hidden


def test_full_episodes_have_the_suites_limit_only_where_there_is_no_other() -> None:
    by_name = {task.name: task for task in tasks("cwmb-r", 0)}
    cliff, taxi = full(by_name["CliffWalking-v1"]), full(by_name["Taxi-v4"])
    assert cliff.spec().max_episode_steps is None
    assert cliff.played == "10 episodes, each of at most 100 steps"
    assert taxi.played == "100 episodes, to their end"
    short = replace(by_name["Acrobot-v1"], max_steps=50, episodes=5)
    assert full(short).played == "10 episodes, to their end"
    assert quick(short).played == "2 episodes, each of at most 20 steps"


def test_quick_tasks_have_little_data_and_few_short_episodes() -> None:
    for task in ALL:
        small = quick(task)
        assert small.collect.max_transitions <= 600
        assert small.episodes <= 2
        assert small.max_steps is not None
        assert small.max_steps <= 20
        assert (small.name, small.env) == (task.name, task.env)
        assert small.changes == task.changes


def test_descriptions_are_the_class_documentation_unless_constants_differ() -> None:
    for task in ALL:
        assert (task.description is None) == (task.suite != "cwmb-s")
