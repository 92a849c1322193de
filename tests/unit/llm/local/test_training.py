"""Gradients of conversations with several answers, and how steps are sized."""

import json
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.llm.chat import ChatMessage
from cwm.llm.local import training
from cwm.llm.local.conversations import tokenize_conversations
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.local.tokenizing import TokenizedText
from cwm.llm.local.training import (
    GradientConfig,
    TrainingConfig,
    learning_rate,
    train,
)
from tests.support.tiny_language_model import tiny_model

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")
local = pytest.mark.local

STORY = ["the pole", "falls", "to the left", "x = 0", "user", "def step(self):"]
TALKS = [STORY, ["the pole", "falls", "to the right", "x"], ["a helpful", "assistant"]]
NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
TOLERANCE = {"gpt2": 1e-11, "llama": 1e-5}
"""Llama's normalisation computes in 32 bits, whatever it is given."""


def exact(kind: str) -> LoadedModel:
    """Returns a model with weights of 64 bits."""
    loaded = tiny_model(kind, **(NO_DROPOUT if kind == "gpt2" else {}))
    loaded.model.to(torch.float64)
    return loaded


def texts_of(loaded: LoadedModel) -> tuple[TokenizedText, ...]:
    conversations = [
        [
            (ChatMessage("assistant" if at % 2 else "user", text), bool(at % 2))
            for at, text in enumerate(talk)
        ]
        for talk in TALKS
    ]
    template = ChatTemplate(
        name="tiny", tokenizer=loaded.tokenizer, end_ids=loaded.end_ids
    )
    return tokenize_conversations(loaded, template, conversations).texts


def gradients(model: Any) -> list[Any]:
    found = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    return found


def answer_by_answer(model: Any, texts: tuple[TokenizedText, ...]) -> float:
    """Adds the gradient of one plain pass for each answer, and returns the loss."""
    num_scored, loss = sum(text.num_scored for text in texts), 0.0
    for text in texts:
        for start, end in text.spans:
            ids = torch.tensor([text.token_ids[:end]])
            log_probs = model(ids).logits[0].log_softmax(dim=-1)
            found = log_probs[range(start - 1, end - 1), ids[0, start:end]]
            part = -found.sum() / num_scored
            part.backward()
            loss += float(part.detach())
    return loss


@local
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("pass_tokens", [1, 60, 10_000])
def test_one_pass_over_a_conversation_gives_the_gradient_of_its_answers(
    kind: str, pass_tokens: int
) -> None:
    model = (loaded := exact(kind)).model
    texts = texts_of(loaded)
    assert [len(text.spans) for text in texts] == [3, 2, 1]
    wanted_loss = answer_by_answer(model, texts)
    wanted = gradients(model)
    loss = training._add_gradients(model, texts, pass_tokens)
    assert loss == pytest.approx(wanted_loss, abs=TOLERANCE[kind])
    for found, grad in zip(gradients(model), wanted, strict=True):
        np.testing.assert_allclose(found, grad, atol=TOLERANCE[kind])


@local
def test_spans_that_are_off_by_one_give_another_gradient() -> None:
    model = (loaded := exact("gpt2")).model
    texts = texts_of(loaded)
    answer_by_answer(model, texts)
    wanted = gradients(model)
    shifted = [
        TokenizedText(text.token_ids, tuple((a - 1, b - 1) for a, b in text.spans))
        for text in texts
    ]
    training._add_gradients(model, shifted, 10_000)
    pairs = zip(gradients(model), wanted, strict=True)
    assert max(float((one - other).abs().max()) for one, other in pairs) > 1e-3


@local
def test_what_stands_after_the_last_answer_is_not_read() -> None:
    model = (loaded := exact("gpt2")).model
    text = texts_of(loaded)[0]
    longer = TokenizedText((*text.token_ids, 7, 8, 9), text.spans)
    ((tree, _),) = training._passes([longer], 10_000)
    assert len(tree) == len(text.token_ids) - 1
    one = training._add_gradients(model, [text], 10_000)
    assert training._add_gradients(model, [longer], 10_000) == one


@local
def test_a_conversation_is_learned_with_all_its_answers() -> None:
    loaded = tiny_model(spread=0.1)
    texts = texts_of(loaded)
    config = GradientConfig(learning_rate=0.01, num_epochs=40, schedule="cosine")
    losses = train(loaded.model, texts, config)
    assert losses[-1] < 0.1 < 3.0 < losses[0]
    with torch.inference_mode():
        for text in texts:
            said = loaded.model(torch.tensor([text.token_ids])).logits[0].argmax(-1)
            expected = [text.token_ids[at] for at in text.scored]
            assert said[[at - 1 for at in text.scored]].tolist() == expected


def rates(num_steps: int, **settings: Any) -> list[float]:
    config = GradientConfig(learning_rate=1.0, **settings)
    return [learning_rate(config, step, num_steps) for step in range(num_steps)]


def test_the_learning_rate_falls_linearly_unless_it_is_said_otherwise() -> None:
    assert rates(4) == [1.0, 0.75, 0.5, 0.25]
    assert rates(3, schedule="constant") == [1.0, 1.0, 1.0]


def test_a_cosine_falls_slowly_at_both_ends() -> None:
    # (1 + cos(pi k / 4)) / 2 for k = 0 to 3, by hand.
    wanted = [1.0, 0.853553, 0.5, 0.146447]
    assert rates(4, schedule="cosine") == pytest.approx(wanted, abs=1e-6)


def test_the_learning_rate_rises_first() -> None:
    # 2 of 6 steps: a third, two thirds; then 4 that fall from the whole.
    third = [1 / 3, 2 / 3]
    assert rates(6, warmup_fraction=1 / 3) == pytest.approx(
        [*third, 1.0, 0.75, 0.5, 0.25]
    )
    assert rates(6, warmup_fraction=1 / 3, schedule="constant") == pytest.approx(
        [*third, 1.0, 1.0, 1.0, 1.0]
    )
    # Part of a step is a step.
    assert rates(4, warmup_fraction=0.01)[:2] == pytest.approx([0.5, 1.0])
    assert min(rates(50, warmup_fraction=0.99)) > 0.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"warmup_fraction": 1.0}, "warmup_fraction must be at least 0 and below 1"),
        ({"warmup_fraction": -0.1}, "warmup_fraction must be at least 0 and below 1"),
        ({"schedule": "step"}, "schedule must be linear, cosine or constant, got 'st"),
        ({"target_modules": ""}, "must be all-linear or names of layers with commas"),
        ({"target_modules": "q_proj,,v_proj"}, "between them, got 'q_proj,,v_proj'"),
    ],
)
def test_settings_out_of_range_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**settings)


def test_settings_from_before_are_read() -> None:
    known = json.loads('{"rank": 4, "schedule": "constant"}')
    config = TrainingConfig(**known)
    assert config.layer_names == ("all-linear",)
    assert config.warmup_fraction == 0.0
    named = TrainingConfig(target_modules="q_proj, v_proj")
    assert named.layer_names == ("q_proj", "v_proj")
