"""How a training is put together, and how what it has trained is read again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cwm.agents.runs import PolicyFolder, PolicyRunConfig, TaskConfig, new_folder
from cwm.agents.training import PolicyTraining, read_policy, train_policy
from cwm.core.errors import ConfigError, DataError, LLMError
from cwm.execution.progress import SilentProgress
from cwm.llm.local.config import DeviceConfig
from cwm.llm.local.packages import LazyPackage
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.networks.config import NetworkConfig, ScratchConfig
from cwm.providers.policies.networks.reading import base_weights, on_this_machine
from tests.support.tiny_language_model import tiny_model

torch = LazyPackage("torch")

pytestmark = [pytest.mark.local, pytest.mark.babyai]

SMALL = NetworkConfig(head_width=8, scratch=ScratchConfig(layers=1, width=8, heads=2))
CONFIG = PolicyRunConfig(
    task=TaskConfig(env="BabyAI-GoToRedBallNoDists-v0"),
    num_frames=8,
    network=SMALL,
    ppo=PPOConfig(num_envs=2, rollout_steps=4, num_epochs=1, minibatch_size=8),
    local=DeviceConfig(num_threads=1),
)


def model(folder: Path, kind: str = "llama", *, scale: float = 1.0) -> str:
    """Returns the policy that a new model in a folder is."""
    made = tiny_model(kind)
    made.model.get_input_embeddings().weight.data *= scale
    made.model.save_pretrained(folder)
    made.tokenizer.save_pretrained(folder)
    return f"hf:{folder}"


def of_model(policy: str, **settings: Any) -> PolicyRunConfig:
    network = NetworkConfig(window=1, prompt="short", head_width=8, **settings)
    return replace(CONFIG, policy=policy, network=network)


def trained(config: PolicyRunConfig, path: Path) -> PolicyFolder:
    folder = new_folder(config, path)
    train_policy(config, folder, SilentProgress())
    return folder


def test_the_engine_is_compared_with_single_texts_when_training_starts(
    tmp_path: Path,
) -> None:
    config = of_model(model(tmp_path, "bloom"))
    with pytest.raises(ConfigError, match="Take the engine flat, or another model"):
        PolicyTraining(config)
    # Its head reads the prompt alone.
    PolicyTraining(of_model(config.policy, head="actions"))


@pytest.mark.parametrize(
    ("policy", "given", "rates"),
    [
        ("scratch", {}, [5e-4, 5e-4]),
        ("scratch", {"learning_rate": 1e-5}, [1e-5, 1e-5]),
        ("symbolic", {"learning_rate": 1e-5}, [1e-5, 1e-5]),
        ("scratch", {"value_learning_rate": 1e-3}, [5e-4, 1e-3]),
        ("MODEL", {"learning_rate": 1e-5}, [1e-5, 3e-4]),
    ],
)
def test_the_value_of_a_new_network_learns_as_fast_as_its_policy(
    tmp_path: Path, policy: str, given: dict[str, Any], rates: list[float]
) -> None:
    if policy == "MODEL":
        config = of_model(model(tmp_path))
    else:
        network = SMALL if policy == "scratch" else NetworkConfig(head_width=8)
        config = replace(CONFIG, policy=policy, network=network)
    made = PolicyTraining(replace(config, ppo=replace(CONFIG.ppo, **given)))
    groups = made.training._learner.optimizer.param_groups
    assert [group["lr"] for group in groups] == rates


def test_a_run_is_read_on_a_machine_without_its_device(tmp_path: Path) -> None:
    folder = trained(CONFIG, tmp_path / "run")
    settings = json.loads(folder.config.read_text())
    # A number that no machine has.
    settings["local"] |= {"device": "cuda:99", "dtype": "float16"}
    folder.write_json(folder.config, settings)
    assert read_policy(folder.path).num_frames == 8


def test_the_number_type_stays_on_the_same_kind_of_device() -> None:
    here = "cuda" if torch.cuda.is_available() else "cpu"
    for device, dtype in (("auto", "float16"), (here, "float16"), ("meta", "auto")):
        found = on_this_machine(DeviceConfig(device=device, dtype="float16"))
        assert (found.device, found.dtype) == ("auto", dtype)


def test_what_was_learned_on_other_weights_is_refused(tmp_path: Path) -> None:
    files = tmp_path / "model"
    config = of_model(model(files), trains="heads", head="actions")
    folder = trained(config, tmp_path / "run")
    assert base_weights(config.policy) != base_weights("scratch") == ""
    read_policy(folder.path)
    more = replace(config, num_frames=16)
    train_policy(more, folder, SilentProgress())
    model(files, scale=2.0)
    with pytest.raises(DataError, match="others than those that it was trained from"):
        read_policy(folder.path)
    with pytest.raises(DataError, match="others than those that it was trained from"):
        train_policy(replace(config, num_frames=24), folder, SilentProgress())


def test_a_lack_of_memory_while_acting_is_told(monkeypatch: Any) -> None:
    training = PolicyTraining(CONFIG).training
    training.start()

    def evaluate(views: Any) -> None:
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(training.network, "evaluate", evaluate)
    with pytest.raises(LLMError, match="smaller num_envs, window or model"):
        training.update()
