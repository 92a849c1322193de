"""Prompts are those that were read and approved, word for word."""

import pytest

from tests.golden.prompt_requests import FOLDER, REQUESTS, prompt_text


@pytest.mark.parametrize("name", REQUESTS)
def test_request_has_its_golden_prompt(name: str) -> None:
    assert prompt_text(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_prompt_has_its_request() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(REQUESTS)
