"""Estimates of token counts."""

from cwm.llm.chat import ChatMessage
from cwm.llm.tokens import estimated_prompt_tokens, estimated_tokens


def test_estimate_is_a_third_of_the_bytes_rounded_up() -> None:
    assert estimated_tokens("") == 0
    assert estimated_tokens("a") == 1
    assert estimated_tokens("abcdef") == 2
    assert estimated_tokens("ääää") == 3
    assert estimated_tokens("\ud800") == 1


def test_prompt_adds_four_for_each_message() -> None:
    messages = [ChatMessage("system", "abc"), ChatMessage("user", "abcd")]
    assert estimated_prompt_tokens(messages) == 4 + 1 + 4 + 2
