"""A tokenizer that is made for the conversations of one training."""

from collections.abc import Iterable, Sequence
from typing import Any

from cwm.llm.local.conversations import Turn
from cwm.llm.local.packages import LazyPackage

tokenizers = LazyPackage("tokenizers")
transformers = LazyPackage("transformers")

END, PADDING = "<|end|>", "<|padding|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""One token before each message and one after it; nothing is trimmed."""


def make_tokenizer(conversations: Sequence[Sequence[Turn]], size: int) -> Any:
    """Returns a tokenizer of transformers with the template `TEMPLATE`.

    Byte pairs that are frequent in the messages are tokens (Sennrich et al., 2016,
    https://arxiv.org/abs/1508.07909), over bytes, so that it knows every text. The same
    conversations give the same tokenizer.

    Args:
        conversations: Whose messages it is made for, learned or not.
        size: Most tokens.
    """
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PADDING, *ROLES, END],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(conversations), trainer)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PADDING
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def _texts(conversations: Sequence[Sequence[Turn]]) -> Iterable[str]:
    for conversation in conversations:
        for message, _ in conversation:
            yield message.content
