"""Pretrained language models as policies: tiny random ones, read from a folder."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import LLMError
from cwm.llm.local.config import DeviceConfig
from cwm.llm.local.packages import LazyPackage
from cwm.ppo.command import main
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.learning.cloning import (
    CloningConfig,
    Demonstration,
    clone,
)
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.training import PPOTraining
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.networks.making import Made, complete, make_network
from tests.support.tiny_language_model import tiny_model, tiny_tokenizer

pytestmark = [pytest.mark.babyai, pytest.mark.local]

torch = LazyPackage("torch")
safetensors_torch = LazyPackage("safetensors.torch")
transformers = LazyPackage("transformers")

KINDS = ("llama", "gpt2", "t5")
LEVEL = "cwm/BabyAI-GoToRedBallNoDists-v0"
LOCAL = DeviceConfig(device="cpu", num_threads=1)
SETTINGS: dict[str, dict[str, Any]] = {
    "lora": {"trains": "lora", "rank": 2},
    "all": {"trains": "all"},
    "heads": {"trains": "heads", "head": "actions"},
    "lora, actions": {"trains": "lora", "head": "actions", "rank": 2},
    "shuffled": {"shuffled": True},
    "shuffled but embeddings": {"shuffled": True, "keeps_embeddings": True},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns a folder of each kind of model, as the hub would have it."""
    found = {kind: tmp_path_factory.mktemp("models") / kind for kind in KINDS}
    for kind, folder in found.items():
        if kind == "t5":
            model, tokenizer = tiny_t5()
        else:
            loaded = tiny_model(kind, spread=0.1)
            model, tokenizer = loaded.model, loaded.tokenizer
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return found


def tiny_t5() -> tuple[Any, Any]:
    tokenizer = tiny_tokenizer(None)
    tokenizer.pad_token = tokenizer.unk_token
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return transformers.T5ForConditionalGeneration(config), tokenizer


def made(folder: Path, **settings: Any) -> Made:
    policy = f"hf:{folder}"
    config = NetworkConfig(window=1, prompt="short", head_width=8, **settings)
    return make_network(
        policy, complete(config, policy), num_actions=6, seed=0, local=LOCAL
    )


def training(network: PolicyNetwork) -> PPOTraining:
    source = TextEpisodes(LEVEL, 2, window=1)
    config = PPOConfig(num_envs=2, rollout_steps=4, num_epochs=1, learning_rate=1e-2)
    return PPOTraining(network, source, config, seed=0)


def weights(network: PolicyNetwork) -> dict[str, Any]:
    """Returns copies of all weights, those that are not trained included."""
    return {
        name: one.detach().clone() for name, one in network.module.named_parameters()
    }


def different(first: dict[str, Any], second: dict[str, Any]) -> set[str]:
    assert first.keys() == second.keys()
    return {name for name in first if not torch.equal(first[name], second[name])}


def is_trained(name: str, settings: str) -> bool:
    if not name.startswith("model."):
        return True
    if "lora" in settings:
        return "lora_" in name
    return settings != "heads"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_an_update_changes_what_is_trained_and_nothing_else(
    folders: dict[str, Path], kind: str, settings: str
) -> None:
    network = made(folders[kind], **SETTINGS[settings]).network
    before = weights(network)
    run = training(network)
    run.start()
    # What LoRA multiplies by zero at first gets a gradient in the second one.
    for _ in range(2):
        assert run.update().figures.num_steps == 1
    trained = {name for name in before if is_trained(name, settings)}
    assert {"value.0.weight"} <= trained == set(network.saved())
    # The decoder sees one token then, and attends to it in any case.
    unused = {
        name
        for name in trained
        if (kind, settings) == ("t5", "lora, actions")
        and re.search(r"decoder.*SelfAttention\.[qk]\.", name)
    }
    assert different(before, weights(network)) == trained - unused


@pytest.mark.parametrize("kind", KINDS)
def test_weights_drawn_anew_are_others_but_for_embeddings_that_are_kept(
    folders: dict[str, Path], kind: str
) -> None:
    own = weights(made(folders[kind], trains="all").network)
    anew = weights(made(folders[kind], shuffled=True).network)
    kept = weights(made(folders[kind], shuffled=True, keeps_embeddings=True).network)
    embeddings = {
        "llama": "model.model.embed_tokens.weight",
        "gpt2": "model.transformer.wte.weight",
        "t5": "model.shared.weight",
    }[kind]
    assert different(anew, kept) == {embeddings}
    # Norms and biases begin with the same numbers.
    matrices = {n for n in own if n.startswith("model.") and own[n].ndim == 2}
    assert matrices <= different(own, anew)
    assert matrices - different(own, kept) == {embeddings}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", ["lora", "all"])
def test_two_and_two_updates_are_four(
    folders: dict[str, Path], tmp_path: Path, kind: str, settings: str
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    whole = training(made(folders[kind], **SETTINGS[settings]).network)
    whole.start()
    for number in range(4):
        if number == 2:
            whole.save(path)
        last = whole.update()
    again = training(made(folders[kind], **SETTINGS[settings]).network)
    again.go_on(path)
    for _ in range(2):
        record = again.update()
    assert record.figures == last.figures
    assert different(weights(whole.network), weights(again.network)) == set()


def demonstrations(number: int) -> list[Demonstration]:
    source = TextEpisodes(LEVEL, 1, window=1)
    views = [source.reset([seed])[0] for seed in range(number)]
    return [
        Demonstration(view=view, action=index % 3, episode=index)
        for index, view in enumerate(views)
    ]


def test_gradients_of_passes_add_up_in_cloning(folders: dict[str, Path]) -> None:
    found = demonstrations(8)
    losses, gradients = [], []
    for pass_size in (None, 4, 1):
        network = made(folders["llama"], **SETTINGS["lora"]).network
        config = CloningConfig(
            batch_size=6, pass_size=pass_size, held_out_fraction=0.25, max_grad_norm=1e6
        )
        losses.append(clone(network, found, config).losses)
        # Those of the only step.
        named = network.module.named_parameters()
        gradients.append({n: one.grad for n, one in named if one.grad is not None})
    assert len(losses[0]) == 1
    assert any(one.abs().max() > 1e-3 for one in gradients[0].values())
    for one, own in zip(losses[1:], gradients[1:], strict=True):
        assert one == pytest.approx(losses[0], abs=1e-5)
        assert own.keys() == gradients[0].keys()
        for name, gradient in gradients[0].items():
            assert torch.allclose(own[name], gradient, atol=1e-5), name


def test_cloning_tells_what_needs_less_memory(folders: dict[str, Path]) -> None:
    class Full:
        """A network whose passes of more than one view do not fit."""

        def __init__(self, network: PolicyNetwork) -> None:
            self.name, self.needs_images = network.name, False
            self.module, self._network = network.module, network

        def evaluate(self, views: Any) -> Any:
            if len(views) > 1:
                raise torch.OutOfMemoryError
            return self._network.evaluate(views)

    full: Any = Full(made(folders["gpt2"], **SETTINGS["lora"]).network)
    found = demonstrations(4)
    with pytest.raises(LLMError, match="Take a smaller pass_size"):
        clone(full, found, CloningConfig(held_out_fraction=0.0))
    # Also where it is only measured.
    clone(full, found, CloningConfig(held_out_fraction=0.5, pass_size=1))


def done(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Returns what a command said, on either stream."""
    found = main([*words, "--quiet"])
    shown = capsys.readouterr()
    assert found == code, shown.err
    return " ".join((shown.out or shown.err).split())


def trained(policy: Path, *words: str) -> tuple[str, ...]:
    return (
        *("train", "--policy", f"hf:{policy}", "--env", LEVEL, "--local.device", "cpu"),
        *("--network.window", "1", "--network.prompt", "short", *words),
    )


CLONING = ("--learner", "cloning", "--num-demonstrations", "3")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_a_folder_is_trained_and_plays(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    folders: dict[str, Path],
    kind: str,
) -> None:
    out = str(tmp_path / "run")
    words = ("--num-frames", "8", "--ppo.num-envs", "2", "--ppo.rollout-steps", "4")
    done(capsys, *trained(folders[kind], *words, "--out", out))
    shown = done(capsys, "evaluate", out, "--episodes", "2", "--json")
    (row,) = json.loads(shown)["rows"]
    assert row["rate"]["num_episodes"] == 2


def test_a_model_of_a_folder_is_cloned_and_plays_until_the_folder_is_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folders: dict[str, Path]
) -> None:
    policy, out = tmp_path / "model", tmp_path / "run"
    shutil.copytree(folders["gpt2"], policy)
    one_step = ("--cloning.batch-size", "1000", "--out", str(out))
    done(capsys, *trained(policy, *CLONING, *one_step))
    found = safetensors_torch.load_file(out / "checkpoint.safetensors")
    added = [one.abs().max() for name, one in found.items() if "lora_B" in name]
    # These begin at zero, and Adam's first step is as long as the learning rate.
    assert max(added) == pytest.approx(1e-4, rel=0.01)
    evaluate = ("evaluate", str(out), "--episodes", "2")
    done(capsys, *evaluate)
    tiny_model("gpt2", seed=1).model.save_pretrained(policy)
    assert "files of the model are others" in done(capsys, *evaluate, code=1)


def test_a_model_that_scores_actions_otherwise_than_texts_is_not_cloned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, out = tmp_path / "bloom", tmp_path / "run"
    loaded = tiny_model("bloom")
    loaded.model.save_pretrained(policy)
    loaded.tokenizer.save_pretrained(policy)
    words = trained(policy, *CLONING, "--out", str(out))
    assert "engine" in done(capsys, *words, code=2)
    assert not out.exists()
