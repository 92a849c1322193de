"""The suite `words`: worlds whose states and changes are told in sentences.

Rules in words can be induced here, and programs written. The Door is left out: all of
its 27 transitions would be in the training data.
"""

from cwm.suites.benchmark_task import BenchmarkTask
from planners.registry import PlannerConfig

SUITE = "words"

PLANNER = PlannerConfig(name="beam", model_steps=500)
"""Few steps of the model: each one of rules in words is a question to a statistician
with some 36 answers to weigh.
"""

ENVIRONMENTS = {
    "Playground": "cwm/Playground-v0",
    "Playground-reworded": "cwm/PlaygroundReworded-v0",
}
"""Task -> its environment."""


def words_tasks() -> tuple[BenchmarkTask, ...]:
    """Returns the tasks: the Playground, and the same with changes told otherwise."""
    return tuple(
        BenchmarkTask(
            name=name,
            suite=SUITE,
            env=env,
            # The goal is too far away for so few steps, whoever plans.
            env_kwargs={"reward": "growth"},
            planner=PLANNER,
            notes="1 for each object that grows; texts are compared exactly.",
        )
        for name, env in ENVIRONMENTS.items()
    )
