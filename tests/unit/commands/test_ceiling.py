"""The row of the true simulator: what a perfect program would score."""

import pytest

from cwm.report.scores import TRUE_SIMULATOR
from cwm.scoring import baseline_rows
from cwm.sources import Source
from envs.collect import CollectConfig, collect
from envs.registry import find

FEW = CollectConfig(
    num_trajectories=3,
    min_transitions=150,
    max_transitions=400,
    max_trajectory_length=100,
    planning_steps=200,
)


@pytest.mark.parametrize(
    "env_id",
    [
        "CartPole-v1",
        "MountainCar-v0",
        "MountainCarContinuous-v0",
        "Acrobot-v1",
        "Pendulum-v1",
        "CliffWalking-v1",
        "Taxi-v4",
    ],
)
def test_a_restarted_simulator_is_right_everywhere(env_id: str) -> None:
    spec = find(env_id)
    source = Source(dataset=collect(spec, FEW, seed=3), spec=spec)
    rows = {row.name: row.scores for row in baseline_rows(source)}
    for split in ("train", "validation", "held_out"):
        score = rows[TRUE_SIMULATOR].get(split)
        if split == "validation" and score is None:
            continue  # A row has it where a program is chosen by it.
        assert score is not None
        assert score.strict == score.score == 1.0
    done_nothing = rows["do nothing"]["held_out"]
    assert done_nothing is not None
    assert done_nothing.strict < 0.5
