"""Decisions and players of text games on a page, worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cwm.core.errors import DataError
from cwm.knowledge_pipeline.runs import (
    KnowledgeRunConfig,
    ModelConfig,
    WriterConfig,
)
from cwm.pages.games import MAX_ACTION_CHARS, MAX_CANDIDATES, decision
from cwm.pages.knowledge import main_row, stand_ins
from cwm.providers.knowledge.mixing import Mixture
from cwm.providers.knowledge.records import (
    TaskNote,
    append_record,
    read_records,
    read_whole_records,
)


def mixture(candidates: tuple[str, ...], probabilities: list[float]) -> Mixture:
    return Mixture(
        candidates=candidates,
        probabilities=np.array(probabilities),
        agent=np.array(probabilities) / 2,
        knowledge=np.array(probabilities) / 4,
        agent_weight=0.5,
        support=7,
        best_similarity=0.75,
    )


def test_the_most_probable_candidates_come_first_with_their_parts() -> None:
    found = decision(mixture(("go", "look", "take"), [0.25, 0.125, 0.625]).trace())
    assert found == {
        "candidates": ["take", "go", "look"],
        "num_candidates": 3,
        "probabilities": [0.625, 0.25, 0.125],
        "agent": [0.3125, 0.125, 0.0625],
        "knowledge": [0.1562, 0.0625, 0.0312],
        "agent_weight": 0.5,
        "support": 7,
        "best_similarity": 0.75,
    }


def test_of_many_candidates_a_few_are_told_and_all_are_counted() -> None:
    names = tuple(f"go to {place}" for place in range(20))
    found = decision(mixture(names, [1 / 20] * 20).trace())
    assert found is not None
    assert found["candidates"] == [f"go to {place}" for place in range(MAX_CANDIDATES)]
    assert found["num_candidates"] == 20


def test_what_a_part_did_not_say_is_none() -> None:
    silent = replace(
        mixture(("go", "look"), [0.5, 0.5]),
        agent=np.array([np.nan, np.nan]),
        support=0,
        best_similarity=-1.0,
    )
    found = decision(silent.trace())
    assert found is not None
    assert (found["agent"], found["knowledge"]) == (None, None)
    assert (found["support"], found["best_similarity"]) == (0, None)


def test_a_player_that_does_not_choose_has_no_decision() -> None:
    assert decision({"seconds": 1.0}) is None


def test_a_command_without_end_is_cut() -> None:
    found = decision(mixture(("go" * 5_000,), [1.0]).trace())
    assert found is not None
    assert len(found["candidates"][0]) < 2 * MAX_ACTION_CHARS


def test_a_run_is_about_the_player_with_most_knowledge() -> None:
    assert main_row(["random", "none", "task", "wkm", "oracle"]) == "wkm"
    assert main_row(["random", "none", "oracle"]) == "none"
    assert main_row(["random", "expert"]) is None


def test_who_is_no_language_model_is_said() -> None:
    config = KnowledgeRunConfig()
    both, writer = stand_ins(config)
    assert "Who acts and who knows are small transformers from nothing" in both
    assert "written by rules" in writer
    models = ModelConfig(agent_llm="gguf:a.gguf", knowledge_llm="scratch")
    one = replace(config, models=models, writing=WriterConfig(writer="openai:m"))
    assert stand_ins(one) == [
        "Who knows is a small transformer from nothing, no language model."
    ]
    whole = replace(one, models=ModelConfig(agent_llm="gguf:a.gguf"))
    assert stand_ins(whole) == []


def test_half_a_line_is_no_record_yet(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    assert read_whole_records(path, TaskNote) == []
    note = TaskNote(episode="a", text="Look first.", made_by="rules")
    append_record(path, note)
    with path.open("ab") as file:
        file.write(b'{"episode": "b", "te')
    assert read_whole_records(path, TaskNote) == [note]
    with pytest.raises(DataError, match="Line 2"):
        read_records(path, TaskNote)
    path.write_bytes(b"no record\n")
    with pytest.raises(DataError, match="Line 1"):
        read_whole_records(path, TaskNote)
