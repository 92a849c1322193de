"""Adapters that share a base: which layers, and that they leave each other alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.llm.local.adapters import Adapter
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.tokenizing import TokenizedText
from cwm.llm.local.training import TrainingConfig
from tests.support.tiny_language_model import tiny_model

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.local

TEXTS = [TokenizedText((5, 9, 7, 8, 2), ((1, 2), (3, 5)))]
QUERIES = TrainingConfig(
    rank=2, target_modules="q_proj, v_proj", learning_rate=0.05, num_epochs=3
)


@pytest.fixture(scope="module")
def base() -> LoadedModel:
    pytest.importorskip("peft")
    return tiny_model()


def logits(loaded: LoadedModel) -> Any:
    with torch.inference_mode():
        return loaded.model(torch.tensor([[5, 9, 7, 8, 2, 4]])).logits


def trained_layers(adapter: Adapter) -> set[str]:
    model = adapter.attached("x").model
    names = [name for name, one in model.named_parameters() if one.requires_grad]
    return {name.split(".lora_")[0].rsplit(".", 1)[1] for name in names}


def test_only_the_named_layers_get_an_adapter(base: LoadedModel) -> None:
    adapter = Adapter(base, QUERIES)
    assert trained_layers(adapter) == {"q_proj", "v_proj"}
    # 2 layers; of 32 inputs, 32 and 16 outputs: 2 x (2 x (32 + 32) + 2 x (32 + 16)).
    assert adapter.num_weights == 448


@pytest.mark.parametrize("name", ["w_proj", "lm_hea", "embed_tokens", "all-linear"])
def test_a_layer_that_is_not_there_is_named(base: LoadedModel, name: str) -> None:
    with pytest.raises(ConfigError, match=f"of tiny llama, got '{name}'. Known: down_"):
        Adapter(base, TrainingConfig(target_modules=f"q_proj,{name}"))


def test_layers_of_gpt2_are_linear_too() -> None:
    pytest.importorskip("peft")
    adapter = Adapter(tiny_model("gpt2"), TrainingConfig(target_modules="c_attn"))
    assert trained_layers(adapter) == {"c_attn"}


def test_training_one_adapter_leaves_the_other_and_the_base_bit_for_bit(
    base: LoadedModel,
) -> None:
    before = logits(base)
    agent, knowledge = Adapter(base, QUERIES), Adapter(base, TrainingConfig(seed=1))
    agent.train(TEXTS)
    of_agent = logits(agent.attached("agent"))
    assert torch.equal(logits(knowledge.attached("knowledge")), before)
    knowledge.train(TEXTS)
    assert torch.equal(logits(agent.attached("agent")), of_agent)
    assert torch.equal(logits(base), before)
    assert not torch.equal(of_agent, before)
    assert not torch.equal(logits(knowledge.attached("knowledge")), of_agent)


def test_an_adapter_of_some_layers_is_restored(
    base: LoadedModel, tmp_path: Path
) -> None:
    adapter = Adapter(base, QUERIES)
    adapter.train(TEXTS)
    adapter.save(tmp_path)
    known = json.loads((tmp_path / "adapter_config.json").read_text())
    assert sorted(known["target_modules"]) == ["q_proj", "v_proj"]
    other = Adapter(base, QUERIES)
    other.restore(tmp_path)
    assert torch.equal(logits(other.attached("a")), logits(adapter.attached("a")))
    assert other.attached("a").weights == adapter.attached("a").weights
    with pytest.raises(DataError, match="28 tensors of rank 2 that belong to tiny lla"):
        Adapter(base, TrainingConfig(rank=2)).restore(tmp_path)
