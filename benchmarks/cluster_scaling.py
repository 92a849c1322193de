"""How crews of workers scale: processes of this machine, and actors of a Ray cluster.

Each figure is of crews that are open already, with every worker warm:

    evaluations_per_s   correct CartPole programs, each another text, on the
                        training transitions, validated and audited, in a sandbox on
                        each worker, as a search has them assessed
    overhead_ms         one piece that does nothing, from submitting to its result,
                        one at a time
    pieces_per_s        the same, as many as the crew takes
    waiting_per_s       pieces that wait for `latency_s`, with many workers: what is
                        lost beside `workers / latency_s` is the crew's
    start_s             until the first piece is done, the cluster's own start included

    python -m benchmarks.cluster_scaling
    python -m benchmarks.cluster_scaling --num-programs 4 --many 4 --output ""
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.evaluation_throughput import PROGRAM
from benchmarks.recording import append_record, print_table, seconds
from cwm.assessing import AssessingConfig, Piece, open_assessing
from cwm.config import SourceConfig
from cwm.core.trajectories import Dataset
from cwm.execution.crew import OnNote, Work, as_they_end, in_order
from cwm.execution.process_workers import process_crew
from cwm.execution.progress import SilentProgress
from cwm.execution.ray.cluster import Cluster, import_ray
from cwm.execution.ray.nodes import NodeRules
from cwm.execution.ray.workers import ray_crew
from cwm.execution.slots import SlotCrew
from cwm.programs.constants.config import FitConfig
from cwm.sources import obtain
from sandbox.limits import Limits


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        num_programs: Programs for each figure.
        num_pieces: Pieces that do nothing, for each figure.
        workers: Numbers of workers for the evaluations.
        many: Number of workers for the pieces that wait.
        latency_s: How long these wait.
        repeats: How often each figure is taken.
        output: File that one line is appended to; none if it is empty.
    """

    num_programs: int = 60
    num_pieces: int = 400
    workers: tuple[int, ...] = (1, 2)
    many: int = 16
    latency_s: float = 1.0
    repeats: int = 3
    output: str = str(Path(__file__).parent / "results" / "cluster_scaling.jsonl")


@contextmanager
def open_waiting(settings: None) -> Iterator[Callable[[float, OnNote], int]]:
    """Yields who waits for as long as a piece says, and returns its process."""

    def do(piece: float, tell: OnNote) -> int:
        time.sleep(piece)
        return os.getpid()

    yield do


WAITING: Work[None, float, int] = Work(open=open_waiting, settings=None)

MakeCrew = Callable[[Work[Any, Any, Any], int], SlotCrew[Any, Any]]


def evaluations(make: MakeCrew, dataset: Dataset, workers: int, number: int) -> float:
    """Returns how many programs a second are assessed."""
    config = AssessingConfig(
        dataset=dataset,
        isolation="kernel",
        capabilities=(),
        limits=Limits(),
        tests=None,
        seed=0,
        fit=FitConfig(mode="off"),
    )

    def pieces(first: int, last: int) -> list[Piece]:
        return [
            Piece(f"{PROGRAM}\nNUMBER = {one}\n", False, None)
            for one in range(first, last)
        ]

    work = Work(open=open_assessing, settings=config)
    with closing(make(work, workers)) as crew:
        warm = 4 * workers
        list(in_order(crew, pieces(0, warm)))
        took = seconds(lambda: list(in_order(crew, pieces(warm, warm + number))))
    return number / took


def overhead(make: MakeCrew, number: int) -> tuple[float, float]:
    """Returns milliseconds for a piece that does nothing, and how many a second."""
    with closing(make(WAITING, 1)) as crew:
        crew.submit(0.0).result()
        one = seconds(lambda: [crew.submit(0.0).result() for _ in range(number)])
        many = seconds(lambda: list(in_order(crew, [0.0] * number)))
    return 1e3 * one / number, number / many


def waiting(make: MakeCrew, workers: int, latency_s: float) -> float:
    """Returns how many pieces a second are done that wait."""
    number = 4 * workers
    with closing(make(WAITING, workers)) as crew:
        # Until each worker is there; a piece may find the others not begun.
        pids: set[int] = set()
        while len(pids) < workers:
            pieces = [0.05] * (2 * workers)
            pids |= {one.result() for _, one in as_they_end(crew, pieces)}
        took = seconds(lambda: list(in_order(crew, [latency_s] * number)))
    return number / took


def measure(config: BenchmarkConfig) -> dict[str, list[float]]:
    """Returns every figure of every kind of crew."""
    source = SourceConfig(env="CartPole-v1")
    dataset = obtain(source, seed=0, progress=SilentProgress()).dataset
    figures: dict[str, list[float]] = {}

    def keep(name: str, value: float) -> None:
        figures.setdefault(name, []).append(value)

    ray = import_ray()
    begun = time.perf_counter()
    ray.init(
        address="local",
        num_cpus=max(config.many, *config.workers),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    cluster = Cluster(ray, NodeRules())
    kinds: dict[str, MakeCrew] = {
        "local": process_crew,
        "ray": lambda work, number: ray_crew(cluster, work, max_workers=number),
    }
    try:
        for kind, make in kinds.items():
            start = begun if kind == "ray" else time.perf_counter()
            with closing(make(WAITING, 1)) as crew:
                crew.submit(0.0).result()
            keep(f"{kind} start_s", time.perf_counter() - start)
        for _ in range(config.repeats):
            for kind, make in kinds.items():
                for workers in config.workers:
                    found = evaluations(make, dataset, workers, config.num_programs)
                    keep(f"{kind} evaluations_per_s {workers}", found)
                one, many = overhead(make, config.num_pieces)
                keep(f"{kind} overhead_ms", one)
                keep(f"{kind} pieces_per_s 1", many)
                found = waiting(make, config.many, config.latency_s)
                keep(f"{kind} waiting_per_s {config.many}", found)
    finally:
        ray.shutdown()
    return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints the table and appends the record."""
    figures = measure(config)
    print_table(figures)
    append_record("cluster_scaling", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
