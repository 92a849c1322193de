"""The training transitions as a table of named integers."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cwm.core.proposals import Task
from cwm.proposers.symbolic.discrete.layout import (
    Digit,
    Element,
    IntArray,
    digit_values,
    element_values,
    elements,
    split_digits,
)
from cwm.proposers.symbolic.discrete.model import Key

MAX_KEY_SPACE = 2**62
"""Largest number of different keys that can be told apart by one integer."""

EXCEPTION_BITS = 40.0
"""Price of one transition that a part gets wrong, where nothing varies.

Far above what writing down the exception would cost: a transition of a
deterministic environment is certain, so a model that explains it is preferred
to a shorter one that does not, unless the rule for it would be absurdly long.
"""

VARYING_EXCEPTION_BITS = 14.0
"""The same where equal inputs have different outcomes: an exception proves little."""

TERMINATED = "terminated"
REWARD = "reward"
LEGAL = "legal"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns of `N` rows, one row per (distinct) transition.

    Attributes:
        columns: Inputs, next digits, targets and derived features by name, `[N]`.
        ranges: Smallest and largest value of each column.
        digits: Names of the observation's digits: `x0`, `x1`, ...
        actions: Names of the action's elements.
        rewards: Reward of each code in the column `reward`.
        inputs: `[N]`, equal for equal observations and actions.
        exception_bits: Price of a row that a part gets wrong, in bits.
    """

    columns: dict[str, IntArray]
    ranges: dict[str, tuple[int, int]]
    digits: tuple[str, ...]
    actions: tuple[str, ...]
    rewards: tuple[float, ...]
    inputs: IntArray
    exception_bits: float = EXCEPTION_BITS
    _codes: dict[tuple[str, ...], IntArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of everything that is to be predicted."""
        return (*self.digits, TERMINATED, REWARD)

    def truth(self, target: str) -> IntArray:
        """Returns what `target` was, `[N]`."""
        name = f"next:{target}" if target in self.digits else target
        return self.columns[name]

    def target_range(self, target: str) -> tuple[int, int]:
        """Returns the smallest and the largest value of `target`."""
        return self.ranges[f"next:{target}" if target in self.digits else target]

    def size(self, feature: str) -> int:
        """Returns how many values the range of a feature has."""
        low, high = self.ranges[feature]
        return high - low + 1

    def key_space(self, features: tuple[str, ...]) -> int:
        """Returns how many keys the features' ranges allow."""
        product = 1
        for name in features:
            product *= self.size(name)
        return product

    def codes(self, features: tuple[str, ...]) -> IntArray:
        """Returns one integer per row `[N]`, equal for equal keys.

        Raises:
            ValueError: If the ranges allow more keys than an integer holds.
        """
        if features not in self._codes:
            if self.key_space(features) > MAX_KEY_SPACE:
                raise ValueError(f"{features} must have at most 2**62 keys.")
            code = np.zeros(len(self), dtype=np.int64)
            for name in features:
                code = (
                    code * self.size(name) + self.columns[name] - self.ranges[name][0]
                )
            self._codes[features] = code
        return self._codes[features]

    def encode_key(self, features: tuple[str, ...], key: Key) -> int:
        """Returns the code of a key; -1 if it lies outside the ranges."""
        code = 0
        for name, value in zip(features, key, strict=True):
            low, high = self.ranges[name]
            if not low <= value <= high:
                return -1
            code = code * (high - low + 1) + value - low
        return code

    def decode_key(self, features: tuple[str, ...], code: int) -> Key:
        """Returns the key of a code."""
        values: list[int] = []
        for name in reversed(features):
            low, high = self.ranges[name]
            code, rest = divmod(int(code), high - low + 1)
            values.append(rest + low)
        return tuple(reversed(values))

    def with_column(
        self, name: str, values: IntArray, bounds: tuple[int, int]
    ) -> "Table":
        """Returns the table with one more feature."""
        return Table(
            columns={**self.columns, name: values},
            ranges={**self.ranges, name: bounds},
            digits=self.digits,
            actions=self.actions,
            rewards=self.rewards,
            inputs=self.inputs,
            exception_bits=self.exception_bits,
        )


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a task's transitions say, before its codes are split into digits.

    Attributes:
        observed: Elements of an observation.
        acted: Elements of an action.
        before: `[N, E]` elements of the observations.
        action: `[N, A]` elements of the actions.
        after: `[N, E]` elements of the next observations.
        reward: `[N]` codes of the rewards.
        terminated: `[N]`, 0 or 1.
        rewards: Values of the codes, most frequent first.
        inputs: `[N]`, equal for equal observations and actions.
        is_deterministic: Whether equal inputs always had equal outcomes.
        legal: Whether the action was legal, by rules that are part of the program,
            `[N]`, 0 or 1; `None` where there are none.
    """

    observed: tuple[Element, ...]
    acted: tuple[Element, ...]
    before: IntArray
    action: IntArray
    after: IntArray
    reward: IntArray
    terminated: IntArray
    rewards: tuple[float, ...]
    inputs: IntArray
    is_deterministic: bool
    legal: IntArray | None = None

    def table(self, radices: tuple[tuple[int, ...], ...]) -> Table:
        """Returns the table with each element split by its radices."""
        digits = split_digits(self.observed, radices)
        names = tuple(f"x{i}" for i in range(len(digits)))
        columns: dict[str, IntArray] = {}
        ranges: dict[str, tuple[int, int]] = {}
        actions = action_names(len(self.acted))
        for i, name in enumerate(actions):
            columns[name] = self.action[:, i]
            ranges[name] = _range(self.acted[i], columns[name])
        for name, digit in zip(names, digits, strict=True):
            columns[name] = digit_values(digit, self.before)
            columns[f"next:{name}"] = digit_values(digit, self.after)
            both = np.concatenate([columns[name], columns[f"next:{name}"]])
            bounds = _digit_range(digit, self.observed[digit.element], both)
            ranges[name] = ranges[f"next:{name}"] = bounds
            columns[f"step:{name}"] = columns[f"next:{name}"] - columns[name]
            span = bounds[1] - bounds[0]
            ranges[f"step:{name}"] = (-span, span)
        columns[TERMINATED], ranges[TERMINATED] = self.terminated, (0, 1)
        if self.legal is not None:
            columns[LEGAL], ranges[LEGAL] = self.legal, (0, 1)
        columns[REWARD], ranges[REWARD] = self.reward, (0, len(self.rewards) - 1)
        return Table(
            columns=columns,
            ranges=ranges,
            digits=names,
            actions=actions,
            rewards=self.rewards,
            inputs=self.inputs,
            exception_bits=(
                EXCEPTION_BITS if self.is_deterministic else VARYING_EXCEPTION_BITS
            ),
        )


def action_names(count: int) -> tuple[str, ...]:
    """Returns the names of an action's elements."""
    if count == 1:
        return ("action",)
    return tuple(f"action_{i}" for i in range(count))


def gather_facts(task: Task) -> Facts:
    """Returns the facts in a task's training transitions.

    Repeated transitions are dropped where equal inputs always had equal
    outcomes; otherwise they are evidence of the chances and are kept.
    """
    batch = task.train
    observed, acted = elements(task.observation_space), elements(task.action_space)
    before = element_values(observed, batch.observations)
    after = element_values(observed, batch.next_observations)
    action = element_values(acted, batch.actions)
    values, codes, counts = np.unique(
        batch.rewards, return_inverse=True, return_counts=True
    )
    by_count = np.argsort(-counts, kind="stable")
    rank = np.empty(len(values), dtype=np.int64)
    rank[by_count] = np.arange(len(values))
    outcome = np.column_stack(
        [after, rank[codes.reshape(-1)], batch.terminated.astype(np.int64)]
    )
    inputs = _group(np.column_stack([before, action]))
    rows = np.column_stack([inputs, outcome])
    _, first = np.unique(rows, axis=0, return_index=True)
    is_deterministic = len(first) == len(np.unique(inputs))
    keep: NDArray[np.intp] = (
        np.sort(first) if is_deterministic else np.arange(len(inputs))
    )
    return Facts(
        observed=observed,
        acted=acted,
        before=before[keep],
        action=action[keep],
        after=after[keep],
        reward=outcome[keep, -2],
        terminated=outcome[keep, -1],
        rewards=tuple(float(values[i]) for i in by_count),
        inputs=inputs[keep],
        is_deterministic=is_deterministic,
    )


def _group(rows: IntArray) -> IntArray:
    _, inverse = np.unique(rows, axis=0, return_inverse=True)
    return inverse.reshape(-1).astype(np.int64)


def _range(element: Element, values: IntArray) -> tuple[int, int]:
    if element.num_values:
        return element.low, element.low + element.num_values - 1
    return int(values.min()), int(values.max())


def _digit_range(digit: Digit, element: Element, values: IntArray) -> tuple[int, int]:
    """Bounds of a digit; of a wide element only what was seen counts."""
    if digit.radix:
        return 0, digit.radix - 1
    low, high = int(values.min()), int(values.max())
    if 0 < element.num_values <= 1000:
        low = min(low, element.low)
        high = max(high, element.low + element.num_values - 1)
    return low, high
