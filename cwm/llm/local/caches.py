"""Keys and values of a model's attention, in a form that rows can join and leave."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

from cwm.core.errors import ConfigError
from cwm.llm.local.packages import LazyPackage, Tensor

torch = LazyPackage("torch")
transformers = LazyPackage("transformers")

Layers: TypeAlias = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, `[rows, heads, tokens, size]`."""

_ROOM_TOKENS = 128


def cache_of(layers: Layers) -> Any:
    """Returns a cache of transformers that begins with the given layers.

    It keeps all tokens in layers with a sliding window, too; the mask hides those
    that have left it. The given tensors are copied when it first grows.
    """
    return _growing_cache()(layers)


def layers_of(cache: Any) -> Layers:
    """Returns the keys and values that a cache holds.

    Raises:
        ConfigError: If it holds something else.
    """
    layers = [
        (getattr(layer, "keys", None), getattr(layer, "values", None))
        for layer in cache.layers
    ]
    if not layers or any(k is None or v is None or k.ndim != 4 for k, v in layers):
        raise ConfigError(
            "The model must keep keys and values of every layer, got another state."
        )
    return layers


def joined(blocks: Sequence[Layers]) -> Layers:
    """Returns the layers of blocks of tokens that follow each other."""
    return [
        (
            torch.cat([keys for keys, _ in parts], dim=-2),
            torch.cat([values for _, values in parts], dim=-2),
        )
        for parts in zip(*blocks, strict=True)
    ]


@cache
def _growing_cache() -> Any:
    """Returns the class of our caches, which needs transformers to be defined.

    `DynamicCache` copies everything for each new token; in a batch with long prompts
    that takes a fifth of the time. These leave room for the next tokens.
    """
    layer_class: Any = transformers.cache_utils.DynamicLayer
    cache_class: Any = transformers.cache_utils.Cache

    class GrowingLayer(layer_class):  # type: ignore[misc]
        def start(self, keys: Tensor, values: Tensor) -> None:
            self.dtype, self.device = keys.dtype, keys.device
            self.keys, self.values = keys, values
            self.room = (keys, values)
            self.is_initialized = True

        def update(
            self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any
        ) -> tuple[Tensor, Tensor]:
            if not self.is_initialized:
                self.start(key_states[:, :, :0], value_states[:, :, :0])
            length = self.keys.shape[-2]
            end = length + key_states.shape[-2]
            if end > self.room[0].shape[-2]:
                self.room = (_widened(self.keys, end), _widened(self.values, end))
            for room, states in zip(self.room, (key_states, value_states), strict=True):
                room[:, :, length:end] = states
            self.keys, self.values = (room[:, :, :end] for room in self.room)
            return self.keys, self.values

    class GrowingCache(cache_class):  # type: ignore[misc]
        def __init__(self, layers: Layers) -> None:
            super().__init__(layer_class_to_replicate=GrowingLayer)
            for keys, values in layers:
                layer = GrowingLayer()
                layer.start(keys, values)
                self.layers.append(layer)

    return GrowingCache


def _widened(tensor: Tensor, num_tokens: int) -> Tensor:
    """Returns a tensor that begins with the given one and has room behind it."""
    rows, heads, known, size = tensor.shape
    wide = tensor.new_empty((rows, heads, num_tokens + _ROOM_TOKENS, size))
    wide[:, :, :known] = tensor
    return wide
