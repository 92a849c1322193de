"""How fast programs step in the sandbox: as they are, and in their fast forms.

The programs are in benchmarks/data/model_written: a language model wrote them
during recorded searches, from the environments' documentation. Each is accelerated as
`python -m cwm.accelerate` does it, without recorded transitions: every form is compared
on drawn states and actions, and timed at 1, 100 and 1,000 rows at a time.

    speeds   steps a second of each program and form; with `--sessions 2` also of two
             sessions at a time, one for each processor
    cem      seconds of one plan of the paper's CEM (1,000 plans of 100 steps, 20
             rounds) for Pendulum, planner and program together as they are in the
             sandbox; beside the paper's CEM written down plainly over the program as it
             is, with `--plain-plans` plans in a round, times 1,000 over that

Seconds are of the processor, as one thread computes: what else runs matters less.

    python -m benchmarks.fast_models
    python -m benchmarks.fast_models --programs CartPole --number 1000 --no-cem
"""

import json
import os
import statistics
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.published_planners import plain_cem
from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec
from cwm.evaluation.inside_model import InsideModel, ProgramModel, inside_model
from cwm.execution.provenance import environment_report
from cwm.programs.acceleration.samples import samples
from cwm.programs.acceleration.trial_types import TrialAsk, TrialRows
from cwm.programs.acceleration.ways import (
    DRIVERS,
    SIZES,
    TRIAL_DRIVER,
    TRIAL_LIMITS,
    Acceleration,
    Trials,
    WayResult,
)
from cwm.programs.kernels import CAPABILITY
from cwm.programs.model_inside import Model
from cwm.programs.rollouts import model_spec
from planners.registry import PlannerConfig, new_planner
from sandbox.child import make_loader
from sandbox.pool import Sandbox

PROGRAMS = Path(__file__).parent / "data" / "model_written"
SPACES: dict[str, tuple[SpaceSpec, SpaceSpec]] = {
    "CartPole": (BoxSpec((4,), "float32"), DiscreteSpec(2)),
    "Pendulum": (BoxSpec((3,), "float32"), BoxSpec((1,), "float32")),
    "Acrobot": (BoxSpec((6,), "float32"), DiscreteSpec(3)),
    "MountainCar": (BoxSpec((2,), "float32"), DiscreteSpec(3)),
    "Swimmer": (BoxSpec((8,), "float64"), BoxSpec((2,), "float32")),
    "HalfCheetah": (BoxSpec((17,), "float64"), BoxSpec((6,), "float32")),
}
PENDULUM = "Pendulum"
PUSHES = BoxSpec((1,), "float32", low=(-2.0,), high=(2.0,))
START = np.array([-1.0, 0.0, 0.0], dtype=np.float32)
CEM = PlannerConfig(name="cem", preset="paper")
ROUNDS, PLANS, STEPS = 20, 1_000, 100


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        programs: Which; all by default.
        number: States and actions to compare on.
        seconds: How long to measure each speed.
        sessions: Also the speed of so many sessions at a time; 0 for none.
        cem: Whether to time the paper's CEM.
        plain_plans: Plans in a round of the plain transcription.
        repeats: Plans that are timed; the median counts.
        output: File to append to; empty for none.
    """

    programs: tuple[str, ...] = tuple(SPACES)
    number: int = 3_000
    seconds: float = 1.0
    sessions: int = 2
    cem: bool = True
    plain_plans: int = 4
    repeats: int = 5
    output: str = str(Path(__file__).parent / "results" / "fast_models.jsonl")


def source_of(name: str) -> str:
    """Returns a program of benchmarks/data/model_written."""
    return (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")


def accelerated(
    name: str, sandboxes: tuple[Sandbox, Sandbox], config: BenchmarkConfig
) -> Acceleration:
    """Returns what became of a program."""
    spaces = SPACES[name]
    return Trials(
        source_of(name),
        observation_space=spaces[0],
        action_space=spaces[1],
        samples=samples(*spaces, recorded=None, number=config.number, seed=0),
        sandbox=sandboxes[0],
        compiling=sandboxes[1],
        seconds=config.seconds,
    ).run()


def together(name: str, way: WayResult, number: int, seconds: float) -> float:
    """Returns steps a second of several sessions at the same time, added up."""
    spaces = SPACES[name]
    drawn = samples(*spaces, recorded=None, number=SIZES[-1], seed=1)
    spec = model_spec(way.source, *spaces, 0)
    ask = TrialAsk(spec, drawn.states, drawn.actions, True, [SIZES[-1]], seconds)
    found: list[float] = []

    def one(sandbox: Sandbox) -> None:
        outcome = sandbox.run(
            way.source, ask, driver=TRIAL_DRIVER, reply=TrialRows, limits=TRIAL_LIMITS
        )
        found.extend(row.speeds[0] for row in getattr(outcome, "messages", ()))

    with Sandbox(
        drivers=DRIVERS, num_workers=number, capabilities=[CAPABILITY]
    ) as sandbox:
        threads = [threading.Thread(target=one, args=(sandbox,)) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sum(found) if len(found) == number else float("nan")


def cem_seconds(source: str, repeats: int) -> list[float]:
    """Returns what plans of the paper's CEM take of the processor's time."""
    model, planner = _model(source), new_planner(CEM, PUSHES)
    found = []
    for repeat in range(repeats + 1):
        before = time.process_time()
        plan = planner.plan(model, START, np.random.default_rng(repeat))
        assert plan.num_model_steps == ROUNDS * PLANS * STEPS
        found.append(time.process_time() - before)
    return found[1:]


def plain_cem_seconds(plans: int) -> float:
    """Returns what the plain transcription takes over the program as it is.

    With fewer plans in a round, and the time as many times longer.
    """
    model = _model(source_of(PENDULUM))
    before = time.process_time()
    plain_cem(
        model,
        START,
        PUSHES,
        np.random.default_rng(0),
        population=plans,
        num_elites=max(2, plans // 10),
        horizon=STEPS,
        num_iterations=ROUNDS,
    )
    return (time.process_time() - before) * PLANS / plans


def _model(source: str) -> InsideModel:
    """Returns a program as the planning driver has it, in this process.

    The programs are those of this folder and forms that equal them.
    """
    import numba  # noqa: F401, PLC0415 - kernels are compiled where it is

    spec = model_spec(source, SPACES[PENDULUM][0], PUSHES, 0)
    return inside_model(ProgramModel(Model(make_loader(source), spec)))


def measure(config: BenchmarkConfig) -> dict[str, Any]:
    """Returns every figure."""
    figures: dict[str, Any] = {}
    with (
        Sandbox(drivers=DRIVERS) as usual,
        Sandbox(drivers=DRIVERS, capabilities=[CAPABILITY]) as compiling,
    ):
        for name in config.programs:
            found = accelerated(name, (usual, compiling), config)
            figures[name] = _figures(name, found, config)
            show(name, figures[name])
            if name == PENDULUM and config.cem:
                figures["cem"] = _cem(found, config)
                print(json.dumps(figures["cem"]))
    return figures


def _figures(name: str, found: Acceleration, config: BenchmarkConfig) -> dict[str, Any]:
    rows: dict[str, Any] = {"best": found.best.name, "num_samples": found.num_samples}
    for way in (found.original, *found.ways):
        rows[way.name] = {
            "steps_per_second": list(way.speeds),
            "opening_s": way.opening_s,
            "refused": way.reason,
            "largest_difference": way.agreement and way.agreement.largest,
            "num_inexact": way.agreement and way.agreement.num_inexact,
        }
        if config.sessions and way is found.best and way is not found.original:
            rows[way.name]["sessions"] = config.sessions
            rows[way.name]["together"] = together(
                name, way, config.sessions, config.seconds
            )
    return rows


def _cem(found: Acceleration, config: BenchmarkConfig) -> dict[str, Any]:
    seconds = {
        way.name: cem_seconds(way.source, config.repeats)
        for way in found.ways
        if not way.reason
    }
    return {
        "seconds": seconds,
        "median": {name: statistics.median(values) for name, values in seconds.items()},
        "plain": plain_cem_seconds(config.plain_plans),
    }


def show(name: str, rows: dict[str, Any]) -> None:
    """Prints the figures of a program."""
    base = rows["original"]["steps_per_second"][-1]
    for way, row in rows.items():
        if not isinstance(row, dict):
            continue
        speeds = "".join(f"{speed:14,.0f}" for speed in row["steps_per_second"])
        ratio = row["steps_per_second"][-1] / base if row["steps_per_second"] else 0.0
        more = f"  {row['together']:,.0f} together" if "together" in row else ""
        print(f"{name:12}{way:12}{speeds}{ratio:9.1f}x{more}  {row['refused']}")


def main(config: BenchmarkConfig) -> None:
    """Measures, prints and appends a line to the results."""
    figures = measure(config)
    if config.output:
        record = {
            "benchmark": "fast_models",
            "environment": environment_report(),
            # What else ran: above the number of processors, figures are too low.
            "load_average": os.getloadavg()[0],
            "config": asdict(config) | {"output": Path(config.output).name},
            "figures": figures,
        }
        path = Path(config.output)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
