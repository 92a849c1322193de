"""How many frames a second an agent acts on and learns from.

    tree        all actions in one pass after each prompt, equal prompts once (ours)
    flat        every action after its own copy of the prompt
    heads       an output for each action, no words scored
    symbolic    the convolutional baseline

One rollout and one update of the default settings (32 environments of 40 steps, 4
epochs) by networks from scratch, after one to warm up. Figures are frames for a second
of processor time on one thread, so that other work on the machine matters little, and
how often a way's rate is that of `flat` in the same round.

    python -m benchmarks.ppo
    python -m benchmarks.ppo --levels GoToRedBallNoDists --num-envs 2 --repeats 1
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from benchmarks.recording import append_record, print_table
from cwm.agents.runs import PolicyRunConfig, TaskConfig
from cwm.agents.training import PolicyTraining
from cwm.llm.local.config import DeviceConfig
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.scoring.config import ScoringConfig

WAYS: dict[str, tuple[str, NetworkConfig]] = {
    "tree": ("scratch", NetworkConfig()),
    "flat": ("scratch", NetworkConfig(scoring=ScoringConfig(engine="flat"))),
    "heads": ("scratch", NetworkConfig(head="actions")),
    "symbolic": ("symbolic", NetworkConfig()),
}
FLAT = "flat"

PUBLISHED = {"GoToRedBallNoDists": 256, "GoToRedBall": 85}
"""Frames for a second of one core, of a learner of this size on another machine."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        levels: Levels of BabyAI.
        num_envs: Environments of 40 steps each.
        repeats: Rounds after one to warm up; each measures every way once.
        seed: Of weights and episodes.
        output: File that one line is appended to; none if it is empty.
    """

    levels: tuple[str, ...] = ("GoToRedBallNoDists", "GoToRedBall", "GoToLocal")
    num_envs: int = 32
    repeats: int = 3
    seed: int = 0
    output: str = str(Path(__file__).parent / "results" / "ppo.jsonl")


def prepared(level: str, way: str, config: BenchmarkConfig) -> Callable[[], float]:
    """Returns what makes one update, and returns its frames a second."""
    policy, network = WAYS[way]
    batch = min(PPOConfig().minibatch_size, config.num_envs * 40)
    run = PolicyTraining(
        PolicyRunConfig(
            task=TaskConfig(env=f"BabyAI-{level}-v0"),
            policy=policy,
            network=network,
            ppo=replace(PPOConfig(), num_envs=config.num_envs, minibatch_size=batch),
            seed=config.seed,
            local=DeviceConfig(num_threads=1),
        )
    )
    run.training.start()

    def update() -> float:
        before, start = run.training.state.num_frames, time.process_time()
        run.training.update()
        seconds = time.process_time() - start
        return (run.training.state.num_frames - before) / seconds

    return update


def measure(level: str, config: BenchmarkConfig) -> dict[str, list[float]]:
    """Returns rates of all ways in a level, and their ratios to `flat`."""
    updates = {way: prepared(level, way, config) for way in WAYS}
    rounds = [
        {way: update() for way, update in updates.items()}
        for _ in range(config.repeats + 1)
    ][1:]
    figures = {f"{level}_{way}_frames_s": [one[way] for one in rounds] for way in WAYS}
    return figures | {
        f"{level}_{way}_over_flat": [one[way] / one[FLAT] for one in rounds]
        for way in WAYS
        if way != FLAT
    }


def main(config: BenchmarkConfig) -> None:
    """Measures, shows and records."""
    figures: dict[str, list[float]] = {}
    for level in config.levels:
        figures |= measure(level, config)
    print_table(figures)
    for level in config.levels:
        if level in PUBLISHED:
            print(f"{level}, published for another machine: {PUBLISHED[level]}")
    append_record("ppo", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig))
