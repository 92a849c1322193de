"""How fast the household games are.

    step_per_s         commands, without listing legal ones
    listed_per_s       commands, with the legal ones listed before each
    draw_ms            drawing a game, checked by the searching expert
    reset_ms           starting a game that has been drawn before
    expert_ms          the searching expert's plan; `known_ms`: that of who knows
    snapshot_ms        saving and restoring a game
    model_per_s        steps of the true model, as planners take them

Random legal commands, episodes of 50, processor time of one thread. ALFWorld's own
engine takes 120 to 150 ms for a command on a busy machine, and cannot be saved.

    python -m benchmarks.household
    python -m benchmarks.household --num-games 6 --repeats 1 --output ""
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tyro

from benchmarks.recording import append_record, print_table
from cwm.core.seeding import child_rng
from envs.registry import find
from envs.snapshots import open_with_snapshots
from envs.text_games.household.env import Household
from envs.text_games.household.games import draw_game
from envs.true_model import TrueModel

EPISODE_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        num_games: Games of the training split; all tasks in turn.
        repeats: Measurements of each figure, after a warm-up.
        seed: Of the commands.
        output: File that gets a line of results; none if empty.
    """

    num_games: int = 120
    repeats: int = 5
    seed: int = 0
    output: str = "benchmarks/results/household.jsonl"


def process_seconds(action: Callable[[], object]) -> float:
    """Returns the processor time of a call."""
    start = time.process_time()
    action()
    return time.process_time() - start


class Workload:
    """What is measured: the same random episodes each time."""

    def __init__(self, config: BenchmarkConfig) -> None:
        self.games = range(config.num_games)
        self.env = Household()
        self.episodes = [self.episode(game, config.seed) for game in self.games]
        self.num_steps = sum(map(len, self.episodes))
        spec = find("household")
        self.acting, self.model = open_with_snapshots(spec), TrueModel(spec)

    def episode(self, game: int, seed: int) -> list[str]:
        """Returns random legal commands from the beginning of a game."""
        rng = child_rng(seed, "commands", game)
        self.env.reset(seed=game)
        while len(self.env.commands) < EPISODE_STEPS and not self.env.is_over:
            legal = self.env.legal_actions()
            self.env.step(legal[int(rng.integers(len(legal)))])
        return list(self.env.commands)

    def figures(self) -> dict[str, float]:
        """Returns every figure once."""
        number = len(self.games)
        draw_game.cache_clear()
        draw_s = process_seconds(self.start_all)
        reset_s = process_seconds(self.start_all)
        step_s = process_seconds(self.play_all) - reset_s
        listed_s = process_seconds(self.play_all_listed) - reset_s
        expert_s = process_seconds(lambda: self.plan_all(is_searching=True)) - reset_s
        known_s = process_seconds(lambda: self.plan_all(is_searching=False)) - reset_s
        return {
            "step_per_s": self.num_steps / step_s,
            "listed_per_s": self.num_steps / listed_s,
            "draw_ms": 1_000 * draw_s / number,
            "reset_ms": 1_000 * reset_s / number,
            "expert_ms": 1_000 * expert_s / number,
            "known_ms": 1_000 * known_s / number,
            "snapshot_ms": 1_000 * process_seconds(self.save_all) / number,
            "model_per_s": self.num_steps / process_seconds(self.follow_all),
        }

    def start_all(self) -> None:
        """Starts each game."""
        for game in self.games:
            self.env.reset(seed=game)

    def play_all(self) -> None:
        """Plays each episode again."""
        for game, commands in zip(self.games, self.episodes, strict=True):
            self.env.reset(seed=game)
            for command in commands:
                self.env.step(command)

    def play_all_listed(self) -> None:
        """Plays each episode again and asks what is legal each time."""
        for game, commands in zip(self.games, self.episodes, strict=True):
            self.env.reset(seed=game)
            for command in commands:
                self.env.legal_actions()
                self.env.step(command)

    def plan_all(self, *, is_searching: bool) -> None:
        """Asks an expert in each game."""
        for game in self.games:
            self.env.reset(seed=game)
            self.env.expert_actions(is_searching=is_searching)

    def save_all(self) -> None:
        """Saves and restores once for each game."""
        self.acting.reset(0)
        for _ in self.games:
            self.acting.restore(self.acting.save())

    def follow_all(self) -> None:
        """Plays each episode in the true model, from state to state."""
        rng = np.random.default_rng(0)
        for game, commands in zip(self.games, self.episodes, strict=True):
            state: Any = self.model.state_of(self.acting, self.acting.reset(game))
            for command in commands:
                state = self.model.step(state, command, rng).next_state


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    workload = Workload(config)
    figures: dict[str, list[float]] = {}
    workload.figures()
    for _ in range(config.repeats):
        for name, value in workload.figures().items():
            figures.setdefault(name, []).append(value)
    print_table(figures)
    append_record("household", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
