"""The state base: what experts did next where things stood alike.

B = {(state, action before, action after)} of Qiao et al., 2024
(https://arxiv.org/abs/2405.14205, section 3.3). A state is asked for together with the
action before it; what comes back are moments of experts whose state is near, and how
often each verb and each action followed there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import DataError
from cwm.providers.knowledge.base.encoders import Encoder, Vectors
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.base.searching import (
    BoolArray,
    Nearest,
    SearchName,
    make_search,
)
from cwm.providers.knowledge.base.verbs import is_choice, verb_of

Filter: TypeAlias = Literal["before", "after", "none"]
"""When the entries with another verb before them are left out: before the nearest are
taken, as the paper says; after, as the released code does; never."""

Weights: TypeAlias = Literal["counts", "similarity"]
"""What an entry counts: 1 each; the softmax of similarity by temperature."""

NEIGHBOUR_FRACTION: Final = 0.03
MIN_NEIGHBOURS: Final = 5
MAX_NEIGHBOURS: Final = 3_000
"""The last is the paper's number, a tenth of its ALFWorld base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalConfig:
    """Which entries are looked at, and what each counts.

    Attributes:
        num_neighbours: Entries that are taken; at least 1. `None` is 3 % of those
            that are searched, at least 5 and at most 3,000: with as many as there are,
            the state has no effect. The paper takes 3,000 of any base.
        filter: When entries with another verb before them are left out.
        weights: What an entry counts.
        temperature: Of `similarity`; above 0. The smaller, the more the nearest count.
    """

    num_neighbours: int | None = None
    filter: Filter = "before"
    weights: Weights = "counts"
    temperature: float = 0.1

    def __post_init__(self) -> None:
        if self.num_neighbours is not None and self.num_neighbours < 1:
            raise ValueError(
                "num_neighbours must be at least 1 or not given, got "
                f"{self.num_neighbours}."
            )
        if self.filter not in ("before", "after", "none"):
            raise ValueError(
                f"filter must be one of before, after, none, got {self.filter!r}."
            )
        if self.weights not in ("counts", "similarity"):
            raise ValueError(
                f"weights must be one of counts, similarity, got {self.weights!r}."
            )
        if not self.temperature > 0.0:
            raise ValueError(f"temperature must be above 0, got {self.temperature!r}.")


DEFAULT_RETRIEVAL = RetrievalConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What was found for a state.

    Attributes:
        entries: The nearest first; may be empty.
        similarities: Cosine of each with the state, `[K]`.
        verbs: How often each verb followed, by weight; the sum is the number of
            entries.
        actions: The same of whole actions, in lower case.
    """

    entries: tuple[Entry, ...]
    similarities: NDArray[np.float32]
    verbs: dict[str, float]
    actions: dict[str, float]

    @property
    def support(self) -> int:
        """Number of entries that were counted."""
        return len(self.entries)

    @property
    def best_similarity(self) -> float:
        """Cosine of the nearest; -1 if there is none."""
        return float(self.similarities[0]) if self.entries else -1.0


NO_NEIGHBOURS = Neighbours(
    entries=(), similarities=np.zeros(0, dtype=np.float32), verbs={}, actions={}
)
"""What is found where there is no base, or nothing in it."""


def num_neighbours(size: int, config: RetrievalConfig = DEFAULT_RETRIEVAL) -> int:
    """Returns how many of so many entries are taken."""
    if config.num_neighbours is not None:
        return min(config.num_neighbours, size)
    share = round(NEIGHBOUR_FRACTION * size)
    return min(max(share, MIN_NEIGHBOURS), MAX_NEIGHBOURS, size)


class StateBase:
    """Entries with their vectors, and the search among them.

    Attributes:
        entries: In the order in which they were given.
        vectors: Their states, `[N, D]`.
        encoder: Who made the vectors, and makes those of queries.
        search_name: How they are searched.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        vectors: Vectors,
        encoder: Encoder,
        search: SearchName = "numpy",
    ) -> None:
        """Makes a base of vectors that are known; see `from_entries` for others.

        Raises:
            DataError: If there is not one vector for each entry, or no entry.
            ConfigError: If there is no such search.
            PrerequisiteError: If the search needs a package that is missing.
        """
        if not entries or vectors.ndim != 2 or len(vectors) != len(entries):
            raise DataError(
                "A state base must have at least one entry and a vector for each, got "
                f"{len(entries)} entries and vectors of shape {vectors.shape}."
            )
        self.entries = tuple(entries)
        self.vectors = vectors
        self.encoder = encoder
        self.search_name: SearchName = search
        self._verbs = [verb_of(entry.next) for entry in self.entries]
        self._previous = [verb_of(entry.previous) for entry in self.entries]
        self._search = make_search(search, vectors, self._previous)
        self._left_out: dict[str, BoolArray] = {}

    @classmethod
    def from_entries(
        cls, entries: Sequence[Entry], encoder: Encoder, search: SearchName = "numpy"
    ) -> "StateBase":
        """Returns the base of some entries; each different state is encoded once.

        Raises:
            DataError: If there is no entry.
        """
        texts = list(dict.fromkeys(entry.state for entry in entries))
        places = {text: place for place, text in enumerate(texts)}
        rows = encoder.encode(texts)
        order = [places[entry.state] for entry in entries]
        return cls(entries, rows[order], encoder, search)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def verbs(self) -> tuple[str, ...]:
        """All verbs that follow anywhere, sorted."""
        return tuple(sorted(set(self._verbs)))

    def neighbours(
        self,
        state: str,
        previous: str,
        config: RetrievalConfig = DEFAULT_RETRIEVAL,
        *,
        without_episode: str = "",
    ) -> Neighbours:
        """Returns what was found for one state; see `neighbours_of_all`."""
        (found,) = self.neighbours_of_all(
            [state], [previous], config, without_episode=without_episode
        )
        return found

    def neighbours_of_all(
        self,
        states: Sequence[str],
        previous: Sequence[str],
        config: RetrievalConfig = DEFAULT_RETRIEVAL,
        *,
        without_episode: str = "",
    ) -> list[Neighbours]:
        """Returns what was found for each state; they are encoded together.

        Args:
            states: State knowledge of the moments.
            previous: The action before each; `FIRST_ACTION` before the first action.
                Its verb is what counts. After a number, which answers a question,
                nothing is left out.
            config: Which entries are taken.
            without_episode: Id of an episode whose entries are not to be found.
        """
        left_out = self._of_episode(without_episode) if without_episode else None
        vectors = self.encoder.encode(states)
        return [
            self._find(vector, action, config, left_out)
            for vector, action in zip(vectors, previous, strict=True)
        ]

    def _find(
        self,
        vector: NDArray[np.float32],
        previous: str,
        config: RetrievalConfig,
        left_out: BoolArray | None,
    ) -> Neighbours:
        verb = None if is_choice(previous) else verb_of(previous)
        part = verb if config.filter == "before" else None
        num = num_neighbours(self._search.size(part), config)
        found = self._search.nearest(vector, num, part=part, left_out=left_out)
        if config.filter == "after" and verb is not None:
            is_in = np.array([self._previous[row] == verb for row in found.rows], bool)
            found = Nearest(found.rows[is_in], found.similarities[is_in])
        return self._told(found, config)

    def _told(self, found: Nearest, config: RetrievalConfig) -> Neighbours:
        entries = tuple(self.entries[row] for row in found.rows)
        verbs: dict[str, float] = {}
        actions: dict[str, float] = {}
        weights = _weights(found.similarities, config)
        for row, entry, weight in zip(found.rows, entries, weights, strict=True):
            verb, action = self._verbs[row], entry.next.lower()
            verbs[verb] = verbs.get(verb, 0.0) + weight
            actions[action] = actions.get(action, 0.0) + weight
        return Neighbours(
            entries=entries,
            similarities=found.similarities,
            verbs=verbs,
            actions=actions,
        )

    def _of_episode(self, episode: str) -> BoolArray:
        """Returns which rows belong to an episode; asked for at each of its steps."""
        if episode not in self._left_out:
            rows = np.array([entry.episode == episode for entry in self.entries], bool)
            self._left_out = {episode: rows}
        return self._left_out[episode]


def _weights(similarities: NDArray[np.float32], config: RetrievalConfig) -> list[float]:
    if config.weights == "counts" or not len(similarities):
        return [1.0] * len(similarities)
    scaled = similarities.astype(np.float64) / config.temperature
    powers = np.exp(scaled - scaled.max())
    return [float(one) for one in powers * (len(powers) / powers.sum())]
