"""What acting and learning cost the curious experimenter, and what it finds.

    ours, published   a rollout and an update with our settings (4 x 60 steps) and with
                      the published ones (15 x 240), 20 passes each
    one_hot           the update with the original's input: 416 numbers from 0 to 3 as
                      1,664 zeros and ones, made by stable-baselines3
    found             shares of steps that let something grow, in the last phases, with
                      the reward `count` and both meanings of the time limit, beside
                      random actions

Times are of one core's processor time, so that other work on the machine matters
little.

    python -m benchmarks.curious_rl
    python -m benchmarks.curious_rl --repeats 1 --seeds 1 --phases 2
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from gymnasium import spaces

from benchmarks.recording import append_record, print_table
from cwm.llm.local.packages import LazyPackage
from cwm.providers.hypotheses.config import PUBLISHED_CURIOSITY, CuriosityConfig
from cwm.providers.hypotheses.experimenters.curious import CuriousExperimenter
from cwm.providers.hypotheses.experimenters.rewards import RareTypes, make_reward
from cwm.providers.hypotheses.experimenters.scripted import RandomExperimenter
from cwm.providers.hypotheses.roles import Assignment
from cwm.providers.hypotheses.texts import TextTrajectory, count_types
from cwm.providers.hypotheses.worlds import find_world
from envs.playground.encoding import NUM_FEATURES
from envs.playground.rules import TRANSITION_TYPES

contrib = LazyPackage("sb3_contrib")
logger = LazyPackage("stable_baselines3.common.logger")

WORLD = find_world("playground")
OURS = CuriosityConfig(reward="count")
PUBLISHED = replace(PUBLISHED_CURIOSITY, reward="count")
GROWTH = TRANSITION_TYPES[4:]


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        repeats: How often each time is measured, after one rollout to warm up.
        seeds: Policies that are trained for `found`; 0 leaves it out.
        phases: Rollouts and updates of each.
        last: Of these, how many are looked at.
        output: File that one line is appended to; none if it is empty.
    """

    repeats: int = 5
    seeds: int = 5
    phases: int = 24
    last: int = 6
    output: str = str(Path(__file__).parent / "results" / "curious_rl.jsonl")


def processor_s(action: Callable[[], Any]) -> tuple[float, Any]:
    """Returns the processor time of a call, and what it returns."""
    start = time.process_time()
    found = action()
    return time.process_time() - start, found


def assignment(phase: int, seed: int, num_trajectories: int = 1) -> Assignment:
    """Returns what an experimenter is told."""
    return Assignment(
        phase=phase,
        progress=0.0,
        hypothesis=None,
        num_trajectories=num_trajectories,
        seed=1_000 * seed + phase,
    )


def rewards_for(trajectories: Sequence[TextTrajectory], num_envs: int) -> list[Any]:
    """Returns the reward `count`, for a first collection."""
    reward = RareTypes(num_envs=num_envs, exponent=1.0)
    return reward.rewards(trajectories, None, None, None)  # type: ignore[arg-type]


def timed_phase(config: CuriosityConfig, seed: int) -> tuple[float, float]:
    """Returns seconds of a rollout and of the update after it."""
    experimenter = CuriousExperimenter(WORLD, config, seed=seed)
    rollout_s, found = processor_s(lambda: experimenter.collect(assignment(0, seed)))
    rewards = rewards_for(found, config.num_envs)
    update_s, _ = processor_s(lambda: experimenter.learn(rewards))
    return rollout_s, update_s


def one_hot_pass(config: CuriosityConfig, seed: int) -> tuple[float, float]:
    """Returns seconds of one pass over a rollout: our input, one-hot input."""
    settings = replace(config, num_epochs=1)
    experimenter = CuriousExperimenter(WORLD, settings, seed=seed)
    found = experimenter.collect(assignment(0, seed))
    ours = experimenter._learner._ppo.rollout_buffer
    theirs = one_hot_learner(settings)
    for name in ("observations", "actions", "values", "log_probs", "action_masks"):
        setattr(theirs.rollout_buffer, name, np.array(getattr(ours, name)))
    rewards = rewards_for(found, config.num_envs)
    ours_s, _ = processor_s(lambda: experimenter.learn(rewards))
    buffer = theirs.rollout_buffer
    shape = config.num_steps, config.num_envs
    buffer.advantages = ours.advantages.reshape(shape[::-1]).T.copy()
    buffer.returns = ours.returns.reshape(shape[::-1]).T.copy()
    buffer.full = True
    with experimenter._learner.numbers(seed):
        theirs_s, _ = processor_s(theirs.train)
    return ours_s, theirs_s


def one_hot_learner(config: CuriosityConfig) -> Any:
    """Returns a learner of the library's with the original's input."""
    ppo = contrib.MaskablePPO(
        "MlpPolicy",
        None,
        learning_rate=config.learning_rate,
        n_steps=config.num_steps,
        batch_size=config.batch_size,
        n_epochs=config.num_epochs,
        ent_coef=config.entropy_weight,
        device="cpu",
        _init_setup_model=False,
    )
    ppo.observation_space = spaces.MultiDiscrete([4] * NUM_FEATURES)
    ppo.action_space = spaces.Discrete(30)
    ppo.n_envs = config.num_envs
    ppo._setup_model()
    ppo.set_logger(logger.Logger(folder=None, output_formats=[]))
    return ppo


def one_repeat(seed: int) -> dict[str, float]:
    """Returns every time once."""
    figures = {}
    for name, config in (("ours", OURS), ("published", PUBLISHED)):
        num_steps = config.num_envs * config.num_steps
        rollout_s, update_s = timed_phase(config, seed)
        figures[f"{name}_steps_per_s"] = num_steps / rollout_s
        figures[f"{name}_update_s"] = update_s
    ours_s, theirs_s = one_hot_pass(OURS, seed)
    return figures | {
        "pass_s": ours_s,
        "one_hot_pass_s": theirs_s,
        "one_hot_over_ours": theirs_s / ours_s,
    }


def share_grown(trajectories: Sequence[TextTrajectory]) -> float:
    """Returns the share of steps that let something grow, in per cent."""
    counts = count_types(trajectories, TRANSITION_TYPES)
    return 100 * sum(counts[name] for name in GROWTH) / sum(counts.values())


def found_by_policy(
    config: BenchmarkConfig, time_limit: Literal["cuts", "ends"], seed: int
) -> float:
    """Returns the share of growth in the last phases of a policy that learns."""
    settings = replace(OURS, time_limit=time_limit)
    experimenter = CuriousExperimenter(WORLD, settings, seed=seed)
    reward: Any = make_reward(settings)
    last: list[TextTrajectory] = []
    for phase in range(config.phases):
        found = experimenter.collect(assignment(phase, seed))
        experimenter.learn(reward.rewards(found, None, None, None))
        if phase >= config.phases - config.last:
            last += found
    return share_grown(last)


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    figures: dict[str, list[float]] = {}

    def keep(values: dict[str, float]) -> None:
        for figure, value in values.items():
            figures.setdefault(figure, []).append(value)

    timed_phase(OURS, seed=0)
    for seed in range(config.repeats):
        keep(one_repeat(seed))
    num_random = config.last * OURS.num_envs * OURS.num_steps // WORLD.max_steps
    for seed in range(config.seeds):
        at_random = RandomExperimenter(WORLD).collect(assignment(0, seed, num_random))
        keep(
            {
                "found_random_percent": share_grown(at_random),
                "found_cuts_percent": found_by_policy(config, "cuts", seed),
                "found_ends_percent": found_by_policy(config, "ends", seed),
            }
        )
    print_table(figures)
    print(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    append_record("curious_rl", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
