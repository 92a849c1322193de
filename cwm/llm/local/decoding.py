"""A batch of completions whose rows come and go, written token by token."""

from collections.abc import Sequence
from typing import Any

from cwm.llm.local.caches import Layers, cache_of, layers_of
from cwm.llm.local.packages import LazyPackage, Tensor, memory_errors
from cwm.llm.local.prefixes import PromptEncoder
from cwm.llm.local.rows import Row
from cwm.llm.local.sampling import draw_tokens

torch = LazyPackage("torch")

_LESS_MEMORY = "Take a smaller max_batch, shorter prompts or fewer tokens."


class TransformersDecoder:
    """Writes a batch with a model of transformers.

    Prompts are encoded one by one, and their keys and values padded on the left to
    those of the longest row. Positions are those of each row alone.
    """

    def __init__(self, model: Any, encoder: PromptEncoder) -> None:
        """Makes a decoder without rows.

        Args:
            model: A causal language model of transformers.
            encoder: Encodes the prompts with the same model.
        """
        self._model = model
        self._encoder = encoder
        # Without any padding, transformers leaves the mask out, and torch takes a way
        # through its attention that is up to three times slower on a CPU.
        self._margin = 1 if model.device.type == "cpu" else 0
        self._rows: list[Row] = []
        self._lengths: list[int] = []
        self._cache: Any = None

    @property
    def rows(self) -> Sequence[Row]:
        """The completions that are not over."""
        return self._rows

    def join(self, rows: Sequence[Row]) -> None:
        """Takes in completions of one prompt, and writes their first token.

        Raises:
            LLMError: If the memory does not suffice, or the model gives no numbers.
        """
        prompt, counts = rows[0].prompt, self._encoder.counts
        with memory_errors(_LESS_MEMORY), torch.inference_mode():
            before = counts.num_reused_tokens
            layers, logits = self._encoder.encode(prompt.token_ids)
            prompt.num_reused_tokens = counts.num_reused_tokens - before
            _write(rows, logits.expand(len(rows), -1))
            kept = [row for row in rows if not row.is_over]
            if kept:
                self._merge(layers, kept, len(prompt.token_ids))

    def step(self) -> None:
        """Writes the next token of each completion, and drops those that are over.

        Raises:
            LLMError: If the memory does not suffice, or the model gives no numbers.
        """
        with memory_errors(_LESS_MEMORY), torch.inference_mode():
            self._drop_finished()
            if not self._rows:
                return
            output = self._model(
                input_ids=self._tensor([[row.token_ids[-1]] for row in self._rows]),
                position_ids=self._tensor([[length] for length in self._lengths]),
                attention_mask=self._mask(),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
            self._lengths = [length + 1 for length in self._lengths]
            _write(self._rows, output.logits[:, -1])
            self._drop_finished()

    def clear(self) -> None:
        """Drops everything."""
        self._rows, self._lengths, self._cache = [], [], None

    def _tensor(self, values: Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(values, device=self._model.device)

    @property
    def _width(self) -> int:
        return max(self._lengths, default=0) + self._margin if self._rows else 0

    def _mask(self) -> Tensor:
        """Returns which of the kept tokens, and the new one, each row has."""
        padding = self._tensor([[self._width - length] for length in self._lengths])
        places = torch.arange(self._width + 1, device=self._model.device)
        return (places >= padding).long()

    def _merge(self, layers: Layers, rows: Sequence[Row], length: int) -> None:
        old = layers_of(self._cache) if self._rows else [None] * len(layers)
        self._rows = [*self._rows, *rows]
        self._lengths = [*self._lengths, *[length] * len(rows)]
        merged = []
        for before, new in zip(old, layers, strict=True):
            parts = []
            for kind, tensor in enumerate(new):
                wide = _padded(tensor, self._width).expand(len(rows), -1, -1, -1)
                if before is not None:
                    wide = torch.cat([_padded(before[kind], self._width), wide])
                parts.append(wide)
            merged.append((parts[0], parts[1]))
        self._cache = cache_of(merged)

    def _drop_finished(self) -> None:
        kept = [index for index, row in enumerate(self._rows) if not row.is_over]
        if len(kept) == len(self._rows):
            return
        if not kept:
            self.clear()
            return
        layers = layers_of(self._cache)
        self._rows = [self._rows[index] for index in kept]
        self._lengths = [self._lengths[index] for index in kept]
        indices = torch.tensor(kept, device=self._model.device)
        self._cache = cache_of(
            [
                (
                    keys[:, :, -self._width :].index_select(0, indices),
                    values[:, :, -self._width :].index_select(0, indices),
                )
                for keys, values in layers
            ]
        )


def _write(rows: Sequence[Row], logits: Tensor) -> None:
    tokens = draw_tokens(logits, [row.draw() for row in rows])
    for row, token in zip(rows, tokens, strict=True):
        row.add(token)


def _padded(tensor: Tensor, width: int) -> Tensor:
    """Returns `[rows, heads, tokens, size]` with zeros before the tokens."""
    missing = width - tensor.shape[-2]
    return torch.nn.functional.pad(tensor, (0, 0, missing, 0)) if missing else tensor
