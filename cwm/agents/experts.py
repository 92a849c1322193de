"""Who chooses what is recorded, as the command line names it."""

from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError
from cwm.core.spaces import DiscreteSpec
from envs.collect import Expert
from envs.spec import EnvSpec
from envs.text_games.expert import GoldExpert

BOT, GOLD, TRAINED = "bot", "gold", "ppo:"

_WORDING = "wording"


def read_expert(word: str, spec: EnvSpec, kwargs: dict[str, Any]) -> Expert:
    """Returns who takes some trajectories.

    Args:
        word: `bot`, in levels of BabyAI; `gold`, in text games; or `ppo:RUN` with the
            folder of a run of cwm.ppo train.
        spec: Where.
        kwargs: Keyword arguments of the environment.

    Raises:
        ConfigError: If there is no such expert, or it does not play there.
        DataError: If a run has no checkpoint.
        PrerequisiteError: If a package is missing.
    """
    try:
        if word == BOT:
            from envs.babyai.expert import BotExpert  # noqa: PLC0415 - needs minigrid

            return BotExpert(spec)
        if word == GOLD:
            return GoldExpert(spec)
    except ValueError as error:
        raise ConfigError(f"expert: {error}") from error
    if not word.startswith(TRAINED):
        raise ConfigError(f"expert must be bot, gold or ppo:RUN, got {word!r}.")
    return _trained(Path(word.removeprefix(TRAINED)), spec, kwargs)


def _trained(run: Path, spec: EnvSpec, kwargs: dict[str, Any]) -> Expert:
    # Torch takes as long to import as all else of cwm.collect.
    from cwm.agents.training import read_policy  # noqa: PLC0415
    from cwm.providers.policies.agents.network import NetworkAgent  # noqa: PLC0415
    from cwm.providers.policies.expert import AgentExpert  # noqa: PLC0415

    found = read_policy(run)
    window = found.network.window
    assert window is not None, "a run's settings are complete"
    agent = NetworkAgent(found.made.network)
    # It reads what it has learned to read, whatever is recorded.
    shown = {name: value for name, value in kwargs.items() if name != _WORDING}
    learned_in = found.config.task.kwargs
    if _WORDING in learned_in:
        shown[_WORDING] = learned_in[_WORDING]
    expert = AgentExpert(agent, spec, shown, window=window)
    space = spec.action_space
    assert isinstance(space, DiscreteSpec), "BabyAI's actions are numbered"
    if space.num_values != found.num_actions:
        raise ConfigError(
            f"{spec.id!r} has {space.num_values} actions, and the policy knows "
            f'{found.num_actions}: give {{"num_actions": {found.num_actions}}} in '
            "--env-kwargs."
        )
    return expert
