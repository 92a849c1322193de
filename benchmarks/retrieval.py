"""What a look into the state base costs, by its size and the way of searching.

    part     numpy, the rows with the same verb before them only, as a base does it
    whole    numpy, all rows
    filter   numpy, all rows, then those with the same verb: the order of the released
             code
    faiss    the same as part, with faiss, where that is installed
    told     part, and counting verbs and actions: all of a query but its encoding

Rows are random unit vectors of 384 numbers, as a small sentence encoder gives them,
with eight verbs before them. Figures are microseconds of processor time for a query on
one thread, so that other work on the machine matters little; ratios are beside part, in
the same run.

    python -m benchmarks.retrieval
    python -m benchmarks.retrieval --sizes 600 --queries 20 --repeats 1 --output ""
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tyro
from threadpoolctl import threadpool_limits

from benchmarks.recording import append_record, print_table
from cwm.core.seeding import child_rng
from cwm.providers.knowledge.base.encoders import Vectors
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.base.searching import make_search
from cwm.providers.knowledge.base.states import (
    RetrievalConfig,
    StateBase,
    num_neighbours,
)

VERBS = ("go", "take", "put", "open", "close", "heat", "cool", "use")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        sizes: Entries of a base.
        num_dimensions: Length of a vector.
        queries: How many are timed together.
        seed: Of vectors and verbs.
        repeats: How often everything is measured, after one query to warm up.
        output: File that one line is appended to; none if it is empty.
    """

    sizes: tuple[int, ...] = (600, 3_750, 30_000)
    num_dimensions: int = 384
    queries: int = 200
    seed: int = 0
    repeats: int = 5
    output: str = str(Path(__file__).parent / "results" / "retrieval.jsonl")


class Workload:
    """A base of one size, and what is asked of it; its encoder, too."""

    name = content_hash = "known"

    def __init__(self, size: int, config: BenchmarkConfig) -> None:
        rng = child_rng(config.seed, "retrieval", size)
        self.rows = _unit(rng.normal(size=(size, config.num_dimensions)))
        self.parts = [VERBS[place] for place in rng.integers(len(VERBS), size=size)]
        self.queries = _unit(rng.normal(size=(config.queries, config.num_dimensions)))
        self.asked = [
            VERBS[place] for place in rng.integers(len(VERBS), size=config.queries)
        ]
        self.numpy = make_search("numpy", self.rows, self.parts)
        entries = [
            Entry(
                state=str(place),
                previous=part,
                next=f"{VERBS[place % len(VERBS)]} thing {place % 50}",
                task="t",
                episode="e",
            )
            for place, part in enumerate(self.parts)
        ]
        self.base = StateBase(entries, self.rows, self)
        self._labels = np.array(self.parts)

    def ways(self) -> dict[str, Callable[[], object]]:
        """Returns the calls that are timed, each of all queries."""
        ways: dict[str, Callable[[], object]] = {
            "part": lambda: self._search("numpy"),
            "whole": self._whole,
            "filter": self._filter,
            "told": self._told,
        }
        if find_spec("faiss") is not None:
            self.faiss = make_search("faiss", self.rows, self.parts)
            ways["faiss"] = lambda: self._search("faiss")
        return ways

    def _search(self, name: str) -> None:
        search = self.numpy if name == "numpy" else self.faiss
        for query, part in zip(self.queries, self.asked, strict=True):
            search.nearest(query, num_neighbours(search.size(part)), part=part)

    def _whole(self) -> None:
        num = num_neighbours(len(self.rows))
        for query in self.queries:
            self.numpy.nearest(query, num)

    def _filter(self) -> None:
        num = num_neighbours(len(self.rows))
        for query, part in zip(self.queries, self.asked, strict=True):
            found = self.numpy.nearest(query, num)
            _ = found.rows[self._labels[found.rows] == part]

    def _told(self) -> None:
        states = [str(place) for place in range(len(self.queries))]
        self.base.neighbours_of_all(states, self.asked, RetrievalConfig())

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Returns the vectors of the queries, whatever they say."""
        return self.queries[: len(texts)]


def _unit(rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = (rows / lengths).astype(np.float32)
    return unit


def measure(size: int, workload: Workload) -> dict[str, float]:
    """Returns every figure of a base once."""
    figures: dict[str, float] = {}
    for name, way in workload.ways().items():
        way()
        start = time.process_time()
        way()
        seconds = time.process_time() - start
        figures[f"{size}_{name}_us"] = seconds / len(workload.queries) * 1e6
    for name in ("whole", "filter", "faiss"):
        if f"{size}_{name}_us" in figures:
            ratio = figures[f"{size}_{name}_us"] / figures[f"{size}_part_us"]
            figures[f"{size}_{name}_over_part"] = ratio
    return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    figures: dict[str, list[float]] = {}
    with threadpool_limits(1):
        for size in config.sizes:
            workload = Workload(size, config)
            for _ in range(config.repeats):
                for figure, value in measure(size, workload).items():
                    figures.setdefault(figure, []).append(value)
    print_table(figures)
    print(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    append_record("retrieval", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
