"""Conversations in which several answers are learned, as tokens.

What is learned is marked with the model's own chat template: where an answer begins and
ends is where the tokens of the prompt before it, and of the prompt with the answer,
end. So training reads what the model reads when it is asked, token by token.

Covers: any choice of the assistant's messages; a longest text, by whole answers.
Does not cover: templates that write an answer otherwise once others follow it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cwm.core.errors import ConfigError, DataError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.local.tokenizing import TokenizedText

Turn: TypeAlias = tuple[ChatMessage, bool]
"""A message, and whether it is learned; only those of the assistant can be."""

_SHOWN_CHARS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedConversations:
    """What is learned from conversations.

    Attributes:
        texts: Those in which there is an answer to learn, in order.
        num_answers: Answers that are learned.
        num_cut_answers: Answers that are not, because the text up to their end is too
            long.
        num_empty: Conversations without an answer, because of that.
    """

    texts: tuple[TokenizedText, ...]
    num_answers: int
    num_cut_answers: int
    num_empty: int


def tokenize_conversations(
    loaded: LoadedModel,
    template: ChatTemplate,
    conversations: Sequence[Sequence[Turn]],
    *,
    max_tokens: int | None = None,
) -> TokenizedConversations:
    """Returns conversations with the places of the answers that are learned.

    An answer is learned with the tokens that end the turn. One that ends after
    `max_tokens` tokens, or after the model's context, is left out with all after it.

    Args:
        loaded: The model that is to read them.
        template: Its chat template.
        conversations: Messages, the marked ones of which are learned; at least one in
            each.
        max_tokens: Longest text; `None` is the context.

    Raises:
        DataError: If a conversation has nothing to learn, its tokens cannot be told
            apart from those around them, or nothing at all is short enough.
        ConfigError: If nothing in the model's template ends a turn.
        LLMError: If the template refuses the messages, or changes answers that others
            follow.
    """
    _check_end(template)
    limits = [limit for limit in (max_tokens, loaded.context_tokens) if limit]
    texts, num_learned, num_cut = [], 0, 0
    for number, conversation in enumerate(conversations):
        learned = _learned(conversation, number)
        reader = _Reader(template, [message for message, _ in conversation], number)
        text = reader.read(learned, min(limits) if limits else None)
        num_learned += len(text.spans)
        num_cut += len(learned) - len(text.spans)
        if text.spans:
            texts.append(text)
    if conversations and not texts:
        raise DataError(
            f"max_tokens must let an answer of some conversation end, got "
            f"{min(limits)} with {len(conversations)} conversations, all longer."
        )
    return TokenizedConversations(
        texts=tuple(texts),
        num_answers=num_learned,
        num_cut_answers=num_cut,
        num_empty=len(conversations) - len(texts),
    )


def _check_end(template: ChatTemplate) -> None:
    ids = template.token_ids(template.end_of_turn)
    if template.turn_end_ids.isdisjoint(
        ids[: len(ids) - template.num_tokens_after_end]
    ):
        raise ConfigError(
            f"The chat template of {template.name} must end a turn with a token at "
            f"which the model stops, got {template.end_of_turn!r}: a model trained "
            "with it would never end its answers."
        )


def _learned(conversation: Sequence[Turn], number: int) -> list[int]:
    """Returns which messages are learned, by index."""
    found = [index for index, (_, learned) in enumerate(conversation) if learned]
    if not found:
        raise DataError(
            f"Conversation {number} must have an answer to learn, got none."
        )
    for index in found:
        role = conversation[index][0].role
        if role != "assistant":
            raise DataError(
                f"Message {index} of conversation {number} must be the assistant's to "
                f"be learned, got one of role {role}."
            )
    return found


class _Reader:
    """Finds answers among the tokens of one conversation."""

    def __init__(
        self, template: ChatTemplate, messages: Sequence[ChatMessage], number: int
    ) -> None:
        self._template = template
        self._messages = messages
        self._number = number

    def read(self, learned: Sequence[int], limit: int | None) -> TokenizedText:
        """Returns the tokens up to the last answer that ends within the limit."""
        whole = "".join(self._prompt_and_answer(learned[-1]))
        ids = self._template.token_ids(whole)
        spans: list[tuple[int, int]] = []
        for index in learned:
            prompt, answer = self._prompt_and_answer(index)
            if not whole.startswith(prompt + answer):
                raise LLMError(
                    f"The chat template of {self._template.name} must write an answer "
                    "as it was asked for and given also where others follow it, got "
                    f"another text for message {index} of conversation "
                    f"{self._number}.",
                    retryable=False,
                )
            start = self._num_tokens(prompt, ids, index)
            end = self._num_tokens(prompt + answer, ids, index, dropped=True)
            if limit is not None and end > limit:
                break
            spans.append((start, end))
        return TokenizedText(ids[: spans[-1][1] if spans else 0], tuple(spans))

    def _prompt_and_answer(self, index: int) -> tuple[str, str]:
        prompt = self._template.prompt(self._messages[:index])
        return prompt, self._messages[index].content + self._template.end_of_turn

    def _num_tokens(
        self, text: str, ids: Sequence[int], index: int, *, dropped: bool = False
    ) -> int:
        """Returns how many tokens of the conversation a beginning of it has.

        Args:
            text: The beginning.
            ids: Tokens of the whole.
            index: Of the answer that begins or ends there, for messages.
            dropped: Whether the tokens after the end of the turn are not counted.
        """
        found = self._template.token_ids(text)
        if dropped:
            found = found[: len(found) - self._template.num_tokens_after_end]
        if ids[: len(found)] != found:
            raise DataError(
                f"Message {index} of conversation {self._number} must begin and end "
                f"where tokens do, got a token that goes on after "
                f"{text[-_SHOWN_CHARS:]!r}. Take blanks from the beginning "
                "and the end of the message."
            )
        return len(found)
