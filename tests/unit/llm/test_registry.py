"""Language models by the text after --llm."""

import json
from pathlib import Path

import pytest

from cwm.core.errors import ConfigError
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.registry import make_chat_model
from cwm.llm.scripted import ScriptedChatModel


def test_openai_scheme_takes_model_and_address() -> None:
    model = make_chat_model("openai:org/model:7b", base_url="http://localhost:1/v1")
    assert isinstance(model, OpenAICompatibleModel)
    assert (model.name, model.endpoint) == ("org/model:7b", "http://localhost:1/v1")


def test_scripted_scheme_takes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(["a"]), encoding="utf-8")
    assert isinstance(make_chat_model(f"scripted:{path}"), ScriptedChatModel)


def test_unknown_scheme_names_the_nearest_and_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        make_chat_model("opnai:gpt")
    assert str(caught.value) == (
        "No kind of language model called 'opnai'. Did you mean 'openai'? "
        "Known: openai:..., scripted:...."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzz", "called 'zzz'. Known:"),
        ("openai:", "as in openai:MODEL"),
        ("scripted", "as in scripted:FILE"),
    ],
)
def test_incomplete_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_chat_model(text)
    assert message in str(caught.value)


def test_address_of_a_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="base_url has no meaning for scripted:"):
        make_chat_model(f"scripted:{tmp_path}/x.json", base_url="http://localhost")
