"""Cells that a search has reached, and which of them to explore from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import Value
from envs.novelty import Rollout, Side
from envs.snapshots import Snapshot

NUM_CELLS = 10_000
"""About how many cells the range of observations is cut into."""

MIN_BINS, MAX_BINS = 8, 24
"""Bins of each element, beside those outside the range."""

FAR_SHARE = 0.75
"""How often an entry is chosen for being far along an axis."""

RIM_DECAY = 0.4
"""Share of these that are taken from the outermost bin, then from the next."""


@dataclass(kw_only=True)
class Entry:
    """A cell that was reached, and how."""

    actions: list[Value]
    features: NDArray[np.float64] | None
    snapshot: Snapshot


class Archive:
    """Cells that were reached, each with the shortest way to it.

    Args:
        start: Where all ways begin.
        low: Smallest feature values known beforehand, `[D]`.
        high: Largest ones.
    """

    def __init__(
        self, start: Snapshot, low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> None:
        self.low, self.high = low.copy(), high.copy()
        bins = round(NUM_CELLS ** (1 / max(len(low), 1)))
        self.num_bins = min(max(bins, MIN_BINS), MAX_BINS)
        self.entries = [Entry(actions=[], features=None, snapshot=start)]
        self._clear()

    def _clear(self) -> None:
        num_elements = len(self.low)
        self._index: dict[bytes, int] = {}
        # One more bin on each side for what is outside the range, but not far.
        self._in_bin = np.zeros((num_elements, self.num_bins + 2))
        self._cells = np.zeros((0, num_elements), dtype=np.int64)
        self._num_chosen = np.zeros(1)

    def _cell(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        width = np.maximum(self.high - self.low, 1e-9) / self.num_bins
        bins = np.floor((features - self.low) / width) + 1
        return np.asarray(np.clip(bins, 0, self.num_bins + 1), dtype=np.int64)

    def is_wanted(self, rollout: Rollout, length: int) -> bool:
        """Returns whether a rollout ends in a new cell, or sooner in a known one."""
        index = self._index.get(self._cell(rollout.features[-1]).tobytes())
        return index is None or length < len(self.entries[index].actions)

    def add(
        self, actions: list[Value], features: NDArray[np.float64], snapshot: Snapshot
    ) -> None:
        """Keeps a state as the way to its cell; the cells grow with the range."""
        width = (self.high - self.low) / self.num_bins
        if (features < self.low - width).any() or (features > self.high + width).any():
            span = (self.high - self.low) / 4
            self.low = np.where(features < self.low, features - span, self.low)
            self.high = np.where(features > self.high, features + span, self.high)
            entries, num_chosen = self.entries, self._num_chosen
            self.entries = entries[:1]
            self._clear()
            for entry, count in zip(entries[1:], num_chosen[1:], strict=True):
                self._keep(entry)
                self._num_chosen[-1] = count
        self._keep(Entry(actions=actions, features=features, snapshot=snapshot))

    def _keep(self, entry: Entry) -> None:
        assert entry.features is not None, "Only the start has no features."
        cell = self._cell(entry.features)
        index = self._index.get(cell.tobytes())
        if index is not None:
            if len(entry.actions) < len(self.entries[index].actions):
                self.entries[index] = entry
            return
        self._index[cell.tobytes()] = len(self.entries)
        self.entries.append(entry)
        self._cells = np.concatenate([self._cells, cell[None]])
        self._num_chosen = np.append(self._num_chosen, 0.0)
        self._in_bin[np.arange(len(cell)), cell] += 1

    def choose(self, rng: np.random.Generator, sides: Sequence[Side] = ()) -> Entry:
        """Returns an entry to explore from, little tried ones first.

        Mostly one of the farthest along one of `sides`: ends of episodes and limits
        of the motion lie beyond. Else one with a rare element.
        """
        if sides and len(self._cells) and rng.random() < FAR_SHARE:
            chosen = self._far(rng, sides[int(rng.integers(len(sides)))])
        else:
            elements = np.arange(self._cells.shape[1])
            rare = (1 / self._in_bin[elements, self._cells]).max(axis=1, initial=0.0)
            weights = np.append(1.0, rare) / (1 + self._num_chosen)
            drawn = rng.random() * weights.sum()
            chosen = int(np.searchsorted(weights.cumsum(), drawn))
            chosen = min(chosen, len(self.entries) - 1)
        self._num_chosen[chosen] += 1
        return self.entries[chosen]

    def _far(self, rng: np.random.Generator, side: Side) -> int:
        """Returns an entry far along a side: a bin near the rim, then the least tried.

        Not always of the outermost bin: what got there may be about to end otherwise,
        and others that follow in a better state come farther.
        """
        element, direction = side
        column = direction * self._cells[:, element]
        bins = np.unique(column)
        from_rim = int(rng.geometric(RIM_DECAY)) - 1
        members = np.flatnonzero(column == bins[-1 - from_rim % len(bins)])
        tries = self._num_chosen[1:][members]
        fewest = members[tries == tries.min()]
        return int(fewest[int(rng.integers(len(fewest)))]) + 1
