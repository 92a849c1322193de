"""Local models end to end, with tiny random ones."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cwm.core.errors import LLMError
from cwm.llm.chat import ChatCompletion, ChatMessage, Closable, KnowsContext
from cwm.llm.continuation import continues_assistant
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.model import TransformersModel
from cwm.llm.requests import identity_of
from cwm.llm.scoring import BatchScoringModel, ScoringModel
from tests.support.tiny_language_model import EXACT, tiny_model

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
pytestmark = pytest.mark.local

KINDS = ["llama", "gpt2", "mistral", "gemma3", "bloom"]
SYSTEM = ChatMessage("system", "You are a helpful assistant.")
USER = ChatMessage("user", "the cart moves to the left")
MESSAGES = [SYSTEM, USER]


def chat(kind: str = "llama", config: LocalConfig = EXACT) -> TransformersModel:
    return TransformersModel(tiny_model(kind), config)


def batched(kind: str = "llama", max_batch: int = 8) -> TransformersModel:
    return chat(kind, LocalConfig(max_batch=max_batch, prefix_block_tokens=16))


def texts(completions: Sequence[ChatCompletion]) -> list[str]:
    return [completion.text for completion in completions]


def generated(kind: str, messages: Sequence[ChatMessage], num_tokens: int) -> str:
    """Returns what `generate` of transformers writes, always the likeliest."""
    loaded = tiny_model(kind)
    ids = loaded.tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in messages],
        add_generation_prompt=messages[-1].role == "user",
        continue_final_message=messages[-1].role == "assistant",
        return_tensors="pt",
        return_dict=True,
    )
    written = loaded.model.generate(**ids, max_new_tokens=num_tokens, do_sample=False)
    new = written[0, ids["input_ids"].shape[1] :]
    return str(loaded.tokenizer.decode(new, skip_special_tokens=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_likeliest_text_is_that_of_transformers(kind: str) -> None:
    (found,) = batched(kind).complete(MESSAGES, temperature=0.0, max_tokens=30)
    assert found.text == generated(kind, MESSAGES, 30)
    assert found.finish_reason == "length"
    assert found.completion_tokens == 30


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_writes_what_each_call_writes_alone(kind: str) -> None:
    conversations = [[USER], MESSAGES, [SYSTEM, ChatMessage("user", "falls " * 30)]]
    sampling: dict[str, Any] = {"temperature": 1.0, "top_p": 0.95, "max_tokens": 25}
    alone, together = chat(kind), batched(kind)
    ready = threading.Barrier(len(conversations))

    def call(index: int) -> list[ChatCompletion]:
        ready.wait()
        return together.complete(
            conversations[index], num_completions=2, seed=index, **sampling
        )

    with ThreadPoolExecutor(len(conversations)) as pool:
        found = list(pool.map(call, range(len(conversations))))
    expected = [
        alone.complete(messages, num_completions=2, seed=index, **sampling)
        for index, messages in enumerate(conversations)
    ]
    assert [texts(f) for f in found] == [texts(e) for e in expected]
    assert len({text for f in found for text in texts(f)}) == 6


def test_rows_that_come_and_go_do_not_disturb_each_other() -> None:
    lengths = [40, 3, 25, 1, 12, 31, 7, 18]
    alone, together = chat(), batched(max_batch=3)

    def call(model: TransformersModel, index: int) -> str:
        messages = [SYSTEM, ChatMessage("user", "pole " * (index + 1))]
        (found,) = model.complete(
            messages, temperature=1.0, max_tokens=lengths[index], seed=index
        )
        assert found.completion_tokens <= lengths[index]
        return found.text

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: call(together, index), range(8)))
    assert found == [call(alone, index) for index in range(8)]


def test_a_seed_decides_the_text_and_the_number_of_completions_does_not() -> None:
    model = batched()
    sampling: dict[str, Any] = {"temperature": 1.0, "max_tokens": 12}
    three = texts(model.complete(MESSAGES, num_completions=3, seed=5, **sampling))
    (one,) = texts(model.complete(MESSAGES, seed=5, **sampling))
    (other,) = texts(model.complete(MESSAGES, seed=-5, **sampling))
    assert three[0] == one != other
    assert len(set(three)) == 3
    unseeded = texts(model.complete(MESSAGES, num_completions=4, **sampling))
    assert len({*unseeded, *texts(model.complete(MESSAGES, **sampling))}) == 5


def test_the_tokens_of_prompt_and_completion_are_counted() -> None:
    model = batched()
    found = model.complete(MESSAGES, num_completions=3, max_tokens=5, seed=1)
    tokenizer = tiny_model().tokenizer
    prompt = tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in MESSAGES],
        add_generation_prompt=True,
        tokenize=False,
    )
    num_tokens = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    assert [c.prompt_tokens for c in found] == [num_tokens, 0, 0]
    assert [c.completion_tokens for c in found] == [5, 5, 5]
    assert {c.model for c in found} == {"tiny llama"}
    again = model.complete(MESSAGES, num_completions=2, max_tokens=5, seed=1)
    assert [c.reused_prompt_tokens for c in found] == [0, 0, 0]
    assert [c.reused_prompt_tokens for c in again] == [num_tokens // 16 * 16, 0]


def written_alone(max_tokens: int = 30) -> ChatCompletion:
    (found,) = chat().complete(MESSAGES, temperature=1.0, max_tokens=max_tokens, seed=3)
    return found


def test_a_stop_text_ends_the_completion_and_is_cut_off() -> None:
    whole = written_alone()
    middle = len(whole.text) // 2
    stop = whole.text[middle : middle + 3]
    (found,) = chat().complete(
        MESSAGES, temperature=1.0, max_tokens=30, seed=3, stop=("never", stop)
    )
    assert found.text == whole.text[: whole.text.index(stop)]
    assert found.finish_reason == "stop"
    assert found.completion_tokens < whole.completion_tokens == 30


def test_the_end_of_the_turn_ends_the_completion() -> None:
    loaded = tiny_model()
    end = loaded.tokenizer.convert_tokens_to_ids("<|im_end|>")
    # The model is made to prefer the end from the first token on.
    with torch.no_grad():
        loaded.model.lm_head.weight[end] = 10 * loaded.model.lm_head.weight.mean(0)
        hidden = loaded.model.model(torch.tensor([[1, 2, 3]])).last_hidden_state
        loaded.model.lm_head.weight[end] = hidden[0].mean(0) * 10
    model = TransformersModel(loaded, EXACT)
    found = model.complete(MESSAGES, temperature=1.0, max_tokens=500, seed=0)[0]
    assert found.finish_reason == "stop"
    assert found.completion_tokens < 500
    assert "<|im_end|>" not in found.text


@pytest.mark.parametrize("begun", ["def step(self, action):\n", "the default", "  "])
def test_a_begun_answer_is_continued(begun: str) -> None:
    model = chat()
    assert continues_assistant(model)
    messages = [*MESSAGES, ChatMessage("assistant", begun)]
    (found,) = model.complete(messages, temperature=0.0, max_tokens=20)
    assert found.text == generated("llama", messages, 20)
    assert found.text != generated("llama", MESSAGES, 20)


def test_a_continued_text_keeps_the_blank_that_a_tokenizer_drops() -> None:
    model = TransformersModel(tiny_model(drops_blank=True), EXACT)
    begun = [*MESSAGES, ChatMessage("assistant", "the pole")]
    sampling: dict[str, Any] = {"num_completions": 20, "max_tokens": 2, "seed": 0}
    within = texts(model.complete(begun, temperature=1.0, **sampling))
    assert any(text.startswith(" ") for text in within)


def test_a_prompt_that_fills_the_context_is_an_error() -> None:
    model = TransformersModel(tiny_model(max_position_embeddings=64), EXACT)
    with pytest.raises(LLMError) as caught:
        model.complete([ChatMessage("user", "falls " * 100)])
    assert str(caught.value).startswith(
        "The context of tiny llama is 64 tokens, got a prompt of 112. "
    )
    assert not caught.value.retryable


def test_it_says_how_much_room_a_prompt_leaves() -> None:
    model = TransformersModel(tiny_model(max_position_embeddings=64), EXACT)
    assert isinstance(model, KnowsContext)
    short, long = [ChatMessage("user", "a")], [ChatMessage("user", "zqx" * 30)]
    room = model.room(short)
    assert room is not None
    (found,) = model.complete(short, temperature=0.0, max_tokens=100)
    assert found.prompt_tokens + room == 64
    assert (model.room(long) or 0) < 1
    unlimited = tiny_model("bloom")
    assert unlimited.context_tokens is None
    assert TransformersModel(unlimited, EXACT).room(long) is None


def test_a_completion_ends_where_the_context_does() -> None:
    model = TransformersModel(tiny_model(max_position_embeddings=64), EXACT)
    (found,) = model.complete(MESSAGES, max_tokens=4096, seed=0)
    assert found.finish_reason == "length"
    assert found.prompt_tokens + found.completion_tokens == 64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_completions": 0}, "num_completions must be at least 1, got 0"),
        ({"temperature": -1.0}, "temperature must be at least 0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        ({"stop": [""]}, "stop must hold texts that are not empty"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        chat().complete(MESSAGES, **settings)


def test_top_k_1_takes_the_likeliest() -> None:
    config = LocalConfig(top_k=1)
    found = chat(config=config).complete(
        MESSAGES, temperature=2.0, top_p=1.0, max_tokens=20, seed=0
    )
    assert texts(found) == [generated("llama", MESSAGES, 20)]


def test_numbers_that_are_none_are_an_error_that_no_retry_helps() -> None:
    loaded = tiny_model()
    with torch.no_grad():
        loaded.model.lm_head.weight[3] = float("nan")
    with pytest.raises(LLMError, match="not a number") as caught:
        TransformersModel(loaded, EXACT).complete(MESSAGES)
    assert not caught.value.retryable


def test_a_lack_of_memory_is_an_error_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = tiny_model()
    model = TransformersModel(loaded, EXACT)

    def fail(**_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(loaded.model, "forward", fail)
        with pytest.raises(LLMError, match="Take a smaller max_batch"):
            model.complete(MESSAGES)
        with pytest.raises(LLMError, match="Take smaller scoring_block_tokens"):
            model.log_probs(MESSAGES, ["x"])
    assert model.complete(MESSAGES, max_tokens=3)[0].completion_tokens == 3


def test_a_closed_model_gives_up_and_refuses() -> None:
    model = batched()
    assert isinstance(model, Closable)
    started = threading.Event()
    loaded = model._loaded_engine().loaded
    loaded.model.register_forward_hook(lambda *_: started.set())
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(model.complete, [USER], max_tokens=1_900, seed=0)
        assert started.wait(10)
        model.close()
        with pytest.raises(LLMError, match="was closed"):
            call.result(timeout=10)
    with pytest.raises(LLMError, match="tiny llama was closed"):
        model.complete(MESSAGES)
    model.close()


def test_it_is_a_scoring_model_with_an_identity() -> None:
    model = chat()
    assert isinstance(model, ScoringModel)
    assert isinstance(model, BatchScoringModel)
    assert identity_of(model) == {
        "device": "auto",
        "dtype": "auto",
        "top_k": 0,
        "prefix_block_tokens": 16,
        "plain_template": False,
        "template_arguments": {},
    }


def test_changed_weights_are_used_once_prefixes_are_forgotten() -> None:
    loaded = tiny_model()
    model = TransformersModel(loaded, LocalConfig(prefix_block_tokens=4))
    before = model.complete(MESSAGES, temperature=0.0, max_tokens=20)[0].text
    with torch.no_grad():
        for weights in loaded.model.parameters():
            weights.mul_(-1.0)
    model.forget_prefixes()
    after = model.complete(MESSAGES, temperature=0.0, max_tokens=20)[0].text
    fresh = TransformersModel(loaded, LocalConfig(prefix_block_tokens=4))
    assert after == fresh.complete(MESSAGES, temperature=0.0, max_tokens=20)[0].text
    assert after != before
