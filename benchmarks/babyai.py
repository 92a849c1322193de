"""How fast BabyAI in words is, beside minigrid alone.

    minigrid_per_s     steps of minigrid's level with its own view, no words
    text_per_s         steps of one environment in words, `step` and `reset`
    vector_per_s       steps of all environments of a `TextVector`
    privileged_per_s   steps of the variant with all of it observed
    restarted_per_s    the same, put into another state before each step
    sentences_per_s    views told in sentences
    bot_per_s          steps of the bot, in minigrid's level
    reset_ms           a reset
    snapshot_ms        saving and restoring an episode in words

Random actions, processor time of one thread. Published for the original rebuilt on
minigrid 3.2 (one shared core): 3,500 to 3,800 steps/s, resets of 1.0 ms, 66,000 views
told per second, 570 to 1,570 bot steps/s, copies of 0.4 to 0.7 ms.

    python -m benchmarks.babyai
    python -m benchmarks.babyai --num-steps 200 --repeats 1 --output ""
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tyro

from benchmarks.recording import append_record, print_table
from envs.babyai.describing import describe
from envs.babyai.env import BabyAIText
from envs.babyai.expert import bot_actions
from envs.babyai.levels import LevelSource
from envs.babyai.names import minigrid_id
from envs.babyai.privileged import PrivilegedBabyAI
from envs.babyai.vector import TextVector
from envs.babyai.view import view
from envs.registry import find
from envs.snapshots import SnapshotEnv

NUM_ACTIONS = 6


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        level: A level's name; one with all of it observable.
        num_envs: Environments of the vector.
        num_steps: Steps of each measurement.
        repeats: Measurements of each figure, after a warm-up.
        seed: Of episodes and actions.
        output: File that gets a line of results; none if empty.
    """

    level: str = "GoToLocal"
    num_envs: int = 32
    num_steps: int = 6_000
    repeats: int = 5
    seed: int = 0
    output: str = "benchmarks/results/babyai.jsonl"


def process_seconds(action: Callable[[], object]) -> float:
    """Returns the processor time of a call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def walk(env: Any, num_steps: int, seed: int, before: Callable[[], None]) -> None:
    """Takes random actions in episode after episode."""
    actions = np.random.default_rng(seed).integers(NUM_ACTIONS, size=num_steps)
    env.reset(seed=seed)
    for action in actions.tolist():
        before()
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()


def walk_all(vector: TextVector, num_steps: int, seed: int) -> None:
    """Takes random actions in all environments, `num_steps` together."""
    rng = np.random.default_rng(seed)
    vector.reset(range(seed, seed + vector.num_envs))
    for _ in range(max(1, num_steps // vector.num_envs)):
        vector.step(rng.integers(NUM_ACTIONS, size=vector.num_envs))


def plain_level(name: str) -> Any:
    """Returns a level with minigrid's own view."""
    level = LevelSource(name).level
    del level.gen_obs
    return level


class Workload:
    """What is measured."""

    def __init__(self, config: BenchmarkConfig) -> None:
        self.config = config
        self.level = plain_level(config.level)
        self.text = BabyAIText(config.level)
        self.whole = PrivilegedBabyAI(config.level)
        self.vector = TextVector(f"cwm/{minigrid_id(config.level)}", config.num_envs)
        made = find(f"cwm/{minigrid_id(config.level)}").make()
        own: Any = made.unwrapped
        self.saved = SnapshotEnv(made, own.snapshot_adapter(made))

    def figures(self) -> dict[str, float]:
        """Returns every figure once."""
        steps, seed = self.config.num_steps, self.config.seed

        def nothing() -> None:
            pass

        def elsewhere() -> None:
            # Another direction, so that the level has to be put into the state.
            self.whole.state[2] = (self.whole.state[2] + 1) % 4

        walks: dict[str, Callable[[], object]] = {
            "minigrid": lambda: walk(self.level, steps, seed, nothing),
            "text": lambda: walk(self.text, steps, seed, nothing),
            "vector": lambda: walk_all(self.vector, steps, seed),
            "privileged": lambda: walk(self.whole, steps, seed, nothing),
            "restarted": lambda: walk(self.whole, steps, seed, elsewhere),
        }
        found = {f"{n}_per_s": steps / process_seconds(w) for n, w in walks.items()}
        found["vector_over_minigrid"] = found["vector_per_s"] / found["minigrid_per_s"]
        return found | self.parts()

    def parts(self) -> dict[str, float]:
        """Returns the figures of what a step is made of."""
        num_episodes = max(1, self.config.num_steps // 100)
        starts = range(num_episodes)
        views = []
        for seed in starts:
            self.text.reset(seed=seed)
            views.append(view(self.text.level))
        self.saved.reset(0)
        num_bot_steps = 0

        def play() -> None:
            nonlocal num_bot_steps
            for seed in starts:
                self.level.reset(seed=seed)
                num_bot_steps += len(bot_actions(self.level, 200))

        bot_s = process_seconds(play)
        reset_s = process_seconds(lambda: [self.text.reset(seed=s) for s in starts])
        told_s = process_seconds(lambda: [describe(v) for v in views * 10])

        def save_and_restore() -> None:
            for _ in starts:
                self.saved.restore(self.saved.save())

        saved_s = process_seconds(save_and_restore)
        return {
            "sentences_per_s": 10 * num_episodes / told_s,
            "bot_per_s": num_bot_steps / bot_s,
            "reset_ms": 1_000 * reset_s / num_episodes,
            "snapshot_ms": 1_000 * saved_s / num_episodes,
        }


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    workload = Workload(config)
    figures: dict[str, list[float]] = {}
    workload.figures()
    for _ in range(config.repeats):
        for name, value in workload.figures().items():
            figures.setdefault(name, []).append(value)
    print_table(figures)
    append_record("babyai", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
