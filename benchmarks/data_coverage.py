"""What recorded data cover: the numbers of the table in docs/data.md.

Collects the default data set of each environment with each seed, one after the
other, and appends one line per data set to `results/data_coverage.jsonl`: what it
covers, the commit, the versions and the machine. With `--table`, prints the table of
the latest line of each (environment, seed).

    python -m benchmarks.data_coverage
    python -m benchmarks.data_coverage --table
    python -m benchmarks.data_coverage --envs CartPole-v1 --first-seed 100 --output ""
"""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from cwm.core.codec import decode_columns
from cwm.core.trajectories import Dataset
from cwm.execution.provenance import environment_report
from envs.actions import is_table_like, to_vector
from envs.collect import collect
from envs.coverage import coverage
from envs.registry import find
from envs.spec import EnvSpec

ENVS = (
    *("CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1"),
    *("Acrobot-v1", "InvertedPendulum-v5", "CliffWalking-v1", "Taxi-v4"),
    *("Blackjack-v1", "FrozenLake-v1"),
)


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        envs: Environments to collect from.
        num_seeds: Data sets of each environment.
        first_seed: Seed of the first one; the others follow.
        output: File that lines are appended to; none if it is empty.
        table: Whether to print the table of what `output` holds instead.
    """

    envs: tuple[str, ...] = ENVS
    num_seeds: int = 10
    first_seed: int = 0
    output: str = str(Path(__file__).parent / "results" / "data_coverage.jsonl")
    table: bool = False


def measure(spec: EnvSpec, seed: int) -> dict[str, Any]:
    """Returns what one data set covers in its training split, and its cost."""
    start = time.process_time()
    dataset = collect(spec, seed=seed)
    cpu_s = time.process_time() - start
    covered = coverage(dataset, ("train",))
    ends: Counter[str] = Counter()
    for label, count in covered.ends.items():
        # Without the threshold, which differs from data set to data set.
        ends[re.sub(r"( [<>]) \S+$", r"\1", label)] += count
    return {
        "env": spec.id,
        "seed": seed,
        "cpu_s": round(cpu_s, 2),
        "num_trajectories": {
            split: len(dataset.in_split(split)) for split in dataset.num_transitions
        },
        "num_transitions": dict(dataset.num_transitions),
        "num_pairs": covered.num_pairs,
        "ends": dict(ends),
        "rewards": {str(reward): n for reward, n in covered.rewards.items()},
        **({} if is_table_like(spec.observation_space) else extremes(dataset)),
    }


def extremes(dataset: Dataset) -> dict[str, list[Any]]:
    """Returns the range of each element before an end, and how often it is met.

    An extreme is met by a transition that arrives at exactly this value from
    another one: more than once only where something holds the element there.
    """
    space = dataset.observation_space
    parts = []
    for trajectory in dataset.in_split("train"):
        values = decode_columns(space, trajectory.observations)
        parts.append(np.asarray([to_vector(space, value) for value in values]))
    alive = np.concatenate(
        [
            part[:-1] if trajectory.terminated[-1] else part
            for part, trajectory in zip(parts, dataset.in_split("train"), strict=True)
        ]
    )
    low, high = alive.min(axis=0), alive.max(axis=0)

    def times_met(value: Any) -> list[int]:
        met = [((p[1:] == value) & (p[:-1] != value)).sum(axis=0) for p in parts]
        return [int(n) for n in np.sum(met, axis=0)]

    return {
        "alive_low": [round(float(v), 5) for v in low],
        "alive_high": [round(float(v), 5) for v in high],
        "times_at_low": times_met(low),
        "times_at_high": times_met(high),
    }


def main(config: BenchmarkConfig) -> None:
    """Collects and appends, or prints the table."""
    if config.table:
        print(table(Path(config.output), config.envs))
        return
    machine = environment_report()
    for env in config.envs:
        for seed in range(config.first_seed, config.first_seed + config.num_seeds):
            measured = measure(find(env), seed)
            print(json.dumps(measured), flush=True)
            if config.output:
                line = {**measured, "machine": machine}
                with Path(config.output).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")


def table(path: Path, envs: tuple[str, ...]) -> str:
    """Returns a Markdown table of the latest line of each environment and seed."""
    latest: dict[tuple[str, int], dict[str, Any]] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        latest[line["env"], line["seed"]] = line
    rows = [
        "| environment | seeds | trajectories | transitions "
        "| how trajectories end | range before an end, times at a bound | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for env in envs:
        lines = [line for (name, _), line in sorted(latest.items()) if name == env]
        if lines:
            rows.append(_row(env, lines))
    return "\n".join(rows)


def _row(env: str, lines: list[dict[str, Any]]) -> str:
    cells = [
        env,
        str(len(lines)),
        _span([line["num_trajectories"]["train"] for line in lines]),
        _span([line["num_transitions"]["train"] for line in lines]),
        _ends(lines),
        _ranges(lines),
        _span([round(line["cpu_s"]) for line in lines]),
    ]
    return f"| {' | '.join(cells)} |"


def _span(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def _ends(lines: list[dict[str, Any]]) -> str:
    labels = sorted({label for line in lines for label in line["ends"]})
    parts = []
    for label in labels:
        counts = [line["ends"].get(label, 0) for line in lines]
        missing = counts.count(0)
        where = f" (in {len(counts) - missing} of {len(counts)} seeds)"
        parts.append(f"{label}: {_span(counts)}{where if missing else ''}")
    return "; ".join(parts)


def _ranges(lines: list[dict[str, Any]]) -> str:
    if "alive_low" not in lines[0]:
        return f"{_span([line['num_pairs'] for line in lines])} pairs"
    parts = []
    for i in range(len(lines[0]["alive_low"])):
        low = max(line["alive_low"][i] for line in lines)
        high = min(line["alive_high"][i] for line in lines)
        text = f"[{i}] {low:.4g} to {high:.4g}"
        for name, side in (("times_at_low", "low"), ("times_at_high", "high")):
            counts = [line[name][i] for line in lines]
            # More than one arrival in most seeds: something holds it there.
            if np.median(counts) > 1:
                text += f", {side} {_span(counts)}x"
        parts.append(text)
    return "; ".join(parts)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
