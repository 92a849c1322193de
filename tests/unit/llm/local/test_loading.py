"""Where local models come from, and what is said when they do not come."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.llm.chat import ChatMessage
from cwm.llm.local import loading
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.loading import LoadedModel, ModelSource, load
from cwm.llm.local.model import TransformersModel
from tests.support.tiny_language_model import EXACT, tiny_model, tiny_tokenizer

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
pytestmark = pytest.mark.local

MESSAGES = [ChatMessage("user", "the cart moves")]


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    loaded = tiny_model()
    path = tmp_path / "tiny"
    loaded.model.save_pretrained(path)
    loaded.tokenizer.save_pretrained(path)
    return path


def test_a_folder_gives_the_model_that_was_saved(folder: Path) -> None:
    model = TransformersModel.from_hub_or_folder(str(folder), EXACT)
    assert model.name == "hf:tiny"
    found = model.complete(MESSAGES, max_tokens=20, seed=0)
    expected = TransformersModel(tiny_model(), EXACT).complete(
        MESSAGES, max_tokens=20, seed=0
    )
    assert found[0].text == expected[0].text


def test_nothing_is_read_before_it_is_needed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[ModelSource] = []

    def counting(source: ModelSource, config: LocalConfig) -> LoadedModel:
        calls.append(source)
        return load(source, config)

    monkeypatch.setattr("cwm.llm.local.model.load", counting)
    model = TransformersModel.from_hub_or_folder(str(folder))
    assert (model.name, model.identity["dtype"]) == ("hf:tiny", "auto")
    assert not calls
    model.load()
    model.complete(MESSAGES, max_tokens=2)
    assert len(calls) == 1


def test_closing_before_reading_reads_nothing(folder: Path) -> None:
    model = TransformersModel.from_hub_or_folder(str(folder))
    model.close()
    with pytest.raises(Exception, match="hf:tiny was closed"):
        model.load()


def test_no_progress_is_shown(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    was_shown = transformers.utils.logging.is_progress_bar_enabled()
    TransformersModel.from_hub_or_folder(str(folder)).load()
    assert capfd.readouterr().err == ""
    assert transformers.utils.logging.is_progress_bar_enabled() == was_shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("./nowhere", "hf:./nowhere must name a folder or a model of the hub."),
        ("/no/such/folder", "must name a folder or a model of the hub."),
        ("a/b/c", "hf:a/b/c must name a folder or a model of the hub."),
    ],
)
def test_a_text_that_can_only_be_a_folder_must_be_one(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        TransformersModel.from_hub_or_folder(text)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"got one without config\.json"):
        TransformersModel.from_hub_or_folder(str(tmp_path))


def test_a_model_that_the_hub_does_not_give_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("someone/some-model is not a\n valid model identifier")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    model = TransformersModel.from_hub_or_folder("someone/some-model")
    assert (model.name, "weights" in model.identity) == ("hf:someone/some-model", False)
    with pytest.raises(ConfigError) as caught:
        model.load()
    assert str(caught.value) == (
        "hf:someone/some-model cannot be loaded: someone/some-model is not a valid "
        "model identifier"
    )


def test_a_package_that_only_this_model_needs_is_named(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ImportError("it needs sentencepiece")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(PrerequisiteError, match=r"hf:tiny needs .*: it needs sen"):
        TransformersModel.from_hub_or_folder(str(folder)).load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "must name a file, and there is none."),
        (b"PK\x03\x04", "must name a GGUF file, got another."),
    ],
)
def test_a_file_that_is_no_gguf_file_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    pytest.importorskip("gguf")
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        TransformersModel.from_gguf(str(path))
    assert str(caught.value) == f"gguf:{path} {message}"


def test_a_damaged_gguf_file_is_a_reason_not_a_traceback(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ConfigError, match=r"gguf:model\.gguf cannot be loaded: "):
        TransformersModel.from_gguf(str(path)).load()


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "device must be auto, cpu, cuda, cuda:NUMBER or mps, got 'gpu'."),
        ("cuda:63", "device must be on this machine, got 'cuda:63'; torch sees "),
    ],
)
def test_a_device_that_is_not_there_is_refused(
    folder: Path, device: str, message: str
) -> None:
    config = LocalConfig(device=device)
    with pytest.raises(ConfigError, match=re.escape(message)):
        TransformersModel.from_hub_or_folder(str(folder), config).load()


@pytest.mark.parametrize(
    ("dtype", "device", "has_bfloat16", "expected"),
    [
        ("auto", "cpu", True, "float32"),
        ("auto", "cuda", True, "bfloat16"),
        ("auto", "cuda", False, "float16"),
        ("auto", "mps", True, "float16"),
        ("bfloat16", "cpu", False, "bfloat16"),
        ("float32", "cuda", True, "float32"),
    ],
)
def test_the_number_type_suits_the_device(
    monkeypatch: pytest.MonkeyPatch,
    dtype: Any,
    device: str,
    has_bfloat16: bool,
    expected: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_bfloat16)
    found = loading._number_type(LocalConfig(dtype=dtype), torch.device(device))
    assert found == getattr(torch, expected)


def test_weights_are_held_in_the_number_type_asked_for(folder: Path) -> None:
    source = ModelSource.from_hub_or_folder(str(folder))
    loaded = load(source, LocalConfig(device="cpu", dtype="bfloat16"))
    assert {weights.dtype for weights in loaded.model.parameters()} == {torch.bfloat16}
    model = TransformersModel(loaded, EXACT)
    assert model.complete(MESSAGES, max_tokens=5, seed=0)[0].completion_tokens == 5
    (scores,) = model.log_probs(MESSAGES, ["the pole"])
    assert scores.total < 0.0


def test_threads_are_those_asked_for_or_half_of_the_cores(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ModelSource.from_hub_or_folder(str(folder))
    load(source, LocalConfig(num_threads=3))
    assert torch.get_num_threads() == 3
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(12), raising=False)
    torch.set_num_threads(12)
    assert loading._num_threads(LocalConfig()) == 6
    # A user who asked torch for less gets less.
    torch.set_num_threads(2)
    assert loading._num_threads(LocalConfig()) == 2


def test_a_model_that_keeps_another_state_is_refused() -> None:
    tokenizer = tiny_tokenizer()
    config = transformers.MambaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, state_size=4
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    with pytest.raises(ConfigError, match="tiny must be a decoder with full or slid"):
        LoadedModel.of("tiny", model, tokenizer)


def test_layers_of_another_kind_are_named() -> None:
    loaded = tiny_model()
    loaded.model.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(ConfigError, match=r"in every layer, got linear_attention\."):
        LoadedModel.of("tiny", loaded.model, loaded.tokenizer)


def test_all_tokens_that_end_a_turn_are_known() -> None:
    loaded = tiny_model()
    loaded.model.generation_config.eos_token_id = [5, 6]
    again = LoadedModel.of("tiny", loaded.model, loaded.tokenizer)
    assert again.end_ids == {5, 6, loaded.tokenizer.eos_token_id}


def test_models_of_the_same_name_are_told_apart_by_their_weights(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "tiny"
    loaded = tiny_model(seed=1)
    loaded.model.save_pretrained(other)
    loaded.tokenizer.save_pretrained(other)
    one = TransformersModel.from_hub_or_folder(str(folder))
    two = TransformersModel.from_hub_or_folder(str(other))
    assert one.name == two.name
    assert one.identity["weights"] != two.identity["weights"]
    again = TransformersModel.from_hub_or_folder(str(folder))
    assert one.identity == again.identity
    # Also once they are in memory.
    assert one.loaded.fingerprint() == one.identity["weights"]
    assert TransformersModel(one.loaded).identity == one.identity
