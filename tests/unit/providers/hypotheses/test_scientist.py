"""Hypotheses that a language model writes, and how probable it takes them to be."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.model import TransformersModel
from cwm.providers.hypotheses.roles import Evidence, Proposal
from cwm.providers.hypotheses.scientists.language_model import LanguageModelScientist
from cwm.providers.hypotheses.statisticians.language_model import chat_messages
from cwm.providers.hypotheses.texts import TextTrajectory
from prompts.hypotheses import HypothesisPrompts
from tests.support.recording_scorer import RecordingScorer
from tests.support.tiny_language_model import tiny_model

PROMPTS = HypothesisPrompts("playground")
MAX_STEPS = 8


def trajectory(length: int, name: str = "t") -> TextTrajectory:
    return TextTrajectory(
        states=tuple(f"{name} state {n}" for n in range(length + 1)),
        actions=tuple(f"{name} action {n}." for n in range(length)),
        changes=tuple(f"{name} change {n}." for n in range(length)),
        types=("",) * length,
        action_ids=(0,) * length,
    )


EVIDENCE = Evidence(trajectories=(trajectory(MAX_STEPS), trajectory(3, "u")))


def too_long(messages: Sequence[ChatMessage], max_lines: int) -> None:
    """Refuses prompts with too many changes."""
    if messages[-1].content.count("What changes:") > max_lines:
        raise LLMError("Too long.", retryable=False, is_about_prompt=True)


class Writer:
    """Writes the same text every time, in a context of so many changes."""

    name = "writer"

    def __init__(self, text: str = " Rules.\n", max_lines: int = 100) -> None:
        self._text = text
        self._max_lines = max_lines
        self.finish_reason: Any = "stop"
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def complete(
        self, messages: Sequence[ChatMessage], **options: Any
    ) -> list[ChatCompletion]:
        too_long(messages, self._max_lines)
        self.asked.append((messages[-1].content, options))
        return [
            ChatCompletion(
                text=self._text,
                finish_reason=self.finish_reason,
                prompt_tokens=7,
                completion_tokens=2,
            )
        ]


def scientist_of(model: Any, **options: Any) -> LanguageModelScientist:
    return LanguageModelScientist(model, PROMPTS, max_tokens=9, **options)


def test_a_hypothesis_is_the_whole_answer_as_it_stands() -> None:
    writer = Writer()
    found = scientist_of(writer).propose([EVIDENCE, EVIDENCE], seeds=[4, 5])
    expected = Proposal(hypothesis=" Rules.\n", prompt_tokens=7, completion_tokens=2)
    assert found == [expected, expected]
    assert [options for _, options in writer.asked] == [
        {"temperature": 1.0, "top_p": 1.0, "max_tokens": 9, "seed": seed}
        for seed in (4, 5)
    ]


@pytest.mark.parametrize("reason", ["length", "other"])
def test_a_hypothesis_that_was_cut_off_is_not_whole(reason: str) -> None:
    writer = Writer("")
    writer.finish_reason = reason
    (found,) = scientist_of(writer).propose([EVIDENCE], seeds=[0])
    assert not found.is_whole
    assert found.hypothesis == ""


def test_the_prompt_shows_the_evidence() -> None:
    writer = Writer()
    evidence = Evidence(
        trajectories=EVIDENCE.trajectories, previous="OLD", worst=(trajectory(2, "w"),)
    )
    scientist_of(writer).propose([evidence], seeds=[0])
    expected = PROMPTS.scientist(
        evidence.trajectories, previous="OLD", worst=evidence.worst
    )
    assert writer.asked[0][0] == expected.user


def test_evidence_that_does_not_fit_is_halved_until_it_does() -> None:
    writer, told = Writer(max_lines=6), list[str]()
    scientist = scientist_of(writer, warn=told.append)
    scientist.propose([EVIDENCE, EVIDENCE], seeds=[0, 1])
    # 8 + 3 changes do not fit, nor do 4 + 3; 2 + 2 do.
    shown = PROMPTS.scientist(EVIDENCE.trajectories, max_steps=2).user
    assert [text for text, _ in writer.asked] == [shown, shown]
    assert told == [
        "The scientist writer is shown fewer steps of each trajectory: Too long. "
        "Bring fewer or shorter trajectories to have them shown whole."
    ]


def test_evidence_of_which_not_one_step_fits_is_refused() -> None:
    with pytest.raises(LLMError, match="Too long"):
        scientist_of(Writer(max_lines=1), warn=lambda _: None).propose(
            [EVIDENCE], seeds=[0]
        )


def test_another_error_is_none_of_the_length() -> None:
    class Broken(Writer):
        def complete(self, *args: Any, **options: Any) -> list[ChatCompletion]:
            self.asked.append(("", {}))
            raise LLMError("Down.", retryable=True)

    model = Broken()
    with pytest.raises(LLMError, match="Down"):
        scientist_of(model).propose([EVIDENCE], seeds=[0])
    assert len(model.asked) == 1


def test_whole_hypotheses_are_scored_with_the_end_of_the_turn() -> None:
    scorer = RecordingScorer(
        lambda messages, text: -float(len(text) + ("OLD" in messages[-1].content))
    )
    again = Evidence(trajectories=EVIDENCE.trajectories, previous="OLD")
    proposals = [
        Proposal(hypothesis="one"),
        Proposal(hypothesis="three", is_whole=False),
        Proposal(hypothesis="seventh"),
    ]
    found = scientist_of(Writer(), scorer=scorer).log_probs(
        proposals, [EVIDENCE, again, again]
    )
    np.testing.assert_array_equal(found, [-3.0, -6.0, -8.0])
    assert [(call.continuations, call.end_of_turn) for call in scorer.calls] == [
        (("one",), True),
        (("seventh",), True),
        (("three",), False),
    ]


class Measured(Writer, RecordingScorer):
    """Writes and scores, and knows how many changes fit into its context.

    A token is a change that is shown, or a letter of an answer.
    """

    name = "measured"

    def __init__(self, context: int) -> None:
        Writer.__init__(self, "Rules", max_lines=context - 1)
        RecordingScorer.__init__(self, self._said)
        self._context = context

    def room(self, messages: Sequence[ChatMessage]) -> int | None:
        return self._context - messages[-1].content.count("What changes:")

    def _said(self, messages: Sequence[ChatMessage], text: str) -> float:
        if len(text) > (self.room(messages) or 0):
            raise LLMError("Too long.", retryable=False, is_about_prompt=True)
        return -float(len(text))


def test_what_is_shown_leaves_room_for_any_hypothesis() -> None:
    model, told = Measured(18), list[str]()
    scientist = scientist_of(model, warn=told.append)
    proposals = scientist.propose([EVIDENCE] * 2, seeds=[0, 1])
    # After 8 + 3 changes there are 7 tokens, enough for "Rules" and not for 9.
    shown = PROMPTS.scientist(EVIDENCE.trajectories, max_steps=4).user
    assert [text for text, _ in model.asked] == [shown, shown]
    assert told == [
        "The scientist measured is shown fewer steps of each trajectory: The context "
        "has room for 7 tokens after all of them, and max_tokens is 9. Bring fewer or "
        "shorter trajectories to have them shown whole."
    ]
    np.testing.assert_array_equal(
        scientist.log_probs(proposals, [EVIDENCE] * 2), [-5.0, -5.0]
    )
    assert {call.messages[-1].content for call in model.calls} == {shown}


def test_a_text_that_does_not_fit_under_the_prompt_is_impossible() -> None:
    model = Measured(18)
    scientist = scientist_of(model, warn=lambda _: None)
    short = Evidence(trajectories=(trajectory(2),))
    proposals = [Proposal(hypothesis="h" * length) for length in (4, 12, 12)]
    found = scientist.log_probs(proposals, [EVIDENCE, EVIDENCE, short])
    # After 4 + 3 changes there are 11 tokens. Fewer changes are no answer to that.
    np.testing.assert_array_equal(found, [-4.0, -np.inf, -12.0])


def test_where_nothing_leaves_room_one_step_is_shown() -> None:
    model = Measured(8)
    scientist_of(model, warn=lambda _: None).propose([EVIDENCE], seeds=[0])
    assert (
        model.asked[0][0] == PROMPTS.scientist(EVIDENCE.trajectories, max_steps=1).user
    )
    with pytest.raises(LLMError, match="Too long"):
        scientist_of(Measured(2), warn=lambda _: None).propose([EVIDENCE], seeds=[0])


def test_a_prompt_that_does_not_fit_is_halved_for_scoring_too() -> None:
    def score(messages: Sequence[ChatMessage], text: str) -> float:
        too_long(messages, 6)
        return -1.0

    scorer = RecordingScorer(score)
    scientist = scientist_of(Writer(), scorer=scorer, warn=lambda _: None)
    short = Evidence(trajectories=(trajectory(2),))
    scientist.log_probs([Proposal(hypothesis="h")] * 2, [short, EVIDENCE])
    *_, last = scorer.calls
    shown = PROMPTS.scientist(EVIDENCE.trajectories, max_steps=2).user
    assert last.messages[-1].content == shown


def test_blanks_that_merge_with_the_prompt_are_left_out() -> None:
    def score(messages: Sequence[ChatMessage], text: str) -> float:
        if text[:1].isspace():
            raise ValueError("It merges.")
        return -float(len(text))

    scientist = scientist_of(Writer(), scorer=RecordingScorer(score))
    found = scientist.log_probs(
        [Proposal(hypothesis="\n\nrule"), Proposal(hypothesis="two")], [EVIDENCE] * 2
    )
    np.testing.assert_array_equal(found, [-4.0, -3.0])


def test_a_model_that_cannot_score_says_so() -> None:
    scientist = scientist_of(Writer())
    assert not scientist.has_log_probs
    with pytest.raises(ConfigError, match="must give log-probabilities here, got writ"):
        scientist.log_probs([Proposal(hypothesis="h")], [EVIDENCE])


def test_a_model_that_can_score_is_its_own_scorer() -> None:
    class Both(Writer, RecordingScorer):
        name = "both"

        def __init__(self) -> None:
            Writer.__init__(self)
            RecordingScorer.__init__(self)

    assert scientist_of(Both()).has_log_probs
    assert not scientist_of(Both()).is_stand_in
    assert scientist_of(Both()).name == "both"


def test_a_hypothesis_needs_room_for_a_token() -> None:
    with pytest.raises(ValueError, match="max_tokens must be at least 1, got 0"):
        LanguageModelScientist(Writer(), PROMPTS, max_tokens=0)


@pytest.mark.local
def test_a_small_context_of_a_real_model_is_enough() -> None:
    pytest.importorskip("torch")
    evidence = Evidence(trajectories=(trajectory(64), trajectory(30)))
    loaded = tiny_model(max_position_embeddings=1_024)
    told: list[str] = []
    scientist = scientist_of(
        TransformersModel(loaded, LocalConfig(device="cpu")), warn=told.append
    )
    proposals = scientist.propose([evidence] * 2, seeds=[0, 1])
    assert len(told) == 1
    assert scientist.has_log_probs
    found = scientist.log_probs(proposals, [evidence] * 2)
    assert np.isfinite(found).all()
    # Without having drawn anything, scoring finds the same prompt.
    fresh = scientist_of(
        TransformersModel(loaded, LocalConfig(device="cpu")), warn=told.append
    )
    np.testing.assert_allclose(
        fresh.log_probs(proposals, [evidence] * 2), found, atol=1e-4
    )


@pytest.mark.local
def test_both_directions_of_a_step_are_measured_under_what_they_are_drawn_under() -> (
    None
):
    pytest.importorskip("torch")
    max_tokens = 40
    data = (trajectory(24), trajectory(10, "u"))
    old = Proposal(hypothesis="the pole falls to the right")
    forward = Evidence(
        trajectories=data, previous=old.hypothesis, worst=(trajectory(24),)
    )
    config = LocalConfig(device="cpu")
    wide = TransformersModel(tiny_model(max_position_embeddings=8_192), config)
    shown = PROMPTS.scientist(data, previous=old.hypothesis, worst=forward.worst)
    whole = 8_192 - (wide.room(chat_messages(shown)) or 0)
    # The prompt fits, some words after it do, and 40 tokens do not.
    loaded = tiny_model(max_position_embeddings=whole + max_tokens // 2)
    model = TransformersModel(loaded, config)
    told: list[str] = []
    scientist = LanguageModelScientist(
        model, PROMPTS, max_tokens=max_tokens, warn=told.append
    )
    drawn_ones = scientist.propose([forward] * 6, seeds=range(6))
    new = next(one for one in drawn_ones if not one.is_whole)
    assert new.completion_tokens == max_tokens
    assert len(told) == 1
    backward = Evidence(trajectories=data[1:], previous=new.hypothesis)

    found = scientist.log_probs([new, old], [forward, backward])
    shown = PROMPTS.scientist(
        data, previous=old.hypothesis, worst=forward.worst, max_steps=12
    )
    (drawn,) = model.log_probs(
        chat_messages(shown), [new.hypothesis], end_of_turn=False
    )
    (back,) = model.log_probs(
        chat_messages(PROMPTS.scientist(data[1:], previous=new.hypothesis)),
        [old.hypothesis],
        end_of_turn=True,
    )
    np.testing.assert_allclose(found, [drawn.total, back.total], atol=1e-3)
    # A short text under the same evidence is no reason to show more of it.
    (short,) = scientist.log_probs([old], [forward])
    (expected,) = model.log_probs(chat_messages(shown), [old.hypothesis])
    assert short == pytest.approx(expected.total, abs=1e-3)
    # And one for which there is no room has no probability.
    long = Proposal(hypothesis="the cart moves to the left " * whole)
    assert scientist.log_probs([long], [forward]) == [-np.inf]


def test_it_is_checked_before_it_is_asked() -> None:
    class Checked(RecordingScorer):
        def check(self) -> None:
            raise ConfigError("Wrong numbers.")

    with pytest.raises(ConfigError, match="Wrong numbers"):
        scientist_of(Writer(), scorer=Checked()).check_log_probs()
    with pytest.raises(ConfigError, match="must give log-probabilities here, got writ"):
        scientist_of(Writer()).check_log_probs()
    scientist_of(Writer(), scorer=RecordingScorer()).check_log_probs()
