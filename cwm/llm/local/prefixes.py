"""Encoded beginnings of prompts, kept for the prompts that share them.

A prompt is encoded in blocks of a fixed number of tokens, alone, whether its beginning
is kept or not. What a block gives depends on the tokens up to its end and on nothing
else, so that a prompt answered from here is answered as if it were new, to the last
bit.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.llm.local.caches import Layers, cache_of, joined, layers_of
from cwm.llm.local.packages import LazyPackage, Tensor

torch = LazyPackage("torch")


class PrefixStore:
    """The blocks used last, up to a limit of memory.

    A block is found by all tokens from the beginning of the prompt to its end.
    """

    def __init__(self, max_bytes: int) -> None:
        """Makes an empty store.

        Args:
            max_bytes: Memory for the blocks; what was used longest ago goes first.
        """
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._blocks: OrderedDict[bytes, tuple[Layers, int]] = OrderedDict()

    @property
    def num_bytes(self) -> int:
        """Memory of the blocks."""
        return self._num_bytes

    def find(self, keys: Sequence[bytes]) -> list[Layers]:
        """Returns the blocks from the first on, as far as they are here."""
        found = []
        for key in keys:
            if key not in self._blocks:
                break
            found.append(self._blocks[key][0])
        return found

    def touch(self, keys: Sequence[bytes]) -> None:
        """Marks the blocks of a prompt as just used."""
        # The first one is needed by all that follow it, so it is to go last.
        for key in reversed(keys):
            if key in self._blocks:
                self._blocks.move_to_end(key)

    def add(self, key: bytes, block: Layers) -> None:
        """Keeps a block, in place of those used longest ago."""
        size = sum(part.element_size() * part.numel() for kv in block for part in kv)
        if key in self._blocks or size > self._max_bytes:
            return
        while self._num_bytes + size > self._max_bytes:
            _, (_, freed) = self._blocks.popitem(last=False)
            self._num_bytes -= freed
        self._blocks[key] = (block, size)
        self._num_bytes += size

    def clear(self) -> None:
        """Forgets all blocks."""
        self._blocks.clear()
        self._num_bytes = 0


def block_keys(token_ids: Sequence[int], block_tokens: int) -> list[bytes]:
    """Returns a key for each whole block, which covers all tokens up to its end."""
    keys, key = [], b""
    for end in range(block_tokens, len(token_ids) + 1, block_tokens):
        block = np.asarray(token_ids[end - block_tokens : end], dtype=np.int64)
        key = hashlib.sha256(key + block.tobytes()).digest()
        keys.append(key)
    return keys


@dataclass(slots=True)
class EncodingCounts:
    """How much of the prompts was computed.

    Attributes:
        num_encoded_tokens: Tokens that went through the model.
        num_reused_tokens: Tokens whose blocks were kept from before.
    """

    num_encoded_tokens: int = 0
    num_reused_tokens: int = 0


class PromptEncoder:
    """Turns prompts into keys and values, one at a time. Not safe for threads."""

    def __init__(self, model: Any, *, max_bytes: int, block_tokens: int) -> None:
        """Makes the encoder.

        Args:
            model: A causal language model of transformers.
            max_bytes: Memory for the blocks that are kept.
            block_tokens: Tokens of a block.
        """
        self._model = model
        self._block_tokens = block_tokens
        self._store = PrefixStore(max_bytes)
        self.counts = EncodingCounts()

    def encode(self, token_ids: Sequence[int]) -> tuple[Layers, Tensor]:
        """Returns the keys and values of a prompt, and the logits after it.

        Args:
            token_ids: The prompt; at least one token.

        Returns:
            The layers, and the logits, `[1, vocabulary]`.
        """
        # The logits are not kept, so that the last token is always encoded.
        keys = block_keys(token_ids[:-1], self._block_tokens)
        found = self._store.find(keys)
        position = len(found) * self._block_tokens
        self.counts.num_reused_tokens += position
        cache = cache_of(joined(found))
        for key in keys[len(found) :]:
            end = position + self._block_tokens
            self._forward(token_ids[position:end], cache)
            self._keep(key, cache, position, end)
            position = end
        self._store.touch(keys)
        logits = self._forward(token_ids[position:], cache)
        return layers_of(cache), logits

    def forget(self) -> None:
        """Forgets all blocks: needed when the model's weights have changed."""
        self._store.clear()

    def _forward(self, token_ids: Sequence[int], cache: Any) -> Tensor:
        self.counts.num_encoded_tokens += len(token_ids)
        output = self._model(
            input_ids=torch.tensor([token_ids], device=self._model.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1]

    def _keep(self, key: bytes, cache: Any, start: int, end: int) -> None:
        block = [
            (keys[:, :, start:end].clone(), values[:, :, start:end].clone())
            for keys, values in layers_of(cache)
        ]
        self._store.add(key, block)
