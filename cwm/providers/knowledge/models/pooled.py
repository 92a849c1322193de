"""Texts as vectors: a language model's hidden states, averaged.

The mean over a text's tokens of what the last layer gives, made a vector of length 1:
so the published code of Qiao et al., 2024 (https://arxiv.org/abs/2405.14205), encodes
state knowledge, with the knowledge model itself.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cwm.core.errors import LLMError
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.packages import LazyPackage, Tensor, memory_errors

torch = LazyPackage("torch")

_LESS_MEMORY = "Take smaller batch_tokens."


class PooledStates:
    """Encodes texts with a model of this machine, with an adapter or without.

    Texts are read as they are, without the chat template.
    """

    def __init__(self, model: TransformersModel, *, batch_tokens: int = 1024) -> None:
        """Makes the encoder; the model is loaded when it is first asked.

        Args:
            model: Whose states; a model in memory is `TransformersModel(loaded)`.
            batch_tokens: Most tokens of a pass, with the padding, apart from a single
                longer text; at least 1. It decides time and memory only.
        """
        if batch_tokens < 1:
            raise ValueError(f"batch_tokens must be at least 1, got {batch_tokens}.")
        self._model = model
        self._batch_tokens = batch_tokens

    @property
    def name(self) -> str:
        """Which one it is."""
        return f"states of {self._model.name}"

    @property
    def content_hash(self) -> str:
        """Hash of all that its vectors depend on but the texts.

        Of an id of the hub only the id is known.
        """
        identity = self._model.identity
        parts = [self.name, *(str(identity.get(key)) for key in ("weights", "dtype"))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Returns what `encode` returns."""
        return self.encode(texts)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Returns a row of length 1 for each text, `[N, D]`.

        A text without a token is read as the token that ends a turn.

        Raises:
            LLMError: If a text does not fit into the context, or the memory does not
                suffice.
        """
        token_ids = [self._token_ids(text) for text in texts]
        width = self._model.loaded.model.config.get_text_config().hidden_size
        rows = np.zeros((len(texts), width), dtype=np.float32)
        with memory_errors(_LESS_MEMORY), torch.inference_mode():
            for batch in self._batches(token_ids):
                means = self._means([token_ids[index] for index in batch])
                rows[batch] = torch.nn.functional.normalize(means, dim=-1).cpu().numpy()
        return rows

    def _token_ids(self, text: str) -> list[int]:
        loaded = self._model.loaded
        ids = list(loaded.tokenizer(text)["input_ids"])
        limit = loaded.context_tokens
        if limit is not None and len(ids) > limit:
            raise LLMError(
                f"The context of {loaded.name} is {limit} tokens, got a text of "
                f"{len(ids)} to encode.",
                retryable=False,
                is_about_prompt=True,
            )
        return ids or [loaded.tokenizer.eos_token_id]

    def _batches(self, token_ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Yields indices of texts of about equal length."""
        batch: list[int] = []
        # The next text is the longest so far, to which all others are padded.
        for index in sorted(range(len(token_ids)), key=lambda i: len(token_ids[i])):
            size = len(token_ids[index]) * (len(batch) + 1)
            if batch and size > self._batch_tokens:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def _means(self, batch: Sequence[Sequence[int]]) -> Tensor:
        """Returns the mean state of each text, `[texts, D]`, in `float32`."""
        model = self._model.loaded.model
        width = max(map(len, batch))
        ids = torch.tensor([[*one, *[0] * (width - len(one))] for one in batch])
        lengths = torch.tensor([len(one) for one in batch])
        seen = (torch.arange(width) < lengths[:, None]).to(model.device)
        # Padding stands behind the text, so that no place is moved.
        output = model.base_model(
            input_ids=ids.to(model.device),
            attention_mask=seen.long(),
            use_cache=False,
        )
        states = output.last_hidden_state.float() * seen[:, :, None]
        return states.sum(dim=1) / lengths.to(model.device)[:, None]
