"""Runs inside the sandbox: a candidate as a function of observation and action.

For drivers that plan or roll out with it. Each step begins with `set_state`, so that
steps may be taken in any order; what a program keeps besides has no say.
"""

import random  # noqa: TID251 - the candidate's, seeded so that it repeats
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns, conform, encode_columns, is_conformed
from cwm.core.spaces import (
    BoxSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    NestedSpec,
    SpaceSpec,
    Value,
    leaves,
    space_from_json,
)
from cwm.programs.draw_seeds import generator_of, mix
from cwm.programs.kernels import KERNEL, compile_kernel, is_compiler_here
from cwm.programs.model_types import ModelSpec
from cwm.programs.wire_types import ReceivedValues
from cwm.programs.world_model_driver import (
    ContractViolation,
    boolean,
    conformed,
    copier,
    copy_value,
    find_class,
    nested_text,
    real_number,
)
from sandbox.child import Load

_RELATIVE_TOLERANCE = 1e-4
_ABSOLUTE_TOLERANCE = 1e-5
_REAL, _FLAG = np.dtype("float64"), np.dtype("bool")

Results = tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_]]
"""Next observations `[N, ...]`, rewards `[N]` and terminated flags `[N]`."""


class Model:
    """A candidate's model.

    Attributes:
        num_steps: How often it was stepped.
        is_random: Whether the program mentions anything random.
        has_batch: Whether `step_many` may be called.
        has_legal_actions: Whether `legal_actions` may be called.

    Args:
        load: As drivers have it.
        spec: What is known of the model.

    Raises:
        ContractViolation: If the program does not define its class.
    """

    def __init__(self, load: Load, spec: ModelSpec) -> None:
        self.observation_space = space_from_json(spec.observation_space)
        self.action_space = space_from_json(spec.action_space)
        self._environment: Any = find_class(self._with_kernel(load, spec))()
        self.num_steps = 0
        self._spec = spec
        self.is_random = spec.uses_generator or spec.uses_random
        self._copy_observation = copier(spec.observation_space)
        self._copy_action = copier(spec.action_space)
        space = self.observation_space
        self._is_box = isinstance(space, BoxSpec)
        if isinstance(space, BoxSpec):
            self._shape, self._dtype = space.shape, np.dtype(space.dtype)
        self._one = batched(self.observation_space, 1)
        self._one_dtype = np.dtype(self._one.dtype if self._one else "float64")
        # Rows of a batch would share their draws: programs that draw take single steps.
        self.has_batch = (
            not self.is_random
            and self._one is not None
            and batched(self.action_space, 1) is not None
            and callable(getattr(self._environment, "step_batch", None))
        )
        self.has_legal_actions = callable(
            getattr(self._environment, "legal_actions", None)
        )
        self._is_batch_checked = False
        self._is_reseeded = False

    def _with_kernel(self, load: Load, spec: ModelSpec) -> Load:
        """Returns a loader that puts machine code in the place of the kernel.

        It is made first: a child that has loaded a candidate can make none.
        """
        if not (spec.kernel and is_compiler_here()):
            return load
        kernel = compile_kernel(
            spec.kernel,
            observation_space=self.observation_space,
            action_space=self.action_space,
        )

        def load_with_kernel(*arguments: Any) -> dict[str, Any]:
            namespace = load(*arguments)
            namespace[KERNEL] = kernel
            return namespace

        return load_with_kernel

    def reseed(self, word: int) -> None:
        """Seeds what is random, once for all steps until the next call.

        Without it, steps are seeded by their number.

        Args:
            word: 64 bits.
        """
        self._is_reseeded = True
        if self.is_random:
            self._seed(word)

    def legal_actions(self, observation: Value) -> list[Value]:
        """Returns what the program says may be done; needs `has_legal_actions`.

        Raises:
            ContractViolation: If it is no list of actions of the space.
        """
        self._environment.set_state(copy_value(observation))
        actions = self._environment.legal_actions()
        if not isinstance(actions, list | tuple):
            raise ContractViolation(
                f"legal_actions must return a list, got {type(actions).__name__}."
            )
        try:
            return [conform(self.action_space, action) for action in actions]
        except ValueError as error:
            raise ContractViolation(f"legal_actions: {error}") from error

    def step(self, observation: Value, action: Value) -> tuple[Value, float, bool]:
        """Returns the next observation, the reward and whether it is terminal.

        Raises:
            ContractViolation: If the program returns something else.
        """
        if self.is_random and not self._is_reseeded:
            self._seed(mix(self._spec.seed, self.num_steps))
        self.num_steps += 1
        environment = self._environment
        environment.set_state(self._copy_observation(observation))
        result = environment.step(self._copy_action(action))
        if isinstance(result, tuple) and len(result) == 4:
            # As the published code has it, with the legal actions in second place.
            result = (result[0], *result[2:])
        if not isinstance(result, tuple) or len(result) != 3:
            raise ContractViolation(
                "step must return (observation, reward, terminated), "
                f"got {type(result).__name__}."
            )
        following, reward, terminated = result
        try:
            if type(reward) is not float:
                reward = real_number(reward)
            if type(terminated) is not bool:
                terminated = boolean(terminated)
            return self._observation(following), reward, terminated
        except (ValueError, OverflowError) as error:
            raise ContractViolation(f"step: {error}") from error

    def step_many(self, observations: NDArray[Any], actions: NDArray[Any]) -> Results:
        """Returns the results of `N` steps, by `step_batch`; needs `has_batch`.

        They may be arrays of the program's own: copy what is to outlast the next step.

        Raises:
            ContractViolation: If arrays are not of their form, or if the first row
                of the first batch is not what `step` says.
        """
        number = len(observations)
        self.num_steps += number
        results = self._environment.step_batch(observations.copy(), actions.copy())
        if not isinstance(results, tuple) or len(results) != 3:
            raise ContractViolation(
                "step_batch must return (observations, rewards, terminated), "
                f"got {type(results).__name__}."
            )
        following, rewards, terminated = results
        if not self._are_rows(following, rewards, terminated, number):
            following, rewards, terminated = self._conformed_rows(results, number)
        if not self._is_batch_checked:
            # The single step may write into the program's own arrays.
            following, rewards = following.copy(), rewards.copy()
            terminated = terminated.copy()
            self._check_batch(observations, actions, (following, rewards, terminated))
            self._is_batch_checked = True
        return following, rewards, terminated

    def _are_rows(
        self, following: object, rewards: object, terminated: object, number: int
    ) -> bool:
        """Whether results are sure to be what they should; much faster than to check.

        A batch of a thousand steps takes as long as its checks would.
        """
        assert self._one is not None, "step_many needs has_batch"
        return (
            type(following) is np.ndarray
            and following.dtype == self._one_dtype
            and following.shape == (number, *self._one.shape[1:])
            and type(rewards) is np.ndarray
            and rewards.dtype == _REAL
            and rewards.shape == (number,)
            and type(terminated) is np.ndarray
            and terminated.dtype == _FLAG
            and terminated.shape == (number,)
        )

    def _conformed_rows(self, results: tuple[Any, ...], number: int) -> Results:
        space = batched(self.observation_space, number)
        assert space is not None, "step_many needs has_batch"
        try:
            return (
                conform(space, results[0]),
                conform(BoxSpec((number,), "float64"), results[1]),
                conform(BoxSpec((number,), "bool"), _flags(results[2])),
            )
        except ValueError as error:
            raise ContractViolation(f"step_batch: {error}") from error

    def _check_batch(
        self, observations: NDArray[Any], actions: NDArray[Any], results: Results
    ) -> None:
        """Holds the first row of a batch against a single step."""
        first, action = observations[0], actions[0]
        single = self.step(plain(first), plain(action))
        for part, (got, wanted) in zip(
            ("observation", "reward", "terminated"),
            zip((rows[0] for rows in results), single, strict=True),
            strict=True,
        ):
            if not np.allclose(
                got, wanted, _RELATIVE_TOLERANCE, _ABSOLUTE_TOLERANCE, equal_nan=True
            ):
                raise ContractViolation(
                    f"step_batch must equal single steps; its {part} is another one."
                )

    def _observation(self, value: object) -> Value:
        space = self.observation_space
        if self._is_box and type(value) is np.ndarray:
            if value.shape == self._shape and value.dtype == self._dtype:
                return value.copy()
        elif is_conformed(space, value):
            return value
        made = conformed(space, value)
        if not self._is_box:
            # Refuses integers beyond 64 bits, which nobody could send.
            encode_columns(space, [made])
        return made

    def _seed(self, word: int) -> None:
        if self._spec.uses_generator:
            self._environment.rng = generator_of(word)
        if self._spec.uses_random:
            random.seed(word)
            np.random.seed(word & 0xFFFFFFFF)  # noqa: NPY002, TID251 - the candidate's


def to_send(space: SpaceSpec, value: Value) -> ReceivedValues:
    """Returns one value as `received.check_values` reads it."""
    return to_send_all(space, [value])


def to_send_all(space: SpaceSpec, values: Sequence[Value]) -> ReceivedValues:
    """Returns values as `received.check_values` reads them.

    Raises:
        ValueError: If one is not of the space.
    """
    return columns_to_send(
        space, encode_columns(space, [conform(space, value) for value in values])
    )


def columns_to_send(space: SpaceSpec, columns: Columns) -> ReceivedValues:
    """Returns columns as `received.check_values` reads them."""
    arrays: dict[str, NDArray[Any]] = {}
    texts: dict[str, list[str]] = {}
    for path, leaf in leaves(space):
        column = columns[path]
        if isinstance(column, np.ndarray):
            arrays[path] = column
        else:
            is_nested = isinstance(leaf, NestedSpec)
            texts[path] = [nested_text(v) if is_nested else v for v in column]
    return ReceivedValues(arrays=arrays, texts=texts)


def _flags(value: object) -> NDArray[Any]:
    array = np.asarray(value)
    if array.dtype != np.bool_:
        raise ValueError(f"terminated must be booleans, got {array.dtype}")
    return array


def batched(space: SpaceSpec, number: int) -> BoxSpec | None:
    """Returns the space of `number` values in one array; `None` if there is none."""
    match space:
        case BoxSpec(shape=shape, dtype=dtype):
            return BoxSpec((number, *shape), dtype)
        case DiscreteSpec():
            return BoxSpec((number,), "int64")
        case MultiDiscreteSpec(num_values=counts):
            return BoxSpec((number, len(counts)), "int64")
        case _:
            return None


def plain(row: Any) -> Value:
    """Returns one row of an array of values as the program gets it."""
    return int(row) if isinstance(row, np.integer) else row
