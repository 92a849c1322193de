"""How the episodes of a task are played: the settings that decide its returns."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from cwm.evaluation.episodes import ActingConfig
from cwm.planning import EXECUTE_STEPS
from cwm.suites.benchmark_task import BenchmarkTask
from planners.registry import PlannerConfig, default_planner, planner_config_to_json


def acting_of(task: BenchmarkTask, planner: PlannerConfig) -> ActingConfig:
    """Returns how plans are carried out."""
    usual = EXECUTE_STEPS.get(planner.name)
    return ActingConfig(
        max_steps=task.max_steps, execute_steps=task.execute_steps or usual
    )


def how_played(task: BenchmarkTask, planner: PlannerConfig) -> dict[str, Any]:
    """Returns all that decides what episodes a return is of, by name."""
    return {
        "episodes": task.episodes,
        **dict(_flat(planner_config_to_json(planner))),
        **dict(_flat(asdict(planner.planning()))),
        **dict(_flat(asdict(acting_of(task, planner)))),
    }


def possible_ways(task: BenchmarkTask) -> tuple[dict[str, Any], ...]:
    """Returns how a task may be played; its data say which it is.

    Raises:
        PrerequisiteError: If a package that the environment needs is missing.
    """
    if task.planner is not None:
        return (how_played(task, task.planner),)
    space = task.spec().action_space
    return tuple(
        how_played(task, default_planner(space, is_stochastic=is_stochastic))
        for is_stochastic in (False, True)
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            # Lists, as they come out of a file.
            plain = list(value) if isinstance(value, tuple) else value
            yield f"{prefix}{name}", plain
