"""Several processes that train one network together, a GPU for each.

`accelerate launch` or `torchrun` starts them. Each acts in its share of the
environments, and gradients are averaged before every step, so that all hold the same
weights without sending them.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from cwm.core.errors import ConfigError
from cwm.llm.local.packages import LazyPackage

torch = LazyPackage("torch")
accelerate = LazyPackage("accelerate")
operations = LazyPackage("accelerate.utils.operations")


class Processes:
    """The processes of a training run; this one only, unless a launcher says more.

    Attributes:
        rank: Number of this one, from 0.
        count: How many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @classmethod
    def launched(cls) -> "Processes":
        """Returns those that a launcher has started; this one alone without one.

        Raises:
            ConfigError: If they do not find each other.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        # Connects the processes: nccl between GPUs, gloo otherwise.
        state = accelerate.PartialState(cpu=not torch.cuda.is_available())
        if state.num_processes != count:
            raise ConfigError(
                f"The launcher must have started {count} processes that find each "
                f"other, got {state.num_processes}. Use accelerate launch or torchrun."
            )
        return cls(state.process_index, state.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether it is this process that writes files and shows progress."""
        return self.rank == 0

    @property
    def device(self) -> str | None:
        """The GPU of this process; `None` without several processes or GPUs."""
        if self.count == 1:
            return None
        device = accelerate.PartialState().device
        return str(device) if device.type == "cuda" else None

    def share(self, name: str, number: int) -> int:
        """Returns this process's part of a number.

        Raises:
            ConfigError: If it does not divide evenly.
        """
        if number % self.count:
            raise ConfigError(
                f"{name} must be a multiple of the number of processes "
                f"({self.count}), got {number}."
            )
        return number // self.count

    def average_gradients(self, weights: Sequence[Any]) -> None:
        """Replaces each gradient by the mean over all processes."""
        if self.count == 1:
            return
        for weight in weights:
            # What has no gradient here has none anywhere.
            if weight.grad is not None:
                weight.grad.copy_(operations.reduce(weight.grad, reduction="mean"))

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Returns the means of figures over all processes."""
        if self.count == 1:
            return dict(figures)
        device = accelerate.PartialState().device
        given = torch.tensor(list(figures.values()), device=device)
        found = operations.reduce(given, reduction="mean").tolist()
        return dict(zip(figures, found, strict=True))

    def gather(self, item: Any) -> list[Any]:
        """Returns what each process has, in their order."""
        if self.count == 1:
            return [item]
        found: list[Any] = operations.gather_object([item])
        return found

    def wait(self) -> None:
        """Returns when all processes have come here."""
        if self.count > 1:
            accelerate.PartialState().wait_for_everyone()
