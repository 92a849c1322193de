"""Small runs of `cwm.ppo`, by the command."""

from pathlib import Path

from cwm.ppo.command import main

TINY = (
    *("--env", "BabyAI-GoToRedBallNoDists-v0"),
    *("--network.scratch.layers", "1", "--network.scratch.width", "16"),
    *("--network.scratch.heads", "2", "--network.head-width", "16"),
)
PPO = (
    *("--ppo.num-envs", "4", "--ppo.rollout-steps", "8", "--ppo.num-epochs", "1"),
    *("--num-frames", "512", "--save-every", "3"),
)
CLONING = ("--learner", "cloning", "--num-demonstrations", "5")


def policy_run(path: Path, *words: str) -> Path:
    """Trains an agent and returns the folder of the run."""
    assert main(["train", "--quiet", *TINY, *words, "--out", str(path)]) == 0
    return path


def evaluated(path: Path, *, episodes: int = 8) -> Path:
    """Plays episodes beside random actions and returns the file of the result."""
    out = path / "evaluation.json"
    words = ("--episodes", str(episodes), "--num-envs", "4", "--out", str(out))
    assert main(["evaluate", "--quiet", str(path), "random", *words]) == 0
    return out
