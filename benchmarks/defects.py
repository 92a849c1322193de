"""The defects of the published benchmark, each shown on transitions of our own.

    float-rewards    an exact program, where rewards are compared by == in float32
    do-nothing       a program that does nothing, beside the published results
    true-simulator   the environment itself, by the published metric and by ours
    deepcopy         what copying a MuJoCo environment loses
    oracle           a planner that moves the environment it acts in
    no-held-out      a table of the training transitions
    reward-classes   weights by reward class
    planner-queries  where planners look, and where the data are

docs/benchmark-defects.md explains each of them, with the tables that this prints.

    python -m benchmarks.defects
    python -m benchmarks.defects do-nothing deepcopy
    python -m benchmarks.defects --table
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import tyro

from benchmarks.defects_metric import (
    EXACT_PROGRAMS,
    Row,
    do_nothing,
    float_rewards,
    no_held_out,
    reward_classes,
    true_simulator,
)
from benchmarks.defects_planning import deepcopy_of, oracle_of, planner_queries
from benchmarks.recording import append_record
from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.core.trajectories import Dataset, TransitionBatch
from cwm.evaluation.published import published_environment
from cwm.suites.cwmb import CONTINUOUS, DISCRETE, MUJOCO
from envs.collect import CollectConfig, collect
from envs.registry import ALIASES, find
from envs.spec import EnvSpec

Table: TypeAlias = dict[str, Row]
"""Rows by the name of their environment."""

FULL = CollectConfig(max_trajectory_length=200, planning_steps=400)
"""As long as the published episodes of most tasks; the policies plan little."""

QUICK = CollectConfig(
    num_trajectories=4,
    min_transitions=100,
    max_transitions=400,
    max_trajectory_length=60,
    planning_steps=100,
)


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        names: Which defects; all if none is named.
        envs: Only these of the environments of each table; all if none is named.
        seed: Of all data.
        quick: Little data, short episodes.
        output: File that a line is appended to for each table; none if it is empty.
        table: Print the tables that the file holds instead.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    envs: tuple[str, ...] = ()
    seed: int = 0
    quick: bool = False
    output: str = str(Path(__file__).parent / "results" / "defects.jsonl")
    table: bool = False


@cache
def data_of(env_id: str, seed: int, quick: bool) -> Dataset:
    """Returns recorded transitions, collected once in a process."""
    return collect(find(env_id), QUICK if quick else FULL, seed)


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """One table.

    Attributes:
        title: What it shows.
        envs: Its environments.
        row: Makes the row of one of them.
        digits: Behind the point.
        means: Names of rows that are means, with the environments of each.
    """

    title: str
    envs: tuple[str, ...]
    row: Callable[[EnvSpec, BenchmarkConfig], Row]
    digits: int = 3
    means: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _data(spec: EnvSpec, config: BenchmarkConfig) -> Dataset:
    return data_of(spec.id, config.seed, config.quick)


def _published(spec: EnvSpec, config: BenchmarkConfig) -> TransitionBatch | None:
    """Returns transitions of the published version; `None` if it does not run."""
    environment = published_environment(spec.id)
    assert environment is not None, "the table has published environments only"
    if ALIASES.get(environment.published_id, environment.published_id) == spec.id:
        return _data(spec, config).batch("train")
    try:
        older = find(environment.published_id)
    except (ConfigError, PrerequisiteError):
        return None
    return _data(older, config).batch("train")


def _random(spec: EnvSpec, config: BenchmarkConfig) -> Dataset:
    """Returns transitions of random policies alone."""
    amount = QUICK if config.quick else FULL
    return collect(spec, replace(amount, planning_steps=0), config.seed)


HALVES = {
    f"mean, {len(DISCRETE)} with discrete actions": DISCRETE,
    f"mean, {len(CONTINUOUS)} with continuous actions": CONTINUOUS,
}

DEMONSTRATIONS: Mapping[str, Demonstration] = {
    "float-rewards": Demonstration(
        title="An exact program by the published metric",
        envs=tuple(EXACT_PROGRAMS),
        row=lambda spec, config: float_rewards(
            spec.id, _data(spec, config).batch("train")
        ),
    ),
    "do-nothing": Demonstration(
        title="A program that does nothing, and the published accuracies",
        envs=(*DISCRETE, *CONTINUOUS),
        row=lambda spec, config: do_nothing(
            spec.id, _data(spec, config).batch("train"), _published(spec, config)
        ),
        means=HALVES,
    ),
    "true-simulator": Demonstration(
        title="The environment itself, restarted from each observation",
        envs=(*DISCRETE, *CONTINUOUS),
        row=lambda spec, config: true_simulator(
            spec, _data(spec, config).batch("train")
        ),
    ),
    "deepcopy": Demonstration(
        title="Copying an environment by copy.deepcopy",
        envs=("Pendulum-v1", *MUJOCO),
        row=lambda spec, config: deepcopy_of(
            spec, num_episodes=2 if config.quick else 10, seed=config.seed
        ),
    ),
    "oracle": Demonstration(
        title="Random actions, while a planner saves and restores the environment",
        envs=("Pendulum-v1", "InvertedPendulum-v5", "Hopper-v5", "HalfCheetah-v5"),
        row=lambda spec, config: oracle_of(
            spec,
            max_steps=30 if config.quick else 200,
            num_episodes=1 if config.quick else 5,
            seed=config.seed,
        ),
        digits=2,
    ),
    "no-held-out": Demonstration(
        title="A table of the training transitions",
        envs=("CliffWalking-v1", "Taxi-v4", "CartPole-v1", "Pendulum-v1"),
        row=lambda spec, config: no_held_out(_data(spec, config)),
    ),
    "reward-classes": Demonstration(
        title="Programs that are right on one class of rewards, or on all but one",
        envs=(*DISCRETE, "Pendulum-v1", "InvertedPendulum-v5"),
        row=lambda spec, config: reward_classes(_data(spec, config).batch("train")),
    ),
    "planner-queries": Demonstration(
        title="What a planner asks, and what was recorded",
        envs=(
            *("Taxi-v4", "CartPole-v1", "MountainCar-v0", "Acrobot-v1"),
            *("Pendulum-v1", "Hopper-v5", "HalfCheetah-v5"),
        ),
        row=lambda spec, config: planner_queries(
            spec,
            {"curated": _data(spec, config), "random": _random(spec, config)},
            num_queries=100 if config.quick else 1_000,
            seed=config.seed,
        ),
    ),
}


def make_table(name: str, config: BenchmarkConfig) -> tuple[Table, list[str]]:
    """Returns a table, and why rows are missing.

    Args:
        name: One of `DEMONSTRATIONS`.
        config: Settings.
    """
    demonstration = DEMONSTRATIONS[name]
    table: Table = {}
    missing: list[str] = []
    for env_id in demonstration.envs:
        if config.envs and env_id not in config.envs:
            continue
        try:
            spec = find(env_id)
        except PrerequisiteError as error:
            missing.append(f"{env_id}: {error}")
            continue
        row = demonstration.row(spec, config)
        if row:
            table[env_id] = row
        else:
            missing.append(f"{env_id}: cannot be restarted from its observations")
    return table, missing


def with_means(name: str, table: Table) -> Table:
    """Returns a table with the means of its rows, where none of these is missing.

    Missing numbers in a row are left out of the mean of their column.
    """
    means = {
        mean: _mean([table[env_id] for env_id in envs])
        for mean, envs in DEMONSTRATIONS[name].means.items()
        if set(envs) <= set(table)
    }
    return table | means


def _mean(rows: list[Row]) -> Row:
    found: Row = {}
    for column in dict.fromkeys(column for row in rows for column in row):
        values = [row.get(column, math.nan) for row in rows]
        there = [value for value in values if not math.isnan(value)]
        found[column] = sum(there) / len(there) if there else math.nan
    return found


def markdown(table: Table, digits: int) -> str:
    """Returns a table as Markdown."""
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    lines = [
        f"| environment | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    places = {
        column: _places([row.get(column, 0.0) for row in table.values()], digits)
        for column in columns
    }
    for name, row in table.items():
        cells = [_cell(row.get(column, math.nan), places[column]) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _places(values: list[float], digits: int) -> int:
    """Returns the digits behind the point of a column; counts have none."""
    are_whole = all(math.isnan(value) or value == round(value) for value in values)
    return 0 if are_whole and max(values) > 1 else digits


def _cell(value: float, digits: int) -> str:
    if math.isnan(value):
        return "-"
    # Rounded down, so that 1 means all of them.
    scale = 10.0**digits
    return f"{math.floor(value * scale + 1e-9) / scale:,.{digits}f}"


def main(config: BenchmarkConfig) -> None:
    """Makes and prints the tables, or prints those of the results file."""
    unknown = set(config.names) - set(DEMONSTRATIONS)
    if unknown:
        raise SystemExit(
            f"names must be of {', '.join(DEMONSTRATIONS)}, got "
            f"{', '.join(sorted(unknown))}."
        )
    names = config.names or tuple(DEMONSTRATIONS)
    if config.table:
        for name, shown in recorded_tables(Path(config.output)):
            if name in names:
                print(f"{_title(name)}\n\n{shown}\n")
        return
    for name in names:
        start = time.perf_counter()
        table, missing = make_table(name, config)
        shown = markdown(with_means(name, table), DEMONSTRATIONS[name].digits)
        print(f"{_title(name)}\n\n{shown}")
        for reason in missing:
            print(f"left out: {reason}")
        print(f"{time.perf_counter() - start:.0f} s\n", flush=True)
        figures = {
            f"{row} | {column}": [value]
            for row, cells in table.items()
            for column, value in cells.items()
            if not math.isnan(value)
        }
        append_record(f"defects {name}", config, figures)


def _title(name: str) -> str:
    return f"{name}: {DEMONSTRATIONS[name].title}"


def recorded_tables(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the name and the Markdown of the latest table of each name."""
    latest: dict[str, dict[str, Any]] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        latest[line["benchmark"].removeprefix("defects ")] = line["repeats"]
    for name, demonstration in DEMONSTRATIONS.items():
        table: Table = {}
        for key, (value,) in latest.get(name, {}).items():
            row, column = key.split(" | ")
            table.setdefault(row, {})[column] = value
        if table:
            yield name, markdown(with_means(name, table), demonstration.digits)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
