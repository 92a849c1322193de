"""What is a fit of constants worth to programs that remember other ones?

Programs written by a language model for the well-known environments, which are exact
there, run on the same environments with the constants that CWMB-S draws. Each is scored
strictly on held-out transitions, as it is and with its constants fitted to the training
transitions.

    python -m benchmarks.fitted_constants --seeds 0 1 2
    python -m benchmarks.fitted_constants --programs FOLDER
    python -m benchmarks.fitted_constants --show

A folder may hold several programs for a task, named `CartPole...py` and so on. Each
fit is one line in `benchmarks/results/fitted_constants.jsonl`; `--show` prints the
tables of the latest commit in it.
"""

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

from cwm.core.dataset_file import load_dataset
from cwm.core.trajectories import Dataset
from cwm.execution.provenance import environment_report
from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.fit import Fit
from cwm.programs.constants.fitting import ConstantFitter
from cwm.programs.evaluation import ProgramEvaluator, open_sandbox
from cwm.scoring import make_task
from cwm.suites.benchmark_task import BenchmarkTask, quick
from cwm.suites.data_sets import task_data
from cwm.suites.shifted import shifted_tasks
from sandbox.pool import Sandbox

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "fitted_constants.jsonl"
PROGRAMS = HERE / "data" / "model_written"

TASKS = ("CartPole-S", "MountainCar-S", "Pendulum-S", "Acrobot-S")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        tasks: Tasks of CWMB-S; programs are those whose file begins like the task.
        seeds: Seeds that draw the constants, the data and the fit.
        programs: Folder of programs.
        data: Folder where data sets are kept.
        quick: Little data, to try things out.
        fit: Settings of the fit.
        output: File that one line per fit is appended to; none if empty.
        show: Only print the tables of the results file.
    """

    tasks: tuple[str, ...] = TASKS
    seeds: tuple[int, ...] = (0,)
    programs: Path = PROGRAMS
    data: Path = Path("runs") / "fitted-constants-data"
    quick: bool = False
    fit: FitConfig = field(default_factory=FitConfig)
    output: str = str(RESULTS)
    show: bool = False


def main(config: BenchmarkConfig) -> None:
    """Fits every program to every variant, or shows the results."""
    if config.show:
        show(Path(config.output))
        return
    machine = environment_report()
    config.data.mkdir(parents=True, exist_ok=True)
    with open_sandbox() as sandbox:
        for task, seed in _variants(config):
            dataset = load_dataset(task_data(task, seed, config.data))
            for path in sorted(config.programs.glob(f"{task.name.split('-')[0]}*.py")):
                result = measure(
                    path.read_text(encoding="utf-8"), dataset, sandbox, config.fit, seed
                )
                line = {
                    "task": task.name,
                    "seed": seed,
                    "program": path.stem,
                    "true": {**task.env_kwargs, **task.changes},
                    **result,
                    "machine": machine,
                }
                print(
                    f"{task.name:14} seed {seed} {path.stem:28} "
                    f"{line['before']:.4f} -> {line['after']:.4f}  "
                    f"{line['steps']:>7} steps {line['seconds']:.1f} s",
                    flush=True,
                )
                if config.output:
                    with Path(config.output).open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line, sort_keys=True) + "\n")


def _variants(config: BenchmarkConfig) -> Iterator[tuple[BenchmarkTask, int]]:
    for seed in config.seeds:
        for task in shifted_tasks(seed):
            if task.name in config.tasks:
                yield quick(task) if config.quick else task, seed


def measure(
    source: str, dataset: Dataset, sandbox: Sandbox, config: FitConfig, seed: int
) -> dict[str, Any]:
    """Returns the figures of one fit."""
    evaluator = ProgramEvaluator(make_task(dataset), sandbox=sandbox, seed=seed)
    fitter = ConstantFitter(
        evaluator.task.train,
        sandbox=sandbox,
        config=config,
        seed=seed,
        tolerances=evaluator.tolerances,
    )
    start = time.perf_counter()
    found: Fit = fitter.fit(source)
    seconds = time.perf_counter() - start
    held_out = dataset.batch("held_out")
    before = evaluator.score_on(source, held_out).score
    after = evaluator.score_on(found.source, held_out).score
    return {
        "before": 0.0 if before is None else before.strict,
        "after": 0.0 if after is None else after.strict,
        "constants": [c for c in found.report.to_json()["constants"] if _is_told(c)],
        "is_complete": found.report.is_complete,
        "steps": found.report.num_steps,
        "seconds": round(seconds, 2),
    }


def _is_told(constant: dict[str, Any]) -> bool:
    is_changed = constant["before"] != constant["after"]
    return is_changed or (
        constant["kind"] != "literal" and constant["verdict"] != "no effect"
    )


def show(path: Path) -> None:
    """Prints the tables of the latest commit in a results file."""
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    commit = lines[-1]["machine"].get("commit")
    rows = [line for line in lines if line["machine"].get("commit") == commit]
    print(f"commit {str(commit)[:9]}\n")
    print("| task | fits | strict, held-out: before | after | steps | s |")
    print("|---|---|---|---|---|---|")
    for name in dict.fromkeys(row["task"] for row in rows):
        own = [row for row in rows if row["task"] == name]
        steps = statistics.median(row["steps"] for row in own)
        seconds = statistics.median(row["seconds"] for row in own)
        print(
            f"| {name} | {len(own)} | {_spread([r['before'] for r in own])} | "
            f"{_spread([r['after'] for r in own])} | {steps:,.0f} | {seconds:.1f} |"
        )
    for name in dict.fromkeys(row["task"] for row in rows):
        _show_constants(next(row for row in rows if row["task"] == name))


def _show_constants(row: dict[str, Any]) -> None:
    print(f"\n{row['task']}, seed {row['seed']}, {row['program']}\n")
    print("| constant | program | true | fitted | interval |")
    print("|---|---|---|---|---|")
    for constant in row["constants"]:
        name = constant["name"]
        true = _true(row["true"], name)
        shown = "" if true is None else f"{true:.6g}"
        print(
            f"| {name} | {constant['before']:.6g} | {shown} | "
            f"{constant['after']:.6g} | {_interval(constant)} |"
        )


def _true(constants: dict[str, Any], name: str) -> float | None:
    """Returns the value that was drawn, also of a member of a list."""
    base, _, index = name.partition("[")
    value = constants.get(base)
    if isinstance(value, list) and index:
        value = value[int(index.rstrip("]"))]
    return float(value) if isinstance(value, int | float) else None


def _interval(constant: dict[str, Any]) -> str:
    if constant["verdict"] == "undetermined":
        return "with others only"
    low, high = constant["low"], constant["high"]
    if low is None and high is None:
        return ""
    if high is None:
        return f"at least {low:.6g}"
    return f"at most {high:.6g}" if low is None else f"{low:.8g} to {high:.8g}"


def _spread(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.4f}" if low == high else f"{low:.4f} to {high:.4f}"


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
