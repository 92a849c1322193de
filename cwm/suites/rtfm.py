"""The RTFM suite: read to fight monsters, on a board of 6 x 6 with its walls."""

from cwm.suites.benchmark_task import BenchmarkTask

SUITE = "rtfm"

EPISODES = 100
"""Returns are 1 or -1, and the start decides how hard a game is."""


def rtfm_tasks() -> tuple[BenchmarkTask, ...]:
    """Returns the tasks: monsters that stand still, and monsters that move."""
    return (
        BenchmarkTask(
            name="RTFM",
            suite=SUITE,
            env="cwm/RTFM-v0",
            episodes=EPISODES,
            notes="One manual and goal in all episodes; monsters stand still.",
        ),
        BenchmarkTask(
            name="RTFM-moving",
            suite=SUITE,
            env="cwm/RTFMMoving-v0",
            episodes=EPISODES,
            notes="One manual and goal in all episodes; monsters move at random, so "
            "that no program predicts all transitions.",
        ),
    )
