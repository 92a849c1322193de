"""Prompts are those that were read and approved, word for word."""

import pytest

from tests.golden.prompt_requests import (
    FOLDER,
    REQUESTS,
    all_golden_texts,
    golden_texts,
)


@pytest.mark.parametrize("name", REQUESTS)
def test_request_has_its_golden_prompt(name: str) -> None:
    for file, text in golden_texts(name).items():
        assert text == (FOLDER / f"{file}.txt").read_text(encoding="utf-8")


def test_every_golden_prompt_has_its_request() -> None:
    found = {
        path.relative_to(FOLDER).with_suffix("").as_posix()
        for path in FOLDER.rglob("*.txt")
    }
    assert found == set(all_golden_texts())
