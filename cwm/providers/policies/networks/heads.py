"""Layers on top of a language model: for the value, or for the actions."""

from typing import Any, Literal, TypeAlias

from cwm.llm.local.packages import LazyPackage

torch = LazyPackage("torch")

Activation: TypeAlias = Literal["tanh", "sigmoid"]

PUBLISHED_WIDTH = 1024


def make_head(size: int, outputs: int, *, width: int, activation: Activation) -> Any:
    """Returns two hidden layers and a linear one, in `float32`.

    GLAM has width 1024 and sigmoids.

    Args:
        size: Numbers that come in.
        outputs: Numbers that go out.
        width: Of the hidden layers.
        activation: After each of these.
    """
    nn = torch.nn
    function = nn.Tanh if activation == "tanh" else nn.Sigmoid
    return nn.Sequential(
        nn.Linear(size, width),
        function(),
        nn.Linear(width, width),
        function(),
        nn.Linear(width, outputs),
    )
