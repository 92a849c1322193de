"""Settings of `python -m cwm.ppo train` that would be ignored."""

import json

import pytest

from cwm.agents.runs import RUN_PRESETS, PolicyRunConfig
from cwm.agents.settings import check_settings
from cwm.config import config_from_json
from cwm.core.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "ignored"),
    [
        ("", "local.dtype=float16"),
        ("policy=symbolic", "local.dtype=float16"),
        ("learner=drrn", "local.device=cuda"),
        ("learner=drrn", "network.head=actions"),
        ("learner=drrn", "network.scoring.engine=flat"),
        ("learner=drrn", "ppo.clip=0.1"),
        ("learner=drrn", "save_every=1"),
        ("learner=drrn", "num_demonstrations=1"),
        ("learner=cloning", "ppo.value_trunk_gradient=true"),
        ("learner=cloning", "save_every=1"),
        ("learner=cloning", "num_frames=1"),
        ("learner=cloning", "start_from=x"),
        ("learner=cloning", "drrn.width=8"),
        ("", "cloning.batch_size=1"),
        ("", "drrn.width=8"),
        ("", "num_demonstrations=1"),
        ("", "ppo.group_size=4"),
        ("policy=symbolic", "ppo.value_trunk_gradient=true"),
        ("policy=symbolic", "network.temperature=2.0"),
        ("", "network.rank=1"),
        ("policy=hf:x network.trains=all", "network.alpha=1.0"),
        ("policy=hf:x network.shuffled=true", "network.rank=1"),
        ("policy=hf:x", "network.scratch.layers=1"),
        (
            "policy=hf:x network.trains=heads network.head=actions",
            "ppo.value_trunk_gradient=true",
        ),
        ("network.head=actions", "network.scoring.normalise=sum"),
        ("network.scoring.rule=raw-logits", "network.scoring.normalise=sum"),
        ("", "dream.model_starts=1"),
        ("", "dream.isolation=process"),
        ("", "dream.limits.wall_s=1.0"),
        ("ppo.baseline=leave-one-out", "ppo.discount=0.9"),
        ("ppo.baseline=group", "ppo.value_coef=1.0"),
        ("ppo.baseline=group", "ppo.bootstrap_truncated=false"),
        ("ppo.baseline=group", "ppo.rollout_steps=8"),
        ("ppo.baseline=group", "ppo.normalise_advantages=false"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(words: str, ignored: str) -> None:
    used = changed(PolicyRunConfig(), *words.split())
    check_settings(used)
    name = ignored.partition("=")[0].removeprefix("dream.")
    with pytest.raises(ConfigError, match=rf"^{name} is for .*, got .*: leave it out"):
        check_settings(changed(used, ignored))


def changed(config: PolicyRunConfig, *words: str) -> PolicyRunConfig:
    """Returns settings of which some, such as `ppo.clip=0.1`, are others."""
    for word in words:
        name, _, text = word.partition("=")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        for key in reversed(name.split(".")):
            value = {key: value}
        config = config_from_json(value, config, name="words")
    return config


@pytest.mark.parametrize(
    "words",
    [
        "ppo.clip=0.1 save_every=1 stop_at=0.5 local.device=cpu local.num_threads=1",
        "network.scratch.layers=1 network.scoring.normalise=sum",
        "policy=hf:x network.rank=4 local.dtype=float32",
        "policy=symbolic network.window=2 network.head_width=8 local.device=cpu",
        "learner=cloning num_demonstrations=9 cloning.pass_size=4 network.rank=16",
        "learner=drrn drrn.width=8 network.window=2 num_frames=9",
        "start_from=x ppo.warmup_updates=1",
        "ppo.baseline=group ppo.group_size=4 ppo.num_envs=4 ppo.entropy_coef=0.0",
        "ppo.baseline=leave-one-out ppo.normalise_advantages=false",
        "dream.model=x dream.model_starts=1 dream.limits.wall_s=1.0",
    ],
)
def test_settings_that_count_are_taken(words: str) -> None:
    check_settings(changed(PolicyRunConfig(), *words.split()))


@pytest.mark.parametrize(
    "words", ["", "learner=drrn", "learner=cloning", "ppo.baseline=group"]
)
def test_a_preset_may_have_settings_that_do_not_count(words: str) -> None:
    preset = changed(RUN_PRESETS["glam-2023"], *words.split())
    check_settings(preset)
    if words.startswith("learner"):
        with pytest.raises(
            ConfigError, match=r"^ppo\.clip is for learner ppo, got 0\.1"
        ):
            check_settings(changed(preset, "ppo.clip=0.1"))
