"""How fast candidates are evaluated: the sandbox beside a plain loop and the usual way.

Three ways to run a correct CartPole program on the same transitions:

    sandbox   `ProgramEvaluator.evaluate`: policy, two children, typed results, scores
    in_process  the plain loop, in this process, without any protection or scoring
    usual     one fork per candidate, a deep copy per transition, `np.allclose` in the
              child, as published code does it

Each repeat runs them one after the other, so that a machine with other work slows
all of them down; the ratios are taken within a repeat.

    python -m benchmarks.evaluation_throughput
    python -m benchmarks.evaluation_throughput --repeats 1 --num-transitions 50
"""

import copy
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.recording import append_record, print_table, seconds
from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.evaluation import ProgramEvaluator, open_sandbox
from sandbox.pool import Sandbox

PROGRAM = """
import math
import numpy as np


class Environment:
    def __init__(self):
        self.gravity = 9.8
        self.total_mass = 1.1
        self.length = 0.5
        self.polemass_length = 0.05
        self.force_mag = 10.0
        self.tau = 0.02
        self.state = (0.0, 0.0, 0.0, 0.0)

    def set_state(self, observation):
        self.state = tuple(observation.tolist())

    def step(self, action):
        x, x_dot, theta, theta_dot = self.state
        force = self.force_mag if action == 1 else -self.force_mag
        cosine, sine = math.cos(theta), math.sin(theta)
        temp = (force + self.polemass_length * theta_dot**2 * sine) / self.total_mass
        theta_acc = (self.gravity * sine - cosine * temp) / (
            self.length * (4.0 / 3.0 - 0.1 * cosine**2 / self.total_mass)
        )
        x_acc = temp - self.polemass_length * theta_acc * cosine / self.total_mass
        x, x_dot = x + self.tau * x_dot, x_dot + self.tau * x_acc
        theta = theta + self.tau * theta_dot
        theta_dot = theta_dot + self.tau * theta_acc
        self.state = (x, x_dot, theta, theta_dot)
        terminated = abs(x) > 2.4 or abs(theta) > 12 * 2 * math.pi / 360
        return np.array(self.state, dtype=np.float32), 1.0, terminated
"""

OBSERVATIONS = BoxSpec((4,), "float32")
ACTIONS = DiscreteSpec(2)


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        num_transitions: Transitions of the large evaluation.
        num_tiny: Transitions of the small one, for candidates per second.
        num_candidates: Candidates of a small measurement, evaluated by as many
            threads as there are workers.
        num_workers: Workers of the sandbox; two for each processor keep it busy
            while others wait for their forks.
        repeats: How often everything is measured, after one warm-up.
        output: File that one line is appended to; none if it is empty.
    """

    num_transitions: int = 1_000
    num_tiny: int = 10
    num_candidates: int = 100
    num_workers: int = 4
    repeats: int = 7
    output: str = str(Path(__file__).parent / "results" / "evaluation_throughput.jsonl")


def make_batch(num_transitions: int) -> TransitionBatch:
    """Returns transitions of the program itself, from random short episodes."""
    rng = np.random.default_rng(0)
    environment = load_program()()
    trajectories = []
    remaining = num_transitions
    while remaining > 0:
        observation = rng.uniform(-0.05, 0.05, 4).astype(np.float32)
        steps: list[Transition] = []
        while len(steps) < min(remaining, 50):
            action = int(rng.integers(2))
            environment.set_state(observation)
            following, reward, terminated = environment.step(action)
            steps.append(
                Transition(observation, action, following, reward, terminated, False)
            )
            observation = following
            if terminated:
                break
        remaining -= len(steps)
        trajectories.append(
            make_trajectory(steps, observation_space=OBSERVATIONS, action_space=ACTIONS)
        )
    return batch_trajectories(trajectories, OBSERVATIONS, ACTIONS)


def load_program() -> Any:
    """Returns the class of the benchmark's own program; trusted code."""
    namespace: dict[str, Any] = {}
    exec(PROGRAM, namespace)  # noqa: S102 - the text above
    return namespace["Environment"]


def in_process(batch: TransitionBatch) -> None:
    """Steps the program in a plain loop."""
    environment = load_program()()
    actions = batch.actions[""].tolist()
    found = []
    for observation, action in zip(batch.observations[""], actions, strict=True):
        environment.set_state(observation)
        found.append(environment.step(action))
    assert len(found) == len(batch)


def usual_way(batch: TransitionBatch) -> None:
    """Forks, steps a deep copy for each transition and compares in the child."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_usual_child, args=(batch, queue))
    process.start()
    accuracy = queue.get()
    process.join()
    assert accuracy == 1.0


def _usual_child(batch: TransitionBatch, queue: Any) -> None:
    environment = load_program()()
    right = 0
    for row in range(len(batch)):
        transition = batch.transition(row)
        model = copy.deepcopy(environment)
        model.set_state(copy.deepcopy(transition.observation))
        observation, reward, terminated = model.step(transition.action)
        right += (
            np.allclose(observation, transition.next_observation)
            and np.allclose(reward, transition.reward)
            and terminated == transition.terminated
        )
    queue.put(right / len(batch))


def evaluator(batch: TransitionBatch, sandbox: Sandbox) -> ProgramEvaluator:
    """Returns an evaluator on a batch."""
    task = Task(
        environment_id="benchmark",
        description="",
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        train=batch,
    )
    return ProgramEvaluator(task, sandbox=sandbox)


def measure(config: BenchmarkConfig) -> dict[str, list[float]]:
    """Returns every repeat of every figure."""
    batch, tiny = make_batch(config.num_transitions), make_batch(config.num_tiny)
    figures: dict[str, list[float]] = {
        "sandbox_transitions_per_s": [],
        "in_process_transitions_per_s": [],
        "usual_transitions_per_s": [],
        "sandbox_over_usual": [],
        "sandbox_over_in_process": [],
        "tiny_candidates_per_s": [],
    }
    with open_sandbox(num_workers=config.num_workers) as sandbox:
        large, small = evaluator(batch, sandbox), evaluator(tiny, sandbox)
        for repeat in range(config.repeats + 1):
            assert large.evaluate(PROGRAM).is_perfect
            best = min(seconds(lambda: large.evaluate(PROGRAM)) for _ in range(3))
            plain = min(seconds(lambda: in_process(batch)) for _ in range(3))
            usual = min(seconds(lambda: usual_way(batch)) for _ in range(3))

            def many(repeat: int = repeat) -> None:
                # A comment makes every candidate new: nothing is cached.
                sources = [
                    f"{PROGRAM}\n# candidate {repeat}.{number}\n"
                    for number in range(config.num_candidates)
                ]
                with ThreadPoolExecutor(config.num_workers) as threads:
                    list(threads.map(small.evaluate, sources))

            candidates = config.num_candidates / seconds(many)
            if repeat == 0:
                continue
            figures["sandbox_transitions_per_s"].append(len(batch) / best)
            figures["in_process_transitions_per_s"].append(len(batch) / plain)
            figures["usual_transitions_per_s"].append(len(batch) / usual)
            figures["sandbox_over_usual"].append(usual / best)
            figures["sandbox_over_in_process"].append(plain / best)
            figures["tiny_candidates_per_s"].append(candidates)
    return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    figures = measure(config)
    print_table(figures)
    append_record("evaluation_throughput", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
