"""Encoded beginnings of prompts."""

from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.llm.local.caches import cache_of, layers_of
from cwm.llm.local.prefixes import PrefixStore, PromptEncoder, block_keys
from tests.support.tiny_language_model import tiny_model


class Part:
    """A tensor as far as its size goes."""

    def __init__(self, num_bytes: int) -> None:
        self._num_bytes = num_bytes

    def element_size(self) -> int:
        return 1

    def numel(self) -> int:
        return self._num_bytes


def block(num_bytes: int = 10) -> Any:
    return [(Part(num_bytes // 2), Part(num_bytes // 2))]


def test_a_key_covers_all_tokens_before() -> None:
    assert len(block_keys([1, 2, 3, 4, 5], 2)) == 2
    assert block_keys([1, 2, 3, 4], 2) == block_keys([1, 2, 3, 4, 5], 2)
    one, other = block_keys([1, 2, 3, 4], 2), block_keys([9, 2, 3, 4], 2)
    assert not set(one) & set(other)
    assert block_keys([1, 2, 3], 4) == []


def test_blocks_are_found_from_the_first_on() -> None:
    store = PrefixStore(100)
    first, second, third = block(), block(), block()
    for key, kept in ((b"a", first), (b"b", second), (b"d", third)):
        store.add(key, kept)
    assert store.find([b"a", b"b", b"c", b"d"]) == [first, second]
    assert store.find([b"c", b"a"]) == []
    assert store.num_bytes == 30


def test_what_was_used_longest_ago_goes_first() -> None:
    store = PrefixStore(30)
    for key in (b"a", b"b", b"c"):
        store.add(key, block())
    store.touch([b"a"])
    store.add(b"d", block(20))
    assert [bool(store.find([key])) for key in (b"a", b"b", b"c", b"d")] == [
        True,
        False,
        False,
        True,
    ]
    assert store.num_bytes == 30


def test_a_prompts_first_block_outlives_its_others() -> None:
    store = PrefixStore(30)
    keys = [b"a", b"b", b"c"]
    for key in keys:
        store.add(key, block())
    store.touch(keys)
    store.add(b"x", block())
    assert len(store.find(keys)) == 2


def test_a_block_that_is_too_large_is_not_kept() -> None:
    store = PrefixStore(30)
    store.add(b"a", block())
    store.add(b"b", block(32))
    assert store.find([b"a"])
    assert not store.find([b"b"])
    store.clear()
    assert (store.num_bytes, store.find([b"a"])) == (0, [])


KINDS = ["llama", "gpt2", "mistral", "gemma3", "bloom"]


def encoder(kind: str, *, mib: int = 1, block_tokens: int = 8) -> PromptEncoder:
    model = tiny_model(kind).model
    return PromptEncoder(model, max_bytes=mib * 1024 * 1024, block_tokens=block_tokens)


@pytest.fixture
def torch() -> Any:
    pytest.importorskip("transformers")
    return pytest.importorskip("torch")


@pytest.mark.local
@pytest.mark.parametrize("kind", KINDS)
def test_a_known_beginning_changes_no_bit(torch: Any, kind: str) -> None:
    prompts = [
        list(range(5, 45)),
        [*range(5, 30), 7, 8, 9],
        list(range(5, 29)),
        [*range(5, 21), *range(60, 80)],
        [*range(6, 45)],
    ]
    keeping, forgetting = encoder(kind), encoder(kind, mib=0)
    with torch.inference_mode():
        for prompt in [*prompts, *prompts]:
            layers, logits = keeping.encode(prompt)
            expected, expected_logits = forgetting.encode(prompt)
            assert torch.equal(logits, expected_logits)
            for found, alone in zip(layers, expected, strict=True):
                assert torch.equal(found[0], alone[0])
                assert torch.equal(found[1], alone[1])
    assert keeping.counts.num_reused_tokens == 192
    assert forgetting.counts.num_reused_tokens == 0


@pytest.mark.local
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_give_what_the_whole_prompt_gives(torch: Any, kind: str) -> None:
    prompts = encoder(kind)
    ids = list(range(5, 45))
    with torch.inference_mode():
        _, logits = prompts.encode(ids)
        expected = tiny_model(kind).model(torch.tensor([ids])).logits[:, -1]
    np.testing.assert_allclose(logits.numpy(), expected.numpy(), atol=2e-5)


@pytest.mark.local
def test_the_last_token_is_always_encoded(torch: Any) -> None:
    prompts = encoder("llama", block_tokens=4)
    with torch.inference_mode():
        for _ in range(2):
            prompts.encode(list(range(8)))
    assert prompts.counts.num_encoded_tokens == 8 + 4
    assert prompts.counts.num_reused_tokens == 4


@pytest.mark.local
def test_forgotten_prompts_are_encoded_with_the_new_weights(torch: Any) -> None:
    prompts = encoder("llama", block_tokens=4)
    with torch.inference_mode():
        _, before = prompts.encode(list(range(9)))
        for weights in prompts._model.parameters():
            weights.mul_(1.5)
        prompts.forget()
        _, after = prompts.encode(list(range(9)))
        expected = prompts._model(torch.tensor([list(range(9))])).logits[:, -1]
    assert not torch.equal(before, after)
    np.testing.assert_allclose(after.numpy(), expected.numpy(), atol=2e-5)


@pytest.mark.local
def test_a_cache_that_grows_leaves_what_it_began_with_as_it_was(torch: Any) -> None:
    keys = torch.arange(12.0).reshape(1, 1, 6, 2)
    layers = [(keys, keys + 1)]
    before = keys.clone()
    one, other = cache_of(layers), cache_of(layers)
    for step in range(300):
        one.update(torch.full((1, 1, 1, 2), float(step)), torch.zeros(1, 1, 1, 2), 0)
    other.update(torch.full((1, 1, 1, 2), -1.0), torch.zeros(1, 1, 1, 2), 0)
    assert torch.equal(keys, before)
    ((found, values),) = layers_of(one)
    assert found.shape == values.shape == (1, 1, 306, 2)
    assert found[0, 0, :, 0].tolist() == [*range(0, 12, 2), *range(300)]
    assert layers_of(other)[0][0][0, 0, -1, 0] == -1.0


@pytest.mark.local
def test_another_state_than_keys_and_values_is_refused(torch: Any) -> None:
    cache = cache_of([(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4))])
    cache.layers[0].values = None
    with pytest.raises(ConfigError, match="must keep keys and values"):
        layers_of(cache)
