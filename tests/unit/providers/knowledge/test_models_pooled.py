"""Pooled states against a loop that reads one text at a time."""

from typing import Any

import numpy as np
import pytest

from cwm.core.errors import LLMError
from cwm.llm.local.adapters import Adapter
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.tokenizing import TokenizedText
from cwm.llm.local.training import TrainingConfig
from cwm.providers.knowledge.models.pooled import PooledStates
from tests.support.tiny_language_model import tiny_model

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.local

TEXTS = [
    "the pole falls",
    "x",
    "def step(self, action): return self.state",
    "the cart moves to the left and the default pole falls to the right",
    "the pole falls",
    "You are a helpful assistant. " * 4,
]


def model_of(loaded: LoadedModel) -> TransformersModel:
    return TransformersModel(loaded, LocalConfig(device="cpu", num_threads=1))


def one_by_one(loaded: LoadedModel, texts: list[str]) -> Any:
    """Returns unit means of the last layer of hidden states, text by text."""
    rows = []
    for text in texts:
        ids = torch.tensor([loaded.tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            states = loaded.model(ids, output_hidden_states=True).hidden_states[-1][0]
        mean = states.float().numpy().mean(axis=0)
        rows.append(mean / np.sqrt((mean**2).sum()))
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mistral", "gemma3"])
@pytest.mark.parametrize("batch_tokens", [1, 30, 10_000])
def test_a_batch_gives_what_each_text_gives_alone(kind: str, batch_tokens: int) -> None:
    loaded = tiny_model(kind)
    encoder = PooledStates(model_of(loaded), batch_tokens=batch_tokens)
    found = encoder.encode(TEXTS)
    assert (found.shape, found.dtype) == ((6, 32), np.float32)
    np.testing.assert_allclose(found, one_by_one(loaded, TEXTS), atol=2e-6)
    np.testing.assert_allclose((found**2).sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(encoder(TEXTS[::-1]), found[::-1], atol=2e-6)


def test_padding_that_is_counted_is_seen() -> None:
    # What the first text would get if the padding of a batch were averaged, too.
    loaded = tiny_model()
    short, long = (loaded.tokenizer(text)["input_ids"] for text in TEXTS[1:3])
    ids = torch.tensor([short + [0] * (len(long) - len(short))])
    with torch.inference_mode():
        mean = loaded.model.model(ids).last_hidden_state[0].numpy().mean(axis=0)
    wrong = mean / np.linalg.norm(mean)
    found = PooledStates(model_of(loaded)).encode(TEXTS[1:3])[0]
    assert np.abs(found - wrong).max() > 0.01


def test_a_pass_holds_no_more_tokens_than_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = tiny_model()
    sizes: list[tuple[int, int]] = []
    inner = loaded.model.base_model
    forward = inner.forward

    def counting(**inputs: Any) -> Any:
        sizes.append(tuple(inputs["input_ids"].shape))
        return forward(**inputs)

    monkeypatch.setattr(inner, "forward", counting)
    PooledStates(model_of(loaded), batch_tokens=30).encode(TEXTS)
    assert sum(rows for rows, _ in sizes) == 6
    assert all(rows * width <= 30 or rows == 1 for rows, width in sizes)
    assert len(sizes) < 6


def test_an_adapter_changes_the_states_and_the_hash() -> None:
    pytest.importorskip("peft")
    base = tiny_model()
    before = PooledStates(model_of(base)).encode(TEXTS)
    adapter = Adapter(base, TrainingConfig(learning_rate=0.05))
    adapter.train([TokenizedText((5, 9, 7), ((1, 3),))])
    tuned = PooledStates(model_of(adapter.attached("tuned")))
    np.testing.assert_allclose(
        tuned.encode(TEXTS), one_by_one(adapter.attached("tuned"), TEXTS), atol=2e-6
    )
    assert np.abs(tuned.encode(TEXTS) - before).max() > 1e-3
    np.testing.assert_array_equal(PooledStates(model_of(base)).encode(TEXTS), before)
    assert tuned.content_hash != PooledStates(model_of(base)).content_hash
    assert tuned.content_hash == PooledStates(tuned._model).content_hash
    assert tuned.name == "states of tuned"


def test_a_text_without_a_token_is_the_end_of_a_turn() -> None:
    encoder = PooledStates(model_of(tiny_model()))
    np.testing.assert_array_equal(*encoder.encode(["", "<|im_end|>"]))
    assert encoder.encode([]).shape == (0, 32)


def test_a_text_longer_than_the_context_is_an_error() -> None:
    encoder = PooledStates(model_of(tiny_model(max_position_embeddings=8)))
    with pytest.raises(LLMError, match="is 8 tokens, got a text of") as caught:
        encoder.encode(TEXTS)
    assert not caught.value.retryable
    with pytest.raises(ValueError, match="batch_tokens must be at least 1, got 0"):
        PooledStates(model_of(tiny_model()), batch_tokens=0)
