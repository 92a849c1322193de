"""The deep reinforcement relevance network (DRRN), which reads states and actions.

He et al., "Deep Reinforcement Learning with a Natural Language Action Space", ACL 2016
(https://arxiv.org/abs/1511.04636), in the form that GLAM compares itself with.
"""

import re
import zlib
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_seed
from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.llm.local.training import random_numbers
from cwm.providers.policies.networks.base import Evaluated
from cwm.providers.policies.networks.weights import restore_weights
from cwm.providers.policies.views import View

torch = LazyPackage("torch")

NUM_BUCKETS = 8192
"""Words that can be told apart; about the vocabulary of the original."""


class DRRNNetwork:
    """Q-values of actions in words; a `PolicyNetwork` that draws from their softmax.

    `Q(s, a) = w ReLU(W [GRU_s(s); GRU_a(a)])`, where `s` is the prompt and `a` the name
    of an action, both as words with the same vectors. The original cuts text into
    sentencepieces; here a word is one of `NUM_BUCKETS` by its hash, so that no
    vocabulary is needed, an unknown word is just a new one, and two words share their
    vectors only by chance.

    The value that it gives is the expected Q-value of its policy.

    Args:
        width: Units of all layers; at least 1, 128 in the original.
        seed: Of the first weights; at least 0.
        device: Where it computes.

    Raises:
        ConfigError: If `width` is too small.
    """

    name = "drrn"
    needs_images = False

    def __init__(self, *, width: int = 128, seed: int = 0, device: str = "cpu") -> None:
        if width < 1:
            raise ConfigError(f"width must be at least 1, got {width}.")
        self.device = torch.device(device)
        with random_numbers(torch.device("cpu"), child_seed(seed, "drrn")):
            self.module: Any = _module_class()(width)
        self.module.to(self.device)

    def evaluate(self, views: Sequence[View]) -> Evaluated:
        """Returns probabilities and values, with a gradient unless torch was told.

        Args:
            views: At least one; all with the same actions.
        """
        states = [encode_words(view.prompt()) for view in views]
        q_values = self.q_values(states, views[0].actions)
        log_probs = torch.log_softmax(q_values, dim=-1)
        return Evaluated(log_probs, (log_probs.exp() * q_values).sum(dim=-1))

    def q_values(
        self, states: Sequence[NDArray[np.int16]], actions: Sequence[str]
    ) -> Tensor:
        """Returns the discounted return to expect of each action, `[N, A]`.

        Args:
            states: Prompts that `encode_words` has read; at least one.
            actions: Names of the actions.
        """
        read = self.module(
            *self._padded(states), *self._padded([encode_words(a) for a in actions])
        )
        return read.float()

    def value_parameters(self) -> list[Any]:
        """Returns none: the value has no weights of its own."""
        return []

    def saved(self) -> dict[str, Tensor]:
        """Returns copies of all weights, by name."""
        own = self.module.state_dict()
        return {name: weight.detach().clone() for name, weight in own.items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Takes weights that `saved` gave.

        Raises:
            ValueError: If they are of another network.
        """
        restore_weights(self.module.state_dict(), weights)

    def _padded(self, texts: Sequence[NDArray[np.int16]]) -> tuple[Tensor, Tensor]:
        """Returns words `[N, longest]` and the number of each text's words, `[N]`."""
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        words = np.zeros((len(texts), lengths.max()), dtype=np.int64)
        for index, text in enumerate(texts):
            words[index, : len(text)] = text
        device = self.device
        return torch.from_numpy(words).to(device), torch.from_numpy(lengths).to(device)


@lru_cache(maxsize=4096)
def encode_words(text: str) -> NDArray[np.int16]:
    """Returns the buckets of a text's words in small letters, at least one of them.

    The array cannot be written to: it is shared by all who ask for the same text.
    """
    words = re.findall(r"\w+", text.lower()) or [""]
    buckets = np.array([_bucket(word) for word in words], dtype=np.int16)
    buckets.setflags(write=False)
    return buckets


@cache
def _bucket(word: str) -> int:
    return zlib.crc32(word.encode()) % NUM_BUCKETS


@cache
def _module_class() -> Any:
    """Returns the class of the network's weights, which needs torch to be defined."""
    nn: Any = torch.nn
    module_class: Any = nn.Module

    class DRRN(module_class):  # type: ignore[misc]
        def __init__(self, width: int) -> None:
            super().__init__()
            self.words = nn.Embedding(NUM_BUCKETS, width)
            self.states = nn.GRU(width, width, batch_first=True)
            self.actions = nn.GRU(width, width, batch_first=True)
            self.hidden = nn.Linear(2 * width, width)
            self.output = nn.Linear(width, 1)

        def forward(
            self,
            state_words: Tensor,
            state_lengths: Tensor,
            action_words: Tensor,
            action_lengths: Tensor,
        ) -> Tensor:
            states = self._read(self.states, state_words, state_lengths)
            actions = self._read(self.actions, action_words, action_lengths)
            num_states, num_actions = len(states), len(actions)
            pairs = torch.cat(
                [
                    states[:, None].expand(-1, num_actions, -1),
                    actions[None].expand(num_states, -1, -1),
                ],
                dim=-1,
            )
            return self.output(torch.relu(self.hidden(pairs))).squeeze(-1)

        def _read(self, reader: Any, words: Tensor, lengths: Tensor) -> Tensor:
            """Returns the state after each text's last word, `[N, width]`."""
            found, _ = reader(self.words(words))
            return found[torch.arange(len(found), device=found.device), lengths - 1]

    return DRRN
