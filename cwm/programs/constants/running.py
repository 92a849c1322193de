"""Predictions of a program for many sets of constants, from sessions in the sandbox."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import concatenate_columns, select_rows
from cwm.core.predictions import Predictions
from cwm.core.spaces import space_to_json
from cwm.core.trajectories import TransitionBatch
from cwm.programs.constants.messages import FIT_DRIVER, FitAsk, FitSpec
from cwm.programs.constants.sampling import Sample
from cwm.programs.program import uses_generator, uses_global_generators
from cwm.programs.received import check_rows
from cwm.programs.wire_types import PredictedRows, rows_per_message
from sandbox.errors import ProtocolError
from sandbox.outcome import Completed
from sandbox.pool import Sandbox
from sandbox.session import Session

_ASK_S = 1.0
"""Seconds that one request should take."""

_MAX_VECTORS = 128
_MAX_REOPENED = 4
"""How often a program may be ended for values that it does not bear."""


class ConstantRunner:
    """Predicts rows of a batch with any constants; use it as a context manager.

    Each part of the rows has a session of its own, if the sandbox has as many
    workers; else the first part stands for all.

    Attributes:
        rows: `[N * horizon]`, the rows of the batch that predictions are of, in order.

    Args:
        sandbox: Made with `FIT_DRIVER`.
        source: The program, with names for its constants.
        values_name: Name of the list of their values.
        are_whole: Which of them are integers.
        batch: The transitions.
        sample: Which of them.
        seed: Seed of whatever is random in the program.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        source: str,
        *,
        values_name: str,
        are_whole: Sequence[bool],
        batch: TransitionBatch,
        sample: Sample,
        seed: int,
    ) -> None:
        self._sandbox = sandbox
        self._source = source
        self._batch = batch
        self._sessions: list[Session[PredictedRows]] = []
        self._parts = sample.parts[: max(1, sandbox.num_workers)]
        self._specs = [
            self._spec(sample, part, values_name, are_whole, seed)
            for part in self._parts
        ]
        self.rows: NDArray[np.intp] = np.concatenate(
            [sample.rows[part].reshape(-1) for part in self._parts]
        )
        self._horizon = sample.rows.shape[1]
        self._row_s = 1e-4
        self._num_reopened = 0
        self._exits = ExitStack()
        self._threads = ThreadPoolExecutor(max_workers=len(self._parts))

    def __enter__(self) -> "ConstantRunner":
        self._exits.enter_context(self._threads)
        self._sessions = [self._open(index) for index in range(len(self._parts))]
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for session in self._sessions:
            session.close()
        self._exits.close()

    def _spec(
        self,
        sample: Sample,
        part: NDArray[np.intp],
        values_name: str,
        are_whole: Sequence[bool],
        seed: int,
    ) -> FitSpec:
        batch = self._batch
        return FitSpec(
            observation_space=space_to_json(batch.observation_space),
            action_space=space_to_json(batch.action_space),
            observations=select_rows(batch.observations, sample.starts[part]),
            actions=select_rows(batch.actions, sample.rows[part].reshape(-1)),
            horizon=sample.rows.shape[1],
            values_name=values_name,
            are_whole=list(are_whole),
            seed=seed,
            is_random=uses_generator(self._source)
            or uses_global_generators(self._source),
            message_rows=rows_per_message(batch.observation_space),
        )

    def _open(self, index: int) -> Session[PredictedRows]:
        return self._sandbox.open_session(
            self._source, self._specs[index], driver=FIT_DRIVER, reply=PredictedRows
        )

    def predict(self, vectors: NDArray[np.float64]) -> list[Predictions | None]:
        """Returns the predictions with each of the values `[K, P]`.

        `None` where the program did not come to its end: it was too slow, took too
        much memory, or left.
        """
        found: list[Predictions | None] = []
        while len(found) < len(vectors):
            chunk = vectors[len(found) :][: self._chunk()]
            start = time.perf_counter()
            answers = list(
                self._threads.map(
                    lambda index, chunk=chunk: self._ask(index, chunk),
                    range(len(self._parts)),
                )
            )
            taken = (time.perf_counter() - start) / (len(chunk) * len(self.rows))
            self._row_s = max(taken, 1e-7)
            if len(chunk) > 1 and any(answer is None for answer in answers):
                # One of them is to blame; the others are asked for alone.
                for vector in chunk:
                    found += self.predict(vector[None])
                continue
            found += _joined(answers, len(chunk))
        return found

    def _chunk(self) -> int:
        number = int(_ASK_S / (self._row_s * len(self.rows)))
        return min(max(number, 1), _MAX_VECTORS)

    def _ask(
        self, index: int, vectors: NDArray[np.float64]
    ) -> list[Predictions] | None:
        session = self._sessions[index]
        if not session.is_open:
            if self._num_reopened >= _MAX_REOPENED:
                return None
            self._num_reopened += 1
            session = self._sessions[index] = self._open(index)
        answer = session.ask(FitAsk(vectors=np.ascontiguousarray(vectors)))
        if not isinstance(answer, Completed):
            return None
        num_rows = len(self._parts[index]) * self._horizon
        per_vector = math.ceil(num_rows / self._specs[index].message_rows)
        try:
            if len(answer.messages) != per_vector * len(vectors):
                raise ProtocolError("there are not as many messages as are due.")
            groups = [
                answer.messages[k * per_vector : (k + 1) * per_vector]
                for k in range(len(vectors))
            ]
            found = [
                check_rows(group, self._batch.observation_space, num_rows)
                for group in groups
            ]
            if any(len(rows) != num_rows for rows in found):
                raise ProtocolError(f"{num_rows} rows were due.")
        except ProtocolError:
            session.close()
            return None
        return found


def _joined(
    answers: Sequence[list[Predictions] | None], number: int
) -> list[Predictions | None]:
    """Returns the predictions of all parts together, for each set of values."""
    whole = [answer for answer in answers if answer is not None]
    if len(whole) < len(answers):
        return [None] * number
    return [_concatenated([part[k] for part in whole]) for k in range(number)]


def _concatenated(parts: Sequence[Predictions]) -> Predictions:
    first = parts[0]
    return replace(
        first,
        next_observations=concatenate_columns([p.next_observations for p in parts]),
        rewards=np.concatenate([p.rewards for p in parts]),
        terminated=np.concatenate([p.terminated for p in parts]),
        valid=np.concatenate([p.valid for p in parts]),
        messages={},
    )
