"""Fine-tuning against plain transformers, with a random model."""

import json
import warnings
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.core.seeding import child_rng, child_seed
from cwm.llm.local import training
from cwm.llm.local.adapters import WEIGHTS_FILE, Adapter
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.tokenizing import TokenizedText
from cwm.llm.local.training import TrainingStep, batches
from cwm.llm.scoring import ScoringRequest
from cwm.providers.hypotheses.experimenters.scripted import play
from cwm.providers.hypotheses.finetuning.config import FinetuningConfig
from cwm.providers.hypotheses.finetuning.tuned import (
    ABOUT_FILE,
    TunedModel,
    choose_transitions,
    finetune,
    load_tuned,
    read_about,
)
from cwm.providers.hypotheses.statisticians.language_model import (
    LanguageModelStatistician,
    chat_messages,
)
from cwm.providers.hypotheses.texts import TextTrajectory, transitions_of
from cwm.providers.hypotheses.worlds import find_world
from prompts.hypotheses import HypothesisPrompts
from tests.support import smollm2
from tests.support.tiny_language_model import CONFIGS, tiny_model

PROMPTS = HypothesisPrompts("door")
DOOR = find_world("door").test_set()
TRANSITIONS = transitions_of(DOOR)
PUBLISHED = FinetuningConfig()
FAST = FinetuningConfig(
    learning_rate=0.02, batch_size=8, num_epochs=3, dropout=0.0, pass_tokens=2000
)
ONE_STEP = FinetuningConfig(batch_size=27, dropout=0.0)
local = pytest.mark.local


def make(kind: str = "llama", *, seed: int = 0, **settings: Any) -> TransformersModel:
    config = LocalConfig(device="cpu", num_threads=1, prefix_block_tokens=16)
    return TransformersModel(tiny_model(kind, seed=seed, **settings), config)


def scores(
    model: TransformersModel, trajectories: Sequence[TextTrajectory] = DOOR
) -> Any:
    statistician = LanguageModelStatistician(model, PROMPTS)
    return statistician.log_probs(None, transitions_of(trajectories))


def texts_of(
    model: TransformersModel, trajectories: Sequence[TextTrajectory] = DOOR
) -> list[TokenizedText]:
    requests = [
        ScoringRequest(
            messages=chat_messages(PROMPTS.statistician(None, one.state, one.action)),
            continuations=[one.change],
        )
        for one in transitions_of(trajectories)
    ]
    return [text for found in model.tokenize(requests) for text in found]


def padded_loss(model: Any, texts: Sequence[TokenizedText]) -> Any:
    """Returns the loss of transformers, with labels of -100 outside the answers."""
    import torch  # noqa: PLC0415

    width = max(len(text.token_ids) for text in texts)
    ids = torch.zeros((len(texts), width), dtype=torch.long)
    seen, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, text in enumerate(texts):
        size = len(text.token_ids)
        ids[row, :size] = torch.tensor(text.token_ids)
        seen[row, :size] = 1
        labels[row, text.start : size] = torch.tensor(text.token_ids[text.start :])
    return model(input_ids=ids, attention_mask=seen, labels=labels).loss


@pytest.fixture(scope="module")
def base() -> TransformersModel:
    pytest.importorskip("peft")
    return make()


@pytest.fixture(scope="module")
def before(base: TransformersModel) -> Any:
    return scores(base)


@pytest.fixture(scope="module")
def tuned(base: TransformersModel, before: Any) -> TunedModel:
    return finetune(base, PROMPTS, DOOR, FAST)


def test_the_published_settings_are_the_defaults() -> None:
    config = FinetuningConfig()
    assert (config.rank, config.alpha, config.dropout) == (16, 8.0, 0.05)
    assert (config.learning_rate, config.batch_size) == (2e-4, 16)
    assert (config.num_epochs, config.max_transitions) == (1, None)
    assert not config.distinct_only


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "rank must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"num_epochs": 0}, "num_epochs must be at least 1, got 0"),
        ({"pass_tokens": 0}, "pass_tokens must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"alpha": 0.0}, "alpha must be positive and finite, got 0.0"),
        ({"learning_rate": float("inf")}, "learning_rate must be positive and finite"),
        ({"max_grad_norm": -1.0}, "max_grad_norm must be positive and finite"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"schedule": "step"}, "schedule must be linear, cosine or constant, got 's"),
        ({"max_transitions": 0}, "max_transitions must be at least 1 or not given"),
    ],
)
def test_settings_out_of_range_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        FinetuningConfig(**settings)


def test_all_transitions_are_learned_from_unless_it_is_said_otherwise() -> None:
    twice = [*DOOR, *DOOR]
    assert choose_transitions(twice, PUBLISHED) == [*TRANSITIONS, *TRANSITIONS]
    distinct = FinetuningConfig(distinct_only=True)
    assert choose_transitions(twice, distinct) == TRANSITIONS
    few = choose_transitions(DOOR, FinetuningConfig(max_transitions=5))
    other = choose_transitions(DOOR, FinetuningConfig(max_transitions=5, seed=1))
    assert len(few) == len(set(few)) == 5
    assert few != other
    assert few == [one for one in TRANSITIONS if one in few]
    most = FinetuningConfig(max_transitions=27, distinct_only=True)
    assert choose_transitions(twice, most) == TRANSITIONS


def test_there_must_be_something_to_learn_from() -> None:
    with pytest.raises(DataError, match="must hold a transition to learn from"):
        choose_transitions([], PUBLISHED)


def test_every_epoch_sees_every_text_once_in_an_order_of_its_own() -> None:
    # 27 texts in batches of 8 are 4 steps, the last one of 3 texts.
    found = batches(27, FAST)
    assert [len(batch) for batch in found] == [8, 8, 8, 3] * 3
    epochs = [list(chain(*found[start : start + 4])) for start in (0, 4, 8)]
    assert all(sorted(epoch) == list(range(27)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert [len(batch) for batch in batches(27, PUBLISHED)] == [16, 11]


@local
def test_the_first_loss_is_what_the_scorer_says(
    base: TransformersModel, before: Any
) -> None:
    num_tokens = sum(text.num_scored for text in texts_of(base))
    tuned = finetune(base, PROMPTS, DOOR, ONE_STEP)
    assert len(tuned.about.losses) == 1
    assert tuned.about.losses[0] == pytest.approx(-before.sum() / num_tokens, abs=1e-4)


@local
@pytest.mark.parametrize("kind", [kind for kind in CONFIGS if kind != "bloom"])
@pytest.mark.parametrize("pass_tokens", [1, 400, 10_000])
def test_loss_and_gradients_are_those_of_a_padded_batch(
    kind: str, pass_tokens: int
) -> None:
    torch = pytest.importorskip("torch")
    settings = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    model = make(kind, **(settings if kind == "gpt2" else {}))
    adapter = Adapter(model.loaded, ONE_STEP)
    inner = adapter.attached("x").model
    texts = texts_of(model, [*DOOR[:5], DOOR[2]])
    weights = [one for one in inner.parameters() if one.requires_grad]
    for weight in weights:
        # With B = 0, as in the beginning, A has no gradient.
        torch.nn.init.normal_(weight, std=0.1)
    loss = padded_loss(inner, texts)
    loss.backward()
    wanted = [weight.grad.clone() for weight in weights]
    inner.zero_grad()
    found = training._add_gradients(inner, texts, pass_tokens)
    assert found == pytest.approx(float(loss.detach()), abs=1e-5)
    for weight, grad in zip(weights, wanted, strict=True):
        np.testing.assert_allclose(weight.grad, grad, atol=1e-5, rtol=1e-3)


@local
def test_a_step_of_gradients_is_that_of_plain_torch(base: TransformersModel) -> None:
    torch = pytest.importorskip("torch")
    config = FinetuningConfig(num_epochs=2, dropout=0.0, learning_rate=2e-3)
    plain = Adapter(base.loaded, config)
    texts = texts_of(base)
    inner = plain.attached("x").model
    weights = [one for one in inner.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=2e-3)
    losses = []
    # 2 epochs of 2 steps: the learning rate falls by a quarter each time.
    for batch, share in zip(batches(27, config), [1, 0.75, 0.5, 0.25], strict=True):
        optimizer.param_groups[0]["lr"] = 2e-3 * share
        optimizer.zero_grad()
        loss = padded_loss(inner, [texts[index] for index in batch])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    tuned = finetune(base, PROMPTS, DOOR, config)
    assert tuned.about.losses == pytest.approx(losses, abs=1e-5)
    for found, wanted in zip(
        tuned.model.loaded.model.parameters(), inner.parameters(), strict=True
    ):
        np.testing.assert_allclose(found.detach(), wanted.detach(), atol=2e-5)


@local
def test_the_trained_sentences_become_more_probable(
    tuned: TunedModel, before: Any
) -> None:
    losses = tuned.about.losses
    assert len(losses) == 12
    assert np.mean(losses[-4:]) < 0.6 * np.mean(losses[:4])
    assert (scores(tuned.model) > before).all()


@local
def test_the_model_itself_stays_as_it_was(
    base: TransformersModel, tuned: TunedModel, before: Any
) -> None:
    np.testing.assert_array_equal(scores(base), before)
    assert base.name == "tiny llama"
    fresh = make().loaded.model.state_dict()
    for name, weight in base.loaded.model.state_dict().items():
        np.testing.assert_array_equal(weight, fresh[name])


@local
def test_only_the_additions_are_trained_and_held_twice(
    base: TransformersModel, tuned: TunedModel
) -> None:
    own = dict(base.loaded.model.named_parameters())
    found = dict(tuned.model.loaded.model.named_parameters())
    trained = {name for name, weight in found.items() if weight.requires_grad}
    layers = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in trained}
    assert layers == {
        *("q_proj", "k_proj", "v_proj", "o_proj"),
        *("gate_proj", "up_proj", "down_proj"),
    }
    assert all(".lora_A." in name or ".lora_B." in name for name in trained)
    shared = {id(weight) for weight in own.values()}
    assert {id(found[name]) for name in set(found) - trained} == shared
    # 2 layers; A is 16 x inputs, B outputs x 16.
    per_layer = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 48), (32, 48), (48, 32)]
    assert tuned.adapter.num_weights == 2 * 16 * sum(map(sum, per_layer))
    changed = [found[name] for name in trained if ".lora_B." in name]
    assert all(weight.abs().max() > 0 for weight in changed)


@local
def test_an_addition_is_scaled_by_alpha_over_rank(base: TransformersModel) -> None:
    torch = pytest.importorskip("torch")
    adapter = Adapter(base.loaded, FinetuningConfig(rank=3, alpha=6.0))
    layer = adapter.attached("x").model.model.layers[1].mlp.up_proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    torch.nn.init.normal_(b)
    x = torch.randn(32)
    wanted = layer.base_layer.weight @ x + 6.0 / 3 * (b @ (a @ x))
    np.testing.assert_allclose(layer(x).detach(), wanted.detach(), atol=1e-5)


@local
def test_tables_say_what_was_done(tuned: TunedModel) -> None:
    name = "tiny llama, fine-tuned on 27 transitions"
    assert tuned.model.name == tuned.about.name == name
    statistician = tuned.statistician(PROMPTS)
    assert (statistician.name, statistician.is_stand_in) == (name, False)


@local
def test_every_step_is_told(base: TransformersModel) -> None:
    told: list[TrainingStep] = []
    tuned = finetune(base, PROMPTS, DOOR, PUBLISHED, told.append)
    assert [(one.number, one.num_steps) for one in told] == [(1, 2), (2, 2)]
    assert tuple(one.loss for one in told) == tuned.about.losses


@local
def test_the_same_seed_gives_the_same_model(base: TransformersModel) -> None:
    torch = pytest.importorskip("torch")
    config = FinetuningConfig(dropout=0.5, learning_rate=0.01)
    state = torch.random.get_rng_state()
    found = [finetune(base, PROMPTS, DOOR, config)]
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(1)
    found.append(finetune(base, PROMPTS, DOOR, config))
    assert found[0].about == found[1].about
    assert found[0].model.identity == found[1].model.identity
    np.testing.assert_array_equal(*(scores(one.model) for one in found))
    other = finetune(
        base,
        PROMPTS,
        DOOR,
        FinetuningConfig(dropout=0.5, learning_rate=0.01, seed=1),
    )
    assert other.model.identity["weights"] != found[0].model.identity["weights"]
    assert other.about.losses != found[0].about.losses


@local
def test_dropout_is_for_training_only(base: TransformersModel) -> None:
    config = FinetuningConfig(dropout=0.5, learning_rate=0.01)
    tuned = finetune(base, PROMPTS, DOOR, config)
    np.testing.assert_array_equal(scores(tuned.model), scores(tuned.model))
    without = FinetuningConfig(dropout=0.0, learning_rate=0.01)
    plain = finetune(base, PROMPTS, DOOR, without)
    # B is 0 at the first step, so that what is left out makes no difference yet.
    assert plain.about.losses[0] == pytest.approx(tuned.about.losses[0], abs=1e-5)
    assert plain.about.losses[1] != pytest.approx(tuned.about.losses[1], abs=1e-5)


@local
def test_what_was_saved_gives_the_same_numbers(
    base: TransformersModel, tuned: TunedModel, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "tuned"
    tuned.save(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        WEIGHTS_FILE,
        ABOUT_FILE,
    ]
    loaded = load_tuned(folder, make())
    assert loaded.about == tuned.about == read_about(folder)
    assert loaded.model.name == tuned.model.name
    assert loaded.model.identity == tuned.model.identity
    np.testing.assert_array_equal(scores(loaded.model), scores(tuned.model))
    about = json.loads((folder / "adapter_config.json").read_text())
    assert about["base_model_name_or_path"] == "tiny llama"


@local
def test_an_adapter_that_was_half_written_is_not_described(
    tuned: TunedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned.save(tmp_path)
    monkeypatch.setattr(Adapter, "save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tuned.save(tmp_path)
    with pytest.raises(DataError, match="must describe a fine-tuned model"):
        read_about(tmp_path)


@local
def test_peft_reads_what_was_saved(tuned: TunedModel, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    tuned.save(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = peft.PeftModel.from_pretrained(tiny_model().model, str(tmp_path))
    texts = texts_of(tuned.model)
    assert float(padded_loss(read, texts).detach()) == pytest.approx(
        float(padded_loss(tuned.model.loaded.model, texts).detach()), abs=1e-5
    )


@local
def test_another_model_is_refused(tuned: TunedModel, tmp_path: Path) -> None:
    tuned.save(tmp_path)
    with pytest.raises(ConfigError, match="'tiny llama', got 'tiny gpt2'"):
        load_tuned(tmp_path, make("gpt2"))
    data = json.loads((tmp_path / ABOUT_FILE).read_text())
    data["base_weights"] = "0123456789abcdef"
    (tmp_path / ABOUT_FILE).write_text(json.dumps(data))
    with pytest.raises(ConfigError, match="hash '0123456789ab', got ''"):
        load_tuned(tmp_path, make())


@local
def test_a_folder_that_is_not_whole_is_refused(
    base: TransformersModel, tuned: TunedModel, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="must describe a fine-tuned model"):
        load_tuned(tmp_path, base)
    tuned.save(tmp_path)
    about = json.loads((tmp_path / ABOUT_FILE).read_text())
    whole = (tmp_path / WEIGHTS_FILE).read_bytes()
    (tmp_path / WEIGHTS_FILE).write_bytes(whole[:1000])
    with pytest.raises(DataError, match=r"Adapter .* cannot be read"):
        load_tuned(tmp_path, base)
    (tmp_path / WEIGHTS_FILE).write_bytes(whole)
    narrow = {**about, "config": {**about["config"], "rank": 2}}
    (tmp_path / ABOUT_FILE).write_text(json.dumps(narrow))
    with pytest.raises(DataError, match="28 tensors of rank 2 that belong to"):
        load_tuned(tmp_path, base)
    for wrong in ({**about, "format": "other"}, {**about, "config": {"x": 1}}, []):
        (tmp_path / ABOUT_FILE).write_text(json.dumps(wrong))
        with pytest.raises(DataError, match="A fine-tuning cannot be read"):
            load_tuned(tmp_path, base)


@local
def test_a_loss_that_is_not_finite_ends_it(base: TransformersModel) -> None:
    wild = FinetuningConfig(learning_rate=1e30, max_grad_norm=1e30, batch_size=4)
    with pytest.raises(ConfigError, match="learning_rate must be small enough"):
        finetune(base, PROMPTS, DOOR, wild)
    assert not base.loaded.model.training


@local
def test_numbers_that_are_too_coarse_are_refused(base: TransformersModel) -> None:
    torch = pytest.importorskip("torch")
    loaded = tiny_model()
    loaded.model.to(torch.float16)
    with pytest.raises(ConfigError, match="float32 or bfloat16 to train tiny llama"):
        Adapter(loaded, PUBLISHED)


@local
def test_a_model_that_takes_no_trees_is_refused_before_the_work() -> None:
    pytest.importorskip("peft")
    told: list[TrainingStep] = []
    with pytest.raises(ConfigError, match="must see a tree of texts"):
        finetune(make("bloom"), PROMPTS, DOOR, PUBLISHED, told.append)
    assert told == []


@local
def test_bfloat16_weights_can_be_trained() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("peft")
    loaded = tiny_model()
    loaded.model.to(torch.bfloat16)
    model = TransformersModel(loaded, LocalConfig(device="cpu", num_threads=1))
    tuned = finetune(model, PROMPTS, DOOR, FAST)
    assert scores(tuned.model).sum() > scores(model).sum() + 10
    trained = [w for w in tuned.model.loaded.model.parameters() if w.requires_grad]
    assert {weight.dtype for weight in trained} == {torch.float32}


@local
@pytest.mark.slow
@pytest.mark.long
def test_a_real_model_learns_what_changes(tmp_path: Path) -> None:
    """All of this with a tiny model is above.

    That a real one learns with an adapter, and is itself as it was:
    `tests/unit/providers/knowledge/test_models_smollm2.py`.
    """
    pytest.importorskip("peft")
    prompts = HypothesisPrompts("playground")
    seen = [episode(f"seen {number}") for number in range(8)]
    held_out = transitions_of(episode(f"held out {number}") for number in range(4))
    model = smollm2.model()
    before = LanguageModelStatistician(model, prompts).log_probs(None, held_out)
    tuned = finetune(model, prompts, seen, FinetuningConfig(max_transitions=64))
    assert len(tuned.about.losses) == 4
    after = tuned.statistician(prompts).log_probs(None, held_out)
    assert after.mean() > before.mean() + 1.0
    tuned.save(tmp_path)
    loaded = load_tuned(tmp_path, model).statistician(prompts)
    np.testing.assert_array_equal(loaded.log_probs(None, held_out), after)


def episode(name: str) -> TextTrajectory:
    """Returns 8 random steps in the Playground."""
    env = find_world("playground").open()
    rng = child_rng(0, name)

    def choose(state: str, actions: Sequence[tuple[int, str]]) -> int:
        return actions[int(rng.integers(len(actions)))][0]

    return play(env, choose, max_steps=8, seed=child_seed(0, name))
