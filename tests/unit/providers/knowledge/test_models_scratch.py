"""Models from nothing: made, trained, saved and read again as any other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.conversations import Turn
from cwm.llm.local.loading import ModelSource
from cwm.llm.local.model import TransformersModel
from cwm.providers.knowledge.models.about import ABOUT_FILE
from cwm.providers.knowledge.models.config import ScratchConfig
from cwm.providers.knowledge.models.scratch import (
    ScratchModel,
    random_model,
    read_scratch,
    train_scratch,
)
from cwm.providers.knowledge.models.vocabulary import make_tokenizer

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.local

LOCAL = LocalConfig(device="cpu", num_threads=1)
PLACES = {"towel": "bathroom", "spoon": "kitchen", "hammer": "garage"}


def talk(thing: str, place: str) -> list[Turn]:
    return [
        (ChatMessage("system", "You tidy up."), False),
        (ChatMessage("user", f"Where does the {thing} belong?"), False),
        (ChatMessage("assistant", f"Action: go to the {place}"), True),
        (ChatMessage("user", "You are there."), False),
        (ChatMessage("assistant", f"Action: put down the {thing}"), True),
    ]


TALKS = [talk(thing, place) for thing, place in PLACES.items()]
SMALL = ScratchConfig(
    layers=1,
    width=32,
    heads=2,
    vocabulary_size=400,
    context_tokens=128,
    learning_rate=0.01,
    batch_size=3,
    num_epochs=40,
)
SHORT = ScratchConfig(
    layers=1, width=16, heads=2, vocabulary_size=300, context_tokens=128, num_epochs=1
)


@pytest.fixture(scope="module")
def trained() -> ScratchModel:
    return train_scratch(TALKS, SMALL, local=LOCAL)


@pytest.fixture(scope="module")
def folder(trained: ScratchModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("models") / "deep" / "tidy"
    trained.save(found)
    return found


def answer(model: TransformersModel, messages: list[ChatMessage]) -> Any:
    (found,) = model.complete(messages, temperature=0.0, max_tokens=30)
    return found


def test_it_repeats_what_it_was_trained_on(trained: ScratchModel) -> None:
    assert trained.about.trained_on.num_answers == 6
    assert len(trained.about.trained_on.losses) == 40
    for conversation in TALKS:
        messages = [message for message, _ in conversation]
        for index in (2, 4):
            found = answer(trained.model, messages[:index])
            assert found.text == messages[index].content
            # It ends its answers itself.
            assert found.finish_reason == "stop"


def test_the_saved_folder_is_a_model_like_any_other(
    trained: ScratchModel, folder: Path
) -> None:
    model = TransformersModel.from_hub_or_folder(str(folder), LOCAL)
    assert model.name == "hf:tidy"
    messages = [message for message, _ in TALKS[0]]
    assert answer(model, messages[:2]).text == messages[2].content
    texts = ["Action: go to the garage", "Action: go to the kitchen", "no"]
    for one, other in zip(
        model.log_probs(messages[:2], texts),
        trained.model.log_probs(messages[:2], texts),
        strict=True,
    ):
        assert one.token_ids == other.token_ids
        np.testing.assert_array_equal(one.log_probs, other.log_probs)
    assert model.loaded.context_tokens == 128
    assert model.identity["weights"]
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja"} <= {
        path.name for path in folder.iterdir()
    }


def test_nothing_is_shown_while_it_is_saved(
    trained: ScratchModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained.save(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_the_folder_says_how_it_was_made(trained: ScratchModel, folder: Path) -> None:
    about = read_scratch(folder)
    assert about == trained.about
    assert about.config == SMALL
    # By hand: a table of 32 numbers for each token; a layer with 4 x 32 x 32 weights of
    # attention, 3 x 32 x 64 behind it and 2 x 32 of its norms; the last norm.
    num_tokens = len(trained.model.loaded.tokenizer)
    assert about.num_weights == 32 * num_tokens + 4096 + 6144 + 64 + 32


def test_a_folder_that_is_not_whole_is_refused(
    trained: ScratchModel, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    (tmp_path / ABOUT_FILE).unlink()
    with pytest.raises(DataError, match="must describe a whole trained model"):
        read_scratch(tmp_path)


def test_the_same_seed_gives_the_same_weights_and_another_one_others() -> None:
    one, same = (train_scratch(TALKS, SHORT, local=LOCAL) for _ in range(2))
    assert one.about == same.about
    assert one.model.identity == same.model.identity
    weights = [list(each.model.loaded.model.parameters()) for each in (one, same)]
    for left, right in zip(*weights, strict=True):
        np.testing.assert_array_equal(left.detach(), right.detach())
    seed = ScratchConfig(
        layers=1, width=16, heads=2, vocabulary_size=300, num_epochs=1, seed=1
    )
    other = train_scratch(TALKS, seed, local=LOCAL)
    assert other.model.identity["weights"] != one.model.identity["weights"]


def test_the_same_training_saves_the_same_files(tmp_path: Path) -> None:
    prints = []
    for name in ("one", "other"):
        trained = train_scratch(TALKS, SHORT, local=LOCAL)
        trained.save(tmp_path / name)
        prints.append(ModelSource(str(tmp_path / name)).fingerprint())
    assert prints[0] == prints[1]


def test_all_weights_are_trained() -> None:
    trained = train_scratch(TALKS, SHORT, local=LOCAL)
    first = random_model(SHORT, trained.model.loaded.tokenizer)
    for (name, new), old in zip(
        trained.model.loaded.model.named_parameters(), first.parameters(), strict=True
    ):
        assert not np.array_equal(new.detach(), old.detach()), name


def test_each_message_has_one_token_before_it_and_one_after() -> None:
    tokenizer = make_tokenizer(TALKS, 300)
    messages = [{"role": m.role, "content": m.content} for m, _ in TALKS[0][:2]]
    text = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    assert text == (
        "<|system|>You tidy up.<|end|>"
        "<|user|>Where does the towel belong?<|end|><|assistant|>"
    )
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    marks = [token for token in tokens if token.startswith("<|")]
    assert marks == ["<|system|>", "<|end|>", "<|user|>", "<|end|>", "<|assistant|>"]


@pytest.mark.parametrize("size", [300, 1024])
def test_every_text_is_known_and_frequent_words_are_tokens(size: int) -> None:
    tokenizer = make_tokenizer(TALKS, size)
    assert len(tokenizer) <= size
    for text in ("Action: go", " größer\n\tZüge ", "日本 🙂", "<x> [y] 0123"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
    ids = tokenizer("Action: put", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["Action", ":", "Ġput"]


def test_the_same_texts_give_the_same_tokenizer() -> None:
    one, same = (make_tokenizer(TALKS, 400) for _ in range(2))
    assert one.backend_tokenizer.to_str() == same.backend_tokenizer.to_str()


def test_conversations_that_are_longer_than_the_context_are_cut() -> None:
    settings = ScratchConfig(
        layers=1, width=16, heads=2, vocabulary_size=400, context_tokens=30
    )
    trained = train_scratch(TALKS, settings, local=LOCAL)
    about = trained.about.trained_on
    assert about.num_answers + about.num_cut_answers == 6
    assert about.num_cut_answers > 0


def test_there_must_be_something_to_learn() -> None:
    with pytest.raises(DataError, match="conversations must hold one to learn from"):
        train_scratch([], SHORT, local=LOCAL)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"heads": 0}, "heads must be at least 1, got 0"),
        ({"vocabulary_size": 299}, "vocabulary_size must be at least 300, got 299"),
        ({"context_tokens": 0}, "context_tokens must be at least 1, got 0"),
        ({"width": 36}, r"width must be a multiple of twice heads \(8\), got 36"),
        ({"learning_rate": 0.0}, "learning_rate must be positive and finite"),
    ],
)
def test_settings_out_of_range_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ScratchConfig(**settings)
