"""Reading bodies that are right, odd, or nonsense."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.llm.answers import Expected, MalformedAnswer, read_completions
from cwm.llm.chat import ChatCompletion, ChatMessage

EXPECTED = Expected(
    messages=[ChatMessage("user", "Hello?")], max_tokens=10, stop=(), num_completions=1
)


def body(**choice: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": choice.pop("content", "Hi.")}
    return {
        "model": "tiny",
        "choices": [{"message": message, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3},
    }


def read(data: Any, **changes: Any) -> ChatCompletion:
    expected = Expected(
        **{
            "messages": EXPECTED.messages,
            "max_tokens": 10,
            "stop": (),
            "num_completions": 1,
            **changes,
        }
    )
    (completion,) = read_completions(data, expected)
    return completion


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("", ""),
        ([{"type": "text", "text": "a"}, {"type": "x"}, "y", {"text": "b"}], "ab"),
    ],
)
def test_content_of_every_form_is_a_text(content: object, text: str) -> None:
    assert read(body(content=content)).text == text


def test_refusal_is_the_text_and_not_a_usual_end() -> None:
    data = body(content=None)
    data["choices"][0]["message"]["refusal"] = "I cannot."
    completion = read(data)
    assert (completion.text, completion.finish_reason) == ("I cannot.", "other")


@pytest.mark.parametrize(
    ("reason", "tokens", "expected"),
    [
        ("stop", 10, "stop"),
        ("eos", 3, "stop"),
        ("length", 3, "length"),
        ("content_filter", 10, "other"),
        ("tool_calls", 3, "other"),
        (None, 3, "other"),
        (None, 10, "length"),
        (None, 11, "length"),
        (7, 3, "other"),
    ],
)
def test_reason_of_the_end_is_one_of_three(
    reason: object, tokens: int, expected: str
) -> None:
    data = body(finish_reason=reason)
    data["usage"]["completion_tokens"] = tokens
    assert read(data).finish_reason == expected


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        7,
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -5, "completion_tokens": "3"},
        {"prompt_tokens": True, "completion_tokens": 2.5},
    ],
)
def test_usage_that_is_missing_or_senseless_is_estimated(usage: object) -> None:
    data = body()
    data["usage"] = usage
    completion = read(data)
    # 6 bytes / 3 and 4 for the message; 3 bytes / 3.
    assert (completion.prompt_tokens, completion.completion_tokens) == (6, 1)
    assert completion.has_estimated_tokens


def test_half_of_a_usage_is_kept() -> None:
    data = body()
    del data["usage"]["prompt_tokens"]
    completion = read(data)
    assert (completion.prompt_tokens, completion.completion_tokens) == (6, 3)
    assert completion.has_estimated_tokens


def test_stated_usage_is_no_estimate() -> None:
    completion = read(body())
    assert (completion.prompt_tokens, completion.completion_tokens) == (5, 3)
    assert not completion.has_estimated_tokens


def test_empty_answer_may_have_no_tokens() -> None:
    data = body(content="")
    data["usage"]["completion_tokens"] = 0
    assert not read(data).has_estimated_tokens


def test_reused_tokens_are_never_more_than_the_prompt() -> None:
    data = body()
    data["usage"]["prompt_tokens_details"] = {"cached_tokens": 99}
    assert read(data).reused_prompt_tokens == 5


@pytest.mark.parametrize(
    ("stop", "text"), [(["x", "X"], "a"), (["Z"], "aXbxc"), ([""], "aXbxc")]
)
def test_text_ends_before_the_first_stop_text(stop: list[str], text: str) -> None:
    assert read(body(content="aXbxc"), stop=stop).text == text


def test_model_that_is_no_text_is_unknown() -> None:
    assert read({**body(), "model": 7}).model == ""


KEYS = (
    *("choices", "message", "content", "finish_reason", "refusal", "text", "model"),
    *("usage", "prompt_tokens", "completion_tokens"),
    *("prompt_tokens_details", "cached_tokens"),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_body_is_read_or_refused(data: Any) -> None:
    with contextlib.suppress(MalformedAnswer):
        read_completions(data, EXPECTED)


@given(json_values, json_values, json_values)
def test_any_answer_is_read_or_refused(content: Any, reason: Any, usage: Any) -> None:
    data = body(content=content, finish_reason=reason)
    data["usage"] = usage
    with contextlib.suppress(MalformedAnswer):
        (completion,) = read_completions(data, EXPECTED)
        assert completion.prompt_tokens > 0
        assert completion.completion_tokens >= 0
        assert completion.finish_reason in ("stop", "length", "other")
