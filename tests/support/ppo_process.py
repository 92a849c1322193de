"""One of several processes that train a network together; prints what it ended with.

It goes on from a checkpoint, if there is one, and writes another after each update.
"""

import hashlib
import json
import sys
from pathlib import Path

from cwm.agents.runs import PolicyRunConfig, TaskConfig
from cwm.agents.training import PolicyTraining
from cwm.llm.local.config import DeviceConfig
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.processes import Processes
from cwm.providers.policies.networks.config import NetworkConfig, ScratchConfig


def main(checkpoint: Path, num_updates: int) -> None:
    training = PolicyTraining(
        PolicyRunConfig(
            task=TaskConfig(env="BabyAI-GoToRedBallNoDists-v0"),
            network=NetworkConfig(scratch=ScratchConfig(layers=1, width=16, heads=2)),
            ppo=PPOConfig(num_envs=4, rollout_steps=8, minibatch_size=16),
            local=DeviceConfig(num_threads=1),
        ),
        Processes.launched(),
    ).training
    if checkpoint.exists():
        training.go_on(checkpoint)
    else:
        training.start()
    for number in range(1, num_updates + 1):
        record = training.update()
        training.save(checkpoint.with_name(f"{checkpoint.name}-{number}"))
    weights = hashlib.sha256()
    for _, weight in sorted(training.network.saved().items()):
        weights.update(weight.numpy().tobytes())
    found = {
        "weights": weights.hexdigest(),
        "frames": training.state.num_frames,
        "figures": record.figures.grad_norm,
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
