"""Conversations as the text and the tokens that a model was trained on."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.packages import LazyPackage

jinja2 = LazyPackage("jinja2")

PLAIN_TEMPLATE = (
    "{{ begin }}{% for message in messages %}"
    "{{ '### ' + message['role'] + '\n' + message['content'] }}"
    "{{ eos_token + '\n\n' if message['role'] == 'assistant' else '\n\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '### assistant\n' }}{% endif %}"
)
"""For models without a template of their own, if it is asked for.

Such a model was not trained on conversations: it continues text, and often goes on
with a turn of the user's; `stop=("### user",)` ends that.
"""

_PROBE = "Pr0be"


@dataclass(kw_only=True)
class ChatTemplate:
    """The chat template of one model, with its tokenizer.

    Attributes:
        name: The model's id, for messages.
        tokenizer: A tokenizer of transformers.
        plain: Whether `PLAIN_TEMPLATE` serves where the model has none.
        arguments: What the template is given beside the messages.
        end_ids: Tokens with which the model ends its turn, as far as its files say.
    """

    name: str
    tokenizer: Any
    plain: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    end_ids: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        # Tokenizers of transformers change their own settings while they encode.
        self._lock = threading.Lock()
        self._template = self._own_template()
        self._extra = dict(self.arguments)
        if self._template is None:
            if not self.plain:
                raise ConfigError(
                    f"{self.name} has no chat template, so it was not trained to "
                    "answer. Take a model that was, or ask for the plain template."
                )
            self._template = PLAIN_TEMPLATE
            self._extra["begin"] = self._begin()

    def prompt(self, messages: Sequence[ChatMessage]) -> str:
        """Returns the text that the model goes on with.

        A last message of the assistant's is left open; after any other the
        assistant's turn is begun. A model whose template knows no system message
        finds its text at the beginning of the user's first one.

        Raises:
            ValueError: If there is no message.
            LLMError: If the template refuses the messages.
        """
        if not messages:
            raise ValueError("messages must hold a message, got none.")
        if not self._takes_system:
            messages = _without_system(messages)
        last = messages[-1]
        if last.role != "assistant":
            return self._render(messages, add_generation_prompt=True)
        if not last.content:
            return self._render(messages[:-1], add_generation_prompt=True)
        text = self._render(messages, continue_final_message=True)
        trimmed = last.content.rstrip()
        if text.endswith(trimmed) and not text.endswith(last.content):
            # Templates trim what they are given; a program's blanks matter.
            text += last.content[len(trimmed) :]
        if not text.endswith(last.content):
            raise LLMError(
                f"The chat template of {self.name} changes the message that is to be "
                "continued.",
                retryable=False,
            )
        return text

    def token_ids(self, text: str) -> tuple[int, ...]:
        """Returns the tokens of a rendered text."""
        with self._lock:
            encoded = self.tokenizer(text, add_special_tokens=False)
        return tuple(encoded["input_ids"])

    @cached_property
    def continues_assistant(self) -> bool:
        """Whether a begun answer can be left open."""
        begun = [ChatMessage("user", _PROBE), ChatMessage("assistant", f"a\n {_PROBE}")]
        try:
            self.prompt(begun)
        except LLMError:
            return False
        return True

    @cached_property
    def end_of_turn(self) -> str:
        """The text that follows an answer."""
        turn = [ChatMessage("user", _PROBE), ChatMessage("assistant", _PROBE)]
        text = self._render(turn)
        ending = text[text.rindex(_PROBE) + len(_PROBE) :]
        return ending or str(self.tokenizer.eos_token or "")

    @cached_property
    def num_tokens_after_end(self) -> int:
        """How many of the last tokens of `end_of_turn` are not the model's.

        Templates write a line break after the token that ends the turn. The model
        stops before it and never learns to write it.
        """
        ids = self.token_ids(self.end_of_turn)
        for index, token in enumerate(ids):
            if token in self.end_ids:
                return len(ids) - index - 1
        return 0

    @cached_property
    def turn_end_ids(self) -> frozenset[int]:
        """The tokens at which a completion ends.

        Where the template ends a turn with a special token that the model's files do
        not name, that token ends it, too.
        """
        special = {
            *self.tokenizer.all_special_ids,
            *self.tokenizer.added_tokens_decoder,
        }
        first = self.token_ids(self.end_of_turn)[:1]
        return self.end_ids | (set(first) & special)

    @cached_property
    def _takes_system(self) -> bool:
        messages = [ChatMessage("system", f"{_PROBE}1"), ChatMessage("user", _PROBE)]
        try:
            return f"{_PROBE}1" in self._render(messages, add_generation_prompt=True)
        except LLMError:
            return False

    def _own_template(self) -> str | None:
        try:
            return str(self.tokenizer.get_chat_template())
        except ValueError:
            return None

    def _begin(self) -> str:
        """Returns the token that this tokenizer puts before every text, if any."""
        first = list(self.tokenizer("a")["input_ids"])[:1]
        begins = first == [self.tokenizer.bos_token_id]
        return str(self.tokenizer.bos_token) if begins else ""

    def _render(self, messages: Sequence[ChatMessage], **options: bool) -> str:
        try:
            text = self.tokenizer.apply_chat_template(
                [{"role": m.role, "content": m.content} for m in messages],
                chat_template=self._template,
                tokenize=False,
                **options,
                **self._extra,
            )
        except (jinja2.TemplateError, ValueError, TypeError) as error:
            raise LLMError(
                f"The chat template of {self.name} refuses the messages: {error}",
                retryable=False,
            ) from error
        return str(text)


def _without_system(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Returns the messages with the system's text before the first of the user's."""
    kept: list[ChatMessage] = []
    waiting = ""
    for message in messages:
        if message.role == "system":
            waiting += f"{message.content}\n\n"
        elif waiting and message.role == "user":
            kept.append(ChatMessage("user", waiting + message.content))
            waiting = ""
        else:
            kept.append(message)
    if waiting:
        kept.append(ChatMessage("user", waiting.rstrip()))
    return kept
