"""What every network that PPO trains gives."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from cwm.llm.local.packages import Tensor
from cwm.providers.policies.views import View


class Evaluated(NamedTuple):
    """What a network says of `N` views with `A` actions each.

    Attributes:
        log_probs: `[N, A]` in `float32`: natural logarithms of probabilities, which
            sum to 1 over the actions.
        values: `[N]` in `float32`: estimates of the discounted return to come.
    """

    log_probs: Tensor
    values: Tensor


class PolicyNetwork(Protocol):
    """A policy and a value over views.

    Attributes:
        name: What it is, for reports.
        module: What holds its weights, a `torch.nn.Module`; those that are trained
            ask for a gradient.
        needs_images: Whether views must have images.
    """

    name: str
    module: Any
    needs_images: bool

    def evaluate(self, views: Sequence[View]) -> Evaluated:
        """Returns probabilities and values, with a gradient unless torch was told.

        The numbers of a view do not depend on the other views but for rounding.

        Args:
            views: At least one; all with the same actions.
        """
        ...

    def value_parameters(self) -> list[Any]:
        """Returns the weights that only the value needs, with a rate of their own."""
        ...

    def saved(self) -> dict[str, Tensor]:
        """Returns the weights that training changes, by name."""
        ...

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Takes weights that `saved` gave.

        Raises:
            ValueError: If they are of another network.
        """
        ...
