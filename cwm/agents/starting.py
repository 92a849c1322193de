"""Beginning with what another run has learned: a clone, or an easier level."""

from pathlib import Path

from cwm.agents.runs import PolicyFolder, PolicyRunConfig
from cwm.core.errors import ConfigError
from cwm.providers.policies.learning.checkpoints import load_checkpoint
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.networks.making import complete
from cwm.providers.policies.networks.reading import base_weights


def check_start(config: PolicyRunConfig) -> None:
    """Refuses to begin with weights that do not fit, or would mean something else.

    Raises:
        ConfigError: If `start_from` is no run, or one of another network.
        DataError: If that run has learned nothing yet.
    """
    if config.start_from is None:
        return
    folder = PolicyFolder(Path(config.start_from))
    other = folder.read_config()
    folder.check_checkpoint()
    if other.learner == "drrn":
        raise ConfigError(
            "start_from must be a run of learner ppo or cloning, got one of drrn: "
            f"{config.start_from!r}."
        )
    networks = [complete(one.network, one.policy) for one in (config, other)]
    if config.policy != other.policy or networks[0] != networks[1]:
        raise ConfigError(
            "start_from must be a run with the same policy and network, got "
            f"{config.start_from!r}, in which they are others. Give the same "
            "--policy and --network settings as there."
        )
    own, got = config.task.num_actions, other.task.num_actions
    if networks[0].head == "actions" and own != got:
        raise ConfigError(
            f"start_from must be a run with as many actions ({own}), for which the "
            f"head has outputs, got {got} in {config.start_from!r}."
        )


def begin_with(path: Path, network: PolicyNetwork, policy: str) -> None:
    """Gives a network the weights of another run.

    Args:
        path: The folder of that run.
        network: Made with the same settings as there.
        policy: What it is made of.

    Raises:
        DataError: If they cannot be read, or are of another network or model.
    """
    load_checkpoint(
        PolicyFolder(path).checkpoint, network, weights=base_weights(policy)
    )
