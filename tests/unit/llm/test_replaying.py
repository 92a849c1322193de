"""Answers from the journal of an earlier run."""

from pathlib import Path

import pytest

from cwm.core.errors import DataError, LLMError
from cwm.core.journal import Journal
from cwm.execution.run_folder import RunFolder
from cwm.llm import replaying
from cwm.llm.caching import cached
from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.llm.replaying import ReplayChatModel
from cwm.llm.scripted import ScriptedChatModel
from cwm.synthesis import records
from tests.support.openai_client import new_model
from tests.support.openai_server import OpenAIServer, answer, models
from tests.support.recorded_answers import record_answers

PROMPTS = [[ChatMessage("user", f"Question {i}")] for i in range(3)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    record_answers(tmp_path / "run", ScriptedChatModel(["a", "b", "c"]), PROMPTS)
    return tmp_path / "run"


def test_answers_are_found_by_their_requests_in_any_order(run: Path) -> None:
    model = ReplayChatModel(run)
    for index in (2, 0, 1, 1):
        (found,) = model.complete(PROMPTS[index], seed=index)
        assert found == ChatCompletion(
            text="abc"[index],
            is_cached=True,
            saved_prompt_tokens=2,
            saved_completion_tokens=1,
        )


def test_name_says_whose_answers_they_are(run: Path) -> None:
    assert ReplayChatModel(run).name == "replay of scripted"


def test_request_with_another_setting_is_named(run: Path) -> None:
    with pytest.raises(LLMError) as caught:
        ReplayChatModel(run).complete(PROMPTS[1], seed=7, temperature=0.1)
    assert not caught.value.retryable
    message = str(caught.value)
    assert (
        "(seed 7): call 1 had this prompt, but temperature is 0.1, not 0.6" in message
    )
    assert "seed is 7, not 1" in message
    assert "It holds 3 answers." in message
    assert f"--config {run / 'config.json'}" in message


def test_request_with_another_prompt_is_named(run: Path) -> None:
    with pytest.raises(LLMError, match="none was recorded with this prompt"):
        ReplayChatModel(run).complete([ChatMessage("user", "New")], seed=0)


def test_several_completions_were_not_recorded(run: Path) -> None:
    with pytest.raises(LLMError, match="num_completions is 2, not 1"):
        ReplayChatModel(run).complete(PROMPTS[0], seed=0, num_completions=2)


def test_run_at_an_endpoint_is_replayed_without_it(tmp_path: Path) -> None:
    replies = [answer(text, prompt_tokens=5, model="tiny-v2") for text in "abc"]
    with OpenAIServer(replies) as server:
        texts = record_answers(
            tmp_path / "run", new_model(server), PROMPTS, temperature=0.0
        )
    model = ReplayChatModel(tmp_path / "run")
    assert model.name == "replay of tiny"
    again = [model.complete(PROMPTS[i], seed=i, temperature=0.0)[0] for i in range(3)]
    assert [completion.text for completion in again] == texts == ["a", "b", "c"]
    assert {completion.model for completion in again} == {"tiny-v2"}


def test_answers_from_a_store_are_replayed_with_what_they_had_cost(
    tmp_path: Path,
) -> None:
    script = ["a", "b", "c"]
    for name in ("first", "second"):
        model = cached(ScriptedChatModel(script), tmp_path / "cache")
        record_answers(tmp_path / name, model, PROMPTS)
    (found,) = ReplayChatModel(tmp_path / "second").complete(PROMPTS[0], seed=0)
    assert (found.text, found.saved_prompt_tokens) == ("a", 2)


def test_replay_continues_messages_if_the_run_did(tmp_path: Path) -> None:
    begun = [*PROMPTS[0], ChatMessage("assistant", "Well, ")]
    listed = models("tiny", owned_by="vllm")
    with OpenAIServer([answer("yes.")], models=listed) as server:
        record_answers(tmp_path / "run", new_model(server), [PROMPTS[0], begun])
    model = ReplayChatModel(tmp_path / "run")
    assert model.continues_assistant
    assert model.complete(begun, seed=1)[0].text == "yes."


def test_replay_continues_no_message_if_the_run_did_not(run: Path) -> None:
    assert not ReplayChatModel(run).continues_assistant


def test_first_answer_to_a_request_counts(tmp_path: Path) -> None:
    record_answers(tmp_path / "run", ScriptedChatModel(["a"]), PROMPTS[:1])
    with Journal(tmp_path / "run" / "journal.jsonl") as journal:
        body = journal.records[-1].body
        journal.append("completion", {**body, "text": "z"})
    assert ReplayChatModel(tmp_path / "run").complete(PROMPTS[0], seed=0)[0].text == "a"


def test_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"journal\.jsonl' cannot be read"):
        ReplayChatModel(tmp_path)


def test_run_without_a_language_model_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        body = {"call": 0, "text": "x", "annotation": {}, "usage": {"calls": 1}}
        journal.append("completion", body)
    with pytest.raises(DataError, match="must hold completions of a language model"):
        ReplayChatModel(tmp_path)


def test_names_are_those_that_runs_are_written_with(tmp_path: Path) -> None:
    assert RunFolder(tmp_path).journal == tmp_path / replaying.JOURNAL
    assert records.COMPLETION == replaying.COMPLETION
