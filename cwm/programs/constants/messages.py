"""Messages of a session that predicts with one program and many sets of constants."""

from typing import Any

import msgspec
import numpy as np

FIT_DRIVER = "cwm.programs.constants.fit_driver"


class FitSpec(msgspec.Struct, array_like=True):
    """Inputs to predict from; their outcomes stay in the caller.

    Attributes:
        observation_space: As `space_to_json` has it.
        action_space: Likewise.
        observations: Columns of `N` first observations.
        actions: Columns of `N * horizon` actions, those of a row side by side.
        horizon: Steps from each observation.
        values_name: Name under which the source reads its values.
        are_whole: `[P]`: whether a value is to be an integer.
        seed: Seed of whatever is random in the program; the same for all values.
        is_random: Whether the source mentions anything random.
        message_rows: Rows of each message but a vector's last.
    """

    observation_space: dict[str, Any]
    action_space: dict[str, Any]
    observations: dict[str, Any]
    actions: dict[str, Any]
    horizon: int
    values_name: str
    are_whole: list[bool]
    seed: int
    is_random: bool
    message_rows: int


class FitAsk(msgspec.Struct, array_like=True):
    """Values to predict with; the answer has `N * horizon` rows for each of them.

    Attributes:
        vectors: `[K, P]` of float64.
    """

    vectors: np.ndarray
