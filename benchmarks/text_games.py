"""How fast text games are, beside the packages that they come from.

For each game, with the same commands for all:

    steps_per_s         steps of ours, without asking for legal commands
    listed_per_s        the same, and asking for them after each step
    raw_steps_per_s     steps of the package, which lists them in each step
    resets_per_s        resets of ours
    raw_resets_per_s    resets of the package (of the last two: load and reset)
    restore_ms          a step in a state of 20 steps, coming from another game
    expert_ms           finding out how to win
    steps_over_raw      ratios of the above, by repeat
    listed_over_raw

Wall-clock time: the games run in processes of their own. Commands are random legal
ones. ScienceWorld's first 24 seeds are of 24 tasks. TextWorld's games are made before
anything is measured, and kept.

    python -m benchmarks.text_games
    python -m benchmarks.text_games --games twc --num-episodes 2 --repeats 1 --output ""
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import tyro

from benchmarks.recording import append_record, print_table, seconds
from cwm.core.seeding import child_rng
from envs.registry import find
from envs.snapshots import SnapshotEnv
from envs.text_games.express import SEEDS
from envs.text_games.science import gold_path
from envs.text_games.textworld.env import TextWorld
from envs.text_games.textworld.library import STORY, library

MILLISECONDS = 1_000


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        games: Short names of the games.
        num_episodes: Episodes of each measurement; of ScienceWorld as many, too.
        length: Steps of an episode, unless it ends; also those that are restored.
        repeats: Measurements of each figure, after a warm-up.
        seed: Of the commands.
        output: File that gets a line of results; none if empty.
    """

    games: tuple[str, ...] = (
        "twc",
        "cookingworld",
        "coin",
        "mapreader",
        "scienceworld",
        "textworld",
    )
    num_episodes: int = 24
    length: int = 20
    repeats: int = 5
    seed: int = 0
    output: str = "benchmarks/results/text_games.jsonl"


class Script(NamedTuple):
    """An episode to play.

    Attributes:
        seed: Of the reset.
        commands: What to do after it.
        is_over: Whether that ends the episode.
    """

    seed: int
    commands: tuple[str, ...]
    is_over: bool


class Raw(Protocol):
    """A package's own environment."""

    def begin(self, script: Script) -> object:
        """Resets it to the game of the script."""

    def step(self, command: str) -> object:
        """Takes a step."""

    def close(self) -> object:
        """Ends its virtual machine."""


class RawExpress:
    """TextWorldExpress's environment.

    Args:
        name: Of the game.
    """

    def __init__(self, name: str) -> None:
        from textworld_express import TextWorldExpressEnv  # noqa: PLC0415 - an extra

        self._env: Any = TextWorldExpressEnv(envStepLimit=1_000)
        self._env.load(name, "")
        self.step, self.close = self._env.step, self._env.close

    def begin(self, script: Script) -> object:
        """Resets it to the game of the script."""
        fold, seeds = SEEDS["train"]
        return self._env.reset(seed=seeds[script.seed % len(seeds)], gameFold=fold)


class RawScience:
    """ScienceWorld's environment.

    Args:
        games: Task and variation by seed.
    """

    def __init__(self, games: tuple[tuple[str, int], ...]) -> None:
        from scienceworld import ScienceWorldEnv  # noqa: PLC0415 - an extra

        self._env: Any = ScienceWorldEnv("", envStepLimit=1_000)
        self._games = games
        self.step, self.close = self._env.step, self._env.close

    def begin(self, script: Script) -> object:
        """Resets it to the game of the script."""
        self._env.load(*self._games[script.seed], "easy")
        return self._env.reset()


class RawTextWorld:
    """TextWorld's environment, which is asked for admissible commands and scores.

    Args:
        game: Ours, which makes the files.
        num_games: Of the split, from its beginning.
    """

    def __init__(self, game: TextWorld, num_games: int) -> None:
        self._textworld = library()
        self._wanted = self._textworld.EnvInfos(admissible_commands=True, score=True)
        self._env: Any = None
        self._stories: list[str] = []
        for seed in range(num_games):
            game.reset(seed=seed)
            self._stories.append(str(game.machine().folder / STORY))

    def begin(self, script: Script) -> object:
        """Resets it to the game of the script."""
        self._env = self._textworld.start(self._stories[script.seed], self._wanted)
        return self._env.reset()

    def step(self, command: str) -> object:
        """Takes a step."""
        return self._env.step(command)

    def close(self) -> object:
        """Ends its interpreter."""
        return self._env.close()


def walk(env: Any, seed: int, *, length: int, rng: np.random.Generator) -> Script:
    """Returns random legal commands in a game."""
    env.reset(seed=seed)
    commands: list[str] = []
    while len(commands) < length and not env.is_over:
        # A focus on the wrong thing ends ScienceWorld's episodes.
        legal = [one for one in env.legal_actions() if not one.startswith("focus ")]
        commands.append(legal[int(rng.integers(len(legal)))])
        env.step(commands[-1])
    return Script(seed, tuple(commands), env.is_over)


class Workload:
    """What is measured of one game.

    Args:
        name: Its short name.
        config: How much.
    """

    def __init__(self, name: str, config: BenchmarkConfig) -> None:
        self.made = find(name).make()
        self.env: Any = self.made.unwrapped
        rng = child_rng(config.seed, "commands", name)
        self.scripts = [
            walk(self.env, seed, length=config.length, rng=rng)
            for seed in range(config.num_episodes)
        ]
        self.num_steps = sum(len(script.commands) for script in self.scripts)
        self.raw: Raw
        if name == "scienceworld":
            self.raw = RawScience(self.env._games)
        elif name == "textworld":
            self.raw = RawTextWorld(self.env, config.num_episodes)
        else:
            self.raw = RawExpress(name)

    def figures(self) -> dict[str, float]:
        """Returns every figure once."""
        own, listed, raw = (self._played(kind) for kind in ("own", "listed", "raw"))
        number = len(self.scripts)
        experts = self.scripts[: max(1, number // 4)]
        own_resets = seconds(
            lambda: [self.env.reset(seed=s.seed) for s in self.scripts]
        )
        raw_resets = seconds(lambda: [self.raw.begin(s) for s in self.scripts])
        expert = seconds(lambda: [self._expert(script) for script in experts])
        return {
            "steps_per_s": self.num_steps / own,
            "listed_per_s": self.num_steps / listed,
            "raw_steps_per_s": self.num_steps / raw,
            "resets_per_s": number / own_resets,
            "raw_resets_per_s": number / raw_resets,
            "restore_ms": MILLISECONDS * self._restored(),
            "expert_ms": MILLISECONDS * expert / len(experts),
            "steps_over_raw": raw / own,
            "listed_over_raw": raw / listed,
        }

    def _played(self, kind: str) -> float:
        """Returns how long the steps of all scripts take, resets left out."""
        total = 0.0
        for script in self.scripts:
            if kind == "raw":
                self.raw.begin(script)
                total += seconds(lambda s=script: exhaust(map(self.raw.step, s[1])))
            else:
                self.env.reset(seed=script.seed)
                steps = self._steps(script, is_listed=kind == "listed")
                total += seconds(lambda steps=steps: exhaust(steps))
        return total

    def _steps(self, script: Script, *, is_listed: bool) -> Iterable[object]:
        for command in script.commands:
            yield self.env.step(command)
            if is_listed:
                yield self.env.legal_actions()

    def _restored(self) -> float:
        """Returns how long it takes to be back in a state, on the average."""
        env = SnapshotEnv(self.made, self.env.snapshot_adapter(self.made))
        saved = []
        for script in self.scripts:
            env.reset(script.seed)
            for command in script.commands[: -1 if script.is_over else None]:
                env.step(command)
            saved.append(env.save())
        # The commands are done again with the next one.
        took = [
            seconds(lambda s=snapshot: (env.restore(s), env.step("inventory")))
            for snapshot in saved
        ]
        return sum(took) / len(took)

    def _expert(self, script: Script) -> object:
        self.env.reset(seed=script.seed)
        gold_path.cache_clear()
        return self.env.expert_actions()


def exhaust(steps: Iterable[object]) -> None:
    """Goes through an iterable."""
    for _ in steps:
        pass


def main(config: BenchmarkConfig) -> None:
    """Measures, prints tables and appends a line to the results."""
    figures: dict[str, list[float]] = {}
    for name in config.games:
        workload = Workload(name, config)
        workload.figures()
        for _ in range(config.repeats):
            for figure, value in workload.figures().items():
                figures.setdefault(f"{name}: {figure}", []).append(value)
        workload.raw.close()
        own = {n: v for n, v in figures.items() if n.startswith(f"{name}:")}
        print_table(own)
    append_record("text_games", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
