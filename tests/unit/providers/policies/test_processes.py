"""Several processes train one network: the real thing, over gloo on this machine."""

import json
import os
import socket
import subprocess
import sys

import pytest

from cwm.agents.training import share_of
from cwm.core.errors import ConfigError
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.processes import Processes

SECONDS = 240


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def together(count, *words, code=0):
    """Returns what each of `count` processes printed."""
    common = {
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.ppo_process", *words],
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    ended = [one.communicate(timeout=SECONDS) for one in started]
    errors = "\n".join(error for _, error in ended)
    assert [one.returncode for one in started] == [code] * count, errors
    if code:
        return errors
    return [json.loads(out.splitlines()[-1]) for out, _ in ended]


@pytest.mark.slow
@pytest.mark.local
@pytest.mark.babyai
def test_two_processes_hold_the_same_weights_and_go_on(tmp_path):
    straight = together(2, str(tmp_path / "straight"), "2")
    middle = str(tmp_path / "straight-1")
    assert straight[0] == straight[1]
    # 4 environments of 8 steps in all, whatever the processes.
    assert straight[0]["frames"] == 64
    assert together(2, middle, "1") == straight
    assert "as many processes as before (2), got 1" in together(1, middle, "1", code=1)


def test_numbers_are_shared_out():
    config = share_of(PPOConfig(), Processes(1, 4))
    assert (config.num_envs, config.minibatch_size) == (8, 64)
    with pytest.raises(ConfigError, match="num_envs must be a multiple of the number"):
        share_of(PPOConfig(), Processes(0, 3))
    with pytest.raises(ConfigError, match="baseline must be value"):
        share_of(PPOConfig(baseline="group"), Processes(0, 2))


def test_one_process_averages_nothing():
    alone = Processes.launched()
    assert (alone.rank, alone.count, alone.device) == (0, 1, None)
    assert alone.gather("x") == ["x"]
    assert alone.mean({"loss": 2.0}) == {"loss": 2.0}
