"""What the physics engine costs in the sandbox, beside a sandbox without it.

    start_ms, plain_start_ms        starting a worker, with and without the engine
    nothing_ms, plain_nothing_ms    a candidate that does nothing
    rss_mib, plain_rss_mib          the most memory that candidate has in use
    build_ms                        building a model, beyond a candidate of nothing
    step_us                         one `set_state` and one `step` of two substeps
    plain_step_us                   the same of CartPole's formulas in Python

Processor time of the candidate's process, except for starts; the model is the skeleton
of InvertedPendulum. Each repeat runs all of them one after the other.

    python -m benchmarks.physics_cost
    python -m benchmarks.physics_cost --repeats 1 --num-steps 50
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.evaluation_throughput import PROGRAM
from benchmarks.recording import append_record, print_table, seconds
from sandbox.outcome import Completed, Usage
from sandbox.pool import Sandbox
from sandbox.programs import CALLS_DRIVER, Call, Returned, run_calls

HERE = Path(__file__).parent

SKELETON = (HERE / "data" / "physics_inverted_pendulum.py").read_text(encoding="utf-8")

STEPS = """
def make_steps(number, action):
    environment = Environment()
    state = np.array([0.01, 0.02, 0.03, 0.04])
    for _ in range(number):
        environment.set_state(state)
        environment.step(action)
"""

NOTHING = "def make_steps(number, action):\n    pass\n"


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        num_steps: Steps of a measurement.
        repeats: How often everything is measured, after one warm-up.
        output: File that one line is appended to; none if it is empty.
    """

    num_steps: int = 2_000
    repeats: int = 15
    output: str = str(HERE / "results" / "physics_cost.jsonl")


def used(sandbox: Sandbox, source: str, number: int, action: int) -> Usage:
    """Returns what a candidate used that makes a number of steps."""
    call = Call(arguments=[number, action])
    outcome = run_calls(sandbox, source, "make_steps", [call])
    assert isinstance(outcome, Completed), outcome
    assert isinstance(outcome.messages[0], Returned), outcome
    return outcome.usage


def start_ms(*capabilities: str) -> float:
    """Returns how long a worker takes to be ready."""
    return 1e3 * seconds(
        lambda: Sandbox(drivers=[CALLS_DRIVER], capabilities=capabilities).close()
    )


def repeat(plain: Sandbox, engine: Sandbox, num_steps: int) -> dict[str, float]:
    """Returns every figure once."""
    nothing = {box: used(box, NOTHING, 0, 0) for box in (plain, engine)}
    built = used(engine, SKELETON + STEPS, 0, 1)
    stepped = used(engine, SKELETON + STEPS, num_steps, 1)
    plain_built = used(plain, PROGRAM + STEPS, 0, 1)
    plain_stepped = used(plain, PROGRAM + STEPS, num_steps, 1)
    return {
        "start_ms": start_ms("physics"),
        "plain_start_ms": start_ms(),
        "nothing_ms": 1e3 * nothing[engine].cpu_s,
        "plain_nothing_ms": 1e3 * nothing[plain].cpu_s,
        "rss_mib": nothing[engine].max_rss_mib,
        "plain_rss_mib": nothing[plain].max_rss_mib,
        "build_ms": 1e3 * (built.cpu_s - nothing[engine].cpu_s),
        "step_us": 1e6 * (stepped.cpu_s - built.cpu_s) / num_steps,
        "plain_step_us": 1e6 * (plain_stepped.cpu_s - plain_built.cpu_s) / num_steps,
    }


def measure(config: BenchmarkConfig) -> dict[str, list[float]]:
    """Returns every repeat of every figure."""
    figures: dict[str, list[float]] = {}
    with (
        Sandbox(drivers=[CALLS_DRIVER]) as plain,
        Sandbox(drivers=[CALLS_DRIVER], capabilities=["physics"]) as engine,
    ):
        for number in range(config.repeats + 1):
            found = repeat(plain, engine, config.num_steps)
            if number > 0:
                for name, value in found.items():
                    figures.setdefault(name, []).append(value)
    return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    figures = measure(config)
    print_table(figures)
    append_record("physics_cost", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
