"""Runs inside the sandbox: asks a candidate for its legal actions after each step.

Covers: the two forms in which a program may name them, their form, sending them out.
Does not cover: judging them (`cwm.programs.legal_actions`).
"""

from collections.abc import Callable
from itertools import islice
from typing import Any, Protocol

import numpy as np

from cwm.core.codec import conform, encode_columns
from cwm.core.spaces import DiscreteSpec, SpaceSpec, Value, leaves, space_from_json
from cwm.programs.wire_types import (
    MAX_LEGAL_ACTIONS,
    MAX_REASON_CHARS,
    PredictedRows,
    PredictedRowsWithActions,
)


class _Rows(Protocol):
    count: int

    def add(self, result: object) -> None: ...

    def flush(self) -> PredictedRows: ...


class RowsWithActions:
    """Collects results of `step` and the actions that are legal after it.

    A program names them in `legal_actions()`; or, as in the published code, `step`
    returns `(observation, legal actions, reward, terminated)`. One that does neither
    allows the whole space. After a step that it says is the last it is not asked.

    Attributes:
        count: Results so far.
        invalid: Why legal actions are not of their form, by position.

    Args:
        rows: Collects the rest.
        environment: The program.
        action_space: As `space_to_json` has it.
    """

    def __init__(
        self, rows: _Rows, environment: Any, action_space: dict[str, Any]
    ) -> None:
        self.invalid: dict[int, str] = {}
        self._rows = rows
        self._space: SpaceSpec = space_from_json(action_space)
        found = getattr(environment, "legal_actions", None)
        self._ask: Callable[[], object] | None = found if callable(found) else None
        self._begin()

    def _begin(self) -> None:
        self._counts: list[int] = []
        self._actions: list[Value] = []
        self.count = 0
        self.invalid = {}

    def add(self, result: object) -> None:
        """Takes what one call of `step` returned, and asks what is legal then."""
        named: object = None
        has_named = isinstance(result, tuple) and len(result) == 4
        if isinstance(result, tuple) and has_named:
            observation, named, reward, terminated = result
            result = observation, reward, terminated
        # Copied first: what the program does when it is asked changes nothing.
        self._rows.add(result)
        self.count += 1
        assert isinstance(result, tuple), "rows take nothing else"
        if _is_true(result[2]):
            self._counts.append(0)
            return
        if not has_named:
            named = self._ask() if self._ask is not None else self._everything()
        try:
            actions = self._read(named)
        except (ValueError, OverflowError) as error:
            reason = f"legal_actions: {error}"
            self.invalid[len(self._counts)] = reason[:MAX_REASON_CHARS]
            self._counts.append(-1)
            return
        self._counts.append(len(actions))
        self._actions.extend(actions)

    def _everything(self) -> object:
        if isinstance(self._space, DiscreteSpec):
            start = self._space.start
            return list(range(start, start + self._space.num_values))
        return None

    def _read(self, named: object) -> list[Value]:
        if not isinstance(named, list | tuple | np.ndarray) or (
            isinstance(named, np.ndarray) and named.ndim == 0
        ):
            raise ValueError(f"expected a list of actions, got {type(named).__name__}")
        actions = [
            conform(self._space, action)
            for action in islice(named, MAX_LEGAL_ACTIONS + 1)
        ]
        if len(actions) > MAX_LEGAL_ACTIONS:
            raise ValueError(f"expected at most {MAX_LEGAL_ACTIONS} actions, got more")
        # Refuses integers beyond 64 bits now, not for all rows at once.
        encode_columns(self._space, actions)
        return actions

    def flush(self) -> PredictedRowsWithActions:
        """Returns what was collected, and begins anew."""
        rows = self._rows.flush()
        columns = encode_columns(self._space, self._actions)
        made = PredictedRowsWithActions(
            arrays=rows.arrays,
            texts=rows.texts,
            rewards=rows.rewards,
            terminated=rows.terminated,
            invalid=rows.invalid,
            legal_counts=np.asarray(self._counts, dtype=np.int64),
            legal_arrays={
                path: columns[path]
                for path, _ in leaves(self._space)
                if isinstance(columns[path], np.ndarray)
            },
            # Actions with text in them cannot be sampled: no environment has them.
            legal_texts={},
            legal_invalid=self.invalid,
        )
        self._begin()
        return made


def _is_true(value: object) -> bool:
    return isinstance(value, bool | np.bool_) and bool(value)
