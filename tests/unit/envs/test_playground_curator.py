from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.codec import decode_columns
from cwm.core.trajectories import Dataset
from envs.collect import CollectConfig, collect
from envs.playground.curator import POLICIES, PlaygroundCurator
from envs.playground.env import Playground
from envs.playground.rules import TRANSITION_TYPES
from envs.playground.texts import type_between
from envs.registry import find

CONFIG = CollectConfig(min_transitions=300)
GROWN = ("transformP", "transformSH", "transformBH")


def types_of(dataset: Dataset, policy: str | None = None) -> Counter[str]:
    found: Counter[str] = Counter()
    for trajectory in dataset.trajectories:
        if policy not in (None, trajectory.policy):
            continue
        texts = decode_columns(dataset.observation_space, trajectory.observations)
        actions = decode_columns(dataset.action_space, trajectory.actions)
        steps = zip(texts, actions, texts[1:], strict=False)
        found.update(TRANSITION_TYPES[type_between(*step)] for step in steps)  # type: ignore[arg-type]
    return found


@pytest.fixture(scope="module")
def recorded() -> Dataset:
    return collect(find("playground"), CONFIG)


@pytest.mark.parametrize("split", ["train", "validation", "held_out"])
def test_everything_grows_in_every_split(recorded: Dataset, split: str) -> None:
    trajectories = recorded.in_split(split)  # type: ignore[arg-type]
    part = replace(
        recorded, trajectories=trajectories, splits=(split,) * len(trajectories)
    )
    counts = types_of(part)
    assert all(counts[name] >= 1 for name in GROWN), counts
    assert any(trajectory.terminated[-1] for trajectory in trajectories)


def test_validation_does_not_take_the_short_episodes(recorded: Dataset) -> None:
    number = {
        split: sum(t.policy == "oracle-hardest" for t in recorded.in_split(split))
        for split in ("train", "validation")
    }
    assert number["train"] > number["validation"]


def test_only_one_policy_does_what_is_not_legal(recorded: Dataset) -> None:
    idle = {name for name in POLICIES if types_of(recorded, name)["nothing"]}
    assert idle == {"any"}
    assert {t.policy for t in recorded.trajectories} == set(POLICIES)


def test_the_oracle_reaches_the_goal(recorded: Dataset) -> None:
    hardest = [t for t in recorded.trajectories if t.policy == "oracle-hardest"]
    assert {(len(t), t.episode_return) for t in hardest} == {(19, 1.0)}


def test_the_symbolic_variant_has_the_same_episodes(recorded: Dataset) -> None:
    symbolic = collect(find("playground-symbolic"), CONFIG)
    for one, other in zip(recorded.trajectories, symbolic.trajectories, strict=True):
        assert one.seed == other.seed
        np.testing.assert_array_equal(one.actions[""], other.actions[""])


def test_without_what_a_script_needs_the_oracle_goes_on() -> None:
    env = Playground(goal="grow any pea")
    curator = PlaygroundCurator(env, seed=0)
    index = curator.policies.index("oracle-hardest")
    choice = curator.choose(index, [3], length=30, enough=1)
    assert choice.policy == "oracle-hardest"
    assert choice.seed == 3
    assert 1 <= len(choice.actions) <= 30
