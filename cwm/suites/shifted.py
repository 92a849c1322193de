"""CWMB-S: the tasks of CWMB-R with constants and rules that nobody has seen.

A seed draws them (`cwm.suites.shifted_ranges`). Their descriptions are our own: they
say what observations and actions mean and what is rewarded, and give no constant away.
A program remembered from the well-known environment is wrong here.
"""

from collections.abc import Iterator
from importlib import resources

from cwm.core.seeding import child_rng
from cwm.suites.benchmark_task import BenchmarkTask
from cwm.suites.constants import draw_constants, settings
from cwm.suites.cwmb import (
    CONTINUOUS,
    DISCRETE,
    EPISODES,
    MUJOCO,
    MUJOCO_EPISODES,
    PLANNERS,
    STEPS,
)
from cwm.suites.shifted_ranges import CONSTANTS, SOLVABLE

SUITE = "cwmb-s"

REPLACED = {
    "Blackjack-S": "cwm/BlackjackRules-v0",
    "CliffWalking-S": "cwm/CliffGrid-v0",
    "Taxi-S": "cwm/TaxiGrid-v0",
    "Teleport-S": "cwm/TeleportGrid-v0",
}
"""Tasks whose original has its constants in its code -> our parameterised version."""

ORIGINALS = {env.partition("-")[0]: env for env in (*DISCRETE, *CONTINUOUS)}
"""Name without version -> id in CWMB-R."""


def shifted_tasks(seed: int) -> tuple[BenchmarkTask, ...]:
    """Returns the tasks with constants drawn by `seed`."""
    return tuple(_tasks(seed))


def _tasks(seed: int) -> Iterator[BenchmarkTask]:
    for name, constants in CONSTANTS.items():
        original = ORIGINALS.get(name.removesuffix("-S"), "")
        drawn = draw_constants(
            constants,
            child_rng(seed, SUITE, name),
            is_solvable=SOLVABLE.get(name, lambda drawn: True),
        )
        is_mujoco = original in MUJOCO
        yield BenchmarkTask(
            name=name,
            suite=SUITE,
            env=REPLACED.get(name, original),
            env_kwargs=settings(constants, drawn, "argument"),
            changes=settings(constants, drawn, "change"),
            description=description(name),
            planner=PLANNERS.get(original),
            episodes=MUJOCO_EPISODES if is_mujoco else EPISODES.get(original, 10),
            max_steps=STEPS.get(original),
            notes=f"Constants drawn by seed {seed}; {original or 'our own task'}.",
        )


def description(name: str) -> str:
    """Returns what a proposer is told about a task; it names no constant."""
    file = resources.files("cwm.suites") / "descriptions" / f"{name}.md"
    return file.read_text(encoding="utf-8").strip()
