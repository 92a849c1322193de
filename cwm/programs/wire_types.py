"""Messages between the evaluator and its drivers inside the sandbox.

Values travel as columns (`cwm.core.codec`). What comes back is a claim: it is
decoded into these types, and nothing else, before anyone looks at it; columns not
before it is known which of them there should be (`cwm.programs.received`).
"""

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from cwm.core.codec import encode_columns
from cwm.core.spaces import SpaceSpec

MAX_ROWS_PER_MESSAGE = 1_000
"""Rows of one `PredictedRows`, at most."""

MAX_LEGAL_ACTIONS = 1_000
"""Most actions that can be legal after one step."""

MAX_REASON_CHARS = 200
"""Longest text that says why a row is not of the stated form."""

_MESSAGE_BYTES = 2 << 20

# What a driver puts there is encoded as what it is. Who decodes it gets the bytes:
# small entries take a hundred times as many when they are decoded.
if TYPE_CHECKING:
    Undecoded: TypeAlias = Any
else:
    Undecoded = msgspec.Raw


def rows_per_message(space: SpaceSpec, max_rows: int = MAX_ROWS_PER_MESSAGE) -> int:
    """Returns how many rows a message holds: fewer where observations are large."""
    row_bytes = sum(
        column.itemsize * math.prod(column.shape[1:])
        for column in encode_columns(space, []).values()
        if isinstance(column, np.ndarray)
    )
    return max(1, min(max_rows, _MESSAGE_BYTES // max(row_bytes, 1)))


class StepsRequest(msgspec.Struct, array_like=True):
    """Transitions to predict; their outcomes stay in the evaluator.

    Attributes:
        observation_space: As `space_to_json` has it.
        action_space: Likewise.
        observations: Columns of `N` observations.
        actions: Columns of `N` actions.
        indices: `[N]`, the number that each transition's randomness is seeded by.
        seed: Seed of the evaluation.
        num_draws: How often each transition is predicted.
        message_rows: Rows of each `PredictedRows` but the last (`rows_per_message`).
        uses_generator: Whether the source mentions `rng`.
        uses_random: Whether it mentions `random`, the global generators. Neither is
            seeded in vain: it takes longer than a step.
        asks_legal_actions: Whether the legal actions after each step are asked for;
            then `PredictedRowsWithActions` come back.
    """

    observation_space: dict[str, Any]
    action_space: dict[str, Any]
    observations: dict[str, Any]
    actions: dict[str, Any]
    indices: np.ndarray
    seed: int
    num_draws: int
    message_rows: int
    uses_generator: bool
    uses_random: bool
    asks_legal_actions: bool = False


class PredictedRows(msgspec.Struct, array_like=True):
    """Predictions of consecutive rows of a request.

    With several draws, row `i * num_draws + d` is draw `d` of transition `i`.

    Attributes:
        arrays: Numeric columns of next observations, by path: `dict[str, ndarray]`.
        texts: Text columns, by path, nested lists as JSON text:
            `dict[str, list[str]]`.
        rewards: `[M]` of float64.
        terminated: `[M]` of bool.
        invalid: Why rows are not of the stated form, by position in this message:
            `dict[int, str]`.
    """

    arrays: Undecoded
    texts: Undecoded
    rewards: np.ndarray
    terminated: np.ndarray
    invalid: Undecoded


class PredictedRowsWithActions(PredictedRows, array_like=True):
    """Predictions of rows, with the actions that are legal after each.

    Attributes:
        legal_counts: `[M]` of int64: how many they are; -1 if they are not of their
            form.
        legal_arrays: These actions of all rows, one after the other, as `arrays`.
        legal_texts: Likewise, as `texts`.
        legal_invalid: Why they are not of their form, by position in this message.
    """

    legal_counts: np.ndarray
    legal_arrays: Undecoded
    legal_texts: Undecoded
    legal_invalid: Undecoded


class ReceivedValues(msgspec.Struct, array_like=True):
    """Values of a space that come from a child; `received.check_values` reads them.

    Attributes:
        arrays: As in `PredictedRows`.
        texts: Likewise.
    """

    arrays: Undecoded
    texts: Undecoded


class TestsRequest(msgspec.Struct, array_like=True):
    """Unit tests to run against a program.

    Attributes:
        source: Text of the test file.
        names: Functions in it, in the order to run them.
        seed: Seed of whatever is random.
    """

    source: str
    names: list[str]
    seed: int


class TestResult(msgspec.Struct, array_like=True):
    """How one unit test went.

    Attributes:
        name: The function.
        passed: Whether it returned.
        error_type: Name of the exception's class, if it did not.
        message: Text of the exception.
        test_line: Line of the test file, from 1; 0 if unknown.
        program_line: Line of the program that raised, from 1; 0 if none did.
    """

    name: str
    passed: bool
    error_type: str
    message: str
    test_line: int
    program_line: int
