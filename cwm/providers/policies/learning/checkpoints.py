"""Training on disk: one file from which it goes on as if it had never stopped."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cwm.core.errors import DataError
from cwm.core.files import write_atomically
from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.providers.policies.networks.base import PolicyNetwork

torch = LazyPackage("torch")
safetensors = LazyPackage("safetensors")
safetensors_torch = LazyPackage("safetensors.torch")

_NETWORK, _OPTIMIZER, _STATE = "network/", "optimizer/", "state"


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """How far training has come.

    Attributes:
        update: Updates that were made.
        num_frames: Steps that were learned from.
        num_episodes: Episodes that ended.
        seconds: Wall-clock time of the training.
        recent: Return and length of the episodes that ended last, oldest first.
        source: Where the environments are, as `EpisodeSource.progress` says.
        weights: Fingerprint of the model that is trained, as it was before; empty if
            it is not known.
    """

    update: int = 0
    num_frames: int = 0
    num_episodes: int = 0
    seconds: float = 0.0
    recent: list[tuple[float, int]] = field(default_factory=list)
    source: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""


def save_checkpoint(
    path: Path, network: PolicyNetwork, optimizer: Any, state: TrainingState
) -> None:
    """Writes the weights that are trained, the optimizer and the state, in one step.

    Raises:
        OSError: If the file cannot be written.
    """
    tensors = {f"{_NETWORK}{name}": one for name, one in network.saved().items()}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"{_OPTIMIZER}{index}/{name}"] = torch.as_tensor(value)
    content = safetensors_torch.save(
        {name: one.detach().cpu().contiguous() for name, one in tensors.items()},
        metadata={_STATE: json.dumps(asdict(state))},
    )
    write_atomically(path, content)


def load_checkpoint(
    path: Path,
    network: PolicyNetwork,
    optimizer: Any | None = None,
    *,
    weights: str = "",
) -> TrainingState:
    """Restores what `save_checkpoint` wrote, and returns the state.

    Args:
        path: The file.
        network: Made with the settings of the run.
        optimizer: Restored as well, if there is one.
        weights: Fingerprint of the model that the network was made from; empty takes
            any.

    Raises:
        DataError: If it cannot be read, or is of another network or model.
    """
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        state = TrainingState(**json.loads(metadata[_STATE]))
        _check_weights(state.weights, weights)
        network.restore(_under(tensors, _NETWORK))
        if optimizer is not None:
            _restore_optimizer(optimizer, _under(tensors, _OPTIMIZER))
    except (OSError, KeyError, ValueError, TypeError, safetensors.SafetensorError) as e:
        raise DataError(f"Checkpoint {str(path)!r} cannot be used: {e}") from e
    state.recent = [(float(value), int(length)) for value, length in state.recent]
    return state


def _check_weights(learned_on: str, weights: str) -> None:
    # Adapters and heads fit any model of the same shape, and mean nothing there.
    if learned_on and weights and learned_on != weights:
        raise ValueError(
            "the files of the model are others than those that it was trained from."
        )


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): one
        for name, one in tensors.items()
        if name.startswith(prefix)
    }


def _restore_optimizer(optimizer: Any, tensors: Mapping[str, Tensor]) -> None:
    kept: dict[int, dict[str, Tensor]] = {}
    for name, one in tensors.items():
        index, _, what = name.partition("/")
        kept.setdefault(int(index), {})[what] = one
    settings = optimizer.state_dict()
    optimizer.load_state_dict({**settings, "state": kept})
