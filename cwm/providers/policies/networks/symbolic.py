"""A small network over what minigrid shows, and the words of the mission.

After the agents of BabyAI: Hui et al., "BabyAI 1.1", 2020
(https://arxiv.org/abs/2007.12770), with FiLM (Perez et al., 2018,
https://arxiv.org/abs/1709.07871).
"""

import re
from collections.abc import Sequence
from functools import cache
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
from envs.babyai.describing import COLOURS, TYPES, VIEW
from prompts.glam import DEFAULT_WINDOW

torch = LazyPackage("torch")

MISSION_WORDS: tuple[str, ...] = (
    *("go", "to", "pick", "up", "open", "put", "next", "then", "after", "you", "and"),
    *("the", "a", "door", "key", "ball", "box", "object", "in", "front", "of"),
    *("behind", "on", "your", "left", "right", *COLOURS),
)
"""The words of BabyAI's missions."""

_NUM_STATES = 4
_NUM_GROUPS = 8
_SMALL = 0.01
_MIN_WIDTH = 8


class SymbolicNetwork:
    """Convolutions over symbols, conditioned on the mission; a `PolicyNetwork`.

    Type, colour and state of a cell each have a learned vector, and the three are added
    up. Two convolutions and two FiLM blocks follow, each with a residual connection and
    conditioned on a GRU over the mission's words; then the maximum over all cells, a
    shared layer, and heads for actions and the value.

    Two things differ from BabyAI's agents. The last `window` images, stacked as
    channels, stand for the memory of their LSTM; an image that there is not yet is all
    zeros. Features are normalised within each view and not over the batch, so that the
    numbers of a view do not depend on others.

    Args:
        action_names: The actions in words; only their number matters.
        vocabulary: Words of missions that have vectors of their own; all others share
            one.
        window: Most images that it sees, the last ones; at least 1.
        width: Channels and units of all layers; a multiple of 8, 128 in the original.
        seed: Of the first weights; at least 0.
        device: Where it computes.

    Raises:
        ConfigError: If a number is too small, or `width` is no multiple of 8.
    """

    name = "symbolic"
    needs_images = True

    def __init__(
        self,
        action_names: Sequence[str],
        *,
        vocabulary: Sequence[str] = MISSION_WORDS,
        window: int = DEFAULT_WINDOW,
        width: int = 64,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        if window < 1:
            raise ConfigError(f"window must be at least 1 image, got {window}.")
        if width < _MIN_WIDTH or width % _NUM_GROUPS:
            raise ConfigError(
                f"width must be a positive multiple of {_NUM_GROUPS}, got {width}."
            )
        self.window = window
        self.num_actions = len(action_names)
        self._words = {word: index for index, word in enumerate(vocabulary, start=1)}
        self.device = torch.device(device)
        with random_numbers(torch.device("cpu"), child_seed(seed, "symbolic network")):
            self.module: Any = _module_class()(
                len(self._words) + 1, window, width, self.num_actions
            )
        self.module.to(self.device)

    def evaluate(self, views: Sequence[View]) -> Evaluated:
        """Returns probabilities and values, with a gradient unless torch was told.

        Args:
            views: At least one, with images.

        Raises:
            ValueError: If a view has no image, or another number of actions.
        """
        for view in views:
            if not view.images:
                raise ValueError("views must have images, got one without.")
            if len(view.actions) != self.num_actions:
                raise ValueError(
                    f"views must have {self.num_actions} actions, "
                    f"got {len(view.actions)}."
                )
        images = torch.from_numpy(self._images(views)).to(self.device)
        words, lengths = self._missions([view.goal for view in views])
        scores, values = self.module(
            images,
            torch.from_numpy(words).to(self.device),
            torch.from_numpy(lengths).to(self.device),
        )
        return Evaluated(torch.log_softmax(scores.float(), dim=-1), values.float())

    def value_parameters(self) -> list[Any]:
        """Returns the weights of the value's head."""
        return list(self.module.critic.parameters())

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

    def _images(self, views: Sequence[View]) -> NDArray[np.int64]:
        """Returns `[N, window, 7, 7, 3]`, oldest first; -1 where there is no image."""
        images = np.full((len(views), self.window, VIEW, VIEW, 3), -1, dtype=np.int64)
        for index, view in enumerate(views):
            last = view.images[-self.window :]
            images[index, self.window - len(last) :] = last
        return images

    def _missions(
        self, goals: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns words, `[N, longest]`, 0 if unknown; and their numbers, `[N]`."""
        told = [
            [self._words.get(word, 0) for word in re.findall(r"\w+", goal.lower())]
            or [0]
            for goal in goals
        ]
        lengths = np.array([len(words) for words in told], dtype=np.int64)
        padded = np.zeros((len(told), lengths.max()), dtype=np.int64)
        for index, words in enumerate(told):
            padded[index, : len(words)] = words
        return padded, lengths


@cache
def _module_class() -> Any:
    """Returns the class of the network's weights, which needs torch to be defined."""
    nn: Any = torch.nn
    module_class: Any = nn.Module

    class FiLM(module_class):  # type: ignore[misc]
        """A residual block whose features the mission scales and shifts."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.inner = _convolution(width, width)
            self.outer = nn.Conv2d(width, width, 3, padding=1)
            self.norm = nn.GroupNorm(_NUM_GROUPS, width, affine=False)
            self.conditions = nn.Linear(width, 2 * width)

        def forward(self, features: Tensor, mission: Tensor) -> Tensor:
            scale, shift = self.conditions(mission)[:, :, None, None].chunk(2, dim=1)
            inner = self.norm(self.outer(self.inner(features)))
            return features + torch.relu(inner * (1.0 + scale) + shift)

    class Symbolic(module_class):  # type: ignore[misc]
        def __init__(
            self, num_words: int, window: int, width: int, num_actions: int
        ) -> None:
            super().__init__()
            sizes = (len(TYPES), len(COLOURS), _NUM_STATES)
            self.symbols = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
            self.words = nn.Embedding(num_words, width)
            self.reader = nn.GRU(width, width, batch_first=True)
            self.looking = nn.Sequential(
                _convolution(window * width, width), _convolution(width, width)
            )
            self.blocks = nn.ModuleList(FiLM(width) for _ in range(2))
            self.shared = nn.Sequential(nn.Linear(width, width), nn.Tanh())
            self.actor = _head(width, num_actions)
            self.critic = _head(width, 1)
            with torch.no_grad():
                # All actions are about as probable at first.
                self.actor[-1].weight.mul_(_SMALL)
                self.actor[-1].bias.zero_()

        def forward(
            self, images: Tensor, words: Tensor, lengths: Tensor
        ) -> tuple[Tensor, Tensor]:
            mission = self._read(words, lengths)
            features = self.looking(self._look(images))
            for block in self.blocks:
                features = block(features, mission)
            found = self.shared(features.amax(dim=(2, 3)))
            return self.actor(found), self.critic(found).squeeze(-1)

        def _look(self, images: Tensor) -> Tensor:
            """Returns the cells' vectors, `[N, window * width, 7, 7]`."""
            seen = images.clamp(min=0)
            cells = sum(
                vectors(seen[..., part]) for part, vectors in enumerate(self.symbols)
            )
            cells = cells * (images[..., :1] >= 0)
            return cells.permute(0, 1, 4, 2, 3).flatten(1, 2)

        def _read(self, words: Tensor, lengths: Tensor) -> Tensor:
            """Returns the state after each mission's last word, `[N, width]`."""
            states, _ = self.reader(self.words(words))
            return states[torch.arange(len(states), device=words.device), lengths - 1]

    return Symbolic


def _convolution(num_in: int, width: int) -> Any:
    nn: Any = torch.nn
    return nn.Sequential(
        nn.Conv2d(num_in, width, 3, padding=1),
        nn.GroupNorm(_NUM_GROUPS, width),
        nn.ReLU(),
    )


def _head(width: int, num_outputs: int) -> Any:
    nn: Any = torch.nn
    return nn.Sequential(
        nn.Linear(width, width), nn.Tanh(), nn.Linear(width, num_outputs)
    )
