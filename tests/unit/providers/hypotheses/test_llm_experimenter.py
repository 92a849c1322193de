"""A language model that acts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import log

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.llm.chat import ChatMessage
from cwm.providers.hypotheses.experimenters.language_model import (
    LanguageModelExperimenter,
)
from cwm.providers.hypotheses.roles import Assignment, Experimenter
from cwm.providers.hypotheses.worlds import WORLDS, TextStep
from prompts.hypotheses import HypothesisPrompts
from tests.support.recording_scorer import RecordingScorer

PLAYGROUND, DOOR = WORLDS["playground"], WORLDS["door"]
ACTIONS = [(4, "left"), (7, "right"), (4, "left"), (9, "up")]
LOG_PROBS = {"left": log(0.2) - 900.0, "right": log(0.3) - 900.0}
NUM_DRAWS = 1_000


def by_words(messages: Sequence[ChatMessage], text: str) -> float:
    return LOG_PROBS.get(text, log(0.5) - 900.0)


def assignment(**changes: object) -> Assignment:
    settings: dict[str, object] = {
        **{"phase": 1, "progress": 0.5, "hypothesis": "RULE"},
        **{"num_trajectories": 3, "seed": 5},
    }
    return Assignment(**(settings | changes))  # type: ignore[arg-type]


def test_probabilities_are_those_of_the_words_among_each_other() -> None:
    experimenter = LanguageModelExperimenter(RecordingScorer(by_words), DOOR)
    found = experimenter.probabilities("s", ["left", "right", "up"])
    np.testing.assert_allclose(found, [0.2, 0.3, 0.5], rtol=1e-4)


def test_actions_are_drawn_by_their_probabilities_each_once() -> None:
    scorer = RecordingScorer(by_words)
    experimenter = LanguageModelExperimenter(scorer, DOOR)
    rng = np.random.default_rng(0)
    counts = Counter(experimenter.policy("s", ACTIONS, rng) for _ in range(NUM_DRAWS))
    assert scorer.calls[0].continuations == ("left", "right", "up")
    assert scorer.calls[0].end_of_turn
    for number, chance in ((4, 0.2), (7, 0.3), (9, 0.5)):
        assert abs(counts[number] / NUM_DRAWS - chance) < 0.06


def test_a_greedy_policy_takes_the_likeliest_without_a_draw() -> None:
    experimenter = LanguageModelExperimenter(RecordingScorer(by_words), DOOR)
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    found = {experimenter.policy("s", ACTIONS, rng, greedy=True) for _ in range(5)}
    assert found == {9}
    assert rng.bit_generator.state == before


def test_the_prompt_has_hypothesis_goal_actions_and_state() -> None:
    scorer = RecordingScorer()
    experimenter = LanguageModelExperimenter(scorer, PLAYGROUND, goal="grow a pea")
    experimenter.policy("s", ACTIONS, np.random.default_rng(0), hypothesis="RULE")
    prompt = HypothesisPrompts("playground").experimenter(
        "RULE", "s", ["left", "right", "up"], goal="grow a pea"
    )
    assert scorer.calls[0].messages[-1].content == prompt.user


def test_its_goal_is_the_worlds_own() -> None:
    scorer = RecordingScorer()
    experimenter = LanguageModelExperimenter(scorer, PLAYGROUND)
    experimenter.policy("s", ACTIONS, np.random.default_rng(0))
    assert f"Your goal: {PLAYGROUND.goal}." in scorer.calls[0].messages[-1].content


def test_at_the_door_each_trajectory_is_one_episode() -> None:
    experimenter = LanguageModelExperimenter(RecordingScorer(), DOOR)
    found = experimenter.collect(assignment(num_trajectories=8))
    assert [len(one) for one in found] == [1] * 8
    assert len({one.actions for one in found}) > 1
    truth = {one.actions[0]: one.changes for one in DOOR.test_set()}
    assert all(one.changes == truth[one.actions[0]] for one in found)


def test_in_the_playground_it_acts_until_the_time_is_over() -> None:
    scorer = RecordingScorer(lambda messages, text: 0.0)
    experimenter: Experimenter = LanguageModelExperimenter(scorer, PLAYGROUND)
    found = experimenter.collect(assignment())
    assert [len(one) for one in found] == [PLAYGROUND.max_steps] * 3
    assert len({one.states[0] for one in found}) == 3
    shown = "\n".join(call.messages[-1].content for call in scorer.calls)
    assert shown.count("RULE") == len(scorer.calls)
    for one in found:
        candidates = map(PLAYGROUND.candidates, one.states[:-1])
        assert all(c in some for c, some in zip(one.changes, candidates, strict=True))


class Short:
    """Ends with its second step."""

    def reset(self, seed: int | None = None) -> str:
        self._num_steps = 0
        return "begin"

    def actions(self) -> list[tuple[int, str]]:
        return [(3, "go on")]

    def step(self, action: int) -> TextStep:
        self._num_steps += 1
        return TextStep("on", "You go on.", "On.", "", self._num_steps == 2)


def test_an_episode_ends_when_the_environment_says_so() -> None:
    world = replace(PLAYGROUND, open=Short)
    experimenter = LanguageModelExperimenter(RecordingScorer(), world)
    (found,) = experimenter.collect(assignment(num_trajectories=1))
    assert found.states == ("begin", "on", "on")
    assert found.action_ids == (3, 3)


def test_it_stops_after_so_many_steps() -> None:
    experimenter = LanguageModelExperimenter(RecordingScorer(), PLAYGROUND, max_steps=4)
    assert [len(one) for one in experimenter.collect(assignment())] == [4] * 3


def test_a_collection_depends_on_its_assignment_alone() -> None:
    experimenter = LanguageModelExperimenter(
        RecordingScorer(lambda messages, text: 0.0), PLAYGROUND, max_steps=5
    )
    first = experimenter.collect(assignment())
    assert experimenter.collect(assignment(seed=6)) != first
    assert experimenter.collect(assignment()) == first


def test_it_is_checked_before_it_is_asked() -> None:
    class Checked(RecordingScorer):
        def check(self) -> None:
            raise ConfigError("Wrong numbers.")

    with pytest.raises(ConfigError, match="Wrong numbers"):
        LanguageModelExperimenter(Checked(), DOOR).check()
    LanguageModelExperimenter(RecordingScorer(), DOOR).check()


def test_no_legal_action_is_refused() -> None:
    experimenter = LanguageModelExperimenter(RecordingScorer(), DOOR)
    with pytest.raises(ValueError, match="actions must hold a legal action, got none"):
        experimenter.policy("s", [], np.random.default_rng(0))


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        LanguageModelExperimenter(RecordingScorer(), DOOR, max_steps=0)


def test_it_says_whose_actions_they_are() -> None:
    experimenter = LanguageModelExperimenter(RecordingScorer(), DOOR)
    assert experimenter.name == "llm (recording)"
