"""Returns that others have published for planning with a code world model.

Source: Dainese et al. (2024), Generating Code World Models with Large Language Models
Guided by Monte Carlo Tree Search (https://arxiv.org/abs/2405.15383), Table 12: mean
returns over 10 episodes; MCTS for discrete actions, CEM for continuous ones. The
versions of the environments there are older than today's.
"""

import re
from dataclasses import dataclass

SOURCE = "Dainese et al. (2024), Table 12"


@dataclass(frozen=True, slots=True)
class PublishedReturns:
    """Mean returns on one environment.

    Attributes:
        random: Random actions.
        offline_rl: Conservative Q-learning on as many trajectories; `None` if not
            reported.
        llama: GIF-MCTS with Llama 3 70B, 50 calls; `None` if there was no program.
        gpt_4: GIF-MCTS with GPT-4 Turbo, 10 calls.
        oracle: The published planner with the true environment.
    """

    random: float
    offline_rl: float | None
    llama: float | None
    gpt_4: float
    oracle: float


PUBLISHED: dict[str, PublishedReturns] = {
    "Blackjack": PublishedReturns(0, -0.3, -0.6, -0.1, 1),
    "CliffWalking": PublishedReturns(-1169.2, None, -90.2, -100, -100),
    "Taxi": PublishedReturns(-798.5, -740, -353.9, -408.8, -124.5),
    "CartPole": PublishedReturns(24.4, 317.6, 277.4, 310.4, 494),
    "MountainCar": PublishedReturns(-200, -200, -200, -200, -200),
    "Acrobot": PublishedReturns(-500, -295, -500, -494.2, -500),
    "Pendulum": PublishedReturns(-1122.8, -1218.2, -1232.2, -739.8, -373.6),
    "Reacher": PublishedReturns(-43.7, -11.5, -9.2, -11.2, -6.8),
    "Pusher": PublishedReturns(-149.9, -52.4, -61.1, -63.3, -30.3),
    "InvertedPendulum": PublishedReturns(8.3, 66.7, 13.1, 10.9, 42.5),
    "InvertedDoublePendulum": PublishedReturns(49, 164, 60, 53.4, 241.6),
    "HalfCheetah": PublishedReturns(-304.5, -1.3, -150.3, -22.8, 893.3),
    "Hopper": PublishedReturns(32.2, 137.4, 62.6, 23.3, 229.1),
    "Swimmer": PublishedReturns(-5.9, 28.4, -2.7, 8.1, 317.8),
    "Walker2d": PublishedReturns(0, 278, 22.3, 11.5, 334.7),
    "Ant": PublishedReturns(-33.2, 998, 867.7, 896.8, 1304.7),
    "Humanoid": PublishedReturns(139.4, 393.3, None, 162.3, 1860.7),
    "HumanoidStandup": PublishedReturns(33240, 51046, None, 29406, 138076),
}
"""By the environment's name without its version."""


def published(env_id: str) -> PublishedReturns | None:
    """Returns what is published for an environment; `None` if nothing is."""
    return PUBLISHED.get(re.sub(r"-v\d+$", "", env_id))
