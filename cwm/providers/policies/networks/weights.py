"""Restoring weights by name."""

from collections.abc import Mapping

from cwm.llm.local.packages import LazyPackage, Tensor

torch = LazyPackage("torch")


def restore_weights(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Copies weights into those of a network.

    Args:
        own: The network's weights by name, themselves and not copies.
        given: Others of the same names and shapes.

    Raises:
        ValueError: If they are of another network.
    """
    has = {name: tuple(weight.shape) for name, weight in own.items()}
    got = {name: tuple(weight.shape) for name, weight in given.items()}
    if got != has:
        name = min(n for n in has | got if has.get(n) != got.get(n))
        raise ValueError(
            f"weights must be of this network; {name} must have the shape "
            f"{has.get(name)}, got {got.get(name)}: other names or shapes."
        )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(given[name])
