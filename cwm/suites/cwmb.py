"""CWMB-R: the 18 environments of the Code World Models Benchmark, data made anew.

The environments of Dainese et al. (2024, https://arxiv.org/abs/2405.15383) in the
versions that Gymnasium has now, each with its class documentation as description.
"""

from collections.abc import Iterator

from cwm.suites.benchmark_task import BenchmarkTask
from envs.privileged import HIDDEN
from planners.registry import PlannerConfig

SUITE = "cwmb-r"

DISCRETE = (
    "Blackjack-v1",
    "CliffWalking-v1",
    "Taxi-v4",
    "CartPole-v1",
    "MountainCar-v0",
    "Acrobot-v1",
)

CONTINUOUS = (
    "Pendulum-v1",
    "Reacher-v5",
    "Pusher-v5",
    "InvertedPendulum-v5",
    "InvertedDoublePendulum-v5",
    "HalfCheetah-v5",
    "Hopper-v5",
    "Swimmer-v5",
    "Walker2d-v5",
    "Ant-v5",
    "Humanoid-v5",
    "HumanoidStandup-v5",
)

MUJOCO = CONTINUOUS[1:]

MUJOCO_EPISODES = 5
MUJOCO_STEPS = 200
"""Length of a MuJoCo episode that is played, unless all of it is asked for."""

STEPS = {**dict.fromkeys(MUJOCO, MUJOCO_STEPS), "CliffWalking-v1": 100}
"""Where episodes are cut off in play.

Gymnasium's cliff has no time limit. The published return of random actions, -1,169, is
about what 100 steps bring.
"""

EPISODES = {"Blackjack-v1": 1_000, "Taxi-v4": 100}
"""More than the usual 10, where chance or the start decides much of a return."""

BALANCED = ("InvertedPendulum-v5", "InvertedDoublePendulum-v5")

PLANNERS = {
    name: PlannerConfig(name="feedback")
    if name in BALANCED
    else PlannerConfig(name="icem", model_steps=1_000)
    for name in MUJOCO
}
"""Laws where something must be balanced; elsewhere half the usual steps: the oracle's
are those of a robot's simulator.
"""

NOTES = {
    "Blackjack-v1": "Outcomes vary: three times as many transitions, and no program "
    "predicts them all.",
    "CliffWalking-v1": "All episodes start in one cell.",
    "Reacher-v5": "Episodes end after 50 steps; none terminates.",
    "Pusher-v5": "Episodes end after 100 steps; none terminates.",
}


def cwmb_tasks() -> tuple[BenchmarkTask, ...]:
    """Returns the 18 tasks."""
    return tuple(_tasks())


def _tasks() -> Iterator[BenchmarkTask]:
    for env in (*DISCRETE, *CONTINUOUS):
        is_mujoco = env in MUJOCO
        yield BenchmarkTask(
            name=env,
            suite=SUITE,
            env=env,
            planner=PLANNERS.get(env),
            episodes=MUJOCO_EPISODES if is_mujoco else EPISODES.get(env, 10),
            max_steps=STEPS.get(env),
            notes=_notes(env),
        )


def _notes(env: str) -> str:
    notes = [NOTES[env]] if env in NOTES else []
    if env.partition("-")[0] in HIDDEN:
        notes.append(
            f"The observation hides part of the state; cwm/Privileged{env} shows it."
        )
    return " ".join(notes)
