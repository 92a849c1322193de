"""Who acts without learning: lengths, mixtures, seeds, and what fits which world."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.providers.hypotheses.config import ExperimenterName, InductionConfig
from cwm.providers.hypotheses.experimenters.scripted import make_experimenter, play
from cwm.providers.hypotheses.roles import Assignment, Experimenter
from cwm.providers.hypotheses.texts import TextTrajectory, count_types
from cwm.providers.hypotheses.worlds import DoorInWords, PlaygroundInWords, find_world

PLAYGROUND, DOOR = find_world("playground"), find_world("door")
FIRST = Assignment(phase=0, progress=0.0, hypothesis=None, num_trajectories=6, seed=3)


def made(name: ExperimenterName, env: str = "playground") -> Experimenter:
    config = InductionConfig(env=env, experimenter=name)
    return make_experimenter(config, find_world(env), seed=0)


def lengths(trajectories: tuple[TextTrajectory, ...]) -> list[int]:
    return [len(one) for one in trajectories]


def test_the_hardest_oracle_takes_19_steps_to_the_whole_goal() -> None:
    found = made("hardest").collect(FIRST)
    assert lengths(found) == [19] * 6
    counts = count_types(found, PLAYGROUND.types)
    assert counts == {
        **{"standing": 48, "holding1": 24, "holding2": 12},
        **{"transformP": 18, "transformSH": 6, "transformBH": 6},
    }


@pytest.mark.parametrize(
    ("progress", "length"),
    [(0.0, 4), (0.33, 4), (0.34, 7), (0.66, 7), (0.67, 19), (1.0, 19)],
)
def test_the_curriculum_has_three_thirds(progress: float, length: int) -> None:
    found = made("curriculum").collect(replace(FIRST, progress=progress))
    assert lengths(found) == [length] * 6


def test_the_ideal_oracle_mixes_by_thirds() -> None:
    assert lengths(made("ideal").collect(FIRST)) == [7, 7, 19, 19, 30, 30]


def test_the_random_mix_is_the_published_one() -> None:
    found = made("random").collect(replace(FIRST, num_trajectories=100))
    counts = count_types(found, PLAYGROUND.types)
    total = sum(counts.values())
    assert 2_900 < total <= 3_000
    shares = {name: count / total for name, count in counts.items()}
    assert shares["standing"] == pytest.approx(0.896, abs=0.02)
    assert shares["holding1"] == pytest.approx(0.038, abs=0.012)
    assert shares["holding2"] == pytest.approx(0.038, abs=0.012)
    assert shares["transformP"] == pytest.approx(0.025, abs=0.012)
    assert shares["transformSH"] < 0.008
    assert "nothing" not in counts


@pytest.mark.parametrize("name", ["random", "hardest", "curriculum", "ideal"])
def test_what_is_collected_depends_on_the_assignment_alone(
    name: ExperimenterName,
) -> None:
    experimenter = made(name)
    first = experimenter.collect(FIRST)
    other = experimenter.collect(replace(FIRST, seed=4))
    np.random.default_rng().random()
    assert experimenter.collect(FIRST) == first == made(name).collect(FIRST)
    assert other != first
    # Each trajectory has a scene of its own.
    assert len({one.states[0] for one in first}) == len(first)
    # The first ones do not depend on how many there are.
    if name != "ideal":
        fewer = experimenter.collect(replace(FIRST, num_trajectories=2))
        assert fewer == first[:2]


def test_random_actions_and_scenes_have_streams_of_their_own() -> None:
    hardest, random = made("hardest").collect(FIRST), made("random").collect(FIRST)
    assert hardest[0].states[0] == random[0].states[0]


def test_the_door_is_tried_with_every_object() -> None:
    experimenter = made("all", "door")
    found = experimenter.collect(replace(FIRST, num_trajectories=27))
    assert found == DOOR.test_set()
    assert count_types(found, DOOR.types) == {"opened": 18, "closed": 9}
    # However many are asked for.
    assert experimenter.collect(FIRST) == found


def test_the_door_is_tried_with_random_objects() -> None:
    found = made("random", "door").collect(replace(FIRST, num_trajectories=200))
    assert set(lengths(found)) == {1}
    numbers = [one.action_ids[0] for one in found]
    assert len(set(numbers)) > 20
    assert count_types(found, DOOR.types)["opened"] / 200 == pytest.approx(
        18 / 27, abs=0.1
    )


@pytest.mark.parametrize("name", ["hardest", "curriculum", "ideal"])
def test_scripts_are_refused_at_the_door(name: ExperimenterName) -> None:
    with pytest.raises(
        ConfigError, match=f"experimenter {name} must act in a playground, got door"
    ):
        made(name, "door")


def test_there_are_too_many_ways_through_the_playground_to_take_all() -> None:
    with pytest.raises(ConfigError, match=r"one step, got playground, .* up to 30"):
        made("all")


def test_a_language_model_that_acts_is_handed_over() -> None:
    config = InductionConfig(experimenter="llm")
    with pytest.raises(ConfigError, match="llm must be given a language model"):
        make_experimenter(config, PLAYGROUND, seed=0)
    speaker = made("random")
    made_from = make_experimenter(config, PLAYGROUND, seed=0, language_model=speaker)
    assert made_from is speaker


def test_an_episode_ends_with_the_chooser_the_limit_or_the_environment() -> None:
    env = PlaygroundInWords()
    actions = iter([3, None])
    begun = play(env, lambda *_: next(actions), max_steps=30, seed=0)
    assert (len(begun), begun.action_ids) == (1, (3,))
    assert len(play(env, lambda *_: 0, max_steps=2)) == 2
    assert len(play(env, lambda *_: 0, max_steps=99)) == 30
    assert len(play(DoorInWords(), lambda *_: 0, max_steps=5)) == 1
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        play(env, lambda *_: 0, max_steps=0)


def test_a_chooser_is_told_the_present_state_and_its_legal_actions() -> None:
    env = PlaygroundInWords()
    told: list[tuple[str, list[tuple[int, str]]]] = []

    def choose(state: str, actions: Sequence[tuple[int, str]]) -> int:
        told.append((state, list(actions)))
        assert list(actions) == env.actions()
        return actions[-1][0]

    found = play(env, choose, max_steps=4, seed=0)
    assert [state for state, _ in told] == list(found.states[:-1])
    assert [actions[-1][1] for _, actions in told] == list(found.actions)


def test_an_episode_ends_where_no_action_is_legal() -> None:
    class Stuck(DoorInWords):
        def actions(self) -> list[tuple[int, str]]:
            return []

    def choose(state: str, actions: Sequence[tuple[int, str]]) -> int:
        raise AssertionError("there is nothing to choose from")

    env = Stuck()
    found = play(env, choose, max_steps=4)
    assert (len(found), found.states) == (0, (env.reset(),))
