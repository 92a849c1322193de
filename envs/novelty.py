"""What recorded data have so far, and how much a rollout would add.

Counts visits in cells of real-valued observations, remembers how episodes ended,
and how far along each axis they came.
"""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import SpaceSpec, Value
from envs.actions import ActionSource, to_vector

TABLE_SIZE = 1 << 16
"""Joint cells are counted in a hashed table of this size."""

NUM_MARGINAL_BINS = 24
"""Bins of a single observation element."""

NUM_JOINT_CELLS = 600
"""About how many joint cells the range of observations is cut into."""

MAX_FEATURES = 24
"""Longer observations are projected to `NUM_PROJECTED` random directions."""

NUM_PROJECTED = 8

MAX_ENDS = 200
"""Latest ends of rollouts, remembered to tell what ends episodes."""

NUM_ENDS_WANTED = 2
"""Episodes of each kind of termination that the data should have."""

TerminalKind: TypeAlias = tuple[int, int, int]
"""How an episode ended: element that left its usual range, side, reward."""

Side: TypeAlias = tuple[int, int]
"""An element of the features and a direction along it, 1 or -1."""

REACHED_MARGIN = 0.005
"""An extreme counts as reached within this share of the range."""


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """What an action sequence led to.

    Attributes:
        actions: The actions taken; fewer than planned if the episode ended.
        features: Features of the next observations, `[T, D]`.
        rewards: `[T]`.
        terminated: Whether the last step ended in a terminal state.
        truncated: Whether the last step hit the time limit.
    """

    actions: list[Value]
    features: NDArray[np.float64]
    rewards: NDArray[np.float64]
    terminated: bool
    truncated: bool

    def __len__(self) -> int:
        return len(self.actions)


class Way(NamedTuple):
    """Actions that lead to an end, and the rollout that ended there."""

    actions: list[Value]
    rollout: Rollout


class Extreme(NamedTuple):
    """The farthest value along one side that is not an end, and how to get there."""

    side: Side
    value: float
    actions: list[Value]


class FeatureMap:
    """Observations as vectors of at most `MAX_FEATURES` numbers."""

    def __init__(self, space: SpaceSpec, rng: np.random.Generator) -> None:
        self.space = space
        self.rng = rng
        self._projection: NDArray[np.float64] | None = None

    def __call__(self, observation: Value) -> NDArray[np.float64]:
        """Returns the features of an observation, `[D]`."""
        vector = to_vector(self.space, observation)
        if len(vector) <= MAX_FEATURES:
            return vector
        if self._projection is None:
            shape = (NUM_PROJECTED, len(vector))
            self._projection = self.rng.standard_normal(shape) / np.sqrt(len(vector))
        return self._projection @ vector


class Novelty:
    """How much transitions would add to the data so far.

    Counts visits in joint cells of (observation, action) and in finer bins of each
    observation element alone. The bins span the range seen in any rollout.
    """

    def __init__(self, source: ActionSource) -> None:
        self.source = source
        self.low = np.zeros(0)
        self.high = np.zeros(0)
        self.alive_low = np.zeros(0)
        self.alive_high = np.zeros(0)
        self._terminals: Counter[TerminalKind] | None = None
        self._data: list[Rollout] = []
        self._ends = np.zeros((MAX_ENDS, 0))
        self._num_ends = 0
        self._joint = np.zeros(TABLE_SIZE)
        self._marginal = np.zeros((0, NUM_MARGINAL_BINS))

    def see(self, rollouts: list[Rollout]) -> None:
        """Widens the range of the bins by what rollouts went through."""
        self._terminals = None
        for rollout in rollouts:
            features = rollout.features
            if not len(self.low):
                self.low, self.high = features[0].copy(), features[0].copy()
                self.alive_low, self.alive_high = self.low.copy(), self.high.copy()
                self._ends = np.zeros((MAX_ENDS, len(self.low)))
            np.minimum(self.low, features.min(axis=0), out=self.low)
            np.maximum(self.high, features.max(axis=0), out=self.high)
            alive = features[:-1] if rollout.terminated else features
            if rollout.terminated:
                self._ends[self._num_ends % MAX_ENDS] = features[-1]
                self._num_ends += 1
            if len(alive):
                np.minimum(self.alive_low, alive.min(axis=0), out=self.alive_low)
                np.maximum(self.alive_high, alive.max(axis=0), out=self.alive_high)

    def add(self, rollout: Rollout) -> None:
        """Counts a recorded trajectory and fits the bins to the range seen."""
        self.see([rollout])
        self._data.append(rollout)
        self._terminals = None
        self._joint[:] = 0
        self._marginal = np.zeros((len(self.low), NUM_MARGINAL_BINS))
        for known in self._data:
            self._count(known)

    def count_part(self, rollout: Rollout) -> None:
        """Counts a part of the trajectory in progress."""
        self.see([rollout])
        if not len(self._marginal):
            self._marginal = np.zeros((len(self.low), NUM_MARGINAL_BINS))
        self._count(rollout)

    def _count(self, rollout: Rollout) -> None:
        np.add.at(self._joint, self._joint_cells(rollout), 1)
        bins = self._marginal_bins(rollout.features)
        for element in range(bins.shape[1]):
            np.add.at(self._marginal[element], bins[:, element], 1)

    def _scaled(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        span = np.maximum(self.high - self.low, 1e-9)
        return np.clip((features - self.low) / span, 0.0, 1.0 - 1e-9)

    def cells(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Returns the joint cell of each row, `[T]`."""
        num_elements = features.shape[1]
        levels = max(2, round(NUM_JOINT_CELLS ** (1 / max(num_elements, 1))))
        bins = (self._scaled(features) * levels).astype(np.int64)
        # Odd multipliers spread the cells over the table.
        weights = 2 * np.arange(num_elements, dtype=np.int64) + 1
        weights = (weights * 2_654_435_761) % TABLE_SIZE | 1
        return np.asarray((bins * weights).sum(axis=1) % TABLE_SIZE)

    def _joint_cells(self, rollout: Rollout) -> NDArray[np.int64]:
        actions = self.source.bins(rollout.actions)
        cells = self.cells(rollout.features) + actions * 7_919
        return np.asarray(cells % TABLE_SIZE)

    def _marginal_bins(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        return (self._scaled(features) * NUM_MARGINAL_BINS).astype(np.int64)

    def score(self, rollout: Rollout) -> float:
        """Returns how much a rollout would add; each cell and bin counts once."""
        joint = np.unique(self._joint_cells(rollout))
        total = float((1 / np.sqrt(1 + self._joint[joint])).sum())
        if not len(self._marginal):
            return total
        bins = self._marginal_bins(rollout.features)
        num_elements = bins.shape[1]
        flat = np.unique(bins + NUM_MARGINAL_BINS * np.arange(num_elements))
        gains = 1 / (1 + self._marginal.ravel()[flat])
        return total + float(gains.sum())

    def terminal_kind(self, rollout: Rollout) -> TerminalKind:
        """Returns how a terminated rollout ended.

        Where a threshold ends episodes, the element that crossed it is outside the
        range of all that was seen before an end. If several elements are, the one
        that is so in most ends is taken for the reason.
        """
        reward = round(float(rollout.rewards[-1]))
        kinds = outside(rollout.features[-1:], self.alive_low, self.alive_high)[0]
        if not kinds.any():
            return (-1, 0, reward)
        ends = self._ends[: min(self._num_ends, MAX_ENDS)]
        explained = outside(ends, self.alive_low, self.alive_high).sum(axis=0)
        best = int(np.where(kinds, explained, -1).argmax())
        num_elements = len(self.alive_low)
        return (best % num_elements, 1 if best < num_elements else -1, reward)

    @property
    def terminals(self) -> Counter[TerminalKind]:
        """How many recorded episodes ended how, by all that is known by now."""
        if self._terminals is None:
            ended = [rollout for rollout in self._data if rollout.terminated]
            self._terminals = Counter(map(self.terminal_kind, ended))
        return self._terminals

    def num_ended(self) -> Counter[Side]:
        """Returns how many recorded episodes ended beyond each side."""
        found: Counter[Side] = Counter()
        for (element, side, _), count in self.terminals.items():
            if side:
                found[element, side] += count
        return found

    def missing_sides(self) -> list[Side]:
        """Returns the sides that ended no episode though the opposite ones did.

        Thresholds come in pairs more often than not.
        """
        ended = self.num_ended()
        return sorted((e, -side) for e, side in ended if (e, -side) not in ended)

    def num_reached(self, extreme: Extreme) -> int:
        """Returns how many recorded trajectories came as far as an extreme."""
        return sum(value <= REACHED_MARGIN for value in self._shortfalls(extreme))

    def excess(self, extreme: Extreme) -> float:
        """Returns by which share of the range an extreme exceeds what is recorded."""
        return min(self._shortfalls(extreme), default=1.0)

    def _shortfalls(self, extreme: Extreme) -> list[float]:
        """Returns by how much each recorded trajectory falls short of an extreme."""
        element, side = extreme.side
        span = max(float(self.high[element] - self.low[element]), 1e-9)
        farthest = [float((side * d.features[:, element]).max()) for d in self._data]
        return [(side * extreme.value - value) / span for value in farthest]

    def is_rare_terminal(self, rollout: Rollout) -> bool:
        """Returns whether the data have few episodes that ended like this."""
        return rollout.terminated and self.is_rare(self.terminal_kind(rollout))

    def is_rare(self, kind: TerminalKind) -> bool:
        """Returns whether the data have few episodes with this kind of end."""
        return self.terminals[kind] < NUM_ENDS_WANTED

    def rarity(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns how little the data have of each row's single elements, `[T]`."""
        if not len(self._marginal):
            return np.ones(len(features))
        bins = self._marginal_bins(features)
        elements = np.arange(bins.shape[1])
        gains: NDArray[np.float64] = 1 / (1 + self._marginal[elements, bins])
        both: NDArray[np.float64] = gains.max(axis=1) + gains.mean(axis=1)
        return both


def outside(
    features: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Returns which elements of each row are above and below a range, `[T, 2 D]`."""
    return np.concatenate([features > high, features < low], axis=1)
