"""Exact search for the nearest rows, in all of them or in one part.

Covers: the largest inner products, which order unit vectors like their distances do.
    Equal ones are taken in the order of the rows.
Does not cover: approximate search. Followed by a filter, it loses candidates.
"""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.providers.knowledge.base.encoders import Vectors

IntArray: TypeAlias = NDArray[np.intp]
BoolArray: TypeAlias = NDArray[np.bool_]

SearchName: TypeAlias = Literal["numpy", "faiss"]


class Nearest(NamedTuple):
    """The rows that were found, the nearest first.

    Attributes:
        rows: Numbers of the rows, `[K]`.
        similarities: Their inner products with the query, `[K]`.
    """

    rows: IntArray
    similarities: NDArray[np.float32]


class Search(Protocol):
    """Finds rows near a query."""

    def size(self, part: str | None) -> int:
        """Returns how many rows there are in a part; in all for `None`."""
        ...

    def nearest(
        self,
        query: NDArray[np.float32],
        num: int,
        *,
        part: str | None = None,
        left_out: BoolArray | None = None,
    ) -> Nearest:
        """Returns the `num` nearest rows; fewer if there are not so many.

        Args:
            query: A vector, `[D]`.
            num: How many; at least 0.
            part: Where to look; `None` for everywhere. In a part that does not exist
                there is nothing.
            left_out: Rows that are not to be found, `[N]`.
        """
        ...


def make_search(
    name: SearchName, vectors: Vectors, parts: Sequence[str]
) -> "NumpySearch | FaissSearch":
    """Returns a search of that name.

    Args:
        name: numpy, or faiss if the package is installed.
        vectors: The rows, `[N, D]`.
        parts: Of each row, the part it belongs to.

    Raises:
        ConfigError: If there is no such search.
        PrerequisiteError: If its package is missing.
    """
    if name == "numpy":
        return NumpySearch(vectors, parts)
    if name == "faiss":
        return FaissSearch(vectors, parts)
    raise ConfigError(f"search must be one of numpy, faiss, got {name!r}.")


class NumpySearch:
    """Matrix products; the rows of each part lie together in memory."""

    def __init__(self, vectors: Vectors, parts: Sequence[str]) -> None:
        """Makes the search; see `make_search`."""
        names, numbers = np.unique(np.array(parts, dtype=str), return_inverse=True)
        self._rows: IntArray = np.argsort(numbers, kind="stable")
        self._vectors = np.ascontiguousarray(vectors[self._rows])
        ends = np.cumsum(np.bincount(numbers, minlength=len(names)))
        starts = np.concatenate([[0], ends[:-1]]) if len(names) else ends
        self._slices = {
            str(name): slice(int(start), int(end))
            for name, start, end in zip(names, starts, ends, strict=True)
        }

    def size(self, part: str | None) -> int:
        """Returns how many rows there are in a part."""
        return len(self._rows[self._slice(part)])

    def nearest(
        self,
        query: NDArray[np.float32],
        num: int,
        *,
        part: str | None = None,
        left_out: BoolArray | None = None,
    ) -> Nearest:
        """Returns the nearest rows; see `Search`."""
        where = self._slice(part)
        rows = self._rows[where]
        similarities = self._vectors[where] @ query
        if left_out is not None:
            is_in = ~left_out[rows]
            rows, similarities = rows[is_in], similarities[is_in]
        return _largest(rows, similarities, num)

    def _slice(self, part: str | None) -> slice:
        return slice(None) if part is None else self._slices.get(part, slice(0, 0))


class FaissSearch:
    """The package faiss, exact as well (`IndexFlatIP`), an index for each part."""

    def __init__(self, vectors: Vectors, parts: Sequence[str]) -> None:
        """Makes the search; see `make_search`."""
        if importlib.util.find_spec("faiss") is None:
            raise PrerequisiteError(
                "The search faiss needs the package faiss. Run: pip install faiss-cpu, "
                "or take the search numpy."
            )
        faiss: Any = importlib.import_module("faiss")
        labels = np.array(parts, dtype=str)
        rows_of: dict[str | None, IntArray] = {None: np.arange(len(vectors))}
        rows_of |= {str(name): np.flatnonzero(labels == name) for name in set(parts)}
        self._indexes: dict[str | None, tuple[Any, IntArray]] = {}
        for part, rows in rows_of.items():
            index = faiss.IndexFlatIP(vectors.shape[1])
            index.add(np.ascontiguousarray(vectors[rows]))
            self._indexes[part] = (index, rows)

    def size(self, part: str | None) -> int:
        """Returns how many rows there are in a part."""
        return len(self._indexes[part][1]) if part in self._indexes else 0

    def nearest(
        self,
        query: NDArray[np.float32],
        num: int,
        *,
        part: str | None = None,
        left_out: BoolArray | None = None,
    ) -> Nearest:
        """Returns the nearest rows; see `Search`."""
        if not self.size(part):
            return _NOTHING
        index, members = self._indexes[part]
        spare = 0 if left_out is None else int(left_out[members].sum())
        wanted = min(num + spare, len(members))
        if not wanted:
            return _NOTHING
        found, places = index.search(query[None, :], wanted)
        rows, similarities = members[places[0]], found[0]
        if left_out is not None:
            is_in = ~left_out[rows]
            rows, similarities = rows[is_in], similarities[is_in]
        return _largest(rows, similarities, num)


def _largest(rows: IntArray, similarities: NDArray[np.float32], num: int) -> Nearest:
    """Returns the `num` largest, the largest first, of equal ones the first rows."""
    if num <= 0:
        return _NOTHING
    if num < len(rows):
        # Only what can be among them is sorted.
        last = np.partition(similarities, len(rows) - num)[len(rows) - num]
        kept = similarities >= last
        rows, similarities = rows[kept], similarities[kept]
    order = np.lexsort((rows, -similarities))[:num]
    return Nearest(rows[order], similarities[order])


_NOTHING = Nearest(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.float32))
