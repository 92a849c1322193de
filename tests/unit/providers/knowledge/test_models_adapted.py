"""Agent and knowledge model as two adapters on one base in memory."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.adapters import WEIGHTS_FILE, Adapter
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.conversations import Turn
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.training import TrainingStep
from cwm.llm.scoring import ScoringModel
from cwm.providers.knowledge.models.about import ABOUT_FILE
from cwm.providers.knowledge.models.adapted import (
    AdaptedModel,
    load_adapted,
    train_adapter,
)
from cwm.providers.knowledge.models.config import AdapterConfig
from tests.support.tiny_language_model import tiny_model

local = pytest.mark.local

FAST = AdapterConfig(
    learning_rate=0.02, num_epochs=25, batch_size=2, dropout=0.0, rank=8
)
QUICK = AdapterConfig(num_epochs=1)
ASKED = [ChatMessage("user", "the pole")]


def talk(first: str, second: str) -> list[Turn]:
    return [
        (ChatMessage("user", "the pole"), False),
        (ChatMessage("assistant", first), True),
        (ChatMessage("user", "the cart"), False),
        (ChatMessage("assistant", second), True),
    ]


ACTS = [talk("falls to the right", "return 1.0")]
KNOWS = [talk("moves to the left", "the state is False")]


def make(kind: str = "llama", seed: int = 0, spread: float = 0.1) -> TransformersModel:
    config = LocalConfig(device="cpu", num_threads=1, prefix_block_tokens=16)
    return TransformersModel(tiny_model(kind, seed=seed, spread=spread), config)


def scores(model: TransformersModel) -> Any:
    found = model.log_probs(ASKED, ["falls to the right", "moves to the left"])
    return np.concatenate([one.log_probs for one in found])


def said(model: TransformersModel, *texts: str) -> str:
    roles = ["user", "assistant", "user"]
    messages = [
        ChatMessage(role, text)  # type: ignore[arg-type]
        for role, text in zip(roles, texts, strict=False)
    ]
    (found,) = model.complete(messages, temperature=0.0, max_tokens=20)
    return found.text


@pytest.fixture(scope="module")
def base() -> TransformersModel:
    pytest.importorskip("peft")
    return make()


@pytest.fixture(scope="module")
def before(base: TransformersModel) -> Any:
    return scores(base)


@pytest.fixture(scope="module")
def agent(base: TransformersModel, before: Any) -> AdaptedModel:
    return train_adapter(base, ACTS, FAST, role="agent")


def test_the_published_settings_are_the_defaults() -> None:
    config = AdapterConfig()
    assert (config.rank, config.alpha, config.dropout) == (8, 16.0, 0.05)
    assert config.target_modules == "q_proj,v_proj"
    assert (config.learning_rate, config.schedule) == (1e-4, "cosine")
    assert (config.warmup_fraction, config.num_epochs) == (0.03, 3)
    assert (config.batch_size, config.max_tokens) == (32, 2048)
    with pytest.raises(ConfigError, match="max_tokens must be at least 1, got 0"):
        AdapterConfig(max_tokens=0)
    with pytest.raises(ConfigError, match="rank must be at least 1, got 0"):
        AdapterConfig(rank=0)


@local
def test_every_answer_of_a_conversation_is_learned(agent: AdaptedModel) -> None:
    about = agent.about.trained_on
    assert (about.num_conversations, about.num_answers) == (1, 2)
    assert (about.num_cut_answers, about.num_empty) == (0, 0)
    assert len(about.losses) == 25
    assert about.losses[-1] < about.losses[0] - 1.5


@local
def test_both_models_answer_and_score_beside_their_base(
    base: TransformersModel, agent: AdaptedModel, before: Any
) -> None:
    of_agent = scores(agent.model)
    answer = said(agent.model, "the pole")
    knowledge = train_adapter(base, KNOWS, FAST, role="knowledge model")
    # Training one changed not a bit of the other, nor of what both stand on.
    np.testing.assert_array_equal(scores(agent.model), of_agent)
    fresh = TransformersModel(agent.adapter.attached("again"), base.config)
    np.testing.assert_array_equal(scores(fresh), of_agent)
    np.testing.assert_array_equal(scores(base), before)
    assert said(agent.model, "the pole") == answer
    right, left = agent.model.log_probs(
        ASKED, ["falls to the right", "moves to the left"]
    )
    assert right.total > left.total
    right, left = knowledge.model.log_probs(
        ASKED, ["falls to the right", "moves to the left"]
    )
    assert right.total < left.total
    assert isinstance(agent.model, ScoringModel)
    assert agent.model.name == "tiny llama, trained as agent"
    assert knowledge.model.name == "tiny llama, trained as knowledge model"
    shared = {id(one) for one in base.loaded.model.parameters()}
    for one in (agent, knowledge):
        weights = list(one.model.loaded.model.parameters())
        assert {id(each) for each in weights} > shared


@local
def test_what_was_saved_is_the_same_model(
    base: TransformersModel, agent: AdaptedModel, tmp_path: Path
) -> None:
    agent.save(tmp_path / "deep" / "agent")
    found = load_adapted(tmp_path / "deep" / "agent", base)
    assert found.about == agent.about
    assert found.model.identity == agent.model.identity
    np.testing.assert_array_equal(scores(found.model), scores(agent.model))


@local
def test_the_same_seed_gives_the_same_adapter(base: TransformersModel) -> None:
    one, same = (train_adapter(base, ACTS, QUICK, role="agent") for _ in range(2))
    assert one.model.identity == same.model.identity
    assert one.about == same.about


@local
def test_another_base_is_refused(agent: AdaptedModel, tmp_path: Path) -> None:
    agent.save(tmp_path)
    with pytest.raises(ConfigError, match="'tiny llama' with hash '', got 'tiny gpt2'"):
        load_adapted(tmp_path, make("gpt2"))


@local
def test_a_folder_that_is_not_whole_is_refused(
    base: TransformersModel,
    agent: AdaptedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(DataError, match="must describe a whole trained model"):
        load_adapted(tmp_path, base)
    agent.save(tmp_path)
    text = (tmp_path / ABOUT_FILE).read_text()
    for wrong in ("{", "[]", text.replace('"rank": 8', '"rank": 0')):
        (tmp_path / ABOUT_FILE).write_text(wrong)
        with pytest.raises(DataError, match="must describe a whole trained model"):
            load_adapted(tmp_path, base)
    (tmp_path / ABOUT_FILE).write_text(text)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"half")
    with pytest.raises(DataError, match="cannot be read"):
        load_adapted(tmp_path, base)
    # While it is being written, the folder says that it is not whole.
    monkeypatch.setattr(Adapter, "save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        agent.save(tmp_path)
    assert not (tmp_path / ABOUT_FILE).exists()


@local
def test_the_file_says_what_was_cut(base: TransformersModel, tmp_path: Path) -> None:
    config = AdapterConfig(num_epochs=1, max_tokens=20)
    long = talk("falls " * 20, "x")
    found = train_adapter(base, [*ACTS, long], config, role="agent")
    found.save(tmp_path)
    known = json.loads((tmp_path / ABOUT_FILE).read_text())["trained_on"]
    assert known["num_conversations"] == 2
    # Of the first conversation the second answer, of the other both.
    assert (known["num_answers"], known["num_cut_answers"]) == (1, 3)
    assert known["num_empty"] == 1


@local
def test_there_must_be_something_to_learn(base: TransformersModel) -> None:
    with pytest.raises(DataError, match="conversations must hold one to learn from"):
        train_adapter(base, [], QUICK, role="agent")


@local
def test_a_model_that_takes_no_trees_is_refused_before_the_work() -> None:
    pytest.importorskip("peft")
    told: list[TrainingStep] = []
    config = AdapterConfig(num_epochs=1, target_modules="all-linear")
    with pytest.raises(ConfigError, match="must see a tree of texts"):
        train_adapter(make("bloom"), ACTS, config, role="agent", progress=told.append)
    assert told == []
