"""Programs of named environments, rendered from models that a search found."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cwm.core.proposals import Task
from cwm.core.trajectories import TransitionBatch
from cwm.proposers.symbolic.continuous.laws import Blueprint
from cwm.proposers.symbolic.continuous.render import render as render_laws
from cwm.proposers.symbolic.continuous.view import make_view
from cwm.proposers.symbolic.discrete.model import model_from_json
from cwm.proposers.symbolic.discrete.render import render as render_rules
from envs.collect import CollectConfig, collect
from envs.registry import find

FOLDER = Path(__file__).parents[4] / "fixtures" / "induced"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))

Results = tuple[np.ndarray, np.ndarray, np.ndarray]


def task_of(batch: TransitionBatch) -> Task:
    return Task(
        environment_id="",
        description="",
        observation_space=batch.observation_space,
        action_space=batch.action_space,
        train=batch,
    )


def induced(name: str) -> tuple[str, Task]:
    """Returns a program without `step_batch`, and its task with a few transitions."""
    record = json.loads((FOLDER / f"{name}.json").read_text())
    config = CollectConfig(
        num_trajectories=2,
        min_transitions=200,
        max_trajectory_length=200,
        planning_steps=0,
    )
    task = task_of(collect(find(record["environment"]), config, seed=7).batch("train"))
    return render_any(record["model"], task), task


def render_any(model: Any, task: Task) -> str:
    """Returns the program of a model of either kind."""
    if model["kind"] == "continuous":
        blueprint = Blueprint.from_json(model)
        view = make_view(task.train, use_angles=blueprint.use_angles)
        return render_laws(blueprint, view, task)
    return render_rules(
        model_from_json(model),
        observation_space=task.observation_space,
        action_space=task.action_space,
    )[0]


def load(source: str) -> Any:
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return namespace["Environment"]()


def one_by_one(environment: Any, states: np.ndarray, actions: np.ndarray) -> Results:
    """Returns what single steps lead to, row by row."""
    rows = []
    for state, action in zip(states, actions, strict=True):
        environment.set_state(int(state) if states.ndim == 1 else state)
        rows.append(environment.step(int(action) if actions.ndim == 1 else action))
    following, rewards, terminated = zip(*rows, strict=True)
    return (
        np.stack([np.asarray(value) for value in following]),
        np.asarray(rewards, dtype=np.float64),
        np.asarray(terminated, dtype=np.bool_),
    )
