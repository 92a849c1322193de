"""A language model that is asked for outcomes, scored as a program is."""

import io
import json
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

import pytest

from cwm.core.errors import LLMError
from cwm.evaluation.direct_prediction import DirectConfig, predict_directly
from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.llm.scripted import ScriptedChatModel
from cwm.programs.accuracy import score_predictions
from cwm.programs.tolerances import Tolerances
from tests.support import smollm2
from tests.support.corridor import corridor_dataset, corridor_task, step

DATASET = corridor_dataset()
HELD_OUT = DATASET.batch("held_out")
TOLERANCES = Tolerances.from_batch(DATASET.batch("train"))
TASK = corridor_task(DATASET)


def question(messages: Sequence[ChatMessage]) -> tuple[int, int]:
    lines = messages[-1].content.splitlines()
    cell = next(line for line in lines if line.startswith("- observation: "))
    action = next(line for line in lines if line.startswith("- action: "))
    return int(cell.split()[-1]), int(action.split()[-1])


def true_answer(messages: Sequence[ChatMessage], index: int) -> str:
    found = step(*question(messages))
    return json.dumps(
        {
            "next_observation": found.next_observation,
            "reward": found.reward,
            "terminated": found.terminated,
        }
    )


def one_unreadable(messages: Sequence[ChatMessage], index: int) -> str:
    return "It goes right." if index == 2 else true_answer(messages, index)


def test_right_answers_are_strictly_right() -> None:
    found = predict_directly(
        ScriptedChatModel(true_answer), TASK, HELD_OUT, DirectConfig()
    )
    assert len(found.batch) == len(HELD_OUT) == 6
    score = score_predictions(found.predictions, found.batch, TOLERANCES)
    assert (score.strict, score.num_transitions) == (1.0, 6)
    assert found.failures == {}
    assert len(found.seconds) == 6


def test_an_answer_that_cannot_be_read_is_wrong() -> None:
    found = predict_directly(
        ScriptedChatModel(one_unreadable), TASK, HELD_OUT, DirectConfig()
    )
    score = score_predictions(found.predictions, found.batch, TOLERANCES)
    assert score.strict == pytest.approx(5 / 6)
    assert score.part_accuracy["terminated"] == pytest.approx(5 / 6)
    assert list(found.failures) == [2]


def test_tokens_are_counted() -> None:
    model = ScriptedChatModel(true_answer)
    found = predict_directly(model, TASK, HELD_OUT, DirectConfig(num_transitions=2))
    words = sum(len(m.content.split()) for r in model.requests for m in r)
    assert (len(model.requests), found.prompt_tokens) == (2, words)
    # An answer has six words.
    assert found.completion_tokens == 12
    assert found.tokens_per_transition == (words + 12) / 2
    assert json.dumps(found.to_json())


def test_the_outcome_in_question_is_not_in_the_prompt() -> None:
    model = ScriptedChatModel(true_answer)
    predict_directly(model, TASK, HELD_OUT, DirectConfig(num_examples=0))
    for request in model.requests:
        assert 'next_observation":' not in request[-1].content.replace(
            '"next_observation": ...', ""
        )


def test_transitions_are_drawn_by_the_seed() -> None:
    def rows(seed: int) -> list[int]:
        config = DirectConfig(num_transitions=3, seed=seed)
        found = predict_directly(ScriptedChatModel(true_answer), TASK, HELD_OUT, config)
        return list(found.batch.time.tolist())

    assert rows(0) == rows(0)
    assert len({tuple(rows(seed)) for seed in range(6)}) > 1


class Refusing(ScriptedChatModel):
    """Refuses its second prompt, because of the prompt or of itself."""

    def __init__(self, *, is_about_prompt: bool) -> None:
        super().__init__(true_answer)
        self._is_about_prompt = is_about_prompt

    def complete(
        self, messages: Sequence[ChatMessage], **settings: Any
    ) -> list[ChatCompletion]:
        if len(self.requests) == 1:
            self.requests.append(tuple(messages))
            raise LLMError(
                "too long", retryable=False, is_about_prompt=self._is_about_prompt
            )
        return super().complete(messages, **settings)


def test_a_refused_prompt_is_no_answer_and_no_end() -> None:
    found = predict_directly(
        Refusing(is_about_prompt=True), TASK, HELD_OUT, DirectConfig()
    )
    assert found.failures == {1: "the service refused the prompt: too long"}
    assert len(found.seconds) == 5


def test_a_service_that_fails_is_an_error_and_never_a_score() -> None:
    with pytest.raises(LLMError):
        predict_directly(
            Refusing(is_about_prompt=False), TASK, HELD_OUT, DirectConfig()
        )


class Stored(ScriptedChatModel):
    """Answers from a store: nothing is spent."""

    def complete(
        self, messages: Sequence[ChatMessage], **settings: Any
    ) -> list[ChatCompletion]:
        (made,) = super().complete(messages, **settings)
        return [
            ChatCompletion(
                text=made.text,
                is_cached=True,
                saved_prompt_tokens=100,
                saved_completion_tokens=10,
            )
        ]


def test_stored_answers_count_with_their_tokens_and_without_their_time() -> None:
    found = predict_directly(Stored(true_answer), TASK, HELD_OUT, DirectConfig())
    assert found.seconds_per_transition is None
    assert found.tokens_per_transition == 110.0


@pytest.mark.parametrize(
    "wrong", [{"num_transitions": 0}, {"num_examples": -1}, {"max_tokens": 0}]
)
def test_settings_are_checked(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least"):
        DirectConfig(**wrong)


@pytest.mark.local
@pytest.mark.slow
def test_a_real_model_can_be_asked() -> None:
    # It has 135 million parameters: that the path works is all that is asked.
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("gguf")
    model = smollm2.model()
    with redirect_stderr(io.StringIO()):
        model.load()
    config = DirectConfig(num_transitions=2, num_examples=2, max_tokens=40)
    found = predict_directly(model, TASK, HELD_OUT, config)
    score = score_predictions(found.predictions, found.batch, TOLERANCES)
    assert score.num_transitions == 2
    assert score.strict <= 1.0 - len(found.failures) / 2
    assert found.prompt_tokens > 200
    assert found.seconds_per_transition is not None
    assert found.seconds_per_transition > 0.01
