"""Runs inside the sandbox: steps a candidate from each recorded observation.

Covers: seeding, the form of what `step` returns, sending it out as columns. Does
not cover: judging it. The true outcomes are not in this process.
"""

import json
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import conform, decode_columns, encode_columns, is_conformed
from cwm.core.spaces import (
    BoxSpec,
    DiscreteSpec,
    NestedSpec,
    SpaceSpec,
    Value,
    leaves,
    space_from_json,
    space_to_json,
)
from cwm.programs.draw_seeds import Seeder
from cwm.programs.legal_rows import RowsWithActions
from cwm.programs.program import ENTRY_POINT
from cwm.programs.wire_types import MAX_REASON_CHARS, PredictedRows, StepsRequest
from sandbox.child import At, Channel


class ContractViolation(TypeError):  # noqa: N818 - a name that the author reads
    """A program that does not keep the contract so far that nothing can be read."""


REQUEST = StepsRequest


def run(
    load: Callable[[], dict[str, Any]], steps: StepsRequest, channel: Channel
) -> None:
    """Predicts every transition of a request; emits `PredictedRows`.

    Where legal actions are asked for, `PredictedRowsWithActions`.

    Raises:
        At: With the row of the request at which the candidate raised.
    """
    observations = fresh_values(steps.observation_space, steps.observations)
    actions = fresh_values(steps.action_space, steps.actions)
    environment = make_environment(load)
    message_rows = steps.message_rows
    draws = steps.num_draws
    rows: Rows = make_rows(
        steps.observation_space, min(message_rows, len(observations) * draws)
    )
    if steps.asks_legal_actions:
        rows = RowsWithActions(rows, environment, steps.action_space)
    seeder = Seeder(steps)
    copy_observation = copier(steps.observation_space)
    copy_action = copier(steps.action_space)
    for index, (observation, action) in enumerate(
        zip(observations, actions, strict=True)
    ):
        for draw in range(draws):
            try:
                if seeder.is_needed:
                    seeder.seed(environment, index, draw)
                is_last = draw == draws - 1
                environment.set_state(
                    observation if is_last else copy_observation(observation)
                )
                rows.add(environment.step(action if is_last else copy_action(action)))
            except BaseException as error:
                raise At(index) from error
            if rows.count == message_rows:
                channel.emit(rows.flush())
    if rows.count:
        channel.emit(rows.flush())


_REHEARSAL = f"""
import math
import numpy as np

class {ENTRY_POINT}:
    def __init__(self):
        self.state = None

    def set_state(self, observation):
        self.state = observation.tolist()

    def step(self, action):
        x = math.cos(self.state[0]) + action
        return np.array([x, 0.0], dtype=np.float32), 1.0, x > 3
"""


def rehearsal() -> tuple[str, StepsRequest]:
    """Returns a small program of our own, and what to ask it (`child.rehearse`)."""
    space = BoxSpec((2,), "float32")
    num_rows = 16
    request = StepsRequest(
        observation_space=space_to_json(space),
        action_space=space_to_json(DiscreteSpec(2)),
        observations={"": np.zeros((num_rows, 2), dtype=np.float32)},
        actions={"": np.zeros(num_rows, dtype=np.int64)},
        indices=np.arange(num_rows),
        seed=0,
        num_draws=1,
        message_rows=num_rows,
        uses_generator=True,
        uses_random=True,
    )
    return _REHEARSAL, request


def make_environment(load: Callable[[], dict[str, Any]]) -> Any:
    """Returns an instance of the program's class.

    Raises:
        ContractViolation: If the program does not define one.
    """
    return find_class(load)()


def find_class(load: Callable[[], dict[str, Any]]) -> Any:
    """Returns the program's class.

    Raises:
        ContractViolation: If the program does not define one.
    """
    found = load().get(ENTRY_POINT)
    if not isinstance(found, type):
        raise ContractViolation(f"The program must define a class {ENTRY_POINT!r}.")
    return found


def fresh_values(space: dict[str, Any], columns: dict[str, Any]) -> list[Value]:
    """Returns the values of columns, each its own to change."""
    # The usual spaces are read without making a `SpaceSpec`: in a process that runs
    # for a few milliseconds, code that is not touched is the fastest.
    if space["kind"] == "discrete":
        return list(columns[""].tolist())
    if space["kind"] in ("box", "multi_discrete"):
        return [row.copy() for row in columns[""]]
    return [copy_value(v) for v in decode_columns(space_from_json(space), columns)]


def copier(space: dict[str, Any]) -> Callable[[Value], Value]:
    """Returns what copies values of a space; those that cannot change stay as one."""
    return _itself if _is_unchangeable(space) else copy_value


def _is_unchangeable(space: dict[str, Any]) -> bool:
    if space["kind"] == "tuple":
        return all(_is_unchangeable(member) for member in space["members"])
    return space["kind"] in ("discrete", "text")


def _itself(value: Value) -> Value:
    return value


def copy_value(value: Value) -> Value:
    """Returns a copy of plain data; `copy.deepcopy` takes ten times as long."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        return tuple(copy_value(v) for v in value)
    if isinstance(value, list):
        return [copy_value(v) for v in value]
    if isinstance(value, dict):
        return {key: copy_value(v) for key, v in value.items()}
    return value


class Rows(Protocol):
    """Collects what `step` returned, copied at once: programs reuse their arrays."""

    count: int
    invalid: dict[int, str]

    def add(self, result: object) -> None:
        """Takes what one call of `step` returned."""
        ...

    def flush(self) -> PredictedRows:
        """Returns what was collected, and begins anew."""
        ...


def make_rows(space: dict[str, Any], max_rows: int) -> "Rows":
    """Returns where up to `max_rows` results of `step` are collected."""
    if space["kind"] == "box":
        dtype = np.dtype(space["dtype"])
        return _ArrayRows(space, max_rows, tuple(space["shape"]), dtype)
    if space["kind"] == "discrete":
        return _ArrayRows(space, max_rows, (), np.dtype(np.int64))
    return _ValueRows(space_from_json(space))


class _Scalars:
    """The rewards and terminated flags of the rows."""

    def __init__(self) -> None:
        self.count = 0
        self.rewards: list[float] = []
        self.terminated: list[bool] = []
        self.invalid: dict[int, str] = {}

    def split(self, result: object) -> tuple[object, object, object]:
        """Returns the three parts of what `step` returned.

        Raises:
            ContractViolation: If there are not three.
        """
        if not isinstance(result, tuple) or len(result) != 3:
            got = type(result).__name__
            if isinstance(result, tuple):
                got = f"{len(result)} values"
            raise ContractViolation(
                f"step must return (observation, reward, terminated), got {got}."
            )
        return result

    def add_valid(self, reward: object, terminated: object) -> None:
        """Appends one row; call it last, as it may raise `ValueError`."""
        if type(reward) is not float:
            reward = real_number(reward)
        if type(terminated) is not bool:
            terminated = boolean(terminated)
        self.rewards.append(reward)
        self.terminated.append(terminated)

    def add_invalid(self, message: str) -> None:
        self.invalid[self.count] = message[:MAX_REASON_CHARS]
        self.rewards.append(0.0)
        self.terminated.append(False)

    def rows(
        self, arrays: dict[str, NDArray[Any]], texts: dict[str, list[str]]
    ) -> PredictedRows:
        rows = PredictedRows(
            arrays=arrays,
            texts=texts,
            rewards=np.array(self.rewards, dtype=np.float64),
            terminated=np.array(self.terminated, dtype=np.bool_),
            invalid=self.invalid,
        )
        self.count, self.rewards, self.terminated = 0, [], []
        self.invalid = {}
        return rows


def real_number(value: object) -> float:
    """Returns a reward as a float, or raises `ValueError`."""
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if isinstance(value, bool | np.bool_) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        raise ValueError(f"reward must be a real number, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("reward must fit into a float, got a larger one") from error


def boolean(value: object) -> bool:
    """Returns a terminated flag as a bool, or raises `ValueError`."""
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"terminated must be a bool, got {type(value).__name__}")
    return bool(value)


class _ArrayRows(_Scalars):
    """Rows of a space that is one array or one integer."""

    def __init__(
        self,
        space: dict[str, Any],
        max_rows: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__()
        self._description = space
        self._space: SpaceSpec | None = None
        self._shape = shape
        self._dtype = dtype
        self._is_discrete = space["kind"] == "discrete"
        self._array = np.zeros((max_rows, *shape), dtype=dtype)

    def add(self, result: object) -> None:
        observation, reward, terminated = self.split(result)
        try:
            if not self._is_plain(observation):
                if self._space is None:
                    self._space = space_from_json(self._description)
                observation = conformed(self._space, observation)
            self._array[self.count] = observation
            self.add_valid(reward, terminated)
        except (ValueError, OverflowError) as error:
            self.add_invalid(str(error))
        self.count += 1

    def _is_plain(self, observation: object) -> bool:
        """Whether NumPy takes the observation as it is, running no foreign code."""
        if self._is_discrete:
            return type(observation) is int
        return (
            type(observation) is np.ndarray
            and observation.dtype == self._dtype
            and observation.shape == self._shape
        )

    def flush(self) -> PredictedRows:
        return self.rows({"": self._array[: self.count].copy()}, {})


class _ValueRows(_Scalars):
    """Rows of any space, collected value by value."""

    def __init__(self, space: SpaceSpec) -> None:
        super().__init__()
        self._space = space
        self._values: list[Value] = []
        self._blank = _blank(space)

    def add(self, result: object) -> None:
        observation, reward, terminated = self.split(result)
        try:
            value = observation
            if not is_conformed(self._space, value):
                value = conformed(self._space, observation)
                # Refuses integers beyond 64 bits now, not for all rows at once.
                encode_columns(self._space, [value])
            self.add_valid(reward, terminated)
            self._values.append(value)
        except (ValueError, OverflowError) as error:
            self.add_invalid(str(error))
            self._values.append(self._blank)
        self.count += 1

    def flush(self) -> PredictedRows:
        columns = encode_columns(self._space, self._values)
        self._values = []
        nested = {p for p, leaf in leaves(self._space) if isinstance(leaf, NestedSpec)}
        texts = {
            path: [nested_text(v) if path in nested else v for v in column]
            for path, column in columns.items()
            if isinstance(column, list)
        }
        arrays = {p: c for p, c in columns.items() if isinstance(c, np.ndarray)}
        return self.rows(arrays, texts)


def conformed(space: SpaceSpec, observation: object) -> Value:
    """Returns an observation in the space's own representation.

    Raises:
        ValueError: If it does not have the space's type and shape.
    """
    try:
        return conform(space, observation)
    except ValueError as error:
        raise ValueError(f"observation: {error}") from error


def nested_text(value: Value) -> str:
    """Returns the one JSON text of a value of `NestedSpec`."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _blank(space: SpaceSpec) -> Value:
    """A placeholder for rows that have no value."""
    columns: dict[str, Any] = {}
    for path, leaf in leaves(space):
        encoded = encode_columns(leaf, [])[""]
        columns[path] = (
            np.zeros((1, *encoded.shape[1:]), dtype=encoded.dtype)
            if isinstance(encoded, np.ndarray)
            else [""]
        )
    return decode_columns(space, columns)[0]
