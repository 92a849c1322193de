"""The Playground as an environment: oracles, texts, collecting, planning."""

import io
import json
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from cwm import plan
from cwm.core.errors import ConfigError
from cwm.core.spaces import MultiDiscreteSpec, TextSpec
from envs.collect import CollectConfig, collect
from envs.playground.encoding import NUM_FEATURES
from envs.playground.env import EncodedPlayground, Playground, SymbolicPlayground
from envs.playground.episodes import held_out_episodes, play
from envs.playground.policies import (
    Policy,
    RandomPolicy,
    ScriptedPolicy,
    curriculum,
    hardest,
    ideal,
)
from envs.playground.rules import (
    GONE,
    GRASP,
    HELD,
    NOTHING,
    RELEASE_FIRST,
    RELEASE_SECOND,
    TRANSITION_TYPES,
    UNDER,
    Scene,
    listed_actions,
    take,
    under,
)
from envs.playground.scenes import (
    DEFAULT_GOAL,
)
from envs.playground.texts import (
    action_between,
    candidate_changes,
    change_between,
    describe,
    read,
)
from envs.playground.things import NAMES, THINGS, thing
from envs.registry import find
from envs.restart import restart_predictions
from envs.true_model import TrueModel

IDS = tuple(
    f"cwm/Playground{kind}-v0" for kind in ("", "Reworded", "Symbolic", "Encoded")
)
FEW = CollectConfig(
    num_trajectories=4, min_transitions=60, max_transitions=120, planning_steps=0
)


def shares(policies: list[Policy], env: Playground) -> dict[str, float]:
    """Returns how large a share of all steps each transition type has."""
    kinds = Counter(t for p in policies for t in play(env, p).transition_types)
    return {name: kinds[name] / kinds.total() for name in TRANSITION_TYPES}


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_accepts_the_environment(env_id: str) -> None:
    check_env(find(env_id).make().unwrapped, skip_render_check=True)


def test_each_variant_shows_what_its_space_says() -> None:
    spaces = [find(env_id).observation_space for env_id in IDS]
    assert isinstance(spaces[0], TextSpec)
    assert spaces[1] == spaces[0]
    assert isinstance(spaces[2], MultiDiscreteSpec)
    assert spaces[2].num_values == (13, 2, 4) * 8 + (2, 2)
    assert EncodedPlayground().observation_space.shape == (NUM_FEATURES,) == (416,)


def test_f8_candidate_changes_of_the_test_set() -> None:
    episodes = held_out_episodes()
    pairs = [
        (candidate_changes(text), change)
        for episode in episodes
        for text, change in zip(episode.observations[:-1], episode.changes, strict=True)
    ]
    sizes = [len(candidates) for candidates, _ in pairs]
    assert (len(sizes), min(sizes), max(sizes), sum(sizes)) == (168, 22, 47, 5_994)
    assert all(change in candidates for candidates, change in pairs)
    first = pairs[0][0]
    starts = ("You are standing", "In your inventory, there is ", "there are ", "into")
    assert [sum(s in one for one in first) for s in starts] == [6, 5, 22, 2]
    assert first == sorted(first)


def test_f9_random_actions_have_the_published_mix() -> None:
    env = Playground(seed=1)
    random = RandomPolicy(env.scenes.stream.randint)
    found = shares([random] * 400, env)
    expected = (0, 0.896, 0.038, 0.038, 0.025, 0.0019, 0.0001)
    tolerances = (0, 0.01, 0.005, 0.007, 0.005, 0.001, 0.0006)
    for name, share, tolerance in zip(
        TRANSITION_TYPES, expected, tolerances, strict=True
    ):
        assert found[name] == pytest.approx(share, abs=tolerance)


def test_f9_oracles_do_what_is_published() -> None:
    env = Playground(seed=2)
    found = shares(hardest(4), env)
    expected = (0, 0.421, 0.211, 0.105, 0.158, 0.053, 0.053)
    assert [found[t] for t in TRANSITION_TYPES] == pytest.approx(expected, abs=0.001)
    thirds = [(0.0, 4), (0.33335, 4), (0.34, 7), (2 / 3, 7), (0.67, 19), (1.0, 19)]
    for progress, length in thirds:
        lengths = [len(play(env, p).actions) for p in curriculum(2, progress)]
        assert lengths == [length] * 2
    with pytest.raises(ValueError, match=r"progress must be from 0 to 1, got 1\.5"):
        curriculum(1, 1.5)
    mixed = ideal(6, np.random.default_rng(0).integers)
    assert [len(play(env, p).actions) for p in mixed] == [7, 7, 19, 19, 30, 30]
    # What is left over goes to random actions first.
    uneven = ideal(4, np.random.default_rng(0).integers)
    assert [len(play(env, p).actions) for p in uneven] == [7, 19, 30, 30]
    assert [len(ideal(n, env.scenes.stream.randint)) for n in (0, 1, 5)] == [0, 1, 5]


def test_oracles_reach_the_whole_goal_from_any_start() -> None:
    env = Playground(seed=5)
    for policy in hardest(60):
        play(env, policy)
        assert env.is_over


def test_a_script_stops_where_it_cannot_go_on() -> None:
    waters = Scene((thing("water"),) * 8, (1,) * 8)
    policy = ScriptedPolicy("plant")
    done = []
    while (action := policy.action(waters)) is not None:
        done.append(action)
        waters = take(waters, action).scene
    assert done == [25, GRASP]
    env = Playground(goal="grow any plant", seed=0)
    assert len(play(env, ScriptedPolicy("small and big")).actions) == 4


def test_a_plant_s_name_also_leads_to_its_seed() -> None:
    names = ("pea seed", "pea", *("water",) * 6)
    scene = Scene(tuple(THINGS[name] for name in names), (1,) * 8)
    outcome = take(scene, 13 + 11)
    assert under(outcome.scene) == 0
    assert [NAMES[one] for one in outcome.things] == ["pea"]


def test_of_two_objects_of_the_same_name_the_first_is_given() -> None:
    names = ("pea seed", "pea seed", "water", *("pig",) * 5)
    scene = Scene(tuple(THINGS[n] for n in names), (HELD, HELD, UNDER, *(GONE,) * 5))
    # The list has an entry for each seed; there is one number for both.
    assert listed_actions(scene) == [25, RELEASE_FIRST, RELEASE_FIRST]
    assert take(scene, RELEASE_SECOND).transition_type == NOTHING
    assert take(scene, RELEASE_FIRST).scene.places[:3] == (UNDER, HELD, GONE)
    names = ("water", "water", "pea seed", *("pig",) * 5)
    scene = Scene(tuple(THINGS[n] for n in names), scene.places)
    assert listed_actions(scene) == [11, RELEASE_FIRST]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"goal": "eat"}, "goal must be 'grow any X'"),
        ({"goal": "grow any water"}, "one of beet, berry, big_herbivorous"),
        (
            {"goal": "grow any elephant then grow any giraffe"},
            "goal must need at most 8 objects, got .*, which needs 10",
        ),
        ({"reward": "gold"}, "reward must be one of goal, growth, transition_type"),
        ({"wording": "new"}, "wording must be one of original, reworded, got 'new'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    kwargs: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Playground(**kwargs)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        find("cwm/Playground-v0", kwargs=kwargs)


def test_a_drawn_goal_is_refused_where_all_is_observed() -> None:
    with pytest.raises(ValueError, match="goal must be given where all is observed"):
        SymbolicPlayground(goal=None)


def test_texts_are_recorded_of_environments_that_show_them() -> None:
    with pytest.raises(ValueError, match=r"must show texts .* got SymbolicPlayground"):
        play(SymbolicPlayground(), ScriptedPolicy("plant"))
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        play(Playground(), ScriptedPolicy("plant"), max_steps=0)


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        ("goal", [0.0] * 18 + [1.0]),
        ("growth", [0.0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1]),
        (
            "transition_type",
            [1.0, 2, 1, 4, 2, 1, 5, 1, 2, 1, 4, 2, 1, 3, 1, 4, 3, 1, 6],
        ),
    ],
)
def test_what_is_rewarded(reward: Any, expected: list[float]) -> None:
    env, policy = Playground(reward=reward), ScriptedPolicy("small and big")
    env.reset(seed=0)
    assert under(env.scene) is None
    found = []
    while not env.is_over:
        _, value, *_ = env.step(policy.action(env.scene))
        found.append(value)
    assert found == expected
    assert env.legal_actions() == ()
    assert env.listed_actions() == []
    assert not env.action_masks().any()
    with pytest.raises(ResetNeeded, match="reset the environment"):
        env.step(1)


def test_the_time_limit_truncates() -> None:
    env = find("cwm/Playground-v0").make()
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(30)]
    assert ends == [(False, False)] * 29 + [(False, True)]


def test_info_tells_what_was_done() -> None:
    env = Playground(wording="reworded")
    env.reset(seed=0)
    *_, info = env.step(25)
    assert info == {
        "step": 1,
        "action": "You go to the water.",
        "change": "The water is beneath you.",
        "transition_type": "standing",
        "is_legal": True,
    }
    *_, info = env.step(29)
    assert info == {
        "step": 2,
        "action": "You do nothing.",
        "change": "Nothing happens.",
        "transition_type": "nothing",
        "is_legal": False,
    }


@pytest.mark.parametrize(
    "text",
    [
        "You are in a maze.",
        "You see the pig, a cow. In your inventory, there is nothing.",
        "You see the dragon. In your inventory, there is nothing.",
        "You see the pig. In your inventory, there are the dogs.",
        "",
    ],
)
def test_other_texts_are_no_scenes(text: str) -> None:
    with pytest.raises(ValueError, match="A state text must list objects"):
        read(text)


def test_texts_that_no_action_joins_are_refused() -> None:
    nowhere = "You see the pig. In your inventory, there is nothing."
    other = "You see the cow. In your inventory, there is nothing."
    with pytest.raises(ValueError, match="must lead from one text to the other"):
        change_between(nowhere, 29, other)
    with pytest.raises(ValueError, match="must lead from one text to the other"):
        action_between(nowhere, 27, other)


def test_a_scene_without_objects_can_be_told() -> None:
    scene = Scene((thing("water"),) * 8, (HELD, *(0,) * 7))
    text = describe(scene)
    assert text == "You see nothing. In your inventory, there is the water."
    assert read(text).visible == ()


def test_collected_texts_say_what_happened() -> None:
    dataset = collect(find("cwm/Playground-v0"), FEW)
    assert not dataset.is_stochastic
    trajectory = dataset.trajectories[0]
    assert trajectory.instruction == DEFAULT_GOAL
    assert trajectory.legal_actions is not None
    assert trajectory.states is not None
    assert trajectory.states.shape == (len(trajectory) + 1, 26)


def test_the_true_simulator_goes_on_from_slots_and_not_from_words() -> None:
    spec = find("cwm/PlaygroundSymbolic-v0")
    batch = collect(spec, FEW).batch("train")
    found = restart_predictions(spec, batch)
    assert found is not None
    for name, column in batch.next_observations.items():
        np.testing.assert_array_equal(found.next_observations[name], column)
    np.testing.assert_array_equal(found.rewards, batch.rewards)
    assert found.legal_actions == batch.next_legal_actions
    words = find("cwm/Playground-v0")
    assert restart_predictions(words, collect(words, FEW).batch("train")) is None


@pytest.mark.parametrize(
    ("env_id", "is_shown"),
    [("cwm/Playground-v0", False), ("cwm/PlaygroundSymbolic-v0", True)],
)
def test_slots_are_the_whole_state_and_words_are_not(
    env_id: str, is_shown: bool
) -> None:
    model = TrueModel(find(env_id))
    assert not model.is_stochastic
    assert model.shows_state is is_shown
    model.close()


def test_planning_with_the_true_simulator_grows_a_plant() -> None:
    out = io.StringIO()
    words = ["true", "--env", "cwm/Playground-v0", "--episodes", "1", "--json"]
    kwargs = ["--env-kwargs", json.dumps({"goal": "grow any plant"}), "--quiet"]
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        assert plan.main([*words, *kwargs]) == 0
    (row,) = json.loads(out.getvalue())["rows"]
    (episode,) = row["episodes"]
    assert sum(episode["rewards"]) == 1.0
