"""Which settings go with which policy."""

import pytest

from cwm.core.errors import ConfigError
from cwm.llm.local.config import DeviceConfig
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.networks.making import (
    _with_number_type,
    complete,
    is_pretrained,
)


def test_what_depends_on_the_policy_is_filled_in():
    scratch = complete(NetworkConfig(), "scratch")
    assert (scratch.window, scratch.prompt, scratch.trains) == (1, "short", "all")
    model = complete(NetworkConfig(), "hf:model")
    assert (model.window, model.prompt, model.trains) == (3, "glam", "lora")
    anew = complete(NetworkConfig(shuffled=True), "hf:model")
    assert anew.trains == "all"
    assert complete(NetworkConfig(), "symbolic").head_width == 64


@pytest.mark.parametrize(
    ("settings", "policy", "message"),
    [
        ({"shuffled": True}, "scratch", "shuffled is for hf: and gguf:"),
        ({"trains": "lora"}, "scratch", "trains must be all"),
        ({"trains": "heads"}, "hf:model", "add --network.head actions"),
        ({}, "openai:model", "weights behind an endpoint cannot be trained"),
        ({}, "other", "policy must be scratch"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, policy, message):
    with pytest.raises(ConfigError, match=message):
        complete(NetworkConfig(**settings), policy)
    assert is_pretrained("gguf:file")


@pytest.mark.local
@pytest.mark.parametrize(
    ("dtype", "trains", "expected"),
    [
        ("auto", "all", "float32"),
        ("float32", "all", "float32"),
        ("bfloat16", "lora", "bfloat16"),
        ("float32", "lora", "float32"),
    ],
)
def test_numbers_are_fine_enough_for_training(dtype, trains, expected):
    config = complete(NetworkConfig(trains=trains), "hf:model")
    local = DeviceConfig(dtype=dtype, device="cpu")
    assert _with_number_type(local, config).dtype == expected


@pytest.mark.local
@pytest.mark.parametrize(
    ("dtype", "trains", "message"),
    [
        ("bfloat16", "all", "dtype must be float32 where every weight is trained"),
        ("float16", "lora", "got float16, in which gradients overflow"),
    ],
)
def test_coarse_numbers_are_refused(dtype, trains, message):
    config = complete(NetworkConfig(trains=trains), "hf:model")
    with pytest.raises(ConfigError, match=message):
        _with_number_type(DeviceConfig(dtype=dtype, device="cpu"), config)
