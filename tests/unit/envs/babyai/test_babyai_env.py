"""BabyAI in words as an environment; many of them; the bot."""

import json
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from cwm.core.errors import ConfigError
from envs.babyai.describing import join_sentences
from envs.babyai.env import BabyAIText
from envs.babyai.expert import BotExpert, bot_actions
from envs.babyai.names import KINDS
from envs.babyai.snapshots import LevelSnapshots
from envs.babyai.variants import SUITE
from envs.babyai.vector import TextVector
from envs.collect import CollectConfig, collect
from envs.registry import find
from envs.snapshots import open_with_snapshots
from envs.spec import Env

pytestmark = pytest.mark.babyai

FEW = CollectConfig(
    num_trajectories=10, min_transitions=60, max_transitions=90, planning_steps=0
)


def acting(env: BabyAIText, seed: int) -> list[Any]:
    """What an episode of random actions shows."""
    rng = np.random.default_rng(seed)
    steps: list[Any] = [env.reset(seed=seed)]
    while not env.is_over:
        steps.append(env.step(int(rng.integers(6))))
    return steps


def success_rate(env: Env, num_episodes: int) -> float:
    rng = np.random.default_rng(0)
    num_succeeded = 0
    for seed in range(num_episodes):
        env.reset(seed=seed)
        terminated = truncated = False
        while not (terminated or truncated):
            _, _, terminated, truncated, _ = env.step(int(rng.integers(6)))
        num_succeeded += terminated
    return num_succeeded / num_episodes


@pytest.mark.parametrize("env_id", ["babyai", "cwm/BabyAI-MixedTestLocal-v0"])
def test_gymnasium_accepts_the_environment(env_id: str) -> None:
    spec = find(env_id)
    assert spec.id.startswith("cwm/BabyAI-")
    check_env(spec.make().unwrapped, skip_render_check=True)


def test_the_golden_start_in_words() -> None:
    env = BabyAIText()
    text, info = env.reset(seed=0)
    assert text.startswith("You see a wall 2 steps left. You see a purple key 1 step")
    assert text.endswith("You see a red box 2 steps right and 2 steps forward.")
    assert env.instruction == info["mission"] == "go to the green ball"
    assert (info["step"], info["max_steps"]) == (0, 64)
    text, reward, terminated, truncated, info = env.step(2)
    assert text == join_sentences(info["descriptions"])
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert (info["step"], info["action"]) == (1, "go forward")
    *_, reward, terminated, truncated, info = env.step(2)
    assert (terminated, truncated) == (True, False)
    assert reward == pytest.approx(1 - 0.9 * 2 / 64)
    assert env.legal_actions() == ()
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_a_seed_fixes_the_episode() -> None:
    assert acting(BabyAIText(), 3) == acting(BabyAIText(), 3)


def test_the_time_limit_truncates_and_does_not_terminate() -> None:
    env = BabyAIText("PutNextLocal")
    env.reset(seed=0)
    last: Any = None
    while not env.is_over:
        last = env.step(0)
    assert last[1:4] == (0.0, False, True)
    assert last[4]["step"] == 128


def test_following_the_instruction_in_the_last_step_terminates_only() -> None:
    env = BabyAIText(level_settings={"max_steps": 2})
    env.reset(seed=0)
    env.step(2)
    _, reward, terminated, truncated, _ = env.step(2)
    assert (reward, terminated, truncated) == (pytest.approx(0.1), True, False)


def test_actions_beyond_the_sixth_do_nothing() -> None:
    env = BabyAIText(num_actions=9)
    before, _ = env.reset(seed=0)
    for action, name in ((6, "sleep"), (7, "do nothing"), (8, "think")):
        text, *_, info = env.step(action)
        assert (text, info["action"]) == (before, name)
    assert env.legal_actions() == tuple(range(9))
    assert BabyAIText(num_actions=3).action_names == (
        "turn left",
        "turn right",
        "go forward",
    )


def test_another_wording_is_the_same_episode_in_other_words() -> None:
    env = BabyAIText(wording="french")
    text, _ = env.reset(seed=0)
    assert text.startswith("Tu vois un mur à 2 pas à gauche. Tu vois une clef violette")
    assert env.instruction == "aller à une balle verte"
    assert env.mission == "go to the green ball"
    assert env.action_names[0] == "tourner à gauche"
    assert env.observation_space.contains(text)


@pytest.mark.parametrize("name", SUITE)
def test_the_suite_can_be_played(name: str) -> None:
    variant = SUITE[name]
    env = find(variant.env_id, kwargs=variant.kwargs).make()
    text, _ = env.reset(seed=0)
    assert env.observation_space.contains(text)


def test_only_what_is_told_differs_in_the_suite() -> None:
    told = {}
    for name in ("training", "new-nouns", "invented-adjectives"):
        variant = SUITE[name]
        env = find(variant.env_id, kwargs=variant.kwargs).make()
        told[name] = env.reset(seed=1)[0]
    assert len(set(told.values())) == 3
    for word, other in (("key", "chair"), ("ball", "table"), ("box", "car")):
        told["training"] = told["training"].replace(word, other)
    assert told["training"] == told["new-nouns"]


def test_an_episode_goes_on_from_its_progress() -> None:
    env, other = BabyAIText("MixedTrainLocal"), BabyAIText("MixedTrainLocal")
    env.reset(seed=4)
    env.reset()
    for action in (0, 2, 2, 3):
        text, *_ = env.step(action)
    assert other.resume(json.loads(json.dumps(env.progress()))) == text
    for action in (1, 2, 4, 2):
        assert env.step(action) == other.step(action)
    for _ in range(5):
        assert env.reset() == other.reset()


def test_snapshots_are_copies_of_the_level() -> None:
    kwargs = {"kind_per_instance": True}
    env = open_with_snapshots(find("cwm/BabyAI-MixedTrainLocal-v0", kwargs=kwargs))
    assert isinstance(env.adapter, LevelSnapshots)
    env.reset(0)
    snapshot = env.save()
    once = [env.step(action) for action in (0, 0, 0, 3)]
    env.reset(1)
    env.restore(snapshot)
    assert [env.step(action) for action in (0, 0, 0, 3)] == once


def test_without_a_seed_the_first_episode_is_drawn() -> None:
    env = BabyAIText()
    starts = {env.reset()[0] for _ in range(5)}
    assert len(starts) > 1  # Two rooms may look the same from where one stands.


def test_many_environments_go_on_to_the_next_episode_at_once() -> None:
    num_envs = 3
    vector = TextVector("babyai", num_envs)
    singles = [BabyAIText() for _ in range(num_envs)]
    batch = vector.reset(range(num_envs))
    for seed, env in enumerate(singles):
        env.reset(seed=seed)
    rng = np.random.default_rng(0)
    num_ended = 0
    for _ in range(150):
        actions = rng.integers(6, size=num_envs)
        found = vector.step(actions)
        for index, env in enumerate(singles):
            _, reward, terminated, truncated, info = env.step(actions[index])
            assert found.rewards[index] == reward
            assert found.terminated[index] == terminated
            assert found.truncated[index] == truncated
            assert (index in found.ended) == (terminated or truncated)
            if index in found.ended:
                num_ended += 1
                ended = found.ended[index]
                assert ended.descriptions == info["descriptions"]
                assert ended.episode_return == reward
                assert ended.num_steps == info["step"]
                env.reset()
        batch = found.batch
        assert batch.descriptions == [env.descriptions for env in singles]
        assert batch.missions == [env.instruction for env in singles]
    assert num_ended > num_envs


def test_many_environments_go_on_from_their_progress() -> None:
    vector, other = (TextVector("cwm/BabyAI-MixedTestLocal-v0", 2) for _ in range(2))
    vector.reset([5, 6])
    rng = np.random.default_rng(0)
    for _ in range(200):
        found = vector.step(rng.integers(6, size=2))
    assert other.resume(json.loads(json.dumps(vector.progress()))) == found.batch
    for _ in range(200):
        actions = rng.integers(6, size=2)
        one, two = vector.step(actions), other.step(actions)
        assert (one.batch, one.ended) == (two.batch, two.ended)


def test_vectors_of_anything_else_are_refused() -> None:
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        TextVector("babyai", 0)
    with pytest.raises(ValueError, match="must be BabyAI in words, got 'door'"):
        TextVector("door", 1)


ORACLE = {
    "goto": (5.7, 18.4, 5.5),
    "pickup": (6.7, 18.1, 6.5),
    "open": (15.9, 17.8, 15.1),
    "putnext": (11.7, 18.4, 11.4),
    "sequence": (12.9, 18.2, 9.4),
}
"""Kind -> mean length and 20 times the reward in training, mean length of the test."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_bot_follows_every_instruction_as_quickly_as_published(kind: str) -> None:
    length, return_20, test_length = ORACLE[kind]
    for level, expected in (("Train", length), ("Test", test_length)):
        env = BabyAIText(f"Mixed{level}Local", kind=kind)
        lengths, returns = [], []
        for seed in range(60):
            env.reset(seed=seed)
            taken = bot_actions(env.level, 500)
            env.reset(seed=seed)
            results = [env.step(action) for action in taken]
            assert results[-1][2]
            lengths.append(len(taken))
            returns.append(20 * results[-1][1])
        assert np.mean(lengths) == pytest.approx(expected, abs=0.051)
        if level == "Train":
            assert np.mean(returns) == pytest.approx(return_20, abs=0.051)


def test_the_bot_is_an_expert_of_collecting() -> None:
    spec = find("babyai")
    dataset = collect(spec, FEW, expert=BotExpert(spec))
    found = [t for t in dataset.trajectories if t.policy == "bot"]
    assert len(found) == 2
    assert all(t.episode_return > 0.8 for t in found)


def test_the_bot_stops_at_actions_that_there_are_not() -> None:
    spec = find("cwm/BabyAI-PutNextLocal-v0", kwargs={"num_actions": 3})
    assert set(BotExpert(spec).actions(0, 100)) <= {0, 1, 2}
    assert len(BotExpert(find("babyai")).actions(0, 1)) == 1
    with pytest.raises(ValueError, match="levels of BabyAI only, got 'cwm/Door-v0'"):
        BotExpert(find("door"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "num_episodes", "low", "high"),
    [("GoToLocal", 400, 0.25, 0.35), ("MixedTrainLocal", 600, 0.10, 0.16)],
)
def test_random_actions_succeed_as_often_as_published(
    level: str, num_episodes: int, low: float, high: float
) -> None:
    assert low <= success_rate(BabyAIText(level), num_episodes) <= high


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"wording": "latin"}, "wording must be one of english, .* got 'latin'"),
        ({"num_actions": 7}, "num_actions must be 3, 6 or 9, got 7"),
        ({"level": "GoToMoon"}, "level must be one of BabyAI's"),
    ],
)
def test_settings_that_there_are_not_are_refused(
    kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        find("babyai", kwargs=kwargs)
