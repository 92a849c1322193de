"""Conversations as the text that a model goes on with."""

from typing import Any

import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.templates import ChatTemplate
from tests.support.tiny_language_model import CHATML, tiny_tokenizer

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.local

SYSTEM = ChatMessage("system", "Be brief.")
USER = ChatMessage("user", "the pole")
NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "[{{ message['role'] }}]{{ message['content'] | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
DROPS_SYSTEM = (
    "{% for message in messages if message['role'] != 'system' %}"
    "[{{ message['role'] }}]{{ message['content'] }}\n{% endfor %}"
)


def template(text: str | None = CHATML, **settings: Any) -> ChatTemplate:
    tokenizer = tiny_tokenizer(text)
    ends = frozenset({tokenizer.eos_token_id})
    return ChatTemplate(name="tiny", tokenizer=tokenizer, end_ids=ends, **settings)


def test_the_assistants_turn_is_begun_after_the_users() -> None:
    assert template().prompt([SYSTEM, USER]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nthe pole<|im_end|>\n<|im_start|>assistant\n"
    )


def test_no_token_is_added_to_what_the_template_says() -> None:
    chat = template()
    text = chat.prompt([USER])
    ids = chat.token_ids(text)
    assert chat.tokenizer.decode(list(ids)) == text
    assert [chat.tokenizer.decode([ids[0]]), len(ids)] == ["<|im_start|>", len(ids)]


@pytest.mark.parametrize("begun", ["def step(", "class E:\n    ", "```python\n", " x"])
def test_a_last_message_of_the_assistants_is_left_open(begun: str) -> None:
    chat = template()
    text = chat.prompt([USER, ChatMessage("assistant", begun)])
    assert text == chat.prompt([USER]) + begun
    assert chat.continues_assistant


@pytest.mark.parametrize("begun", ["def step(", "class E:\n    ", "a\n"])
def test_blanks_that_the_template_trims_are_put_back(begun: str) -> None:
    text = template(NO_SYSTEM).prompt([USER, ChatMessage("assistant", begun)])
    assert text == f"[user]the pole\n[assistant]{begun}"


def test_an_empty_beginning_is_an_answer_from_the_start() -> None:
    chat = template()
    assert chat.prompt([USER, ChatMessage("assistant", "")]) == chat.prompt([USER])


def test_a_template_that_changes_answers_cannot_continue() -> None:
    chat = template(CHATML.replace("message['content']", "message['content'] | upper"))
    assert not chat.continues_assistant
    with pytest.raises(LLMError) as caught:
        chat.prompt([USER, ChatMessage("assistant", "def")])
    assert "The chat template of tiny" in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("text", [NO_SYSTEM, DROPS_SYSTEM])
def test_a_system_message_that_is_not_known_goes_to_the_user(text: str) -> None:
    prompt = template(text).prompt([SYSTEM, USER])
    assert prompt.startswith("[user]Be brief.\n\nthe pole\n")
    assert template(text).prompt([SYSTEM]).startswith("[user]Be brief.\n")


def test_a_model_without_a_template_is_refused_by_name() -> None:
    with pytest.raises(ConfigError) as caught:
        template(None)
    assert str(caught.value) == (
        "tiny has no chat template, so it was not trained to answer. Take a model "
        "that was, or ask for the plain template."
    )


def test_a_plain_template_serves_if_it_is_asked_for() -> None:
    chat = template(None, plain=True)
    assert chat.prompt([SYSTEM, USER]) == (
        "### system\nBe brief.\n\n### user\nthe pole\n\n### assistant\n"
    )
    assert chat.continues_assistant
    assert chat.end_of_turn == "<|im_end|>\n\n"


def test_a_plain_template_begins_as_the_tokenizer_does() -> None:
    chat = template(None, plain=True)
    begins = ChatTemplate(name="tiny", tokenizer=Beginning(chat.tokenizer), plain=True)
    assert begins.prompt([USER]).startswith("<|im_start|>### user")


class Beginning:
    """A tokenizer that puts a token before every text, as Llama's does."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
        is_begun = options.get("add_special_tokens", True)
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return {"input_ids": [self._tokenizer.bos_token_id] * is_begun + ids}


def test_a_token_that_the_template_writes_is_not_doubled() -> None:
    chat = template()
    begins = ChatTemplate(name="tiny", tokenizer=Beginning(chat.tokenizer))
    text = chat.prompt([USER])
    assert begins.token_ids(text) == chat.token_ids(text)


def test_a_template_of_its_own_comes_before_the_plain_one() -> None:
    assert template(plain=True).prompt([USER]) == template().prompt([USER])


def test_the_end_of_a_turn_counts_up_to_its_token() -> None:
    chat = template()
    assert chat.end_of_turn == "<|im_end|>\n"
    # The line break after it is the template's, not the model's.
    assert chat.num_tokens_after_end == 1


def test_an_end_without_a_special_token_counts_as_a_whole() -> None:
    chat = template(NO_SYSTEM)
    assert (chat.end_of_turn, chat.num_tokens_after_end) == ("\n", 0)


def test_a_turn_without_an_end_ends_with_the_tokenizers_token() -> None:
    bare = "{% for message in messages %}[{{ message['content'] }}{% endfor %}"
    assert template(bare).end_of_turn == "<|im_end|>"


def test_a_special_token_of_the_template_ends_a_completion_too() -> None:
    text = CHATML.replace("<|im_end|>", "<|endoftext|>")
    chat = template(text)
    tokenizer = chat.tokenizer
    named = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert chat.turn_end_ids == frozenset(named)
    # An end that is ordinary text ends nothing: it would cut programs.
    assert template(NO_SYSTEM).turn_end_ids == {tokenizer.eos_token_id}


def test_arguments_reach_the_template() -> None:
    text = "{{ 'brief' if brief else 'long' }}{{ messages[-1]['content'] }}"
    assert template(text).prompt([USER]) == "longthe pole"
    assert template(text, arguments={"brief": True}).prompt([USER]) == "briefthe pole"


def test_messages_that_the_template_refuses_are_an_error() -> None:
    text = "{{ raise_exception('Roles must alternate') }}"
    with pytest.raises(LLMError, match=r"of tiny refuses .*: Roles must alternate"):
        template(text).prompt([USER])
    with pytest.raises(ValueError, match="messages must hold a message"):
        template().prompt([])
