"""Logs of trainings, with numbers that can be worked out by hand."""

from typing import Any


def logged(update: int, **changes: Any) -> dict[str, Any]:
    """Returns what is known after an update of 100 frames in which 10 episodes end."""
    record = {
        "update": update,
        "num_frames": 100 * update,
        "num_episodes": 10 * update,
        "seconds": 2.0 * update,
        "rollout_seconds": 1.5,
        "update_seconds": 0.5,
        "ended": 10,
        "succeeded": 5,
        "success_rate": 0.5,
        "mean_return": 0.4,
        "mean_length": 20.0,
        "policy_loss": 0.0,
        "value_loss": 0.1,
        "entropy": 1.5,
        "grad_norm": 0.3,
        "kl": 0.01,
        "clipped": 0.0,
        "explained_variance": 0.25,
        "num_steps": 4,
    }
    assert set(changes) <= set(record)
    return record | changes


def probed(update: int, *probabilities: float) -> dict[str, Any]:
    """Returns what a network said of two prompts; of the second, the reverse."""
    return {
        "update": update,
        "num_frames": 100 * update,
        "goals": ["go to the red ball", "open a $ door"],
        "actions": ["turn left", "turn right", "go forward"],
        "probabilities": [list(probabilities), list(probabilities)[::-1]],
        "values": [0.5, 0.25],
    }
