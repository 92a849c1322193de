"""The client against real servers with a real model, set up by `setup.sh`.

What a test asserts of a server is what docs/language-models.md says of it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.endpoint_scoring import EndpointScoringModel
from cwm.llm.notices import LLMWarning
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.retrying import RetryConfig
from cwm.llm.scoring import ScoringModel
from tests.servers.real_servers import RealServer, is_set_up, running

pytestmark = pytest.mark.servers

QUESTION = [ChatMessage("user", "What is the capital of France? Answer briefly.")]
BEGUN = [*QUESTION, ChatMessage("assistant", "The capital of France is")]


def server(kind: str, folder: Path) -> Iterator[RealServer]:
    place = os.environ.get("CWM_TEST_SERVERS")
    if not place:
        pytest.skip("CWM_TEST_SERVERS does not name a folder of tests/servers/setup.sh")
    if not is_set_up(kind, Path(place)):
        pytest.skip(f"{kind} is not set up in {place}")
    with running(kind, Path(place).resolve(), folder / f"{kind}.log") as found:
        yield found


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    yield from server("vllm", tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    yield from server("llama-cpp-python", tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def transformers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    yield from server("transformers", tmp_path_factory.mktemp("log"))


def model_of(server: RealServer, name: str | None = None) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(
        model=name or server.model,
        base_url=server.base_url,
        retry=RetryConfig(max_attempts=1),
    )


def check_usual(model: OpenAICompatibleModel) -> None:
    """One answer with its tokens, and one that a limit cuts off."""
    (answer,) = model.complete(QUESTION, temperature=0.0, max_tokens=30, seed=1)
    assert "Paris" in answer.text
    assert answer.finish_reason == "stop"
    assert not answer.has_estimated_tokens
    assert answer.prompt_tokens > 10
    assert 0 < answer.completion_tokens <= 30
    (short,) = model.complete(QUESTION, temperature=0.0, max_tokens=2, seed=1)
    assert short.finish_reason == "length"
    assert short.completion_tokens == 2


def check_stop(model: OpenAICompatibleModel) -> None:
    (answer,) = model.complete(
        QUESTION, temperature=0.0, max_tokens=30, stop=["Paris"], seed=1
    )
    assert "Paris" not in answer.text
    assert answer.finish_reason == "stop"


def check_several(model: OpenAICompatibleModel, *, are_drawn: bool = True) -> None:
    answers = model.complete(
        [ChatMessage("user", "Invent a name.")],
        num_completions=3,
        temperature=1.0,
        top_p=1.0,
        max_tokens=8,
        seed=3,
    )
    assert len(answers) == 3
    assert (len({answer.text for answer in answers}) > 1) is are_drawn


def test_vllm_answers(vllm: RealServer) -> None:
    model = model_of(vllm)
    assert model.server().kind == "vllm"
    check_usual(model)
    check_stop(model)
    check_several(model)


def test_vllm_repeats_an_answer_with_its_seed(vllm: RealServer) -> None:
    texts = [
        model_of(vllm).complete(QUESTION, temperature=1.0, max_tokens=20, seed=seed)[0]
        for seed in (1, 1, 2)
    ]
    assert texts[0].text == texts[1].text


def test_vllm_continues_an_answer(vllm: RealServer) -> None:
    model = model_of(vllm)
    assert model.continues_assistant
    (answer,) = model.complete(BEGUN, temperature=0.0, max_tokens=10, seed=1)
    assert answer.text.lstrip().startswith("Paris")


def test_vllm_names_what_is_wrong(vllm: RealServer) -> None:
    with pytest.raises(LLMError, match="does not know the model 'other'") as caught:
        model_of(vllm, "other").complete(QUESTION)
    assert not caught.value.retryable
    long = [ChatMessage("user", "word " * 4000)]
    with pytest.raises(LLMError, match="do not fit into the context") as caught:
        model_of(vllm).complete(long, max_tokens=10)
    assert not caught.value.retryable


def test_vllm_scores_texts(vllm: RealServer) -> None:
    model: ScoringModel = EndpointScoringModel(model_of(vllm))
    texts = ["The capital of France is Paris.", "The capital of France is Rome.", ""]
    right, wrong, empty = model.log_probs(QUESTION, texts)
    assert right.total > wrong.total + 1.0
    assert len(empty.token_ids) == 1
    assert right.token_ids[-1] == empty.token_ids[0]
    open_ended = model.log_probs(QUESTION, texts, end_of_turn=False)
    assert len(open_ended[0].token_ids) == len(right.token_ids) - 1
    np.testing.assert_allclose(open_ended[0].log_probs, right.log_probs[:-1], atol=0.1)
    assert len(open_ended[2].token_ids) == 0
    (begun,) = model.log_probs(BEGUN, [" Paris."])
    np.testing.assert_allclose(begun.log_probs, right.log_probs[-3:], atol=0.1)


def test_llama_cpp_python_answers(llama: RealServer) -> None:
    model = model_of(llama)
    assert model.server().kind == "llama-cpp-python"
    assert not model.continues_assistant
    check_usual(model)
    check_stop(model)
    check_several(model)


def test_llama_cpp_python_answers_to_any_name(llama: RealServer) -> None:
    model = model_of(llama, "gpt-4o")
    with pytest.warns(LLMWarning, match="has no model 'gpt-4o' and answers with"):
        model.complete(QUESTION, max_tokens=2)


def test_llama_cpp_python_names_an_overflow(llama: RealServer) -> None:
    with pytest.raises(LLMError, match="do not fit into the context") as caught:
        model_of(llama).complete([ChatMessage("user", "word " * 4000)], max_tokens=10)
    assert not caught.value.retryable


def test_llama_cpp_python_shifts_log_probs_and_is_refused(llama: RealServer) -> None:
    with pytest.raises(ConfigError, match="gives wrong log-probabilities"):
        EndpointScoringModel(model_of(llama)).log_probs(QUESTION, ["Paris"])


def test_transformers_answers(transformers: RealServer) -> None:
    model = model_of(transformers)
    assert not model.continues_assistant
    check_usual(model)
    check_stop(model)
    # It takes the likeliest token at any temperature, unless the model's own
    # generation_config.json says that tokens are drawn.
    check_several(model, are_drawn=False)


def test_transformers_gives_no_log_probs(transformers: RealServer) -> None:
    with pytest.raises((ConfigError, LLMError)):
        EndpointScoringModel(model_of(transformers)).log_probs(QUESTION, ["Paris"])
