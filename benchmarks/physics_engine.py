"""Are MuJoCo tasks predicted exactly by programs that use the physics engine?

Each program is a skeleton that was written by hand (`benchmarks/data/physics_*.py`):
parts and joints of the task, with numbers that are guesses. They are fitted to the
training transitions of CWMB-R (Gymnasium's tasks) and CWMB-S (with constants that a
seed draws), and what comes out is scored on held-out transitions and audited there.

    python -m benchmarks.physics_engine
    python -m benchmarks.physics_engine --only InvertedPendulum-v5
    python -m benchmarks.physics_engine --show
"""

import json
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from cwm.core.dataset_file import load_dataset
from cwm.core.trajectories import Dataset
from cwm.execution.provenance import environment_report
from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.fit import Fit
from cwm.programs.constants.fitting import DRIVER, fit
from cwm.programs.evaluation import ProgramEvaluator, SplitResult, open_sandbox
from cwm.scoring import make_task
from cwm.suites.benchmark_task import BenchmarkTask
from cwm.suites.cwmb import cwmb_tasks
from cwm.suites.data_sets import task_data
from cwm.suites.shifted import shifted_tasks

HERE = Path(__file__).parent

SKELETONS = {
    "InvertedPendulum": "physics_inverted_pendulum.py",
    "Reacher": "physics_reacher.py",
}

TRUE_NUMBERS: dict[str, dict[str, tuple[float, str]]] = {
    "InvertedPendulum": {
        "gravity": (9.81, "model.opt.gravity"),
        "time_step": (0.02, "model.opt.timestep"),
        "rail_end": (1.0, ""),
    },
    "Reacher": {
        "time_step": (0.01, "model.opt.timestep"),
        "motor": (200.0, "model.actuator_gear"),
        "damping": (1.0, "model.dof_damping"),
        "distance_weight": (1.0, "reward_dist_weight"),
        "control_weight": (1.0, "reward_control_weight"),
    },
}
"""Constants of a skeleton that Gymnasium's model has, too: the value there, and the
name of what CWMB-S multiplies it by. The others are ratios of several.
"""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        only: Part of the name of a task; all if empty.
        seeds: Seeds of CWMB-S: of the drawn constants and of the data.
        fit: How constants are fitted.
        data: Folder of the transitions; they are collected where they are missing.
        num_workers: Processes of the sandbox.
        show: Prints the latest results of each task and measures nothing.
        output: File that one line for each task is appended to; none if it is empty.
    """

    only: str = ""
    seeds: tuple[int, ...] = (0, 1, 2)
    fit: FitConfig = FitConfig(max_steps=800_000, max_seconds=900.0)  # noqa: RUF009
    data: str = "runs/physics-data"
    num_workers: int = 2
    show: bool = False
    output: str = str(HERE / "results" / "physics_engine.jsonl")


def chosen(config: BenchmarkConfig) -> Iterator[tuple[BenchmarkTask, int]]:
    """Yields the tasks that have a skeleton, with the seed of their data."""
    found = [(task, 0) for task in cwmb_tasks()]
    found += [(task, seed) for seed in config.seeds for task in shifted_tasks(seed)]
    for task, seed in found:
        if _kind(task.name) in SKELETONS and config.only in task.name:
            yield task, seed


def _kind(name: str) -> str:
    return name.partition("-")[0]


def measure(config: BenchmarkConfig, task: BenchmarkTask, seed: int) -> dict[str, Any]:
    """Returns the line of one task."""
    folder = Path(config.data)
    folder.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(task_data(task, seed, folder))
    source = (HERE / "data" / SKELETONS[_kind(task.name)]).read_text(encoding="utf-8")
    with open_sandbox(
        num_workers=config.num_workers,
        extra_drivers=[DRIVER],
        capabilities=["physics"],
    ) as sandbox:
        start = perf_counter()
        found = fit(
            source, dataset.batch("train"), sandbox=sandbox, config=config.fit, seed=0
        )
        seconds = perf_counter() - start
        evaluator = ProgramEvaluator(make_task(dataset, ["physics"]), sandbox=sandbox)
        held_out = dataset.batch("held_out")
        before = evaluator.score_on(source, held_out)
        after = evaluator.score_on(found.source, held_out, audited=True)
        planner = evaluator.score_on(found.source, dataset.batch("planner"))
    return {
        "task": task.name,
        "seed": seed,
        "changes": dict(task.changes) | dict(task.env_kwargs),
        "num_train": dataset.num_transitions["train"],
        "num_held_out": dataset.num_transitions["held_out"],
        "before": _strict(before),
        "held_out": _strict(after),
        "planner": _strict(planner),
        "audit": None if after.audit is None else after.audit.verdict,
        "shown": shown_share(task, dataset),
        "seconds": seconds,
        "steps": found.report.num_steps,
        "is_complete": found.report.is_complete,
        "constants": _constants(task, found),
    }


def _strict(result: SplitResult) -> float | None:
    return None if result.score is None else result.score.strict


def shown_share(task: BenchmarkTask, dataset: Dataset) -> float:
    """Returns the share of held-out transitions whose state the observation shows.

    Sine and cosine of Reacher's elbow do not show whether it is beyond half a turn;
    the recorded state of the simulator does.
    """
    if _kind(task.name) != "Reacher":
        return 1.0
    layout = dataset.collection["states"]
    names = list(layout)
    elbow = sum(layout[name] for name in names[: names.index("qpos")]) + 1
    turned = [
        np.abs(trajectory.states[:-1, elbow]) > math.pi
        for trajectory in dataset.in_split("held_out")
        if trajectory.states is not None
    ]
    return 1.0 - float(np.mean(np.concatenate(turned)))


def _constants(task: BenchmarkTask, found: Fit) -> list[dict[str, Any]]:
    """Returns the fitted constants, with the true value of those that have one."""
    true = TRUE_NUMBERS[_kind(task.name)]
    lines = []
    for constant in found.constants:
        line = asdict(constant)
        if constant.name in true:
            value, path = true[constant.name]
            factor: Any = (dict(task.changes) | dict(task.env_kwargs)).get(path, 1.0)
            line["true"] = value * (
                factor["times"] if isinstance(factor, dict) else factor
            )
        lines.append(line)
    return lines


def print_tables(records: list[dict[str, Any]]) -> None:
    """Prints what came of the tasks, and their constants beside the true ones."""
    console = Console(width=120)
    table = Table(title="strict accuracy", title_justify="left")
    for name in ("task", "seed", "guesses", "fitted", "shown", "planner-visited"):
        table.add_column(name, justify="left" if name == "task" else "right")
    for name in ("audit", "seconds", "steps"):
        table.add_column(name, justify="right")
    for record in records:
        shares = [record[n] for n in ("before", "held_out", "shown", "planner")]
        table.add_row(
            record["task"],
            str(record["seed"]),
            *("-" if share is None else f"{share:.4f}" for share in shares),
            record["audit"],
            f"{record['seconds']:.0f}",
            f"{record['steps']:,}",
        )
    console.print(table)
    constants = Table(title="constants with a true value", title_justify="left")
    for name in ("task", "seed", "constant", "guess", "fitted", "true"):
        constants.add_column(name)
    for record in records:
        for line in record["constants"]:
            if "true" in line:
                numbers = (f"{line[n]:.8g}" for n in ("before", "after", "true"))
                where = (record["task"], str(record["seed"]), line["name"])
                constants.add_row(*where, *numbers)
    console.print(constants)


def latest(path: Path) -> list[dict[str, Any]]:
    """Returns the last line of each task and seed of a results file."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)["result"]
        found[record["task"], record["seed"]] = record
    return list(found.values())


def main(config: BenchmarkConfig) -> None:
    """Measures, prints tables and appends lines to the results."""
    if config.show:
        print_tables(latest(Path(config.output)))
        return
    records = []
    for task, seed in chosen(config):
        records.append(measure(config, task, seed))
        if config.output:
            line = {
                "benchmark": "physics_engine",
                "environment": environment_report(),
                "load_average": os.getloadavg()[0],
                "config": asdict(config)
                | {"output": Path(config.output).name, "data": ""},
                "result": records[-1],
            }
            path = Path(config.output)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    print_tables(records)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
