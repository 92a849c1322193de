"""What one candidate costs in the sandbox, beside a fresh Python for each.

    nothing       a program that does nothing, one run
    cartpole      a correct CartPole program on 1,000 transitions: policy, both
                  halves, typed results, scores
    fresh_python  the same program and transitions in a new Python with NumPy:
                  no limits, no isolation, nothing is compared
    start         a worker, from nothing to its first job
    kill          an endless loop: time past its wall limit until the verdict

Each repeat runs them one after the other, so that a machine with other work slows
all of them down; the ratio is taken within a repeat.

    python -m benchmarks.sandbox_latency
    python -m benchmarks.sandbox_latency --repeats 1 --num-calls 5
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tyro

from benchmarks.evaluation_throughput import PROGRAM, evaluator, make_batch
from benchmarks.recording import append_record, print_table, seconds
from cwm.core.trajectories import TransitionBatch
from cwm.programs.evaluation import ProgramEvaluator, open_sandbox
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from sandbox.programs import CALLS_DRIVER, Call, run_calls

NOTHING = "def nothing():\n    pass\n"
ENDLESS = "while True:\n    pass\n"
WALL_S = 0.2

FRESH = """
import sys
import numpy as np
job = np.load(sys.argv[1])
observations, actions = job["observations"], job["actions"].tolist()
namespace = {}
exec(str(job["source"]), namespace)
environment = namespace["Environment"]()
found = []
for observation, action in zip(observations, actions):
    environment.set_state(observation)
    found.append(environment.step(action))
assert len(found) == len(actions)
"""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        num_transitions: Transitions of an evaluation.
        num_calls: Calls of each kind in a repeat; its figure is their median.
        num_workers: Workers for the figure per minute.
        repeats: How often everything is measured, after one warm-up.
        output: File that one line is appended to; none if it is empty.
    """

    num_transitions: int = 1_000
    num_calls: int = 40
    num_workers: int = 4
    repeats: int = 7
    output: str = str(Path(__file__).parent / "results" / "sandbox_latency.jsonl")


def median_ms(action: Callable[[], object], num_calls: int) -> float:
    """Returns the median of several calls, in milliseconds."""
    return 1e3 * statistics.median(seconds(action) for _ in range(num_calls))


def do_nothing(sandbox: Sandbox) -> None:
    """Runs a program that does nothing."""
    outcome = run_calls(sandbox, NOTHING, "nothing", [Call()])
    assert outcome.kind == "completed"


def run_endless(sandbox: Sandbox) -> None:
    """Runs a program that never ends, until it is stopped."""
    limits = Limits(wall_s=WALL_S)
    outcome = run_calls(sandbox, ENDLESS, "nothing", [Call()], limits=limits)
    assert outcome.kind == "timed_out"


def write_job(batch: TransitionBatch, folder: Path) -> Path:
    """Writes what a fresh Python is given."""
    path = folder / "job.npz"
    columns = {"observations": batch.observations[""], "actions": batch.actions[""]}
    np.savez(path, source=np.array(PROGRAM), **columns)
    return path


def run_fresh(path: Path) -> None:
    """Steps through the transitions in a new interpreter."""
    subprocess.run([sys.executable, "-c", FRESH, str(path)], check=True)


def per_minute(job: ProgramEvaluator, num_workers: int, num_calls: int) -> float:
    """Returns the evaluations per minute of as many threads as workers."""
    sources = [f"{PROGRAM}\n# candidate {number}\n" for number in range(num_calls)]

    def all_of_them() -> None:
        with ThreadPoolExecutor(num_workers) as threads:
            list(threads.map(job.evaluate, sources))

    return 60.0 * num_calls / seconds(all_of_them)


def start_worker() -> None:
    """Starts one worker and ends it."""
    open_sandbox(num_workers=1).close()


def measure(config: BenchmarkConfig) -> dict[str, list[float]]:
    """Returns every repeat of every figure."""
    batch = make_batch(config.num_transitions)
    figures: dict[str, list[float]] = {}
    with (
        open_sandbox(
            num_workers=config.num_workers, extra_drivers=(CALLS_DRIVER,)
        ) as sandbox,
        TemporaryDirectory() as name,
    ):
        job, path = evaluator(batch, sandbox), write_job(batch, Path(name))
        assert job.evaluate(PROGRAM).is_perfect
        for repeat in range(config.repeats + 1):
            found = _one_repeat(sandbox, job, path, config)
            if repeat:
                for figure, value in found.items():
                    figures.setdefault(figure, []).append(value)
    return figures


def _one_repeat(
    sandbox: Sandbox, job: ProgramEvaluator, path: Path, config: BenchmarkConfig
) -> dict[str, float]:
    calls, few = config.num_calls, max(config.num_calls // 8, 1)
    cartpole = median_ms(lambda: job.evaluate(PROGRAM), calls)
    fresh = median_ms(lambda: run_fresh(path), few)
    found: dict[str, Any] = {
        "nothing_ms": median_ms(lambda: do_nothing(sandbox), calls),
        "cartpole_ms": cartpole,
        "fresh_python_ms": fresh,
        "fresh_python_over_cartpole": fresh / cartpole,
        "cartpole_per_minute": per_minute(job, config.num_workers, 2 * calls),
        "worker_start_ms": median_ms(start_worker, few),
        "past_wall_limit_ms": median_ms(lambda: run_endless(sandbox), few)
        - 1e3 * WALL_S,
    }
    return found


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    figures = measure(config)
    print_table(figures)
    print(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    append_record("sandbox_latency", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
