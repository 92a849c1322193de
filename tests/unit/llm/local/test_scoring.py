"""Log-probabilities from a tree of texts, against one pass for each text."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.trees import TokenTree
from cwm.llm.scoring import ScoringRequest, TokenLogProbs, log_probs_of_all
from tests.support.tiny_language_model import tiny_model

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.local

KINDS = ["llama", "gpt2", "mistral", "gemma3"]
CONTINUATIONS = [
    "the pole falls",
    "the pole falls to the left",
    "the",
    "def step(self):\n    return 1",
    "the pole falls",
    "",
    "x = 0",
]


def conversation(*texts: str) -> list[ChatMessage]:
    roles = ["system", "user", "assistant"]
    return [
        ChatMessage(role, text)  # type: ignore[arg-type]
        for role, text in zip(roles, texts, strict=False)
    ]


SHORT = conversation("Be a helpful assistant.", "the cart moves")
LONG = conversation("Be a helpful assistant.", "falls to the right, " * 20)
OTHER = conversation("Be a helpful assistant.", "default pole")


def brute_force(
    loaded: LoadedModel,
    messages: Sequence[ChatMessage],
    continuation: str,
    *,
    end: str = "<|im_end|>",
) -> npt.NDArray[np.float32]:
    """Returns what one pass over prompt and continuation alone gives."""
    is_begun = messages[-1].role == "assistant"
    prompt = loaded.tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in messages],
        tokenize=False,
        add_generation_prompt=not is_begun,
        continue_final_message=is_begun,
    )

    def ids(text: str) -> list[int]:
        return list(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])

    whole, start = ids(prompt + continuation + end), len(ids(prompt))
    with torch.inference_mode():
        logits = loaded.model(torch.tensor([whole])).logits[0]
    log_probs = logits.float().log_softmax(dim=-1).numpy()
    found = [log_probs[at - 1, whole[at]] for at in range(start, len(whole))]
    return np.asarray(found, dtype=np.float32)


def assert_right(
    loaded: LoadedModel,
    messages: Sequence[ChatMessage],
    continuations: Sequence[str],
    found: Sequence[TokenLogProbs],
    end: str = "<|im_end|>",
) -> None:
    assert len(found) == len(continuations)
    for text, scores in zip(continuations, found, strict=True):
        expected = brute_force(loaded, messages, text, end=end)
        np.testing.assert_allclose(scores.log_probs, expected, atol=2e-5)
        assert scores.log_probs.dtype == np.float32
        assert len(scores.tokens) == len(scores.token_ids) == len(expected)
        assert loaded.tokenizer.decode(list(scores.token_ids)) == text + end


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("messages", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("block_tokens", [512, 6, 1])
def test_each_continuation_gets_what_it_gets_alone(
    kind: str, messages: list[ChatMessage], block_tokens: int
) -> None:
    loaded = tiny_model(kind)
    config = LocalConfig(scoring_block_tokens=block_tokens, prefix_block_tokens=8)
    model = TransformersModel(loaded, config)
    found = model.log_probs(messages, CONTINUATIONS)
    assert_right(loaded, messages, CONTINUATIONS, found)
    # Once more, with a prompt that is known.
    assert_right(
        loaded, messages, CONTINUATIONS, model.log_probs(messages, CONTINUATIONS)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_tokens", [512, 40, 6])
def test_many_conversations_get_what_each_gets_alone(
    kind: str, block_tokens: int
) -> None:
    loaded = tiny_model(kind)
    config = LocalConfig(scoring_block_tokens=block_tokens, prefix_block_tokens=8)
    requests = [
        ScoringRequest(messages=SHORT, continuations=CONTINUATIONS),
        ScoringRequest(messages=LONG, continuations=CONTINUATIONS),
        ScoringRequest(messages=OTHER, continuations=["the pole falls"]),
        ScoringRequest(messages=SHORT, continuations=[]),
        ScoringRequest(messages=LONG, continuations=["x"]),
    ]
    scores = log_probs_of_all(TransformersModel(loaded, config), requests)
    assert [len(group) for group in scores] == [7, 7, 1, 0, 1]
    for request, found in zip(requests, scores, strict=True):
        assert_right(loaded, request.messages, request.continuations, found)


def test_without_the_end_of_the_turn_a_text_alone_is_scored() -> None:
    loaded = tiny_model()
    model = TransformersModel(loaded)
    found = model.log_probs(SHORT, CONTINUATIONS, end_of_turn=False)
    assert_right(loaded, SHORT, CONTINUATIONS, found, end="")
    (empty,) = model.log_probs(SHORT, [""], end_of_turn=False)
    assert (empty.token_ids, empty.total) == ((), 0.0)


def test_the_line_break_after_the_turn_is_not_scored() -> None:
    (found,) = TransformersModel(tiny_model()).log_probs(SHORT, ["the pole"])
    assert found.tokens == ("the", "Ġpole", "<|im_end|>")


def test_a_begun_answer_is_scored_from_where_it_goes_on() -> None:
    loaded = tiny_model()
    begun = [*SHORT, ChatMessage("assistant", "def step(self):\n   ")]
    found = TransformersModel(loaded).log_probs(begun, [" return 1", " pass"])
    assert_right(loaded, begun, [" return 1", " pass"], found)


def test_probabilities_of_all_next_tokens_sum_to_1() -> None:
    loaded = tiny_model()
    texts = [loaded.tokenizer.decode([token]) for token in range(3, 100)]
    single = [
        text
        for text in texts
        if len(loaded.tokenizer(text, add_special_tokens=False)["input_ids"]) == 1
        and "�" not in text
        and text != "\n"
    ]
    found = TransformersModel(loaded).log_probs(SHORT, single, end_of_turn=False)
    assert 0.01 < sum(np.exp(scores.total) for scores in found) < 1.0


@pytest.mark.parametrize(
    ("begun", "continuation"), [("the def", "ault pole"), ("pole ", " ")]
)
def test_a_continuation_that_merges_with_the_prompt_is_refused(
    begun: str, continuation: str
) -> None:
    messages = [*SHORT, ChatMessage("assistant", begun)]
    model = TransformersModel(tiny_model())
    with pytest.raises(ValueError, match="must begin where a token of the prompt ends"):
        model.log_probs(messages, [continuation])


def test_a_text_longer_than_the_context_is_an_error() -> None:
    model = TransformersModel(tiny_model(max_position_embeddings=64))
    assert len(model.log_probs(SHORT, ["the pole"])) == 1
    with pytest.raises(LLMError, match="is 64 tokens, got a text of") as caught:
        model.log_probs(SHORT, ["the pole falls " * 30])
    assert not caught.value.retryable


def test_a_model_that_takes_no_tree_is_refused() -> None:
    with pytest.raises(ConfigError, match="tiny bloom must see a tree of texts"):
        TransformersModel(tiny_model("bloom")).log_probs(SHORT, ["x"])


def test_a_model_that_sees_a_tree_wrongly_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = tiny_model()
    forward = loaded.model.forward

    def positions_from_the_mask(**inputs: Any) -> Any:
        inputs.pop("position_ids", None)
        return forward(**inputs)

    monkeypatch.setattr(loaded.model, "forward", positions_from_the_mask)
    with pytest.raises(ConfigError, match=r"got log-probabilities .* apart"):
        TransformersModel(loaded).log_probs(SHORT, ["x"])


def test_common_beginnings_are_seen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = tiny_model()
    model = TransformersModel(loaded, LocalConfig(scoring_block_tokens=12))
    model.log_probs(LONG, ["x"])
    seen: list[int] = []
    forward = loaded.model.forward

    def counting(**inputs: Any) -> Any:
        seen.append(inputs["input_ids"].numel())
        return forward(**inputs)

    monkeypatch.setattr(loaded.model, "forward", counting)
    continuations = [f"the pole falls to the {end}" for end in "abcdefgh"]
    found = model.log_probs(LONG, continuations * 3)
    prompt = loaded.tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in LONG],
        add_generation_prompt=True,
        tokenize=False,
    )
    num_prompt = len(loaded.tokenizer(prompt, add_special_tokens=False)["input_ids"])
    # The shared words, and one letter for each.
    assert sum(seen) <= num_prompt + 2 * len(found[0].token_ids) + 8
    assert len(seen) <= 4
    seen.clear()
    model.log_probs_batch(
        [
            ScoringRequest(messages=LONG, continuations=continuations),
            ScoringRequest(messages=OTHER, continuations=["x"]),
        ]
    )
    # A prompt longer than a pass is not seen again in each.
    assert sum(seen) <= 2 * num_prompt


def test_scoring_and_writing_do_not_disturb_each_other() -> None:
    loaded = tiny_model()
    model = TransformersModel(loaded, LocalConfig(prefix_block_tokens=8))
    sampling: dict[str, Any] = {"temperature": 1.0, "max_tokens": 60}
    expected = model.complete(SHORT, seed=0, **sampling)[0].text
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(model.complete, SHORT, seed=0, **sampling)] * 2
        scoring = [pool.submit(model.log_probs, LONG, CONTINUATIONS) for _ in range(2)]
        for done in scoring:
            assert_right(loaded, LONG, CONTINUATIONS, done.result())
        assert {done.result()[0].text for done in writing} == {expected}


def test_a_tree_holds_each_beginning_once() -> None:
    tree = TokenTree()
    assert tree.add([1, 2, 3]) == [0, 1, 2]
    assert tree.num_new([1, 2, 9]) == 1
    assert tree.add([1, 2, 9]) == [0, 1, 3]
    assert tree.add([2]) == [4]
    assert tree.num_new([1, 2]) == 0
    assert (tree.tokens, tree.depths) == ([1, 2, 3, 9, 2], [0, 1, 2, 2, 0])
    assert tree.parents == [-1, 0, 1, 1, -1]
    assert tree.ancestors().astype(int).tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]
