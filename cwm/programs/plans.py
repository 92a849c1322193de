"""How transitions are shared out to children, so that none sees an answer.

No child holds an observation together with the one that followed it: even times go
into one, odd times into the other.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import select_rows
from cwm.core.seeding import child_rng, child_seed
from cwm.core.spaces import space_to_json
from cwm.core.trajectories import TransitionBatch
from cwm.programs.batches import rows_to_predict
from cwm.programs.wire_types import StepsRequest, rows_per_message
from sandbox.limits import Limits
from sandbox.wire import encode_once


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How transitions are shared out to children.

    Attributes:
        halves: Rows of the batch that each child has, in its order.
        inverse: For each row of the batch, which of the rows that are run is its.
        requests: An encoded `StepsRequest` for each child.
        limits: Limits of each child: as many messages as are due.
    """

    halves: list[NDArray[np.intp]]
    inverse: NDArray[np.intp]
    requests: list[msgspec.Raw]
    limits: list[Limits]

    @property
    def num_bytes(self) -> int:
        """Size of the requests."""
        return sum(memoryview(request).nbytes for request in self.requests)


def make_plan(
    batch: TransitionBatch,
    num_draws: int,
    *,
    limits: Limits,
    seed: int,
    uses_generator: bool,
    uses_random: bool,
) -> Plan:
    """Returns the plan for a batch.

    Args:
        batch: The transitions.
        num_draws: How often each is predicted; above 1, equal ones only once.
        limits: Limits of each child, but for the number of messages.
        seed: Seed of the order and of stochastic programs.
        uses_generator: Whether the program mentions `rng`.
        uses_random: Whether it mentions `random`.
    """
    rows, inverse = rows_to_predict(batch, distinct=num_draws > 1)
    halves = [half for half in _halves(batch, rows, seed) if len(half)]
    requests, each = make_requests(
        batch,
        halves,
        num_draws,
        limits=limits,
        seed=seed,
        uses_generator=uses_generator,
        uses_random=uses_random,
    )
    return Plan(halves=halves, inverse=inverse, requests=requests, limits=each)


def make_requests(
    batch: TransitionBatch,
    parts: Sequence[NDArray[np.intp]],
    num_draws: int,
    *,
    limits: Limits,
    seed: int,
    uses_generator: bool,
    uses_random: bool,
) -> tuple[list[msgspec.Raw], list[Limits]]:
    """Returns an encoded `StepsRequest` for each part of a batch, and its limits.

    Args:
        batch: The transitions.
        parts: Rows of the batch, in the order in which a child gets them.
        num_draws: How often each is predicted.
        limits: Limits of each child, but for the number of messages.
        seed: Seed of stochastic programs: a row's draws do not depend on its part.
        uses_generator: Whether the program mentions `rng`.
        uses_random: Whether it mentions `random`.
    """
    secret = secret_of(batch)
    words = child_rng(seed, "row words", secret).integers(1 << 62, size=len(batch))
    message_rows = rows_per_message(batch.observation_space)
    observation_space = space_to_json(batch.observation_space)
    action_space = space_to_json(batch.action_space)
    requests = [
        encode_once(
            StepsRequest(
                observation_space=observation_space,
                action_space=action_space,
                observations=select_rows(batch.observations, part),
                actions=select_rows(batch.actions, part),
                indices=words[part],
                seed=child_seed(seed, "draws", secret),
                num_draws=num_draws,
                message_rows=message_rows,
                uses_generator=uses_generator,
                uses_random=uses_random,
                asks_legal_actions=batch.next_legal_actions is not None,
            )
        )
        for part in parts
    ]
    due = [math.ceil(len(part) * num_draws / message_rows) for part in parts]
    return requests, [replace(limits, max_messages=number) for number in due]


def secret_of(batch: TransitionBatch) -> str:
    """Returns text that depends on the outcomes, which no child is given.

    What is drawn with it cannot be drawn again inside: numbers of rows tell which
    transition is the last of its trajectory, and which are run alone.
    """
    found = hashlib.sha256()
    for column in (
        *batch.next_observations.values(),
        batch.rewards,
        batch.terminated,
        batch.truncated,
    ):
        found.update(
            column.tobytes()
            if isinstance(column, np.ndarray)
            else repr(column).encode()
        )
    return found.hexdigest()


def _halves(
    batch: TransitionBatch, rows: NDArray[np.intp], seed: int
) -> list[NDArray[np.intp]]:
    """Rows of even and of odd times, in an order that is not that of time."""
    order = child_rng(seed, "evaluation order", secret_of(batch))
    shuffled = order.permutation(rows)
    is_odd = batch.time[shuffled] % 2 == 1
    return [shuffled[~is_odd], shuffled[is_odd]]
