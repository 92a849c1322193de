"""Which settings of a run change nothing, and refusing them.

Covers: what an agent's learner, policy, heads and baseline make of each setting.
Does not cover: settings that contradict each other; their own classes refuse these.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from cwm.agents.runs import RUN_PRESETS, PolicyRunConfig
from cwm.core.errors import ConfigError
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.networks.making import (
    SCRATCH,
    SYMBOLIC,
    complete,
    is_pretrained,
)


class _Use(NamedTuple):
    """Settings, and with what they count.

    Attributes:
        settings: Their dotted names; that of a group stands for all of it, and one
            with a minus is not meant.
        counts: Whether they count in this run.
        wanted: With what they do.
        got: What there is in this run.
    """

    settings: str
    counts: bool
    wanted: str
    got: str

    def has(self, name: str) -> bool:
        """Returns whether a setting is one of these."""
        own = self.settings.split()
        return _is_below(name, [one for one in own if one[0] != "-"]) and not (
            _is_below(name, [one[1:] for one in own if one[0] == "-"])
        )


def check_settings(config: PolicyRunConfig) -> None:
    """Refuses settings that were changed and would be ignored.

    Those of a preset may be, as long as none of them is changed.

    Raises:
        ConfigError: If there is one, or the network's do not go together.
    """
    own, unused = _leaves(config), [use for use in _uses(config) if not use.counts]
    presets = [_leaves(preset) for preset in RUN_PRESETS.values()]
    # That from which the settings were made, or as good as that.
    start = min(presets, key=lambda preset: len(_changed(own, preset)))
    for name in _changed(own, start):
        use = next((use for use in unused if use.has(name)), None)
        if use is not None:
            raise ConfigError(
                f"{name.removeprefix('dream.')} is for {use.wanted}, got "
                f"{own[name]!r} with {use.got}: leave it out."
            )


def _changed(own: dict[str, Any], start: dict[str, Any]) -> list[str]:
    return [name for name, value in own.items() if value != start[name]]


def _uses(config: PolicyRunConfig) -> Iterator[_Use]:
    learner, has = config.learner, f"learner {config.learner}"
    is_ppo, is_drrn = learner == "ppo", learner == "drrn"
    yield _Use("ppo save_every start_from", is_ppo, "learner ppo", has)
    yield _Use(
        "cloning num_demonstrations", learner == "cloning", "learner cloning", has
    )
    yield _Use("drrn", is_drrn, "learner drrn", has)
    yield _Use("num_frames", learner != "cloning", "learners ppo and drrn", has)
    yield _Use("dream", config.dream.model is not None, "--model", "no model")
    other = "learners ppo and cloning"
    yield _Use("network -network.window local", not is_drrn, other, has)
    yield from _uses_of_baseline(config)
    if not is_drrn:
        network = complete(config.network, config.policy)
        yield from _uses_of_policy(config.policy, network)


def _uses_of_policy(policy: str, network: NetworkConfig) -> Iterator[_Use]:
    """Yields what depends on the policy and its heads.

    Args:
        policy: Its name.
        network: Settings, as `complete` returns them.
    """
    has = f"policy {policy}"
    reads, knows = policy != SYMBOLIC, is_pretrained(policy)
    yield _Use(
        "network -network.window -network.head_width ppo.value_trunk_gradient",
        *(reads, "policies that read words", has),
    )
    yield _Use("local.dtype", knows, "hf: and gguf: policies", has)
    yield _Use("network.scratch", policy == SCRATCH, "policy scratch", has)
    trains = f"trains {network.trains}"
    is_lora = network.trains == "lora"
    yield _Use("network.rank network.alpha", is_lora, "trains lora", trains)
    yield _Use(
        "ppo.value_trunk_gradient",
        *(network.trains != "heads", "trains lora and all", trains),
    )
    yield _Use(
        "network.scoring",
        *(network.head == "scores", "head scores", f"head {network.head}"),
    )
    rule = network.scoring.rule
    yield _Use(
        "network.scoring.normalise",
        *(rule == "log-probs", "rule log-probs", f"rule {rule}"),
    )


def _uses_of_baseline(config: PolicyRunConfig) -> Iterator[_Use]:
    baseline = config.ppo.baseline
    has = f"baseline {baseline}"
    yield _Use(_OF_VALUE, baseline == "value", "baseline value", has)
    yield _Use(
        "ppo.group_size",
        *(baseline != "value", "baselines leave-one-out and group", has),
    )
    # A group's returns get mean 0 and standard deviation 1 in any case.
    yield _Use(
        "ppo.normalise_advantages ppo.reward_scale",
        *(baseline != "group", "baselines value and leave-one-out", has),
    )


_OF_VALUE = " ".join(
    f"ppo.{name}"
    for name in (
        *("rollout_steps", "discount", "gae_lambda", "value_learning_rate"),
        *("value_clip", "value_coef", "value_trunk_gradient", "bootstrap_truncated"),
        *("warmup_updates", "broadcast_value_loss"),
    )
)


def _is_below(name: str, groups: list[str]) -> bool:
    return any(f"{name}.".startswith(f"{group}.") for group in groups)


def _leaves(config: Any, prefix: str = "") -> dict[str, Any]:
    """Returns the settings that are no group, by their dotted names."""
    found: dict[str, Any] = {}
    for one in fields(config):
        name, value = prefix + one.name, getattr(config, one.name)
        found |= _leaves(value, f"{name}.") if is_dataclass(value) else {name: value}
    return found
