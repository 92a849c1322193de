"""What a step of a sandboxed model costs: held in a session, or in a fork of its own.

The same correct CartPole program, asked in six ways:

    in_process     the plain loop, in this process, without any protection
    request        one step as a request of a session, the answer decoded and no more
    step           `ModelSession.step`: the request made and the answer checked, too
    fork           one step in a process of its own (`rollout` of one step)
    rollouts       `ModelSession.rollouts`: many steps for each request
    batch          the same of a program with `step_batch`

All in microseconds per step. Each repeat runs them one after the other, so that a
machine with other work slows all of them down; the ratios are taken within a repeat.

    python -m benchmarks.sandbox_sessions
    python -m benchmarks.sandbox_sessions --repeats 1 --num-requests 20
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.evaluation_throughput import (
    ACTIONS,
    OBSERVATIONS,
    PROGRAM,
    load_program,
)
from cwm.execution.provenance import environment_report
from cwm.programs.model_session import SESSION_DRIVER, ModelSession
from cwm.programs.model_types import StepsAsk
from cwm.programs.rollouts import ROLLOUTS_DRIVER, model_spec, rollout
from cwm.programs.wire_types import PredictedRows
from sandbox.pool import Sandbox

BATCHED = (
    PROGRAM
    + """
    def step_batch(self, states, actions):
        x, x_dot, theta, theta_dot = states.astype(np.float64).T
        force = np.where(actions == 1, self.force_mag, -self.force_mag)
        cosine, sine = np.cos(theta), np.sin(theta)
        temp = (force + self.polemass_length * theta_dot**2 * sine) / self.total_mass
        theta_acc = (self.gravity * sine - cosine * temp) / (
            self.length * (4.0 / 3.0 - 0.1 * cosine**2 / self.total_mass)
        )
        x_acc = temp - self.polemass_length * theta_acc * cosine / self.total_mass
        following = np.stack(
            [
                x + self.tau * x_dot,
                x_dot + self.tau * x_acc,
                theta + self.tau * theta_dot,
                theta_dot + self.tau * theta_acc,
            ],
            axis=1,
        )
        terminated = (np.abs(following[:, 0]) > 2.4) | (
            np.abs(following[:, 2]) > 12 * 2 * math.pi / 360
        )
        return following.astype(np.float32), np.ones(len(states)), terminated
"""
)


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        num_requests: Requests of a measurement of single steps; a tenth of it, in
            processes of their own.
        num_rollouts: Rollouts of one request.
        horizon: Steps of a rollout, at most.
        repeats: How often everything is measured, after one warm-up.
        output: File that one line is appended to; none if it is empty.
    """

    num_requests: int = 500
    num_rollouts: int = 64
    horizon: int = 30
    repeats: int = 7
    output: str = str(Path(__file__).parent / "results" / "sandbox_sessions.jsonl")


def microseconds(action: Callable[[], object], number: int) -> float:
    """Returns how long a call takes, in microseconds for each of `number` parts."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) / number * 1e6


def in_process(observation: Any, num_steps: int) -> None:
    """Steps the program in a plain loop."""
    environment = load_program()()
    for _ in range(num_steps):
        environment.set_state(observation)
        environment.step(1)


def measure(config: BenchmarkConfig) -> dict[str, list[float]]:
    """Returns every repeat of every figure."""
    rng = np.random.default_rng(0)
    first = rng.uniform(-0.05, 0.05, (config.num_rollouts, 4)).astype(np.float32)
    actions = rng.integers(0, 2, (config.num_rollouts, config.horizon))
    ask = StepsAsk(observations={"": first[:1]}, actions={"": actions[0, :1]})
    spaces = {"observation_space": OBSERVATIONS, "action_space": ACTIONS}
    number, num_forks = config.num_requests, max(config.num_requests // 10, 1)
    figures: dict[str, list[float]] = {}
    drivers = [ROLLOUTS_DRIVER, SESSION_DRIVER]
    with (
        Sandbox(drivers=drivers, num_workers=4) as sandbox,
        ModelSession(sandbox, PROGRAM, **spaces) as single,
        ModelSession(sandbox, BATCHED, **spaces) as batched,
        sandbox.open_session(
            PROGRAM,
            model_spec(PROGRAM, OBSERVATIONS, ACTIONS, 0),
            driver=SESSION_DRIVER,
            reply=PredictedRows,
        ) as bare,
    ):
        _, rolled = single.rollouts(first, actions)
        _, together = batched.rollouts(first, actions)
        assert rolled is not None
        assert together is not None
        assert np.array_equal(rolled.lengths, together.lengths)
        num_steps = int(rolled.lengths.sum())

        def fork() -> None:
            for _ in range(num_forks):
                outcome, _ = rollout(
                    sandbox,
                    PROGRAM,
                    first_observations=first[:1],
                    actions=actions[:1, :1],
                    **spaces,
                )
                assert outcome.kind == "completed"

        ways: dict[str, tuple[Callable[[], object], int]] = {
            "in_process": (lambda: in_process(first[0], number), number),
            "request": (lambda: [bare.ask(ask) for _ in range(number)], number),
            "step": (lambda: [single.step(first[0], 1) for _ in range(number)], number),
            "fork": (fork, num_forks),
            "rollouts": (lambda: single.rollouts(first, actions), num_steps),
            "batch": (lambda: batched.rollouts(first, actions), num_steps),
        }
        for repeat in range(config.repeats + 1):
            found = {name: microseconds(*way) for name, way in ways.items()}
            if repeat == 0:
                continue
            for name, value in found.items():
                figures.setdefault(f"{name}_us", []).append(value)
            for name in ("request", "step", "rollouts", "batch"):
                ratio = found["fork"] / found[name]
                figures.setdefault(f"fork_over_{name}", []).append(ratio)
    return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    figures = measure(config)
    print(f"{'':24}{'min':>12}{'median':>12}{'max':>12}")
    for name, values in figures.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:24}{low:12,.2f}{middle:12,.2f}{high:12,.2f}")
    if config.output:
        record = {
            "benchmark": "sandbox_sessions",
            "environment": environment_report(),
            # What else ran: above the number of processors, figures are too high.
            "load_average": os.getloadavg()[0],
            "config": asdict(config) | {"output": Path(config.output).name},
            "repeats": figures,
        }
        path = Path(config.output)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
