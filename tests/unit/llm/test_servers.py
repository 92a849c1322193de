"""Telling servers apart, and models."""

import json

import pytest

from cwm.llm.servers import QUIRKS, UNKNOWN_SERVER, Server, is_other_model, read_server


def listed(*owners: str) -> str:
    data = [{"id": f"m{i}", "owned_by": owner} for i, owner in enumerate(owners)]
    return json.dumps({"object": "list", "data": data})


@pytest.mark.parametrize(
    ("owner", "kind"),
    [
        ("vllm", "vllm"),
        ("sglang", "sglang"),
        ("llamacpp", "llama.cpp"),
        ("me", "llama-cpp-python"),
        ("library", "ollama"),
        ("OpenAI", "openai"),
        ("somebody", "unknown"),
    ],
)
def test_kind_is_read_from_the_owner_of_the_models(owner: str, kind: str) -> None:
    assert read_server(listed(owner, owner)) == Server(
        kind=kind,  # type: ignore[arg-type]
        model_ids=("m0", "m1"),
    )


def test_owners_of_several_kinds_are_a_gateway_and_unknown() -> None:
    assert read_server(listed("openai", "vllm")).kind == "unknown"
    assert read_server(listed("openai", "system")).kind == "openai"


@pytest.mark.parametrize(
    "text", ["", "<html>", "[]", "7", '{"data": 7}', '{"data": null}', '{"models": []}']
)
def test_list_of_another_form_is_an_unknown_server(text: str) -> None:
    assert read_server(text) == UNKNOWN_SERVER


def test_members_of_another_form_are_left_out() -> None:
    text = '{"data": ["x", {"owned_by": "vllm"}, {"id": "m", "owned_by": "vllm"}]}'
    assert read_server(text) == Server(kind="vllm", model_ids=("m",))


def test_unknown_server_has_no_quirks() -> None:
    assert UNKNOWN_SERVER.quirks == QUIRKS["openai"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("org/model-7b", "Model_7B"),
        ("smollm2", "models/SmolLM2-135M-Instruct.Q4_1.gguf"[7:]),
        ("llama3", "llama3:latest"),
        ("llama3", "llama-3"),
        ("models/x/", "x"),
        ("", "x"),
        ("x", ""),
        ("模型", "x"),
    ],
)
def test_same_model_under_another_name(asked: str, answered: str) -> None:
    assert not is_other_model(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4o-mini", "gpt-4o"),
        ("gpt-4", "gpt-4o"),
        ("gpt-4o", "gpt-3.5-turbo"),
        ("qwen-7b", "llama-7b"),
    ],
)
def test_clearly_another_model(asked: str, answered: str) -> None:
    assert is_other_model(asked, answered)
