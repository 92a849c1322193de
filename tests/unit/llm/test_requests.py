"""What makes two requests the same."""

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.llm.requests import (
    ChatRequest,
    canonical_json,
    request_annotation,
    request_to,
)
from cwm.llm.scripted import ScriptedChatModel

REQUEST = ChatRequest(
    model="tiny",
    identity={"endpoint": "http://localhost/v1"},
    messages=(ChatMessage("system", "Be brief."), ChatMessage("user", "Hellö?")),
    temperature=0.5,
    stop=("END",),
    seed=3,
)


def test_hash_is_the_one_that_stored_completions_are_found_by() -> None:
    # A change here makes every stored completion and every recorded run worthless.
    assert (
        REQUEST.request_hash
        == "857c8611178ebdaf54b13fc21bb215c2e707dfdd5f5ef6650254b7f2b565bf5e"
    )


def test_hash_is_the_same_in_another_process() -> None:
    program = (
        "from tests.unit.llm.test_requests import REQUEST; print(REQUEST.request_hash)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == REQUEST.request_hash


@pytest.mark.parametrize(
    "change",
    [
        {"model": "small"},
        {"identity": {}},
        {"messages": REQUEST.messages[:1]},
        {"messages": (*REQUEST.messages, ChatMessage("assistant", ""))},
        {"messages": (ChatMessage("user", "Be brief."), REQUEST.messages[1])},
        {"num_completions": 2},
        {"temperature": 0.6},
        {"top_p": 0.9},
        {"max_tokens": 7},
        {"stop": ()},
        {"seed": None},
        {"seed": 4},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_a_request_changes_its_hash(change: dict[str, Any]) -> None:
    changed = dataclasses.replace(REQUEST, **change)
    assert changed.request_hash != REQUEST.request_hash
    is_prompt = "messages" in change
    assert (changed.messages_hash != REQUEST.messages_hash) is is_prompt


def test_whole_numbers_and_key_order_change_no_hash() -> None:
    one = dataclasses.replace(REQUEST, temperature=1, identity={"a": 1, "b": 2})
    other = dataclasses.replace(REQUEST, temperature=1.0, identity={"b": 2, "a": 1})
    assert one.request_hash == other.request_hash


@given(st.lists(st.text(st.characters(codec=None)), max_size=3))
def test_any_text_has_a_hash(texts: list[str]) -> None:
    messages = tuple(ChatMessage("user", text) for text in texts)
    request = dataclasses.replace(REQUEST, messages=messages)
    assert len(request.request_hash) == 64


def test_number_that_is_not_finite_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


@pytest.mark.parametrize(
    ("seed", "temperature", "is_repeatable"),
    [(None, 1.0, False), (None, 0.0, True), (1, 1.0, True)],
)
def test_request_is_repeatable_with_a_seed_or_nothing_to_draw(
    seed: int | None, temperature: float, is_repeatable: bool
) -> None:
    request = dataclasses.replace(REQUEST, seed=seed, temperature=temperature)
    assert request.is_repeatable is is_repeatable


def test_request_to_a_model_has_its_name_and_identity() -> None:
    model = ScriptedChatModel(["a"], name="script")
    request = request_to(model, REQUEST.messages, seed=1)
    assert (request.model, request.seed) == ("script", 1)
    assert request.identity == model.identity
    other = request_to(
        ScriptedChatModel(["b"], name="script"), REQUEST.messages, seed=1
    )
    assert request.request_hash != other.request_hash


def test_annotation_keeps_the_request_but_not_its_text() -> None:
    completion = ChatCompletion(text="Hi.", model="tiny-v2", prompt_tokens=5)
    annotation = request_annotation(REQUEST, completion)
    assert annotation["request_hash"] == REQUEST.request_hash
    assert annotation["request"]["messages_sha256"] == REQUEST.messages_hash
    assert annotation["model"] == "tiny-v2"
    assert "Hellö" not in str(annotation)
    assert not {"saved", "has_estimated_tokens", "reused_prompt_tokens"} & set(
        annotation
    )


def test_annotation_tells_of_estimates_and_of_what_was_saved() -> None:
    completion = ChatCompletion(
        text="Hi.",
        has_estimated_tokens=True,
        reused_prompt_tokens=2,
        is_cached=True,
        saved_prompt_tokens=5,
        saved_completion_tokens=1,
    )
    annotation = request_annotation(REQUEST, completion)
    assert annotation["has_estimated_tokens"] is True
    assert annotation["reused_prompt_tokens"] == 2
    assert annotation["saved"] == {"prompt_tokens": 5, "completion_tokens": 1}
