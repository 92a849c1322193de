"""Messages of trials: forms that were written, and steps that are compared."""

from typing import Any

import msgspec
import numpy as np

from cwm.programs.model_types import ModelSpec


class WriteAsk(msgspec.Struct, array_like=True):
    """Forms of a program to write.

    Attributes:
        source: The program; the same that is loaded.
        observation_space: As `space_to_json` has it.
        action_space: Likewise.
    """

    source: str
    observation_space: dict[str, Any]
    action_space: dict[str, Any]


class Written(msgspec.Struct, array_like=True):
    """Texts to be put behind a program; empty where there is none.

    Attributes:
        vectorised: Its array form.
        compiled: Its form for numba.
        compiled_steps: The same, with single steps compiled, too.
        reason: Why there is none.
    """

    vectorised: str
    compiled: str
    compiled_steps: str
    reason: str


class TrialAsk(msgspec.Struct, array_like=True):
    """Steps to make, and how often to time them.

    Attributes:
        model: The program's model.
        states: Observations, `[N, ...]`.
        actions: Actions, `[N, ...]`.
        is_batch: Whether all steps are one call of `step_batch`.
        sizes: Rows at a time to measure the speed with.
        seconds: How long to measure each.
    """

    model: ModelSpec
    states: Any
    actions: Any
    is_batch: bool
    sizes: list[int]
    seconds: float


class TrialRows(msgspec.Struct, array_like=True):
    """What steps returned: claims.

    Attributes:
        observations: `[N, ...]`; zeros where a step failed.
        rewards: `[N]`.
        terminated: `[N]`.
        failed: `[N]`: whether the step raised, or returned something else.
        speeds: Steps a second, for each size.
        opening_s: How long loading took, compiling included.
    """

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    failed: np.ndarray
    speeds: list[float]
    opening_s: float
