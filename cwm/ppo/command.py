"""`python -m cwm.ppo`: agents that learn to act on what they read."""

import sys
from collections.abc import Callable, Mapping, Sequence

from cwm.cli import run_command, run_subcommand
from cwm.ppo.evaluate_command import evaluate
from cwm.ppo.plot_command import plot
from cwm.ppo.train_command import train


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: run_subcommand("cwm.ppo", words, COMMANDS, text=DESCRIPTION)
    )


COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    "train": train,
    "evaluate": evaluate,
    "plot": plot,
}
"""Commands by name."""

DESCRIPTION = """\
usage: python -m cwm.ppo {train,evaluate,plot} ...

Trains agents that act on what they read, and says how often they succeed (GLAM).

  train     an agent that reads what it sees, by PPO in BabyAI (GLAM)
  evaluate  agents, random actions and the bot: success rates and generalisation tests
  plot      learning curves as a picture

  python -m cwm.ppo train --env BabyAI-GoToRedBallNoDists-v0 --num-frames 20000

python -m cwm.ppo NAME --help says more about each.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""
