"""How many tokens a text has, where nobody says: an estimate that errs upwards."""

from collections.abc import Sequence

from cwm.llm.chat import ChatMessage

BYTES_PER_TOKEN = 3
"""English text has about 4 bytes a token and Python code 3 to 4 with the tokenizers
of the last years; the lower number makes budgets end early rather than late."""

TOKENS_PER_MESSAGE = 4
"""Role and separators that a chat template adds to each message."""


def estimated_tokens(text: str) -> int:
    """Returns about how many tokens `text` has; 0 for an empty one."""
    num_bytes = len(text.encode("utf-8", errors="replace"))
    return -(-num_bytes // BYTES_PER_TOKEN)


def estimated_prompt_tokens(messages: Sequence[ChatMessage]) -> int:
    """Returns about how many tokens a conversation has as a prompt."""
    return sum(
        TOKENS_PER_MESSAGE + estimated_tokens(message.content) for message in messages
    )
